import { describeValue, isPlainObject } from '../../../db/errors/describe-value.js'
import type { LaidOutColumn } from '../../../db/rows/table-layout.js'
import { DataTable } from '../../../db/rows/table.js'
import { suggestName } from '../../errors/nearest-name.js'
import type { CrudCall } from './crud-plan.js'
import { checkOwner } from './named-columns.js'
import type { LinkTarget } from './opened-column.js'

/** Reads which rows the columns that can be written may link to. */
export function readTargets(call: CrudCall, written: readonly LaidOutColumn[], owner: string | null): ReadonlyMap<LaidOutColumn, LinkTarget> {
  const { options: { links = {} }, mistakes } = call
  const linking = written.filter(({ settings }) => settings.target !== undefined)
  if (!isPlainObject(links)) {
    mistakes.push(`the option "links" takes an object with a rule for each link, got ${describeValue(links)}`)
    return new Map()
  }
  const known = linking.map(({ name }) => name)
  for (const name of Object.keys(links)) {
    if (!known.includes(name)) mistakes.push(`the option "links" has "${name}", which is no link that can be written here${known.length === 0 ? '' : `; ${suggestName(name, known)}`}`)
  }
  return new Map(
    linking.flatMap((column) => {
      const target = readTarget(call, column, links[column.name], owner)
      return target === null ? [] : [[column, target]]
    }),
  )
}

function readTarget(call: CrudCall, column: LaidOutColumn, rule: unknown, owner: string | null): LinkTarget | null {
  const { name } = column
  const { mistakes } = call
  const target = targetOf(call, column)
  if (target === null) return null
  if (target.table === call.table && owner !== null) {
    if (rule !== undefined) mistakes.push(`the option "links" has "${name}", which links to rows of the same table: they have to be the user's own; leave it out`)
    return { ...target, ownedBy: owner }
  }
  if (rule === 'any' || (rule === undefined && owner === null)) return target
  if (isPlainObject(rule) && Object.keys(rule).join() === 'ownedBy') {
    const ownedBy = checkOwner(`links.${name}.ownedBy`, rule['ownedBy'], DataTable.layoutOf(target.table), mistakes)
    return ownedBy === null ? null : { ...target, ownedBy }
  }
  const choices = `'any', when every user may know and link to every row of ${target.table.name}, or { ownedBy: … } with the column of ${target.table.name} that links to its user`
  mistakes.push(rule === undefined ? `the link ${name} needs a rule: links: { ${name}: … } takes ${choices}; or make it readOnly` : `the option "links" takes for ${name} ${choices}, got ${describeValue(rule)}`)
  return null
}

/** The table that a column links to, any row of it; null for a column that does not link. */
export function targetOf({ tables }: CrudCall, { settings: { target } }: LaidOutColumn): LinkTarget | null {
  const table: unknown = target === undefined ? undefined : tables[target]
  return table instanceof DataTable ? { table, ownedBy: null } : null
}
