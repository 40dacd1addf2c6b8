import type { SqlRow, SqlValue } from '../engine/engine.js'
import { NotUnique, TableError } from '../errors/errors.js'
import type { Referrer, TableLayout } from './table-layout.js'

/**
 * The rows of a statement that adds or updates rows of a table. Its refusal is worded for whoever reads the answer of an API:
 * no hidden column is named.
 *
 * @param linked names the columns that are written and not with null; called when the statement was refused
 */
export async function written(layout: TableLayout, linked: () => readonly string[], rows: Promise<SqlRow[]>): Promise<SqlRow[]> {
  try {
    return await rows
  } catch (error) {
    if (error instanceof NotUnique && error.table === layout.name) throw new TableError('not-unique', notUnique(layout, error.columns), { cause: error })
    if (isBrokenLink(error)) throw new TableError('broken-link', lostTarget(layout, linked()), { cause: error })
    throw error
  }
}

/** The rows of a statement that deletes rows of a table. Its refusal names the columns that may hold the row. */
export async function deleted(layout: TableLayout, rows: Promise<SqlRow[]>): Promise<SqlRow[]> {
  try {
    return await rows
  } catch (error) {
    if (isBrokenLink(error)) throw new TableError('broken-link', stillLinked(layout), { cause: error })
    throw error
  }
}

/** The columns, of those given, that have a value in one of the lists. */
export function present(columns: readonly string[], lists: readonly (readonly SqlValue[])[]): string[] {
  return columns.filter((_, index) => lists.some((values) => values[index] !== null))
}

function isBrokenLink(error: unknown): boolean {
  return error instanceof TableError && error.code === 'broken-link'
}

function notUnique(layout: TableLayout, names: readonly string[]): string {
  const shown = names.map((name) => shownName(layout, name))
  if (shown.includes(null)) return `table ${layout.name} already has a row with a value that only one row can have`
  return `table ${layout.name} already has a row with this ${shown.join(' and ')}`
}

/** The name, or that of the column which the value follows from; null when neither may be told. */
function shownName(layout: TableLayout, name: string): string | null {
  const settings = layout.columnsByName.get(name)?.settings
  if (settings?.hidden !== true) return name
  return settings.derived === undefined ? null : shownName(layout, settings.derived.from)
}

function lostTarget(layout: TableLayout, written: readonly string[]): string {
  const links = layout.visibleColumns.filter(({ name, settings }) => settings.kind === 'link' && written.includes(name))
  const places = links.map(({ name }) => `${layout.name}.${name}`)
  return `${places.length === 0 ? `table ${layout.name}` : places.join(' or ')}: the row to link to is not there; it has been deleted`
}

function stillLinked(layout: TableLayout): string {
  const holders = restricting(layout).filter(({ column }) => column.settings.hidden !== true)
  // A program that does not declare all tables does not know all that link to its own.
  const places = holders.length === 0 ? 'another table' : holders.map((holder) => `${holder.layout.name}.${holder.column.name}`).join(' or ')
  return `the row of table ${layout.name} is still linked to by a row (${places}) that has to be deleted or changed first; nothing was deleted`
}

/** The links that forbid a deletion in this table, also by way of the rows that would be deleted with it. */
function restricting(layout: TableLayout): Referrer[] {
  const reached = new Set([layout])
  const found: Referrer[] = []
  // A set can grow while it is walked.
  for (const each of reached) {
    for (const referrer of each.referrers) {
      const { onDelete } = referrer.column.settings
      if (onDelete === 'restrict') found.push(referrer)
      if (onDelete === 'cascade') reached.add(referrer.layout)
    }
  }
  return found
}
