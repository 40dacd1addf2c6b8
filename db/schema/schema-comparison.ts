import type { Dialect } from '../engine/dialect.js'
import type { Connection } from '../engine/engine.js'
import { mediaBeginning } from '../rows/media-beginning.js'
import { quote } from '../rows/statements.js'
import { defineColumn, defineTable, readStoredTables, sameIndex, type StoredTable, type TableDefinition } from './schema-definition.js'
import type { DeclaredIndex } from '../columns/table-declaration.js'
import type { LaidOutColumn, TableLayout } from '../rows/table-layout.js'

/** What a table that exists gets in addition. */
export interface TableAdditions {
  readonly stored: StoredTable
  readonly layout: TableLayout
  readonly columns: readonly LaidOutColumn[]
  readonly indexes: readonly DeclaredIndex[]
  /** The `media` columns, new ones among them, whose beginnings cannot be read by themselves yet. */
  readonly media: readonly LaidOutColumn[]
}

/** How the declared tables differ from those in the database. */
export interface SchemaDifference {
  readonly newTables: readonly TableLayout[]
  readonly additions: readonly TableAdditions[]
  /** What cannot be done without the risk of losing data, a sentence each. */
  readonly conflicts: readonly string[]
}

/** Compares the declared tables with those in the database. With `undeclared: 'ignore'`, what only the database has is no difference. */
export async function compareSchema(
  connection: Connection,
  dialect: Dialect,
  layouts: readonly TableLayout[],
  undeclared: 'refuse' | 'ignore',
): Promise<SchemaDifference> {
  const stored = await readStoredTables(connection)
  const conflicts: string[] = []
  if (undeclared === 'refuse') {
    for (const { name } of stored) {
      if (!layouts.some((layout) => layout.name === name)) conflicts.push(`table ${name} is in the database, but not declared`)
    }
  }
  const newTables = layouts.filter((layout) => !stored.some(({ name }) => name === layout.name))
  const taken = newTables.length > 0 || layouts.some(hasMedia) ? await takenNames(connection, dialect) : new Set<string>()
  for (const { name } of newTables) {
    const sibling = stored.find((table) => table.name.toLowerCase() === name.toLowerCase())
    if (sibling !== undefined) conflicts.push(`table ${name} is called ${sibling.name} in the database`)
    else if (taken.has(name.toLowerCase())) {
      conflicts.push(`table ${name} is new, and the database has something by that name that was not made by Rowhouse; rename the declared table, or remove that one`)
    }
  }
  const additions: TableAdditions[] = []
  for (const table of stored) {
    const layout = layouts.find(({ name }) => name === table.name)
    if (layout === undefined) continue
    const added = compareTable(table, layout, taken)
    additions.push(added)
    conflicts.push(...columnConflicts(table.definition, layout, undeclared))
    conflicts.push(...(await newColumnConflicts(connection, added)), ...(await uniqueConflicts(connection, added)))
  }
  return { newTables, additions: additions.filter(({ columns, indexes, media }) => columns.length + indexes.length + media.length > 0), conflicts }
}

function compareTable(stored: StoredTable, layout: TableLayout, taken: ReadonlySet<string>): TableAdditions {
  const { columns, indexes } = stored.definition
  return {
    stored,
    layout,
    columns: layout.columns.filter(({ name }) => !Object.hasOwn(columns, name)),
    indexes: defineTable(layout).indexes.filter((index) => !indexes.some((other) => sameIndex(index, other))),
    media: layout.columns.filter((column) => isMedia(column) && !taken.has(mediaBeginning(stored.number, layout.name, column.name).index)),
  }
}

/** Whether the values of a column may be large, and are read by themselves. */
export function isMedia({ settings }: LaidOutColumn): boolean {
  return settings.kind === 'media'
}

function hasMedia({ columns }: TableLayout): boolean {
  return columns.some(isMedia)
}

function columnConflicts(stored: TableDefinition, layout: TableLayout, undeclared: 'refuse' | 'ignore'): string[] {
  const conflicts: string[] = []
  for (const { name, settings } of layout.columns) {
    const what = `column ${layout.name}.${name}`
    const before = Object.hasOwn(stored.columns, name) ? stored.columns[name] : undefined
    const now = defineColumn(settings)
    if (before === undefined) {
      const sibling = Object.keys(stored.columns).find((other) => other.toLowerCase() === name.toLowerCase())
      if (sibling !== undefined) conflicts.push(`${what} is called ${sibling} in the database`)
      continue
    }
    if (before.type !== now.type) conflicts.push(`${what} is of type ${before.type} in the database and declared as ${now.type}`)
    else if (before.target !== now.target) conflicts.push(`${what} links to ${String(before.target)} in the database and is declared to link to ${String(now.target)}`)
    else if (before.onDelete !== now.onDelete) conflicts.push(`${what} has onDelete '${String(before.onDelete)}' in the database and '${String(now.onDelete)}' in its declaration`)
    if (before.required !== now.required) conflicts.push(`${what} is ${before.required === true ? '' : 'not '}required in the database and ${now.required === true ? '' : 'not '}required in its declaration`)
  }
  if (undeclared === 'ignore') return conflicts
  for (const name of Object.keys(stored.columns)) {
    if (!layout.columnsByName.has(name)) conflicts.push(`column ${layout.name}.${name} is in the database, but not declared`)
  }
  const declared = defineTable(layout).indexes
  for (const index of stored.indexes) {
    if (!declared.some((other) => sameIndex(index, other))) conflicts.push(`${indexName(layout, index)} is in the database, but not declared`)
  }
  return conflicts
}

/** The required columns to be added that rows which exist have no value for. */
async function newColumnConflicts(connection: Connection, { layout, columns }: TableAdditions): Promise<string[]> {
  const unfilled = columns.filter(({ settings }) => settings.required === true && (settings.default === undefined || settings.kind === 'link'))
  if (unfilled.length === 0 || (await isEmpty(connection, layout.name))) return []
  return unfilled.map(({ name, settings }) => {
    const what = `column ${layout.name}.${name}`
    return settings.default === undefined
      ? `${what} is new and required; rows that exist have no value for it, so give it a default, or do not require it`
      : `${what} is new and a required link, which cannot be added to a table that has rows; do not require it`
  })
}

/** Whether a table has no rows. */
export async function isEmpty(connection: Connection, table: string): Promise<boolean> {
  const rows = await connection.read({ text: `SELECT 1 FROM ${quote(table)} LIMIT 1` }, [])
  return rows.length === 0
}

/** In lower case, because databases do not tell names by it. */
async function takenNames(connection: Connection, dialect: Dialect): Promise<ReadonlySet<string>> {
  const rows = await connection.read({ text: dialect.takenNames }, [])
  return new Set(rows.map(([name]) => String(name).toLowerCase()))
}

/** The unique indexes to be added that the rows which exist contradict. */
async function uniqueConflicts(connection: Connection, { layout, columns, indexes }: TableAdditions): Promise<string[]> {
  const conflicts: string[] = []
  for (const index of indexes) {
    if (!index.unique) continue
    const added = columns.filter(({ name }) => index.columns.includes(name))
    // Rows that exist have null there, and null is not the same as another null.
    if (added.some(({ settings }) => settings.default === undefined)) continue
    // What a default function makes for each row shows when it is called.
    if (added.some(({ settings }) => settings.default !== undefined && 'make' in settings.default)) continue
    const existing = index.columns.filter((name) => !added.some((column) => column.name === name))
    if (await hasDuplicates(connection, layout.name, existing)) conflicts.push(duplicates(layout, index))
  }
  return conflicts
}

/** Whether several rows have the same values in these columns; in no column, whether there are several rows. */
async function hasDuplicates(connection: Connection, table: string, columns: readonly string[]): Promise<boolean> {
  const names = columns.map(quote)
  const from = `SELECT 1 FROM ${quote(table)}`
  if (names.length === 0) return (await connection.read({ text: `${from} LIMIT 2` }, [])).length > 1
  const present = names.map((name) => `${name} IS NOT NULL`).join(' AND ')
  const text = `${from} WHERE ${present} GROUP BY ${names.join(', ')} HAVING count(*) > 1 LIMIT 1`
  return (await connection.read({ text }, [])).length > 0
}

/** That an index is contradicted by rows that exist. */
export function duplicates(layout: TableLayout, index: DeclaredIndex): string {
  return `${indexName(layout, index)} is new, and the table has rows that are the same in it`
}

/** An index in the words of its declaration. */
export function indexName(layout: TableLayout, { columns, unique }: DeclaredIndex): string {
  return `${unique ? 'unique ' : ''}index on ${layout.name} (${columns.join(', ')})`
}
