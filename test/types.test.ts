import { inspect } from 'node:util'
import t, { type Test } from 'tap'
import { boolean, crudEndpoints, defineTables, httpEndpoint, pick, table, text, users } from 'rowhouse'
import { basic, buildApp } from './support/app.ts'
import { CompiledApp } from './support/compile.ts'
import { takesLong } from './support/needs.ts'

const skip = takesLong('it runs the compiler')

const tables = `
import { boolean, datetime, defineTables, integer, json, link, links, table, text, type StandardSchema } from 'rowhouse'

declare const palette: StandardSchema<{ theme: 'dark' | 'light' }>

export const tables = defineTables({
  tags: table({ label: text().required(), owner: link('users') }),
  tasks: table({
    title: text().required(),
    done: boolean().default(false).required(),
    rank: integer().default(0),
    due: datetime(),
    settings: json(palette),
    extra: json(),
    secret: text().hidden(),
    parent: link('tasks'),
    owner: link('users'),
    tags: links('tags'),
  }),
})
`

/** Compiles modules beside the tables above, and compares all mistakes with those that the modules announce. */
function compile(t: Test, modules: Readonly<Record<string, string>>): CompiledApp {
  const files = Object.entries(modules).map(([name, code]) => {
    return [`modules/${name}.ts`, `import { tables } from '../tables.js'\n${code}`] as const
  })
  const app = new CompiledApp({ 'tables.ts': tables, ...Object.fromEntries(files) })
  const mistakes = app.mistakes()
  const announced = app.announced()
  for (const [place, part] of announced) {
    const found = mistakes.get(place)
    t.ok(found?.includes(part), `${place}: ${part}`, { found })
  }
  t.same([...mistakes].filter(([place]) => !announced.has(place)), [], 'everything else compiles')
  return app
}

t.test('hovering a row, a table or what a handler gets shows columns and parameters, in a few lines', { skip }, (t) => {
  const small = `
import { boolean, defineTables, link, table, text } from 'rowhouse'
export const tables = defineTables({
  tasks: table({
    title: text().required(),
    done: boolean().default(false),
    note: text().hidden(),
    owner: link('users'),
  }),
})
`
  const app = new CompiledApp({
    'tables.ts': small,
    'modules/tasks.ts': `
import { httpEndpoint, text } from 'rowhouse'
import { tables } from '../tables.js'

const task = await tables.tasks.getById('[2,1]')
const page = await tables.tasks.search().page({ size: 20 })
const owner = await task?.owner?.load()
const plain = task?.toJSON()

httpEndpoint('/tasks/:id', { authenticateUsers: true, params: { title: text() } }, (args, request) => {
  const { id, title } = args
  const { user } = request
  return { id, title, email: user.email }
})
`,
  })
  t.strictSame([...app.mistakes()], [])
  const row = `TableRow<"tasks"> & {
    readonly title: string;
    readonly done: boolean | null;
    readonly note: string | null;
    readonly owner: RowReference<TableRow<"users"> & {
        readonly email: string;
        readonly enabled: boolean;
        readonly confirmedEmail: boolean;
        readonly signedUp: Date | null;
        readonly lastLogin: Date | null;
    } & HiddenUserColumns> | null;
} & ColumnRules<{
    note: "hidden";
}>`
  const user = `TableRow<"users"> & {
    readonly email: string;
    readonly enabled: boolean;
    readonly confirmedEmail: boolean;
    readonly signedUp: Date | null;
    readonly lastLogin: Date | null;
} & HiddenUserColumns`
  const shown: Readonly<Record<string, string>> = {
    'const |task|': `const task: (${row}) | null`,
    '|tables|.tasks': `(alias) const tables: Tables<{
    readonly tasks: {
        title: Column<"text", "required">;
        done: Column<"boolean", "nullable" | "defaulted">;
        note: Column<"text", "nullable" | "hidden">;
        owner: Column<LinkTo<"users">, "nullable">;
    };
} & {
    readonly users: UserColumns;
}>
import tables`,
    'tables.|tasks|': `(property) tasks: Table<${row}, "title">`,
    '(|args|, request)': `(parameter) args: {
    readonly id: string;
    readonly title: string;
} & {
    readonly [other: string]: unknown;
}`,
    'const { |id|': 'const id: string',
    '(args, |request|)': '(parameter) request: SignedInRequest<JsonValue>',
    'const { |user|': `const user: ${user}`,
    'const |page|': `const page: Page<${row}>`,
    'const |owner|': `const owner: (${user}) | null | undefined`,
    'const |plain|': `const plain: {
    id: string;
    title: string;
    done: boolean | null;
    owner: RowReference<TableRow<"users"> & {
        readonly email: string;
        readonly enabled: boolean;
        readonly confirmedEmail: boolean;
        readonly signedUp: Date | null;
        readonly lastLogin: Date | null;
    } & HiddenUserColumns> | null;
} | undefined`,
  }
  for (const [place, text] of Object.entries(shown)) t.equal(app.hover(place), text, place)
  t.end()
})

t.test('the types of a table, of what it takes and of what is sent of its rows have names', { skip }, (t) => {
  compile(t, {
    names: `
import type { Changes, Filter, NewRow, Page, Row, RowReference, SearchOptions, UserRow } from 'rowhouse'

type Task = Row<typeof tables.tasks>
type Tag = Row<typeof tables.tags>

export const one: Changes<typeof tables.tasks> = { title: 'x', settings: { theme: 'dark' } }
export const two: NewRow<typeof tables.tasks> = { title: 'x', owner: null }
export const three: NewRow<typeof tables.tasks> = { rank: 1 } // refused: 'title' is missing
export const four: Changes<typeof tables.tasks> = { titel: 'x' } // refused: Did you mean to write 'title'?
export const five: Filter<typeof tables.tasks> = { title: 'x', secret: null }
export const six: Filter<typeof tables.tasks> = { extra: 1 } // refused: 'extra' does not exist
export const seven: SearchOptions<typeof tables.tasks> = { orderBy: { due: 'desc' } }
export const eight: SearchOptions<typeof tables.tasks> = { orderBy: 'settings' } // refused: "settings"
export async function nine(task: Task): Promise<Tag | undefined> {
  const references: readonly RowReference<Tag>[] = task.tags ?? []
  return (await references[0]?.load()) ?? undefined
}
export async function ten(task: Task): Promise<string | undefined> {
  const user: UserRow | null | undefined = await (await (await task.parent?.load())?.parent?.load())?.owner?.load()
  return user?.email
}
export const eleven = (page: Page<Task>): string => page.rows.map(({ title }) => title).join()
export const twelve = (task: Task): string => task.toJSON().title + task.toJSON(['title']).title + task.toJSON().id
export const thirteen = (task: Task): unknown => task.toJSON().secret // refused: 'secret' does not exist
export const fourteen = (task: Task): unknown => task.toJSON(['title']).done // refused: 'done' does not exist
export const fifteen = (task: Task): unknown => task.toJSON(['secret']) // refused: "secret"
export const sixteen = (task: Task) => task.update({ settings: { theme: 'blue' } }) // refused: "dark" | "light"
export const seventeen = (task: Task): Promise<Task> => task.update({ owner: task }) // refused: "users"
`,
  })
  t.end()
})

t.test('where a user is sure, the request has one', { skip }, (t) => {
  compile(t, {
    users: `
import { crudEndpoints, httpEndpoint, route, users } from 'rowhouse'
import type { FileRouteRequest, FileRouteSettings, RowhouseRequest, SignedInRequest, UserRow } from 'rowhouse'

const takes = (user: UserRow): string => user.email
const anybody = (request: RowhouseRequest): string => request.path
const member = ({ user }: SignedInRequest): string => user.email
declare const flag: boolean

httpEndpoint('/a', { authenticateUsers: true }, (_args, request) => takes(request.user) + anybody(request))
httpEndpoint('/a', { authenticateUsers: true }, (_args, request) => member(request))
httpEndpoint('/a', { authenticate_users: true }, (_args, { user }) => takes(user))
httpEndpoint('/a', { authenticateUsers: true }, (_args, request: RowhouseRequest) => anybody(request))
httpEndpoint('/a', { authenticateUsers: true }, (_args, { user }) => tables.tasks.addRow({ title: 'x', owner: user }))
httpEndpoint('/a', { authenticateUsers: true }, () => takes(users.requireUser()))
httpEndpoint('/a', { authenticateUsers: true }, () => takes(users.getUser())) // refused: not assignable
httpEndpoint('/a', { authenticateUsers: 'optional' }, (_args, { user }) => takes(user)) // refused: not assignable
httpEndpoint('/a', { authenticateUsers: 'optional' }, (_args, { user }) => user?.email)
httpEndpoint('/a', { authenticateUsers: flag }, (_args, { user }) => takes(user)) // refused: not assignable
httpEndpoint('/a', { requireCredentials: true }, (_args, { user }) => takes(user)) // refused: not assignable
httpEndpoint('/a', (_args, { user }) => takes(user)) // refused: not assignable
route('/a', { authenticateUsers: true }, (_args, { user }) => takes(user))
route('/a', member) // refused: not assignable
httpEndpoint('/a', { authenticateUser: true }, () => 1) // refused: Did you mean to write 'authenticateUsers'?

crudEndpoints('/a', tables.tasks, { authenticateUsers: true, validate: (_, { user }) => void takes(user) })
crudEndpoints('/a', tables.tasks, { public: true, validate: (_, { user }) => void takes(user) }) // refused: null

export const config = { authenticateUsers: true } satisfies FileRouteSettings
export const get = (request: FileRouteRequest<typeof config>): string => takes(request.user) + forAll(request)
export const post = ({ user }: FileRouteRequest): string => takes(user) // refused: not assignable
const forAll = (request: FileRouteRequest): string => request.path
`,
  })
  t.end()
})

t.test('an app that registers its tables has its own columns in every user, and may use requests in its defaults', { skip }, (t) => {
  const app = new CompiledApp({
    'tables.ts': `
import { defineTables, link, request, table, text, usersTable } from 'rowhouse'
export const tables = defineTables({
  users: usersTable({ displayName: text() }),
  tasks: table({ title: text().default(() => request.path), owner: link('users') }),
})
declare module 'rowhouse' { interface Register { tables: typeof tables } }
`,
    'modules/tasks.ts': `
import { crudEndpoints, httpEndpoint, users, type Row, type UserRow } from 'rowhouse'
import { tables } from '../tables.js'
export const name: string | null = users.requireUser().displayName
export const row: Row<typeof tables.users> = users.requireUser()
export const user: UserRow = row
httpEndpoint('/a', { authenticateUsers: true }, (_args, { user }) => user.displayName)
httpEndpoint('/a', { authenticateUsers: true }, (_args, { user }) => tables.tasks.addRow({ owner: user }))
crudEndpoints('/a', tables.tasks, { ownedBy: 'owner', authenticateUsers: true })
`,
  })
  t.strictSame([...app.mistakes()], [])
  t.end()
})

t.test('a function around a handler leaves its arguments their types', { skip }, (t) => {
  const handlers: readonly [string, string][] = [
    ['/one/:id', ''],
    ['/two/<int:id>', "{ methods: ['PUT'] }, "],
    ['/three/:id', '{ authenticateUsers: true, params: { title: text() } }, '],
  ]
  const simple = ['generic', 'anything', 'logged', 'rest', 'awaited', 'secret', 'cached(3)', 'direct']
  const wrappers = [...simple, 'generic(secret(rest(', 'secret(logged(']
  const uses = ['httpEndpoint', 'route'].flatMap((call) =>
    wrappers.flatMap((wrapper, index) =>
      handlers.map(([path, options], number) => {
        const open = wrapper.endsWith('(') ? wrapper : `${wrapper}(`
        const close = ')'.repeat(open.split('(').length - open.split(')').length)
        const title = options.includes('title') ? 'title' : '{}'
        const names = options.includes('title') ? '{ id, title }' : '{ id }'
        const body = `const id_${call}_${index}_${number} = show(id); show(request); return ${title}`
        return `${call}('${path}', ${options}${open}async (${names}, request) => { ${body} }${close})`
      }),
    ),
  )
  const app = compile(t, {
    wrappers: `
import { crudEndpoints, httpEndpoint, requiresAuth, route, text, type RowhouseRequest } from 'rowhouse'

type Told<T> = 0 extends 1 & T ? 'any' : T
/** Any type whatever comes out as itself, and any as a text that nothing here takes. */
declare function show<T>(value: T): Told<T>

function generic<H extends (...args: never[]) => unknown>(handler: H): H { return handler }
function anything<H extends (...args: any[]) => unknown>(handler: H): H { return handler }
function logged<A, R>(handler: (args: A, request: RowhouseRequest) => R) {
  return (args: A, request: RowhouseRequest) => handler(args, request)
}
function rest<Args extends unknown[], R>(handler: (...args: Args) => R) { return (...args: Args) => handler(...args) }
function awaited<A, R>(handler: (args: A, request: RowhouseRequest) => Promise<R>) {
  return async (args: A, request: RowhouseRequest): Promise<R> => await handler(args, request)
}
function direct<T>(handler: T): T { return handler }
const cached = (_seconds: number) => <A, R>(handler: (args: A, request: RowhouseRequest) => R) => handler
const secret = requiresAuth(() => true)

${uses.join('\n')}

crudEndpoints('/a', tables.tasks, {
  public: true,
  validate: generic((values) => {
    const validated = show(values.title)
    return { ...values, title: validated ?? 'x' }
  }),
})
httpEndpoint('/a/:id', { authenticateUsers: true }, generic((_args, { user }) => user.email))
httpEndpoint('/a/:id', { authenticateUsers: true }, secret((_args, { user }) => user.email))

// A helper that declares endpoints of its own.
export function resource<T>(path: string, find: (id: string) => Promise<T>): void {
  httpEndpoint(\`\${path}/:id\`, ({ id }) => find(id))
}

// One that says nothing of its types is told so, by the setting noImplicitAny that strict has in it.
const bare = (handler) => (args, request) => handler(args, request) // refused: implicitly has an 'any' type
httpEndpoint('/a/:id', bare(({ id }) => id)) // refused: implicitly has an 'any' type
const untyped = (handler: Function): Function => handler
httpEndpoint('/a/:id', untyped(() => 1)) // refused: Type 'Function' provides no match
`,
  })
  for (const [index] of wrappers.entries()) {
    for (const call of ['httpEndpoint', 'route']) {
      const places = handlers.map((_handler, number) => `const |id_${call}_${index}_${number}| =`)
      const types = places.map((place) => app.hover(place).split(': ')[1])
      t.same(types, ['string', 'number', 'string'], `${call} around ${wrappers[index]}`)
    }
  }
  t.equal(app.hover('const |validated|'), 'const validated: string | undefined')
  t.end()
})

t.test('what cannot be sent does not compile as a reply, and nothing else is refused', { skip }, (t) => {
  compile(t, {
    sent: `
import { createReadStream } from 'node:fs'
import { errorHandler, eventStream, httpEndpoint, HttpResponse, jsonify, JSONResponse, Media } from 'rowhouse'
import { redirect, request, route, type JsonValue } from 'rowhouse'

interface Report { title: string; readonly parts: readonly Part[]; readonly at: Date | null; note?: string }
interface Part { readonly amount: number; readonly inner?: Part; readonly onChange?: () => void; readonly unit: Unit }
enum Unit { Metre, Foot }
class Point { constructor(readonly x: number) {} toJSON(): object { return { x: this.x } } }
declare const report: Report
declare const json: JsonValue
declare const anything: any
const send = <T>(value: T): (() => T) => () => value

route('/a', () => 'text')
route('/a', () => 1)
route('/a', () => true)
route('/a', () => null)
route('/a', () => undefined)
route('/a', () => {})
route('/a', () => [1, 'a', { b: null }])
route('/a', () => [1, 2] as const)
route('/a', () => 'x' as string & { readonly brand: true })
route('/a', () => Unit.Foot)
route('/a', () => report)
route('/a', async () => report)
route('/a', () => [report])
route('/a', () => ({ ...report, n: 1 }))
route('/a', () => ({ report, unit: Unit.Metre }))
route('/a', () => json)
route('/a', () => ({ json }))
route('/a', () => anything)
route('/a', () => ({ anything }))
route('/a', () => JSON.parse('1') as unknown)
route('/a', () => ({ unknown: JSON.parse('1') as unknown }))
route('/a', () => ({}) as Record<string, number>)
route('/a', () => ({}) as object)
route('/a', () => [] as unknown[])
route('/a', () => tables.tasks.search())
route('/a', () => tables.tasks.search().all())
route('/a', () => tables.tasks.search().page({ size: 2 }))
route('/a', async () => (await tables.tasks.getById('x')) ?? new HttpResponse(404))
route('/a', async () => (await tables.tasks.getById('x'))?.owner)
route('/a', async () => ({ tasks: await tables.tasks.search().all() }))
route('/a', async () => ({ plain: await tables.tasks.search().map((task) => task.toJSON()) }))
route('/a', () => new Date())
route('/a', () => new URL('http://a'))
route('/a', () => new Point(1))
route('/a', () => ({ at: new Point(1) }))
route('/a', () => new Media('x'))
route('/a', () => new Blob([]))
route('/a', () => Buffer.from('x'))
route('/a', () => new Uint8Array(3))
route('/a', () => new ArrayBuffer(3))
route('/a', () => createReadStream('x'))
route('/a', async function* () { yield 'x' })
route('/a', () => new Blob([]).stream())
route('/a', () => eventStream((async function* () { yield { data: 1 } })()))
route('/a', () => request.body)
route('/a', () => request.files)
route('/a', () => new HttpResponse(200, 'x'))
route('/a', () => new Response('x'))
route('/a', () => fetch('http://a'))
route('/a', () => redirect('/b'))
route('/a', () => { throw new Error('x') })
route('/a', ({ a }) => (a === '' ? 'x' : { a }))
route('/a', async ({ a }) => { if (a === 1) return new HttpResponse(404); return { a } })
route('/a', send('x'))
route('/a', () => Promise.all([1, Promise.resolve('x')]))
errorHandler(404, (error) => ({ message: error.message }))

export function generic<T, U extends { readonly id: string }, V extends object>(t: T, u: U, v: V, k: keyof U): void {
  route('/a', () => t)
  route('/a', () => ({ t, n: 1 }))
  route('/a', () => [t])
  route('/a', async () => t)
  route('/a', () => Promise.resolve({ t }))
  route('/a', () => u)
  route('/a', () => ({ ...u, n: 1 }))
  route('/a', () => v)
  route('/a', () => u[k])
  route('/a', () => new HttpResponse(200, t))
  route('/a', () => jsonify(u))
}

route('/a', () => 10n) // refused: response is a BigInt
route('/a', async () => 10n) // refused: response is a BigInt
route('/a', () => { return 10n }) // refused: response is a BigInt
route('/a', () => ({ total: 10n })) // refused: response.total is a BigInt
route('/a', () => ({ items: [{ total: 10n as bigint | null }] })) // refused: response.items[].total is a BigInt
route('/a', ({ a }) => (a === '' ? 10n : { a })) // refused: response is a BigInt
route('/a', async ({ a }) => { if (a === 1) return 'x'; return { b: { c: 10n } } }) // refused: response.b.c is a BigInt
route('/a', () => () => 1) // refused: response is a function
route('/a', () => Point) // refused: response is a function
route('/a', () => ({ run() {} })) // refused: response is an object with methods
route('/a', () => [/x/]) // refused: response[] is an object with methods
route('/a', function* () { yield 1 }) // refused: response is an object with methods
route('/a', () => new Map([[1, 2]])) // refused: response is a Map
route('/a', async () => ({ seen: new Set<string>() })) // refused: response.seen is a Set
route('/a', () => Symbol('x')) // refused: response is a symbol
route('/a', () => ({ tasks: tables.tasks.search() })) // refused: response.tasks is a search: await its all()
route('/a', () => ({ tasks: tables.tasks.search().all() })) // refused: response.tasks is a promise: await it
httpEndpoint('/a', { methods: ['GET'] }, () => 10n) // refused: response is a BigInt
errorHandler(404, () => 10n) // refused: response is a BigInt
export const one = new HttpResponse(200, 10n) // refused: body is a BigInt
export const two = new HttpResponse({ body: { seen: new Map() } }) // refused: body.seen is a Map
export const three = new HttpResponse(200, Promise.resolve(1)) // refused: body is a promise: await it
export const four = jsonify({ total: 10n }) // refused: body.total is a BigInt
export const five = JSONResponse(() => 1) // refused: body is a function
`,
    statuses: `
import { HttpResponse, jsonify, JSONResponse } from 'rowhouse'

declare const status: number
declare const some: 200 | 404
export const right = [
  [new HttpResponse(), new HttpResponse(200), new HttpResponse(599, 'x'), new HttpResponse(status, {}, { a: 'b' })],
  [new HttpResponse(some), new HttpResponse({ status: 404 }), new HttpResponse({ body: 1, headers: {}, status })],
  [jsonify(1), jsonify(1, 404), jsonify(1, status), JSONResponse(1, { status: 401 }), new JSONResponse(1, { status })],
]
export class Teapot extends HttpResponse { constructor(body: unknown, code: number) { super(code, body) } }
export function told(value: HttpResponse | Response | string): unknown {
  if (value instanceof HttpResponse) return value.headers.getAll('a')
  return value instanceof Response ? value.ok : value.length
}
export const a = new HttpResponse(9999) // refused: a status from 200 to 599
export const b = new HttpResponse(199, 'x') // refused: a status from 200 to 599
export const c = new HttpResponse(404.5) // refused: a status from 200 to 599
export const d = new HttpResponse({ status: 600 }) // refused: a status from 200 to 599
export const e = jsonify(1, 99) // refused: a status from 200 to 599
export const f = JSONResponse(1, { status: 1000 }) // refused: a status from 200 to 599
export const g = new JSONResponse(1, { staus: 404 }) // refused: Did you mean to write 'status'?
export const h = new HttpResponse('404') // refused: not assignable
`,
  })
  t.end()
})

t.test('pick has the types of its source, and unknown values of JSON, which what looks at them takes', { skip }, async (t) => {
  const app = compile(t, {
    pick: `
import { httpEndpoint, pick, request, users, type Changes, type Media, type StandardSchema } from 'rowhouse'

declare const schema: StandardSchema<{ title: string; settings: { theme: 'dark' }; other?: number }>
declare const typed: { title: string; done?: boolean; other: number }
declare const record: Record<string, unknown>
const task = await tables.tasks.addRow({ title: 'x' })

const known = pick(typed, ['title', 'done'])
const sent = pick(request.bodyJson, ['title'])
const queried = pick(request.queryParams, ['title'])
const { title } = pick(request.bodyJson, ['title'])
const ofRow = pick(task, ['title', 'id'])

await task.update(pick(request.bodyJson, ['title', 'done']))
await task.update(pick(await request.json(), ['title', 'done']))
await task.update(pick(record, ['title']))
await task.update({ ...pick(request.bodyJson, ['title']), owner: users.getUser() })
await tables.tasks.addRow(pick(request.bodyJson, ['title']))
await tables.tasks.addRow({ ...pick(request.bodyJson, ['title']), owner: users.getUser() })
await tables.tasks.search(pick(request.bodyJson, ['done'])).update(pick(request.bodyJson, ['rank']))
const changes: Changes<typeof tables.tasks> = pick(request.bodyJson, ['title'])
await task.update(changes)
httpEndpoint('/a', { body: schema }, (_args, { bodyJson }) => task.update(pick(bodyJson, ['title', 'settings'])))
httpEndpoint('/a', () => pick(request.bodyJson, ['title']))
export const said = pick<{ name: string }>(await request.json(), ['name']).name?.length
export const generic = <T extends { id: string }>(value: T) => pick(value, ['id']).id

await task.update(pick(request.bodyJson, ['titel'])) // refused: Did you mean '"title"'?
await task.update(pick(typed, ['other'])) // refused: no properties in common
export const one: { title?: string } = pick(request.bodyJson, ['title']) // refused: 'unknown' is not assignable
export const two: string = sent.title // refused: Type 'unknown' is not assignable
export const three: string = title // refused: Type 'unknown' is not assignable
export const four = pick(typed, ['titel']) // refused: Did you mean '"title"'?
export const five = pick(task, ['secret']) // refused: "secret"
export const six: string | readonly string[] = request.queryParams['title'] // refused: undefined
export const seven: string | readonly string[] = request.formParams['title'] // refused: undefined
export const eight: Media | readonly Media[] = request.files['title'] // refused: undefined
export const nine: string | readonly string[] | undefined = request.queryParams['title']
await task.update(sent) // refused: Type 'unknown' is not assignable
`,
  })
  const typeOf = (name: string) => app.hover(`const |${name}|`).replaceAll(/\s+/g, ' ').slice(`const ${name}: `.length)
  t.equal(typeOf('known'), 'Pick<{ title: string; done?: boolean; other: number; }, "title" | "done">')
  t.equal(typeOf('sent'), '{ readonly title?: unknown; }')
  t.equal(typeOf('queried'), '{ readonly title?: string | readonly string[] | undefined; }')

  t.strictSame(pick({ a: 1, b: 2 }, ['a']), { a: 1 })
  t.strictSame(pick(JSON.parse('{"a":1,"b":2}'), ['a', 'c']), { a: 1 })
  t.strictSame(pick(JSON.parse('{"b":2}'), ['toString', '__proto__']), {}, 'only what it has itself')
  t.throws(() => pick(null, []), { name: 'HttpError', status: 400 })
  const { server } = await buildApp(t, () => {
    const { tasks } = defineTables({ tasks: table({ title: text(), secret: text().hidden() }) })
    const names: unknown[] = ['id', 'title', 'secret']
    httpEndpoint('/a', async () => pick(await tasks.addRow({ title: 'x', secret: 'hush' }), names as 'title'[]))
  })
  t.strictSame((await server.inject('/_/api/a')).json(), { id: '[2,1]', title: 'x' }, 'of a row, what may be sent')
})

t.test('a spread row does not pass for its columns where it is sent or written', async (t) => {
  const { server, log } = await buildApp(t, () => {
    const { tasks } = defineTables({ tasks: table({ title: text(), done: boolean(), secret: text().hidden() }) })
    const add = () => tasks.addRow({ title: 'x', secret: 'hush' })
    httpEndpoint('/spread', async () => ({ ...(await add()) }))
    httpEndpoint('/inside', async () => ({ tasks: [{ ...(await add()), extra: 1 }] }))
    httpEndpoint('/added', async () => tasks.addRow({ ...(await add()) }))
    httpEndpoint('/updated', async () => (await add()).update({ ...(await add()), done: true }))
    httpEndpoint('/plain', async () => ({ ...(await add()).toJSON(), extra: 1 }))
    httpEndpoint('/logged', async () => inspect({ ...(await add()) }))
  })
  const messages = async (path: string): Promise<unknown> => {
    const before = log.length
    t.equal((await server.inject(`/_/api${path}`)).statusCode, 500, path)
    return JSON.stringify(log.slice(before))
  }
  t.match(await messages('/spread'), 'cannot send a spread row as response: the columns of a row are getters')
  t.match(await messages('/inside'), 'cannot send a spread row as response.tasks[0]: the columns of a row are getters')
  t.match(await messages('/added'), 'tasks: a row was spread to make a row to add')
  t.match(await messages('/updated'), 'tasks: a row was spread to make the columns to write')
  const plain = (await server.inject('/_/api/plain')).json<{ id: string }>()
  t.strictSame(plain, { id: plain.id, title: 'x', done: null, extra: 1 }, 'toJSON() has the visible columns and the id')
  t.match((await server.inject('/_/api/logged')).body, 'spread row.toJSON()', 'what is printed says why it is empty')
})

t.test('requireUser is the user, or a 401 that says how to sign in', async (t) => {
  const { server } = await buildApp(t, () => {
    httpEndpoint('/sure', { authenticateUsers: true }, (_args, { user }) => [users.requireUser().email, user.email])
    httpEndpoint('/open', () => users.requireUser().email)
    httpEndpoint('/optional', { authenticateUsers: 'optional' }, () => users.requireUser().email)
    crudEndpoints('/users', defineTables({}).users, { authenticateUsers: true, only: ['list'], columns: ['email'] })
  })
  await server.rowhouse.users.add('me@example.com', 'correct horse battery')
  const headers = basic('me@example.com', 'correct horse battery')
  t.same((await server.inject({ url: '/_/api/sure', headers })).json(), ['me@example.com', 'me@example.com'])
  t.equal((await server.inject({ url: '/_/api/optional', headers })).body, 'me@example.com')
  const refused = { 'www-authenticate': ['Basic realm="test", charset="UTF-8"'] }
  for (const path of ['/open', '/optional']) {
    t.match(await server.inject(`/_/api${path}`), { statusCode: 401, body: 'Unauthorized', headers: refused }, path)
  }
  t.equal((await server.inject({ url: '/_/api/open', headers })).statusCode, 401, 'which asks for none')
  t.throws(() => users.requireUser(), /only available while an endpoint runs/)
})

t.test('middleware knows its request and response, values have their types, and an answer that is none does not compile', { skip }, (t) => {
  const app = compile(t, {
    around: `
import { HttpResponse, middleware, requestValue, route, type FileRouteRequest, type Middleware, type RowhouseRequest } from 'rowhouse'

const tenant = requestValue<{ readonly name: string }>('tenant')

middleware('/reports', async (request, next) => {
  const response = await next()
  const found = tenant.getOptional()
  tenant.set({ name: request.path })
  response.headers.set('x-name', found?.name ?? '')
  return response
})
middleware((_request, next) => next())
middleware((request, next) => (request.user === null ? new HttpResponse(401, 'no') : next()))
const inFile: Middleware = async (request: FileRouteRequest, next) => next()
const inModule: Middleware<RowhouseRequest> = (request, next) => next()
middleware('/x', inModule)
route('/y', () => tenant.get().name)
tenant.set({ title: 'x' }) // refused: does not exist in type
middleware(async (_request, next) => { await next() }) // refused: response is nothing: return the response of
middleware(async (request, next) => { if (request.user !== null) return next() }) // refused: response is nothing
middleware((_request, next) => ({ a: 1n, next: next() })) // refused: is a BigInt
middleware(inFile) // refused: is not assignable
middleware(7, inModule) // refused: is not assignable to parameter of type
`,
  })
  t.equal(app.hover('(|request|, next)'), '(parameter) request: RowhouseRequest<JsonValue>')
  t.equal(app.hover('const |response|'), 'const response: HttpResponse | Response')
  t.equal(app.hover('const |found|'), 'const found: {\n    readonly name: string;\n} | undefined')
  t.end()
})

t.test('an app of 200 endpoints takes the compiler less than five seconds more than one of none', { skip }, (t) => {
  const links = (n: number): string => `owner: link('users'), parent: link('t${n}'), next: links('t${(n + 1) % 20}')`
  const columns = "title: text().required(), done: boolean().default(false), note: text().hidden(), extra: json()"
  const declared = Array.from({ length: 20 }, (_, n) => `  t${n}: table({ ${columns}, ${links(n)} }),`)
  const manyTables = `
import { boolean, defineTables, json, link, links, table, text } from 'rowhouse'
export const tables = defineTables({
${declared.join('\n')}
})
`
  const endpoints = (n: number): string => `
import { httpEndpoint, HttpResponse, integer, optional, pick, request, route, text, transaction, users } from 'rowhouse'
import { tables } from '../tables.js'
const { t${n}: things } = tables
httpEndpoint('/a', { authenticateUsers: true }, () => things.search({ owner: users.getUser() }).all())
httpEndpoint('/b', { authenticateUsers: true, params: { title: text() } }, async ({ title }, { user }) => {
  const thing = await things.addRow({ title, owner: user })
  return { id: thing.getId() }
})
httpEndpoint('/c/:id', { methods: ['GET', 'PUT'] }, async ({ id }) => {
  const thing = await things.getById(id)
  if (thing === null) return new HttpResponse(404)
  if (request.method === 'PUT') await thing.update(pick(request.bodyJson, ['title', 'done']))
  return { ...thing.toJSON(), next: (await thing.next?.[0]?.load())?.title }
})
route('/d/<int:size>', ({ size }) => things.search({ done: false }, { orderBy: { title: 'desc' } }).page({ size }))
route('/e', async () => (await (await things.search().first())?.parent?.load())?.owner)
route('/f', () => transaction(async () => (await things.get({ title: 'x' }))?.update({ done: true }) ?? null))
route('/g/:a/:b', ({ a, b }) => ({ a, items: [{ n: 1, deep: { b: [a, b], at: new Date() } }] }))
route('/h', { params: { page: integer().default(1), by: optional(text()) } }, ({ page, by }) => [page, by])
route('/i/<uuid:id>', ({ id }, { headers }) => new HttpResponse(200, { id, agent: headers['user-agent'] }))
route('/j', () => things.search().map(({ title, done }) => ({ title, done })))
`
  const seconds = (modules: number): number => {
    const files = Array.from({ length: modules }, (_, n) => [`modules/m${n}.ts`, endpoints(n)] as const)
    const app = new CompiledApp({ 'tables.ts': manyTables, ...Object.fromEntries(files) })
    const before = process.cpuUsage()
    t.strictSame([...app.mistakes()], [])
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1e6
  }
  const none = seconds(0)
  const all = seconds(20)
  t.ok(all - none < 5, `${all.toFixed(1)} s in place of ${none.toFixed(1)}`)
  t.end()
})
