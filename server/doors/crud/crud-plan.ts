import { describeValue, isPlainObject } from '../../../db/errors/describe-value.js'
import type { LaidOutColumn } from '../../../db/rows/table-layout.js'
import { DataTable } from '../../../db/rows/table.js'
import { DeclarationError } from '../../errors/declaration-error.js'
import type { DeclaredTables } from '../../endpoint/registry.js'
import { readShared } from './crud-access.js'
import { crudOperations, type CrudOperation, type SharedSettings } from './crud-options.js'
import { checkLists } from './list-query.js'
import { readTargets, targetOf } from './link-rules.js'
import { checkOwner, readColumns, readNames } from './named-columns.js'
import { OpenedColumn } from './opened-column.js'
import { checkUnique } from './unique-values.js'

/** A `validate` function as it is called; `CrudOptions` has what TypeScript promises its author. */
type Validate = (values: Readonly<Record<string, unknown>>, context: object) => unknown

/** What an author has opened of a table, checked and complete. */
export interface CrudPlan {
  readonly table: DataTable
  readonly operations: ReadonlySet<CrudOperation>
  /** The names of the columns that are sent beside `id`, in order. */
  readonly sent: readonly string[]
  /** Those that a list may be asked about, by name. */
  readonly asked: ReadonlyMap<string, OpenedColumn>
  /** Those that may be written, by name. */
  readonly writable: ReadonlyMap<string, OpenedColumn>
  /** The column that links to the user whose row it is; null where rows belong to nobody. */
  readonly owner: string | null
  readonly validate: Validate | null
  /** What holds for each of the endpoints. */
  readonly settings: SharedSettings
}

/** One call of `crudEndpoints`, and the app around it. */
export interface CrudCall {
  readonly path: string
  readonly table: DataTable
  readonly options: Readonly<Record<string, unknown>>
  readonly tables: DeclaredTables
  /** All that is wrong with the options, a sentence each. */
  readonly mistakes: string[]
}

/**
 * Checks what an author said of the endpoints of a table, and fills in the rest.
 *
 * @throws DeclarationError that tells of every mistake at once
 */
export function readPlan(path: string, options: unknown, app: Pick<CrudCall, 'table' | 'tables'>): CrudPlan {
  const what = `crudEndpoints(${JSON.stringify(path)})`
  if (!isPlainObject(options)) throw new DeclarationError(`${what} takes an object of options as its third argument, such as { authenticateUsers: true, ownedBy: 'owner' }, got ${describeValue(options)}`)
  const call: CrudCall = { path, options, ...app, mistakes: [] }
  const plan = read(call)
  if (call.mistakes.length > 0) throw new DeclarationError(`${what}: ${call.mistakes.join('; ')}`)
  return plan
}

function read(call: CrudCall): CrudPlan {
  const { table, options, mistakes } = call
  const layout = DataTable.layoutOf(table)
  const settings = readShared(call)
  const operations = readOperations(call)
  const writes = operations.has('create') || operations.has('update')
  const owner = options['ownedBy'] === undefined ? null : checkOwner('ownedBy', options['ownedBy'], layout, mistakes)
  const sent = readSent(call, owner)
  const written = writes ? readWritten(call, sent, owner) : []
  const targets = readTargets(call, written, owner)
  const writable = byName(written.map((column) => new OpenedColumn(column, targets.get(column) ?? null)))
  // Every row that a user sees has the same owner, so there is nothing to ask about that column.
  const asked = byName(sent.filter(({ name }) => name !== owner).map((column) => new OpenedColumn(column, targetOf(call, column))))
  if (writes) checkUnique(call, written, owner)
  if (operations.has('list')) mistakes.push(...checkLists(asked))
  // What follows from other mistakes is not told.
  if (operations.has('create') && mistakes.length === 0) checkCompleteness(call, writable, owner)
  return { table, operations, sent: sent.map(({ name }) => name), asked, writable, owner, validate: readValidate(call, writes), settings }
}

function readOperations({ table, options: { only }, mistakes }: CrudCall): ReadonlySet<CrudOperation> {
  const operations = new Set(only === undefined ? crudOperations : readNames('only', only, crudOperations, mistakes))
  if (table.name === 'users' && [...operations].some((operation) => operation !== 'list' && operation !== 'read')) {
    mistakes.push("users can be opened with only: ['list', 'read'] alone; to add or change them there are the command `rowhouse users` and endpoints of your own")
  }
  return operations
}

function readSent({ table, options: { columns }, mistakes }: CrudCall, owner: string | null): readonly LaidOutColumn[] {
  const layout = DataTable.layoutOf(table)
  if (columns !== undefined) return readColumns('columns', columns, layout, mistakes)
  if (table.name === 'users') mistakes.push('users are opened column by column: list in "columns" what may be seen of them')
  return layout.visibleColumns.filter(({ name }) => name !== owner)
}

function readWritten({ table, options: { readOnly }, mistakes }: CrudCall, sent: readonly LaidOutColumn[], owner: string | null): readonly LaidOutColumn[] {
  const kept = readOnly === undefined ? [] : readColumns('readOnly', readOnly, DataTable.layoutOf(table), mistakes)
  for (const { name } of kept.filter((column) => !sent.includes(column))) mistakes.push(`"readOnly" has the column ${name}, which is not opened; list it in "columns" too`)
  // The bytes of media have no place in JSON or a form.
  return sent.filter((column) => !kept.includes(column) && column.name !== owner && column.settings.kind !== 'media')
}

/** Every row that is created needs all that is required. What `validate` may fill in is left to the table. */
function checkCompleteness({ table, options: { validate }, mistakes }: CrudCall, writable: ReadonlyMap<string, OpenedColumn>, owner: string | null): void {
  if (validate !== undefined) return
  for (const { name, settings } of DataTable.layoutOf(table).columns) {
    if (settings.required !== true || settings.default !== undefined || name === owner || writable.has(name)) continue
    const remedy = settings.hidden === true ? 'give it a default' : 'open it for writing, or give it a default'
    mistakes.push(`no row can be created, because ${name} is required and cannot be written: ${remedy}, fill it in in "validate", or leave 'create' out with "only"`)
  }
}

function readValidate({ options: { validate }, mistakes }: CrudCall, writes: boolean): Validate | null {
  if (validate === undefined) return null
  if (typeof validate !== 'function') mistakes.push(`the option "validate" takes a function, got ${describeValue(validate)}`)
  else if (!writes) mistakes.push('"validate" is never called, because neither create nor update is opened')
  // CrudOptions holds the author to this type.
  return validate as Validate
}

function byName(columns: readonly OpenedColumn[]): ReadonlyMap<string, OpenedColumn> {
  return new Map(columns.map((column) => [column.name, column]))
}
