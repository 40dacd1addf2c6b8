import { describeValue } from '../../../db/errors/describe-value.js'
import type { Table, TableRow } from '../../../db/rows/row-types.js'
import { DataTable } from '../../../db/rows/table.js'
import { basePathOf } from '../../http/base-path.js'
import { CrudHandlers } from './crud-handlers.js'
import type { CrudOptions, SharedSettings } from './crud-options.js'
import { readPlan, type CrudPlan } from './crud-plan.js'
import type { Handler } from '../../endpoint/endpoint.js'
import type { AuthenticateUsers } from '../../endpoint/options.js'
import { parsePath } from '../../endpoint/path-pattern.js'
import { DeclarationError, withPlace } from '../../errors/declaration-error.js'
import { currentRegistry } from '../../call/current-registry.js'
import type { DeclaredTables } from '../../endpoint/registry.js'
import { declareEndpoint, type ModuleDoor } from '../endpoints/declare-endpoint.js'
import { endpoints } from '../endpoints/http-endpoint.js'

const rows: ModuleDoor = { ...endpoints, call: 'crudEndpoints', speaksJson: true }

/**
 * Opens a table as endpoints: `GET path` lists, `POST path` creates, and on `path/:id` GET reads, PATCH (and PUT) updates, DELETE deletes.
 * With `ownedBy` all users have rows of their own, and cannot tell those of others from none.
 *
 * @throws DeclarationError when the path, the table or an option is wrong; it stops the start
 *
 * @example crudEndpoints('/tasks', tables.tasks, { ownedBy: 'owner', authenticateUsers: true, columns: ['title', 'done'] })
 */
export function crudEndpoints<
  R extends TableRow<string>,
  Needed extends string,
  SignedIn extends AuthenticateUsers = false,
>(
  path: string,
  table: Table<R, Needed>,
  options: CrudOptions<R, SignedIn>,
): void
export function crudEndpoints(path: unknown, table: unknown, options: unknown): void {
  const registry = currentRegistry('crudEndpoints()')
  const { tables, settings } = registry
  withPlace(registry.callSite(), () => {
    const checkedPath = checkPath(path)
    const { apiPrefix, responseLimit } = settings
    const plan = readPlan(checkedPath, options, { table: checkTable(checkedPath, table, tables), tables })
    const { operations } = plan
    const { list, row } = settingsOf(plan)
    const handlers = new CrudHandlers(plan, basePathOf(settings) + locationOf(apiPrefix + checkedPath), responseLimit)
    const rowPath = `${checkedPath}/:id`
    const declare = (path: string, options: object, handler: Handler): void => declareEndpoint(rows, path, options, handler)
    if (operations.has('list')) declare(checkedPath, { ...list, methods: ['GET'] }, (_args, request) => handlers.list(request))
    if (operations.has('create')) declare(checkedPath, { ...list, methods: ['POST'] }, (_args, request) => handlers.create(request))
    if (operations.has('read')) declare(rowPath, { ...row, methods: ['GET'] }, ({ id }, request) => handlers.read(id, request))
    if (operations.has('update')) declare(rowPath, { ...row, methods: ['PATCH', 'PUT'] }, ({ id }, request) => handlers.update(id, request))
    if (operations.has('delete')) declare(rowPath, { ...row, methods: ['DELETE'] }, ({ id }, request) => handlers.delete(id, request))
  })
}

function checkPath(path: unknown): string {
  if (typeof path !== 'string') throw new DeclarationError(`crudEndpoints() takes a path such as "/tasks" as its first argument, got ${describeValue(path)}`)
  const { segments } = parsePath(path)
  const parameter = segments.find((segment) => segment.kind !== 'static')
  if (parameter !== undefined) throw new DeclarationError(`crudEndpoints(${JSON.stringify(path)}): the path has the parameter "${parameter.name}", which no row is chosen by; use a fixed path`)
  if (path.endsWith('/')) throw new DeclarationError(`crudEndpoints(${JSON.stringify(path)}): the path ends with "/", and "/:id" is added to it; write it without, such as "/tasks"`)
  return path
}

function checkTable(path: string, table: unknown, tables: DeclaredTables): DataTable {
  const what = `crudEndpoints(${JSON.stringify(path)}) takes a table of the app as its second argument, such as tables.tasks`
  if (!(table instanceof DataTable)) throw new DeclarationError(`${what}, got ${describeValue(table)}`)
  // Told apart at run time only; to TypeScript a declared table is what DataTable does.
  if ((tables[table.name] as unknown) !== table) throw new DeclarationError(`${what}, got the table ${table.name} of other declarations`)
  return table
}

/** The settings of both paths. A name is that of one path only: of a row's or, where none is opened, of the list's. */
function settingsOf({ operations, settings }: CrudPlan): { readonly list: SharedSettings; readonly row: SharedSettings } {
  const { name: _name, ...nameless } = settings
  const hasRowPath = operations.has('read') || operations.has('update') || operations.has('delete')
  return { list: hasRowPath ? nameless : settings, row: settings }
}

/** The path as it stands in a URL, percent-encoded. */
function locationOf(path: string): string {
  return `/${parsePath(path).segments.map((segment) => (segment.kind === 'static' ? encodeURIComponent(segment.text) : '')).join('/')}`
}
