import { describeValue, isPlainObject } from '../errors/describe-value.js'
import type { SqlRow, SqlValue } from '../engine/engine.js'
import { TableError } from '../errors/errors.js'
import { givenIn, withGiven } from '../errors/given.js'
import { badQuery } from './query.js'
import { deleted, present, written } from './refused-writes.js'
import { parseRowId } from './row-id.js'
import { DataRow } from './row.js'
import { Search } from './search.js'
import type { TableLayout } from './table-layout.js'
import { encodeNewRow, wrongArgument } from './written-values.js'

/** A data table at run time; see `Table` for what TypeScript promises of it. It works while a database is open for it. */
export class DataTable {
  readonly #layout: TableLayout
  readonly #makeRow: (values: SqlRow) => DataRow

  constructor(layout: TableLayout) {
    this.#layout = layout
    this.#makeRow = DataRow.forTable(layout)
    layout.makeRow = this.#makeRow
    Object.freeze(this)
  }

  get name(): string {
    return this.#layout.name
  }

  search(filter: unknown = {}, options?: unknown): Search {
    return new Search(this.#layout, this.#makeRow, filter, options)
  }

  async get(filter: unknown): Promise<DataRow | null> {
    return new Search(this.#layout, this.#makeRow, filter, undefined).one()
  }

  async getById(id: unknown): Promise<DataRow | null> {
    const { statements, transactions, tableNumber } = this.#layout.attachment
    const number = parseRowId(id, tableNumber)
    if (number === null) return null
    const read = transactions.connection().read(statements.byId, [number])
    const [row] = read instanceof Promise ? await read : read
    return row === undefined ? null : this.#makeRow(row)
  }

  async addRow(values: unknown): Promise<DataRow> {
    try {
      const encoded = encodeNewRow(this.#layout, values)
      const { statements, transactions } = this.#layout.attachment
      const [added] = await written(this.#layout, () => this.#present([encoded]), transactions.connection().write(statements.insert, encoded))
      return this.#added([...(added ?? []), ...encoded])
    } catch (error) {
      throw this.#layout.refused(error)
    }
  }

  async addRows(rows: unknown): Promise<DataRow[]> {
    try {
      if (!Array.isArray(rows)) {
        throw wrongArgument(this.#layout, 'a list of rows to add', rows)
      }
      const encoded = rows.map((values: unknown, index) => this.#encodeListed(values, index))
      if (encoded.length === 0) return []
      const { statements, transactions } = this.#layout.attachment
      const added = await written(this.#layout, () => this.#present(encoded), transactions.connection().writeMany(statements.insert, encoded))
      return encoded.map((values, index) => this.#added([...(added[index] ?? []), ...values]))
    } catch (error) {
      throw this.#layout.refused(error)
    }
  }

  async upsert(key: unknown, values: unknown): Promise<DataRow> {
    try {
      if (!isPlainObject(key) || Object.keys(key).length === 0) {
        const expected = 'expected a plain object with at least one column as the key of upsert'
        throw badQuery(this.#layout, null, `${expected}, got ${describeValue(key)}`, { values: [key] })
      }
      if (!isPlainObject(values)) {
        throw wrongArgument(this.#layout, 'a plain object with the columns to write', values)
      }
      const search = this.search(key)
      return this.#layout.attachment.transactions.together(async () => {
        const row = await search.one()
        return row === null ? this.addRow({ ...values, ...key }) : row.update(values)
      })
    } catch (error) {
      throw this.#layout.refused(error)
    }
  }

  async deleteAllRows(): Promise<void> {
    try {
      const { statements, transactions } = this.#layout.attachment
      await deleted(this.#layout, transactions.connection().write(statements.deleteAll, []))
    } catch (error) {
      throw this.#layout.refused(error)
    }
  }

  /** The layout of a table, for whoever opens a database for it. */
  static layoutOf(table: DataTable): TableLayout {
    return table.#layout
  }

  #present(lists: readonly (readonly SqlValue[])[]): string[] {
    return present(this.#layout.columns.map(({ name }) => name), lists)
  }

  #added(values: SqlRow): DataRow {
    const row = this.#makeRow(values)
    this.#layout.attachment.transactions.renews(row, () => DataRow.revoke(row))
    return row
  }

  #encodeListed(values: unknown, index: number): ReturnType<typeof encodeNewRow> {
    try {
      return encodeNewRow(this.#layout, values)
    } catch (error) {
      if (!(error instanceof TableError)) throw error
      const { code, message, table, columns } = error
      const refusal = new TableError(code, `row ${index + 1}: ${message}`, { cause: error, table, columns })
      const given = givenIn(error)
      throw given === null ? refusal : withGiven(refusal, given)
    }
  }
}
