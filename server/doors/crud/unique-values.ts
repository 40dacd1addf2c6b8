import type { LaidOutColumn } from '../../../db/rows/table-layout.js'
import { DataTable } from '../../../db/rows/table.js'
import type { CrudCall } from './crud-plan.js'
import { readColumns } from './named-columns.js'

/** Where rows have owners, has the author decide about values that only one row of all users' can have: the refusal of a second one would tell that there is a first. */
export function checkUnique({ table, options: { sharedUnique }, mistakes }: CrudCall, written: readonly LaidOutColumn[], owner: string | null): void {
  const { name: tableName, columns, indexes } = DataTable.layoutOf(table)
  const shared = sharedUnique === undefined ? [] : readColumns('sharedUnique', sharedUnique, DataTable.layoutOf(table), mistakes)
  if (owner === null) {
    if (sharedUnique !== undefined) mistakes.push('"sharedUnique" has a meaning only with "ownedBy"')
    return
  }
  const sets = [...columns.filter(({ settings }) => settings.unique === true).map(({ name }) => [name]), ...indexes.filter(({ unique }) => unique).map((index) => index.columns)]
  const telling = sets.filter((names) => !names.includes(owner)).flatMap((names) => written.filter((column) => names.includes(column.name) && !shared.includes(column)))
  for (const { name } of new Set(telling)) {
    mistakes.push(
      `${name} is unique over the rows of all users of ${tableName}, so whoever writes it can find out what others have; ` +
        `declare .unique('${owner}', '${name}') on the table instead, make it readOnly, or say sharedUnique: ['${name}'] if all may know`,
    )
  }
}
