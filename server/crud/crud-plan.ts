import { describeValue, isPlainObject } from '../../db/describe-value.js'
import type { LaidOutColumn, TableLayout } from '../../db/table-layout.js'
import { DataTable } from '../../db/table.js'
import { readSettings, optionNames, type EndpointDefaults } from '../endpoint/options.js'
import { DeclarationError } from '../errors/declaration-error.js'
import { suggestName } from '../errors/nearest-name.js'
import type { DeclaredTables } from '../loading/registry.js'
import { crudOperations, type CrudOperation, type SharedSettings } from './crud-options.js'
import { checkLists } from './list-query.js'
import { OpenedColumn, type LinkTarget } from './opened-column.js'

/** A `validate` function as it is called; `CrudOptions` has what TypeScript promises its author. */
export type Validate = (values: Readonly<Record<string, unknown>>, context: object) => unknown

/** What an author has opened of a table, checked and complete. */
export interface CrudPlan {
  readonly table: DataTable
  readonly operations: ReadonlySet<CrudOperation>
  /** The names of the columns that are sent beside `id`, in order. */
  readonly sent: readonly string[]
  /** Those that rows may be filtered and ordered by, by name. */
  readonly asked: ReadonlyMap<string, OpenedColumn>
  /** Those that may be written, by name. */
  readonly writable: ReadonlyMap<string, OpenedColumn>
  /** The column that links to the user whose row it is; null where rows belong to nobody. */
  readonly owner: string | null
  readonly validate: Validate | null
  /** What holds for each of the endpoints. */
  readonly settings: SharedSettings
}

const ownOptions = ['columns', 'readOnly', 'ownedBy', 'only', 'links', 'sharedUnique', 'validate', 'public']
/** What `crudEndpoints` decides itself. */
const decided: ReadonlySet<string> = new Set(['methods', 'params', 'body'])

/** What is checked against: the table of one call, and the others of its app. */
interface Surroundings {
  readonly table: DataTable
  readonly tables: DeclaredTables
  readonly defaults: EndpointDefaults
}

/**
 * Checks what an author said of the endpoints of a table, and fills in the rest.
 *
 * @throws DeclarationError that tells of every mistake at once
 */
export function readPlan(path: string, options: unknown, surroundings: Surroundings): CrudPlan {
  const what = `crudEndpoints(${JSON.stringify(path)})`
  if (!isPlainObject(options)) throw new DeclarationError(`${what} takes an object of options as its third argument, such as { authenticateUsers: true, ownedBy: 'owner' }, got ${describeValue(options)}`)
  const reader = new PlanReader(path, options, surroundings)
  const plan = reader.read()
  if (reader.mistakes.length > 0) throw new DeclarationError(`${what}: ${reader.mistakes.join('; ')}`)
  return plan
}

class PlanReader {
  readonly mistakes: string[] = []
  readonly #path: string
  readonly #options: Readonly<Record<string, unknown>>
  readonly #surroundings: Surroundings
  readonly #layout: TableLayout
  /** Whom the table belongs to decides about the `users` table too, of which more than reading is a matter for other doors. */
  readonly #isUsers: boolean

  constructor(path: string, options: Readonly<Record<string, unknown>>, surroundings: Surroundings) {
    this.#path = path
    this.#options = options
    this.#surroundings = surroundings
    this.#layout = DataTable.layoutOf(surroundings.table)
    this.#isUsers = this.#layout.name === 'users'
  }

  read(): CrudPlan {
    const { table } = this.#surroundings
    const settings = this.#readSettings()
    const operations = this.#readOperations()
    const owner = this.#readOwner()
    const sent = this.#readSent(owner)
    const writes = operations.has('create') || operations.has('update')
    const written = writes ? this.#readWritten(sent, owner) : []
    const targets = this.#readTargets(written, owner)
    const writable = byName(written.map((column) => new OpenedColumn(column, targets.get(column) ?? null)))
    // Every row that a user sees has the same owner, so there is nothing to ask about that column.
    const asked = byName(sent.filter(({ name }) => name !== owner).map((column) => new OpenedColumn(column, this.#targetOf(column))))
    if (writes) this.#checkUnique(written, owner)
    if (operations.has('create')) this.#checkCompleteness(writable, owner)
    if (operations.has('list')) this.mistakes.push(...checkLists(asked))
    return { table, operations, sent: sent.map(({ name }) => name), asked, writable, owner, validate: this.#readValidate(writes), settings }
  }

  /** The options that are those of every endpoint, and whom they let in. */
  #readSettings(): SharedSettings {
    const settings: Record<string, unknown> = {}
    const known = [...ownOptions, ...optionNames.filter((name) => !decided.has(name))]
    for (const [name, value] of Object.entries(this.#options)) {
      if (ownOptions.includes(name)) continue
      if (known.includes(name)) settings[name] = value
      else if (decided.has(name)) this.mistakes.push(`the option "${name}" is not for here: these endpoints have their own; "only" chooses among them`)
      else this.mistakes.push(`unknown option "${name}"; ${suggestName(name, known)}`)
    }
    const { requirement } = readSettings(this.#path, settings, this.#surroundings.defaults).options
    const { public: open, ownedBy, links } = this.#options
    if (open !== undefined && typeof open !== 'boolean') this.mistakes.push(`the option "public" takes true or false, got ${describeValue(open)}`)
    if (requirement === 'user') {
      if (open === true) this.mistakes.push('"authenticateUsers" and "public" contradict each other; drop one of them')
    } else {
      if (ownedBy !== undefined) this.mistakes.push('"ownedBy" needs authenticateUsers: true, which says who the user is')
      else if (open !== true) this.mistakes.push(nobodyLetIn(requirement === 'credentials'))
      if (isPlainObject(links) && Object.values(links).some(isPlainObject)) this.mistakes.push('a link to rows of the user needs authenticateUsers: true, which says who the user is')
    }
    // Each of them has passed the check of its name.
    return settings as SharedSettings
  }

  #readOperations(): ReadonlySet<CrudOperation> {
    const { only } = this.#options
    const all = this.#isUsers ? crudOperations.filter(isReading) : crudOperations
    if (only === undefined && !this.#isUsers) return new Set(all)
    const names = this.#readNames('only', only, crudOperations)
    const operations = all.filter((operation) => names.includes(operation))
    if (this.#isUsers && operations.length < names.length + (only === undefined ? 1 : 0)) {
      this.mistakes.push("users can be opened with only: ['list', 'read'] alone; to add or change them there are the command `rowhouse users` and endpoints of your own")
    }
    return new Set(operations)
  }

  #readOwner(): string | null {
    const { ownedBy } = this.#options
    if (ownedBy === undefined) return null
    return this.#checkOwner('ownedBy', ownedBy, this.#layout)
  }

  /** The name of a column that says whose row it is. */
  #checkOwner(option: string, name: unknown, { name: table, columns }: TableLayout): string | null {
    const owners = columns.filter(({ settings }) => settings.kind === 'link' && settings.target === 'users').map((column) => column.name)
    if (typeof name === 'string' && owners.includes(name)) return name
    const present = columns.find((column) => column.name === name)
    const problem = present === undefined ? `${JSON.stringify(name) ?? describeValue(name)}, which ${table} does not have` : `the column ${present.name}, which is a ${present.settings.kind}${present.settings.target === undefined ? '' : ` to ${present.settings.target}`}`
    const remedy = owners.length === 0 ? `${table} has none: declare owner: link('users')` : suggestName(String(name), owners)
    this.mistakes.push(`"${option}" takes the name of a link('users') column of ${table}, got ${problem}; ${remedy}`)
    return null
  }

  #readSent(owner: string | null): readonly LaidOutColumn[] {
    const { columns } = this.#options
    const { visibleColumns } = this.#layout
    if (columns === undefined) {
      if (this.#isUsers) this.mistakes.push('users are opened column by column: list in "columns" what may be seen of them')
      return visibleColumns.filter(({ name }) => name !== owner)
    }
    return this.#readColumns('columns', columns)
  }

  #readWritten(sent: readonly LaidOutColumn[], owner: string | null): readonly LaidOutColumn[] {
    const { readOnly } = this.#options
    const kept = readOnly === undefined ? [] : this.#readColumns('readOnly', readOnly)
    for (const { name } of kept.filter((column) => !sent.includes(column))) this.mistakes.push(`"readOnly" has the column ${name}, which is not opened; list it in "columns" too`)
    // The bytes of media have no place in JSON or a form.
    return sent.filter((column) => !kept.includes(column) && column.name !== owner && column.settings.kind !== 'media')
  }

  #readColumns(option: string, value: unknown): readonly LaidOutColumn[] {
    const visible = this.#layout.visibleColumns.map(({ name }) => name)
    const names = this.#readNames(option, value, visible)
    return names.flatMap((name) => this.#layout.visibleColumns.filter((column) => column.name === name))
  }

  /** A list of some of the known names, each once. */
  #readNames<Known extends string>(option: string, value: unknown, known: readonly Known[]): readonly Known[] {
    if (value === undefined) return []
    const names: readonly unknown[] = Array.isArray(value) ? value : []
    if (names.length === 0) this.mistakes.push(`the option "${option}" takes a list of names, got ${Array.isArray(value) ? 'an empty one' : describeValue(value)}`)
    if (new Set(names).size < names.length) this.mistakes.push(`the option "${option}" has a name twice`)
    return names.flatMap((name) => {
      const found = known.filter((each) => each === name)
      if (found.length === 0) this.mistakes.push(this.#unknownName(option, name, known))
      return found
    })
  }

  #unknownName(option: string, name: unknown, known: readonly string[]): string {
    if (typeof name !== 'string') return `the option "${option}" takes names, got ${describeValue(name)}`
    if (option !== 'only' && name === 'id') return `the option "${option}" has "id", which is always sent and never written; leave it out`
    if (option !== 'only' && this.#layout.columnsByName.has(name)) return `the option "${option}" has "${name}", a hidden column, which is never sent`
    return `the option "${option}" has "${name}", which ${option === 'only' ? 'is nothing that can be opened' : `${this.#layout.name} does not have`}; ${suggestName(name, known)}`
  }

  /** Which rows the columns that can be written may link to. */
  #readTargets(written: readonly LaidOutColumn[], owner: string | null): ReadonlyMap<LaidOutColumn, LinkTarget> {
    const { links = {} } = this.#options
    const linking = written.filter(({ settings }) => settings.target !== undefined)
    if (!isPlainObject(links)) {
      this.mistakes.push(`the option "links" takes an object with a rule for each link, got ${describeValue(links)}`)
      return new Map()
    }
    for (const name of Object.keys(links)) {
      const known = linking.map((column) => column.name)
      if (!known.includes(name)) this.mistakes.push(`the option "links" has "${name}", which is no link that can be written here${known.length === 0 ? '' : `; ${suggestName(name, known)}`}`)
    }
    return new Map(linking.flatMap((column) => {
      const target = this.#readTarget(column, links[column.name], owner)
      return target === null ? [] : [[column, target]]
    }))
  }

  #readTarget(column: LaidOutColumn, rule: unknown, owner: string | null): LinkTarget | null {
    const target = this.#targetOf(column)
    if (target === null) return null
    const { name } = column
    if (target.table === this.#surroundings.table && owner !== null) {
      if (rule !== undefined) this.mistakes.push(`the option "links" has "${name}", which links to rows of the same table: they have to be the user's own; leave it out`)
      return { ...target, ownedBy: owner }
    }
    if (rule === 'any' || (rule === undefined && owner === null)) return target
    if (isPlainObject(rule) && Object.keys(rule).join() === 'ownedBy') {
      const ownedBy = this.#checkOwner(`links.${name}.ownedBy`, rule['ownedBy'], DataTable.layoutOf(target.table))
      return ownedBy === null ? null : { ...target, ownedBy }
    }
    const choices = `'any', when every user may know and link to every row of ${target.table.name}, or { ownedBy: … } with the column of ${target.table.name} that links to its user`
    this.mistakes.push(rule === undefined ? `the link ${name} needs a rule: links: { ${name}: … } takes ${choices}; or make it readOnly` : `the option "links" takes for ${name} ${choices}, got ${describeValue(rule)}`)
    return null
  }

  #targetOf({ settings: { target } }: LaidOutColumn): LinkTarget | null {
    const table: unknown = target === undefined ? undefined : this.#surroundings.tables[target]
    return table instanceof DataTable ? { table, ownedBy: null } : null
  }

  /** A conflict with a row of somebody else would tell that there is one. */
  #checkUnique(written: readonly LaidOutColumn[], owner: string | null): void {
    const { sharedUnique } = this.#options
    const shared = sharedUnique === undefined ? [] : this.#readColumns('sharedUnique', sharedUnique)
    if (owner === null) {
      if (sharedUnique !== undefined) this.mistakes.push('"sharedUnique" has a meaning only with "ownedBy"')
      return
    }
    const sets = [
      ...this.#layout.columns.filter(({ settings }) => settings.unique === true).map(({ name }) => [name]),
      ...this.#layout.indexes.filter(({ unique }) => unique).map(({ columns }) => columns),
    ]
    const telling = sets.filter((names) => !names.includes(owner)).flatMap((names) => written.filter((column) => names.includes(column.name) && !shared.includes(column)))
    for (const { name } of new Set(telling)) {
      this.mistakes.push(
        `${name} is unique over the rows of all users, so whoever writes it can find out what others have; declare .unique('${owner}', '${name}') on the table instead, make it readOnly, or say sharedUnique: ['${name}'] if all may know`,
      )
    }
  }

  /** Every row that is created needs all that is required. What `validate` may fill in is left to the table. */
  #checkCompleteness(writable: ReadonlyMap<string, OpenedColumn>, owner: string | null): void {
    if (this.#options['validate'] !== undefined) return
    for (const { name, settings } of this.#layout.columns) {
      if (settings.required !== true || settings.default !== undefined || settings.derived !== undefined || name === owner || writable.has(name)) continue
      const shown = settings.hidden === true ? 'give it a default' : 'open it for writing, or give it a default'
      this.mistakes.push(`no row can be created, because ${name} is required and cannot be written: ${shown}, fill it in in "validate", or leave 'create' out with "only"`)
    }
  }

  #readValidate(writes: boolean): Validate | null {
    const { validate } = this.#options
    if (validate === undefined) return null
    if (typeof validate !== 'function') this.mistakes.push(`the option "validate" takes a function, got ${describeValue(validate)}`)
    else if (!writes) this.mistakes.push('"validate" is never called, because neither create nor update is opened')
    // CrudOptions holds the author to this type.
    return validate as Validate
  }
}

function isReading(operation: CrudOperation): boolean {
  return operation === 'list' || operation === 'read'
}

function nobodyLetIn(credentials: boolean): string {
  const choice = 'authenticateUsers: true lets in signed-in users only, public: true everybody'
  return credentials
    ? `"requireCredentials" has nobody here who would judge the credentials: ${choice}`
    : `it is not said who may use these endpoints: ${choice}`
}

function byName(columns: readonly OpenedColumn[]): ReadonlyMap<string, OpenedColumn> {
  return new Map(columns.map((column) => [column.name, column]))
}
