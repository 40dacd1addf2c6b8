import type { SqlRow, SqlValue } from '../engine/engine.js'
import { RowDeleted, TableError } from '../errors/errors.js'
import { nothingGiven, withGiven } from '../errors/given.js'
import type { Media } from '../values/media.js'
import { deleted, present, written } from './refused-writes.js'
import { RowIdentity } from './row-identity.js'
import { RowMedia } from './row-media.js'
import { rowMark } from './spread-row.js'
import type { LaidOutColumn, TableLayout } from './table-layout.js'
import { encodeChanges } from './written-values.js'

/**
 * A row of a data table. Each table has a subclass with a getter for each column over the values as the driver returned them,
 * which are decoded when they are read. Rows are frozen: only `update` and `reload` give them other values.
 */
export abstract class DataRow extends RowIdentity {
  readonly [rowMark] = true
  #values: SqlRow

  constructor(layout: TableLayout, values: SqlRow) {
    // The first value of every row is its id.
    super(layout, values[0] as number)
    this.#values = values
    Object.freeze(this)
  }

  async update(changes: unknown): Promise<this> {
    try {
      const layout = DataRow.layoutOf(this)
      const { columns, values } = encodeChanges(layout, changes)
      if (columns.length === 0) return this.reload()
      const { statements, transactions } = layout.attachment
      const rows = await written(layout, () => present(columns, [values]), transactions.connection().write(statements.updateById(columns), [...values, DataRow.numberOf(this)]))
      return this.#renew(rows[0])
    } catch (error) {
      throw DataRow.layoutOf(this).refused(error)
    }
  }

  async delete(): Promise<void> {
    try {
      const layout = DataRow.layoutOf(this)
      const { statements, transactions } = layout.attachment
      await deleted(layout, transactions.connection().write(statements.deleteById, [DataRow.numberOf(this)]))
    } catch (error) {
      throw DataRow.layoutOf(this).refused(error)
    }
  }

  async reload(): Promise<this> {
    const { statements, transactions } = DataRow.layoutOf(this).attachment
    const rows = await transactions.connection().read(statements.byId, [DataRow.numberOf(this)])
    return this.#renew(rows[0])
  }

  /** `JSON.stringify` calls this with the name of the member that the row stands in, which is no choice of columns. */
  toJSON(columns?: unknown): Record<string, unknown> {
    const plain: Record<string, unknown> = { id: this.id }
    for (const column of this.#chosen(columns)) plain[column.name] = this.#read(column)
    return plain
  }

  [Symbol.for('nodejs.util.inspect.custom')](_depth: unknown, options: object, inspect: (value: unknown, options: object) => string): string {
    const { id, ...columns } = this.toJSON()
    return `${DataRow.layoutOf(this).name} ${String(id)} ${inspect(columns, options)}`
  }

  #renew(values: SqlRow | undefined): this {
    const { name, attachment } = DataRow.layoutOf(this)
    if (values === undefined) throw new RowDeleted(name, this.id)
    const before = this.#values
    attachment.transactions.renews(this, () => {
      this.#values = before
    })
    this.#values = values
    return this
  }

  #read(column: LaidOutColumn): unknown {
    const stored = this.#values[column.position]
    if (stored === undefined || stored === null) return null
    if (column.lengthPosition !== undefined) return this.#media(column, column.lengthPosition, stored)
    return column.codec.decode === undefined ? stored : column.codec.decode(stored)
  }

  #media(column: LaidOutColumn, lengthPosition: number, stored: SqlValue): Media {
    const layout = DataRow.layoutOf(this)
    const beginning = stored as Uint8Array
    // A row that was just added has all of it.
    const length = Number(this.#values[lengthPosition] ?? beginning.byteLength)
    return RowMedia.make({ layout, column, rowNumber: DataRow.numberOf(this) }, { beginning, length })
  }

  #chosen(names: unknown): readonly LaidOutColumn[] {
    const layout = DataRow.layoutOf(this)
    if (!Array.isArray(names)) return layout.visibleColumns
    return names.map((name: unknown) => {
      const column = layout.column(String(name))
      if (column.settings.hidden !== true) return column
      const about = { table: layout.name, columns: [column.name] }
      const refusal = new TableError('unknown-column', `column ${column.name} of table ${layout.name} is hidden`, about)
      throw withGiven(refusal, { ...nothingGiven, names: [column.name] })
    })
  }

  /** Gives the rows of a table a getter for a column. It lies in this class because only code in here sees the values. */
  protected static defineColumn(prototype: object, column: LaidOutColumn): void {
    const { name, position, lengthPosition, codec: { decode } } = column
    const get = lengthPosition !== undefined
      ? function (this: DataRow): unknown {
          return this.#read(column)
        }
      : decode === undefined
        ? function (this: DataRow): unknown {
            return this.#values[position]
          }
        : function (this: DataRow): unknown {
            const stored = this.#values[position]
            return stored === undefined || stored === null ? null : decode(stored)
          }
    Object.defineProperty(prototype, name, { get, enumerable: true, configurable: false })
  }

  /** Makes the class of a table's rows. */
  static forTable(layout: TableLayout): (values: SqlRow) => DataRow {
    class TableRow extends DataRow {
      constructor(values: SqlRow) {
        super(layout, values)
      }
    }
    Object.defineProperty(TableRow, 'name', { value: `Row of ${layout.name}` })
    for (const column of layout.columns) DataRow.defineColumn(TableRow.prototype, column)
    return (values) => new TableRow(values)
  }
}
