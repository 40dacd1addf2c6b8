import { createHash } from 'node:crypto'
import type { Engine, OpenTransaction, SqlValue } from './engine.js'
import { SchemaError } from './errors.js'
import { compareSchema, indexName, type SchemaDifference, type TableAdditions } from './schema-comparison.js'
import { defineTable, type TableDefinition } from './schema-definition.js'
import { quote } from './statements.js'
import type { DeclaredIndex } from './table-declaration.js'
import type { LaidOutColumn, TableLayout } from './table-layout.js'
import { encodeDefault } from './written-values.js'

/**
 * Brings the database to the declared tables: adds tables, columns and indexes, all in one transaction, and resolves to what it has done, a line each.
 *
 * @throws SchemaError with every difference that is no mere addition; nothing has been changed then
 */
export async function updateSchema(engine: Engine, layouts: readonly TableLayout[], undeclared: 'refuse' | 'ignore'): Promise<string[]> {
  const difference = await compareSchema(engine, layouts, undeclared)
  assertNoConflicts(difference)
  if (difference.newTables.length + difference.additions.length === 0) return []
  const transaction = await engine.begin()
  try {
    // Again, because another process may have made the same changes in the meantime.
    const current = await compareSchema(transaction, layouts, undeclared)
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
  if (conflicts.length === 0) return
  throw new SchemaError(
    ['the declared tables do not fit the database:', ...conflicts].join('\n  - ') +
      '\nPut the declaration back as it was, or start with a fresh data folder: only additions are made by themselves, and there is no command for other changes yet.',
  )
}

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
    const columns = layout.columns.map((column) => this.#columnClause(column, constantDefault(column)))
    await this.#run(`CREATE TABLE ${quote(layout.name)} ("id" ${this.#dialect.primaryKey}, ${columns.join(', ')})${this.#dialect.tableSuffix}`)
    const placeholders = [1, 2].map((position) => this.#dialect.placeholder(position)).join(', ')
    const [row] = await this.#run(`INSERT INTO rowhouse_tables (name, definition) VALUES (${placeholders}) RETURNING id`, [
      layout.name,
      JSON.stringify(definition),
    ])
    for (const index of definition.indexes) await this.#createIndex(Number(row?.[0]), layout, index)
    this.#done.push(`added table ${layout.name}`)
  }

  async #extendTable({ stored, layout, columns, indexes }: TableAdditions): Promise<void> {
    for (const column of columns) await this.#addColumn(layout, column)
    for (const index of indexes) {
      await this.#createIndex(stored.number, layout, index)
      this.#done.push(`added ${indexName(layout, index)}`)
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
    const constant = constantDefault(column)
    const value = constant ?? encodeDefault(layout, column)
    // A required column cannot be added without a default that SQL knows, even if its default is a function.
    const clause = this.#columnClause(column, column.settings.required === true ? value : constant)
    await this.#run(`ALTER TABLE ${quote(layout.name)} ADD COLUMN ${clause}`)
    if (constant === null && value !== null && column.settings.required !== true) {
      await this.#run(`UPDATE ${quote(layout.name)} SET ${quote(column.name)} = ${this.#dialect.placeholder(1)}`, [value])
    }
    this.#done.push(`added column ${layout.name}.${column.name}`)
  }

  #columnClause({ name, settings, codec }: LaidOutColumn, defaultValue: SqlValue): string {
    const { target, onDelete, required } = settings
    let clause = `${quote(name)} ${this.#dialect.columnType(codec.storage)}`
    if (required === true) clause += ' NOT NULL'
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
    await this.#run(`CREATE ${unique ? 'UNIQUE ' : ''}INDEX ${quote(name)} ON ${quote(layout.name)} (${columns.map(quote).join(', ')})`)
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
