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
    if (error instanceof NotUnique && error.table === layout.name) throw notUnique(layout, error)
    if (isBrokenLink(error)) throw lostTarget(layout, linked(), error)
    throw error
  }
}

/** The rows of a statement that deletes rows of a table. Its refusal names the columns that may hold the row. */
export async function deleted(layout: TableLayout, rows: Promise<SqlRow[]>): Promise<SqlRow[]> {
  try {
    return await rows
  } catch (error) {
    if (!isBrokenLink(error)) throw error
    throw new TableError('broken-link', stillLinked(layout), { cause: error, table: layout.name })
  }
}

/** The columns, of those given, that have a value in one of the lists. */
export function present(columns: readonly string[], lists: readonly (readonly SqlValue[])[]): string[] {
  return columns.filter((_, index) => lists.some((values) => values[index] !== null))
}

function isBrokenLink(error: unknown): boolean {
  return error instanceof TableError && error.code === 'broken-link'
}

function notUnique(layout: TableLayout, cause: NotUnique): TableError {
  const shown = cause.columns.map((name) => shownName(layout, name))
  const columns = shown.filter((name) => name !== null)
  const { name: table } = layout
  const known = `table ${table} already has a row with`
  if (columns.length < shown.length) {
    return new TableError('not-unique', `${known} a value that only one row can have`, { cause, table })
  }
  return new TableError('not-unique', `${known} this ${columns.join(' and ')}`, { cause, table, columns })
}

/** The name, or that of the column which the value follows from; null when neither may be told. */
function shownName(layout: TableLayout, name: string): string | null {
  const settings = layout.columnsByName.get(name)?.settings
  if (settings?.hidden !== true) return name
  return settings.derived === undefined ? null : shownName(layout, settings.derived.from)
}

function lostTarget(layout: TableLayout, written: readonly string[], cause: unknown): TableError {
  const { name: table } = layout
  const links = layout.visibleColumns.filter(({ name, settings }) => settings.kind === 'link' && written.includes(name))
  const columns = links.map(({ name }) => name)
  const places = columns.length === 0 ? `table ${table}` : columns.map((name) => `${table}.${name}`).join(' or ')
  const message = `${places}: the row to link to is not there; it has been deleted`
  return new TableError('broken-link', message, { cause, table, columns })
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
