import { createHash } from 'node:crypto'
import type { Engine, OpenTransaction, SqlRow, SqlValue } from '../engine/engine.js'
import { SchemaError, TableError } from '../errors/errors.js'
import { compareSchema, duplicates, indexName, isEmpty, isMedia, type SchemaDifference, type TableAdditions } from './schema-comparison.js'
import { defineTable, type TableDefinition } from './schema-definition.js'
import { mediaBeginning } from '../rows/media-beginning.js'
import { quote } from '../rows/statements.js'
import type { DeclaredIndex } from '../columns/table-declaration.js'
import type { LaidOutColumn, TableLayout } from '../rows/table-layout.js'
import { encodeDefault } from '../rows/written-values.js'

/**
 * Brings the database to the declared tables: adds tables, columns and indexes, all in one transaction, and resolves to what it has done, a line each.
 *
 * @throws SchemaError with every difference that is no mere addition; nothing has been changed then
 */
export async function updateSchema(engine: Engine, layouts: readonly TableLayout[], undeclared: 'refuse' | 'ignore'): Promise<string[]> {
  const difference = await compareSchema(engine, engine.dialect, layouts, undeclared)
  assertNoConflicts(difference)
  if (difference.newTables.length + difference.additions.length === 0) return []
  const transaction = await engine.begin()
  try {
    // Again, because another process may have made the same changes in the meantime.
    const current = await compareSchema(transaction, engine.dialect, layouts, undeclared)
    assertNoConflicts(current)
    const done = await new SchemaUpdate(engine, transaction).apply(current)
    const commit = await transaction.commit()
    await commit.durable
    return done
  } catch (error) {
    await transaction.rollback()
    throw error
  }
}

function assertNoConflicts({ conflicts }: SchemaDifference): void {
  if (conflicts.length > 0) throw misfit(conflicts)
}

function misfit(conflicts: readonly string[]): SchemaError {
  return new SchemaError(
    ['the declared tables do not fit the database:', ...conflicts].join('\n  - ') +
      '\nPut the declaration back as it was, or start with a fresh data folder: only additions are made by themselves, and there is no command for other changes yet.',
  )
}

/** How many rows get the default of a new column at a time. */
const fillBatch = 1000

/** Makes additions inside a transaction. */
class SchemaUpdate {
  readonly #dialect: Engine['dialect']
  readonly #transaction: OpenTransaction
  readonly #done: string[] = []

  constructor({ dialect }: Engine, transaction: OpenTransaction) {
    this.#dialect = dialect
    this.#transaction = transaction
  }

  async apply({ newTables, additions }: SchemaDifference): Promise<string[]> {
    for (const layout of newTables) await this.#createTable(layout)
    for (const each of additions) await this.#extendTable(each)
    return this.#done
  }

  async #createTable(layout: TableLayout): Promise<void> {
    const definition = defineTable(layout)
    // What lies behind something large in a row is found by way of all of that.
    const ordered = layout.columns.toSorted((one, other) => Number(isMedia(one)) - Number(isMedia(other)))
    const columns = ordered.map((column) => this.#columnClause(column, constantDefault(column)))
    await this.#run(`CREATE TABLE ${quote(layout.name)} ("id" ${this.#dialect.primaryKey}, ${columns.join(', ')})${this.#dialect.tableSuffix}`)
    const placeholders = [1, 2].map((position) => this.#dialect.placeholder(position)).join(', ')
    const [row] = await this.#run(`INSERT INTO rowhouse_tables (name, definition) VALUES (${placeholders}) RETURNING id`, [
      layout.name,
      JSON.stringify(definition),
    ])
    for (const index of definition.indexes) await this.#createIndex(Number(row?.[0]), layout, index)
    for (const column of layout.columns.filter(isMedia)) await this.#createBeginning(Number(row?.[0]), layout, column)
    this.#done.push(`added table ${layout.name}`)
  }

  async #extendTable({ stored, layout, columns, indexes, media }: TableAdditions): Promise<void> {
    for (const column of columns) await this.#addColumn(layout, column)
    for (const index of indexes) {
      await this.#createIndex(stored.number, layout, index)
      this.#done.push(`added ${indexName(layout, index)}`)
    }
    for (const column of media) {
      await this.#createBeginning(stored.number, layout, column)
      if (!columns.includes(column)) this.#done.push(`added an index on the headers of ${layout.name}.${column.name}`)
    }
    const [id, definition] = [1, 2].map((position) => this.#dialect.placeholder(position))
    const declared = defineTable(layout)
    const merged: TableDefinition = {
      // What this program has not declared stays known.
      columns: { ...stored.definition.columns, ...declared.columns },
      indexes: [...stored.definition.indexes, ...indexes],
    }
    await this.#run(`UPDATE rowhouse_tables SET definition = ${String(definition)} WHERE id = ${String(id)}`, [stored.number, JSON.stringify(merged)])
  }

  async #addColumn(layout: TableLayout, column: LaidOutColumn): Promise<void> {
    const { required, default: declared } = column.settings
    const constant = constantDefault(column)
    const empty = await isEmpty(this.#transaction, layout.name)
    // What a function makes is for one row each, so SQL must not know it as the default of rows to come.
    const requiredLater = required === true && constant === null && !empty
    await this.#run(`ALTER TABLE ${quote(layout.name)} ADD COLUMN ${this.#columnClause(column, constant, required === true && !requiredLater)}`)
    if (!empty && declared !== undefined && 'make' in declared) await this.#fill(layout, column)
    if (requiredLater) await this.#run(`ALTER TABLE ${quote(layout.name)} ALTER COLUMN ${quote(column.name)} SET NOT NULL`)
    this.#done.push(`added column ${layout.name}.${column.name}`)
  }

  /** Gives each row that exists a default of its own. */
  async #fill(layout: TableLayout, column: LaidOutColumn): Promise<void> {
    const [first, second] = [1, 2].map((position) => this.#dialect.placeholder(position))
    const table = quote(layout.name)
    const select = { text: `SELECT "id" FROM ${table} WHERE "id" > ${String(first)} ORDER BY "id" LIMIT ${fillBatch}` }
    const update = { text: `UPDATE ${table} SET ${quote(column.name)} = ${String(first)} WHERE "id" = ${String(second)}` }
    for (let last: SqlValue | undefined = 0; last !== undefined; ) {
      const rows: SqlRow[] = await this.#transaction.read(select, [last])
      await this.#transaction.writeMany(update, rows.map(([id = null]) => [encodeDefault(layout, column), id]))
      last = rows.at(-1)?.[0]
    }
  }

  #columnClause({ name, settings, codec }: LaidOutColumn, defaultValue: SqlValue, required = settings.required === true): string {
    const { target, onDelete } = settings
    let clause = `${quote(name)} ${this.#dialect.columnType(codec.storage)}`
    if (required) clause += ' NOT NULL'
    if (defaultValue !== null) clause += ` DEFAULT ${literal(defaultValue)}`
    if (settings.kind === 'link' && target !== undefined) {
      clause += ` REFERENCES ${quote(target)} ("id") ON DELETE ${onDelete === 'cascade' ? 'CASCADE' : onDelete === 'restrict' ? 'RESTRICT' : 'SET NULL'}`
    }
    return clause
  }

  async #createIndex(tableNumber: number, layout: TableLayout, { columns, unique }: DeclaredIndex): Promise<void> {
    // Names of tables and columns can be too long to make one name of them.
    const digest = createHash('sha256').update(`${String(unique)} ${columns.join()}`).digest('hex').slice(0, 8)
    const name = `rowhouse_index_${tableNumber}_${digest}`
    try {
      await this.#run(`CREATE ${unique ? 'UNIQUE ' : ''}INDEX ${quote(name)} ON ${quote(layout.name)} (${columns.map(quote).join(', ')})`)
    } catch (error) {
      // What default functions make for the rows that exist shows only now.
      if (error instanceof TableError && error.code === 'not-unique') throw misfit([duplicates(layout, { columns, unique })])
      throw error
    }
  }

  async #createBeginning(tableNumber: number, layout: TableLayout, { name }: LaidOutColumn): Promise<void> {
    await this.#run(this.#dialect.createBeginning(mediaBeginning(tableNumber, layout.name, name)))
  }

  #run(text: string, values: readonly SqlValue[] = []): Promise<SqlValue[][]> {
    return this.#transaction.write({ text }, values)
  }
}

/** The default that SQL can know too, so that a program which does not know the column adds right rows all the same. */
function constantDefault({ codec, settings }: LaidOutColumn): SqlValue {
  return settings.default !== undefined && 'value' in settings.default ? codec.encode(settings.default.value) : null
}

function literal(value: Exclude<SqlValue, null>): string {
  if (typeof value === 'number') return String(value)
  if (typeof value === 'string') return `'${value.replaceAll("'", "''")}'`
  return `X'${Buffer.from(value).toString('hex')}'`
}
