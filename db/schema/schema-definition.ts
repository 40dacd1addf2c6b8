import type { Connection } from '../engine/engine.js'
import type { ColumnSettings } from '../columns/columns.js'
import type { DeclaredIndex } from '../columns/table-declaration.js'
import type { TableLayout } from '../rows/table-layout.js'

/** What of a column lies in the database and cannot be changed in passing. */
export interface ColumnDefinition {
  readonly type: ColumnSettings['kind']
  readonly required?: true
  readonly target?: string
  readonly onDelete?: string
}

/** A table as it lies in the database; kept as JSON in `rowhouse_tables`. */
export interface TableDefinition {
  readonly columns: Readonly<Record<string, ColumnDefinition>>
  readonly indexes: readonly DeclaredIndex[]
}

/** A table that the database has. */
export interface StoredTable {
  readonly number: number
  readonly name: string
  readonly definition: TableDefinition
}

/** The definition that follows from a declaration. */
export function defineTable(layout: TableLayout): TableDefinition {
  const columns = Object.fromEntries(layout.columns.map(({ name, settings }) => [name, defineColumn(settings)]))
  return { columns, indexes: indexesOf(layout) }
}

/** The definition that follows from the settings of a column. */
export function defineColumn({ kind, required, target, onDelete }: ColumnSettings): ColumnDefinition {
  return {
    type: kind,
    ...(required === true && { required }),
    ...(target !== undefined && { target }),
    ...(onDelete !== undefined && { onDelete }),
  }
}

/** The indexes of a table: those of single columns, those of links, those over several columns. None twice. */
function indexesOf({ columns, indexes }: TableLayout): DeclaredIndex[] {
  const all = [...indexes]
  for (const { name, settings } of columns) {
    if (settings.unique === true) all.push({ columns: [name], unique: true })
    // Deleting a row has to find the rows that link to it.
    else if (settings.indexed === true || settings.kind === 'link') all.push({ columns: [name], unique: false })
  }
  return all.filter((index, position) => all.findIndex((other) => sameIndex(index, other)) === position)
}

/** Whether two indexes are over the same columns, in the same order, and both unique or not. */
export function sameIndex(one: DeclaredIndex, other: DeclaredIndex): boolean {
  return one.unique === other.unique && one.columns.join() === other.columns.join()
}

const selectTables = { text: 'SELECT id, name, definition FROM rowhouse_tables ORDER BY id' }

/** The tables that the database has. */
export async function readStoredTables(connection: Connection): Promise<StoredTable[]> {
  const rows = await connection.read(selectTables, [])
  return rows.map(([id, name, definition]) => ({
    number: Number(id),
    name: String(name),
    // Nobody but this layer writes the registry.
    definition: JSON.parse(String(definition)) as TableDefinition,
  }))
}
