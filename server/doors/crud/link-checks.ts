import { RowIdentity } from '../../../db/rows/row-identity.js'
import type { Problems } from '../../http/problems.js'
import type { OpenedColumn } from './opened-column.js'
import type { Values } from './body-values.js'

/** A link that is to be written. */
export interface WrittenLink {
  readonly column: OpenedColumn
  readonly to: RowIdentity
}

/** The links among the values. */
export function linksIn(values: Values, writable: ReadonlyMap<string, OpenedColumn>): readonly WrittenLink[] {
  return Object.entries(values).flatMap(([name, value]) => {
    const column = writable.get(name)
    if (column === undefined || column.target === null) return []
    const members: readonly unknown[] = Array.isArray(value) ? value : [value]
    return members.flatMap((to) => (to instanceof RowIdentity ? [{ column, to }] : []))
  })
}

/** Those of the links that the row does not have yet. One that it has may be written again, as it was sent, wherever it leads by now. */
export function newLinks(links: readonly WrittenLink[], row: RowIdentity | null): readonly WrittenLink[] {
  if (row === null) return links
  return links.filter(({ column: { name }, to }) => {
    // Rows have a getter for each column.
    const present: unknown = Reflect.get(row, name)
    const members: readonly unknown[] = Array.isArray(present) ? present : [present]
    return !members.some((member) => to.equals(member))
  })
}

/** Adds a problem for each link to a row that is not there, or that the user must not link to: the two cannot be told apart. To be called inside the transaction that writes. */
export async function checkLinks(links: readonly WrittenLink[], user: RowIdentity | null, problems: Problems): Promise<void> {
  for (const { column, to } of links) {
    if (await mayLink(column, to, user)) continue
    const { name, target } = column
    const message = `column ${name}: there is no row ${to.id} of ${target?.table.name ?? ''} that it could link to`
    problems.add({ code: 'no-such-row', path: name, message })
  }
}

async function mayLink({ target }: OpenedColumn, to: RowIdentity, user: RowIdentity | null): Promise<boolean> {
  const row = (await target?.table.getById(to.id)) ?? null
  if (row === null || target === null) return false
  return target.ownedBy === null || belongsTo(row, target.ownedBy, user)
}

/** Whether the row's owner is this user; nobody's rows are no user's. */
export function belongsTo(row: RowIdentity, owner: string, user: RowIdentity | null): boolean {
  // Rows have a getter for each column, and plans name columns that are there.
  const present: unknown = Reflect.get(row, owner)
  return user !== null && present instanceof RowIdentity && present.equals(user)
}
