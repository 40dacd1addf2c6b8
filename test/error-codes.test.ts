import t from 'tap'
import {
  abort,
  createApp,
  crudEndpoints,
  datetime,
  defineTables,
  errorHandler,
  httpEndpoint,
  HttpError,
  HttpResponse,
  integer,
  json,
  link,
  media,
  request,
  RowDeleted,
  table,
  TableError,
  text,
  type StandardSchema,
} from 'rowhouse'
import { errorCodes } from '../dist/server/errors/error-codes.js'
import { refusal } from '../dist/server/http/http-error.js'
import { buildApp, temporaryFolder, type TestApp } from './support/app.ts'

const api = '/_/api'
const accept = 'application/json'

/** The JSON that an error is told in. */
interface Told {
  readonly status: number
  readonly code: string
  readonly error: string
  readonly message: string
  readonly requestId: string
  readonly problems?: readonly { readonly code: string; readonly path: string; readonly message: string }[]
}

async function ask(server: TestApp['server'], path: string, body?: object): Promise<Told> {
  const sent = body === undefined ? { method: 'GET' as const } : { method: 'POST' as const, payload: body }
  return (await server.inject({ url: path, headers: { accept }, ...sent })).json<Told>()
}

t.test('an error has the code that its author gives it, or else the general one of its status', async (t) => {
  const errors: Readonly<Record<string, () => HttpError>> = {
    'seat-taken': () => new HttpError(409, 'taken', { seat: 7 }, { 'x-a': 'b' }, { code: 'seat-taken' }),
    conflict: () => new HttpError(409, 'taken', { seat: 7 }),
    'bad-request': () => new HttpError(400),
    forbidden: () => new HttpError(403),
    'not-found': () => new HttpError(404),
    unprocessable: () => new HttpError(422),
    internal: () => new HttpError(500),
    unavailable: () => new HttpError(503),
    'http-418': () => new HttpError(418),
    'http-507': () => new HttpError(507),
  }
  const { server } = await buildApp(t, () => {
    for (const [code, make] of Object.entries(errors)) httpEndpoint(`/${code}`, () => Promise.reject(make()))
    httpEndpoint('/aborted', () => abort(404, 'nothing'))
  })
  for (const [code, make] of Object.entries(errors)) {
    const told = await ask(server, `${api}/${code}`)
    t.match(told, { status: make().status, code }, code)
    t.equal(make().code, code, 'the error itself has it too')
    t.equal(Object.keys(told).slice(0, 5).join(), 'status,code,error,message,requestId')
  }
  t.match(await ask(server, `${api}/seat-taken`), { seat: 7 })
  t.match(await ask(server, `${api}/aborted`), { code: 'not-found', message: 'nothing' })
  for (const code of ['Taken', 'seat taken', 'seat_taken', '7', '-a', 'a-', '', 'a--b', 7 as never]) {
    t.throws(() => new HttpError(409, 'x', {}, {}, { code }), {
      name: 'RangeError',
      message: /such as "seat-taken", got/,
    })
  }
})

t.test('details take no place of what every error says', async (t) => {
  const details = { seat: 7, status: 1, code: 'mine', error: 'mine', message: 'mine', requestId: 'mine' }
  const { server } = await buildApp(t, () =>
    httpEndpoint('/', () => {
      // @ts-expect-error the compiler says so, too
      throw new HttpError(409, 'taken', details)
    }),
  )
  const told = await ask(server, `${api}/`)
  t.match(told, { status: 409, code: 'conflict', error: 'Conflict', message: 'taken', seat: 7 })
  t.not(told.requestId, 'mine')
})

t.test('the other dresses say nothing of codes', async (t) => {
  const { server } = await buildApp(t, () =>
    httpEndpoint('/taken', () =>
      Promise.reject(new HttpError(409, 'gone to somebody', {}, {}, { code: 'seat-taken' })),
    ),
  )
  for (const dress of ['text/plain', 'text/html']) {
    const { body } = await server.inject({ url: `${api}/taken`, headers: { accept: dress } })
    t.match(body, 'gone to somebody')
    t.notMatch(body, 'seat-taken')
  }
})

t.test('a refusal has the status of its code, and its sentence where nothing else is said', async (t) => {
  for (const [code, { status, sentence }] of Object.entries(errorCodes)) {
    t.match(refusal(code as keyof typeof errorCodes), { status, code, message: sentence }, code)
    t.match(sentence, /^[A-Z`].*\.$/, `${code}: a sentence`)
    t.match(code, /^[a-z]+(?:-[a-z]+)*$/)
  }
})

t.test('problems say where each of them is', async (t) => {
  const issues = [
    { message: 'too dear', path: ['items', 2, { key: 'price' }] },
    { message: 'odd', path: ['odd name', Symbol('s')] },
    { message: 'too short' },
  ]
  const order: StandardSchema = { '~standard': { version: 1, vendor: 'test', validate: () => ({ issues }) } }
  const { server } = await buildApp(t, () => {
    httpEndpoint('/orders/:id', { methods: ['POST'], params: { id: integer(), page: order }, body: order }, () => 1)
  })
  const { code, message, problems } = await ask(server, `${api}/orders/x?page=1`, {})
  t.equal(code, 'invalid-input')
  t.same(
    problems?.map((problem) => [problem.code, problem.path]),
    [
      ['wrong-type', 'id'],
      ['invalid-value', 'page.items[2].price'],
      ['invalid-value', 'page["odd name"]["Symbol(s)"]'],
      ['invalid-value', 'page'],
      ['invalid-value', 'body.items[2].price'],
      ['invalid-value', 'body["odd name"]["Symbol(s)"]'],
      ['invalid-value', 'body'],
    ],
  )
  t.equal(message, problems?.map((problem) => problem.message).join('; '), 'and the message has all of them')
})

const declareTables = () =>
  defineTables({
    projects: table({ name: text().required().unique() }),
    tasks: table({
      title: text().required(),
      token: text().hidden().unique(),
      slug: text(),
      place: integer(),
      project: link('projects', { onDelete: 'restrict' }),
    })
      .unique('slug', 'place')
      .unique('title', 'token'),
  })

t.test('what a table refuses names the columns, and a hidden one in no way', async (t) => {
  const seen: TableError[] = []
  const { server } = await buildApp(t, () => {
    const { tasks, projects } = declareTables()
    crudEndpoints('/projects', projects, { public: true })
    httpEndpoint('/tasks', { methods: ['POST'] }, async (_args, { bodyJson }) => {
      const row = await tasks.addRow(bodyJson as never).catch((error: unknown) => {
        if (error instanceof TableError) seen.push(error)
        throw error
      })
      return row.id
    })
  })
  const refused = async (body: object): Promise<readonly [string, string[] | undefined]> => {
    const told = await ask(server, `${api}/tasks`, body)
    t.notMatch(JSON.stringify(told), /token|hush/)
    return [told.code, told.problems?.map(({ path }) => path)]
  }
  await ask(server, `${api}/tasks`, { title: 'a', token: 'hush', slug: 's', place: 1 })
  t.same(await refused({ title: 7 }), ['wrong-type', ['title']])
  t.same(await refused({}), ['missing-value', ['title']])
  t.same(await refused({ title: 'a', titel: 'b' }), ['unknown-column', ['titel']])
  t.same(await refused({ title: 'b', slug: 's', place: 1 }), ['not-unique', ['slug', 'place']])
  t.same(await refused({ title: 'b', token: 'hush' }), ['not-unique', undefined], 'a hidden column')
  t.same(
    seen.map((error) => [error.code, error.table, error.columns]),
    [
      ['wrong-type', 'tasks', ['title']],
      ['missing-value', 'tasks', ['title']],
      ['unknown-column', 'tasks', ['titel']],
      ['not-unique', 'tasks', ['slug', 'place']],
      ['not-unique', 'tasks', []],
    ],
  )
  await ask(server, `${api}/projects`, { name: 'x' })
  const twice = await ask(server, `${api}/projects`, { name: 'x' })
  const message = 'table projects already has a row with this name'
  t.match(twice, {
    status: 409,
    code: 'not-unique',
    message,
    problems: [{ code: 'not-unique', path: 'name', message }],
  })
})

t.test('a column that no search can use is the mistake of the caller who has sent its name, and of the author otherwise', async (t) => {
  const { server, log } = await buildApp(t, () => {
    const { notes } = defineTables({ notes: table({ title: text(), data: json(), picture: media() }) })
    const list = { methods: ['GET', 'POST'] } as const
    httpEndpoint('/query', list, () => notes.search(request.queryParams as object))
    httpEndpoint('/body', list, () => notes.search(request.bodyJson as object))
    httpEndpoint('/inner', list, () => notes.search((request.bodyJson as { where: { title: string } }).where))
    httpEndpoint('/order', list, () => notes.search({}, { orderBy: String(request.queryParams['order'] ?? 'title').replace('-', '') as 'title' }))
    httpEndpoint('/own-filter', () => notes.search({ data: null } as object))
    httpEndpoint('/own-order', () => notes.search({}, { orderBy: 'picture' as 'title' }))
    httpEndpoint('/undefined', () => notes.search({ title: request.queryParams['title'] as string }))
  })
  const refused: [string, object | undefined, string][] = [
    ['/query?data=1', undefined, 'notes.data: a json column cannot be searched by'],
    ['/query?picture=x', undefined, 'notes.picture: a media column cannot be searched by'],
    ['/body', { data: { a: 1 } }, 'notes.data: a json column cannot be searched by'],
    ['/inner', { where: { picture: 1 } }, 'notes.picture: a media column cannot be searched by'],
    ['/order?order=-data', undefined, 'notes.data: a json column has no order'],
  ]
  for (const [path, body, message] of refused) {
    const [, column = ''] = message.split(/[.:]/)
    t.match(await ask(server, api + path, body), { status: 400, code: 'unsearchable-column', message, problems: [{ code: 'unsearchable-column', path: column, message }] }, path)
  }
  t.same(log.filter(({ level }) => Number(level) >= 50), [], 'no mistake of the author')
  for (const path of ['/own-filter', '/own-filter?title=x', '/own-order', '/undefined', '/undefined?titel=x']) {
    const told = await ask(server, api + path)
    t.match(told, { status: 500, code: 'internal' }, path)
    t.notMatch(JSON.stringify(told), /notes|undefined/)
    t.match(log.at(-2)?.['err'] ?? log.at(-1)?.['err'], { stack: /error-codes\.test\.ts/ }, 'the log has the place')
  }
  t.equal((await server.inject(`${api}/undefined?title=x`)).statusCode, 200)
})

t.test('what a table cannot use is told to the caller who has sent it, and to nobody where the author has written it', async (t) => {
  const { server, log } = await buildApp(t, () => {
    const { notes } = defineTables({ notes: table({ title: text().required(), rank: integer(), at: datetime(), data: json(), token: text().hidden() }) })
    const any = { methods: ['GET', 'POST'] } as const
    // What TypeScript would tell an author comes in a request all the same.
    const as = (value: unknown): never => value as never
    const body = (): never => as(request.bodyJson)
    httpEndpoint('/filter', any, () => notes.search(body()).all())
    httpEndpoint('/filter-param', { params: { where: json() } }, ({ where }) => notes.search(as(where)).all())
    httpEndpoint('/filter-args', any, (args) => notes.search(as(args)).all())
    httpEndpoint('/order', any, () => notes.search({}, { orderBy: as((body() as { by: unknown }).by) }).all())
    httpEndpoint('/order-list', any, ({ by }) => notes.search({}, { orderBy: as(String(by).split(',')) }).all())
    httpEndpoint('/direction', any, ({ by }) => notes.search({}, { orderBy: as({ title: by }) }).all())
    httpEndpoint('/limit', any, ({ limit }) => notes.search({}, { limit: as(limit) }).all())
    httpEndpoint('/options', any, (args) => notes.search({}, as(args)).all())
    httpEndpoint('/page', any, ({ size }) => notes.search().page({ size: Number(size) }))
    httpEndpoint('/page-options', any, () => notes.search().page(body()))
    httpEndpoint('/page-order', any, ({ by }) => notes.search({}, { orderBy: as(by) }).page({ size: 1 }))
    httpEndpoint('/get', any, () => notes.get(body()))
    httpEndpoint('/upsert', any, () => notes.upsert(body(), as({ title: 'x' })))
    httpEndpoint('/add', any, () => notes.addRow(body()).then(({ id }) => id))
    httpEndpoint('/add-args', any, (args) => notes.addRow(as({ ...args })).then(({ id }) => id))
    httpEndpoint('/add-all', any, () => notes.addRows(body()).then(({ length }) => length))
    httpEndpoint('/add-as', any, ({ name, when, place, secret }) => notes.addRow(as({ title: name ?? 'x', ...(when !== undefined && { at: new Date(String(when)) }), ...(place !== undefined && { rank: Number(place) }), ...(secret !== undefined && { token: Number(secret) }) })).then(({ id }) => id))
    httpEndpoint('/own', any, ({ which }) => {
      const mistakes: Record<string, () => unknown> = {
        a: () => notes.search(as([])).all(),
        b: () => notes.search(as(null)).all(),
        c: () => notes.search(as({ titel: 'x' })).all(),
        d: () => notes.search(as({ rank: 'seven' })).all(),
        e: () => notes.search({}, { orderBy: as('titel') }).all(),
        f: () => notes.search({}, { limit: -1 }).all(),
        g: () => notes.search().page({ size: 5000 }),
        h: () => notes.search({}, as({ order: 'title' })).all(),
        i: () => notes.addRow(as({ title: 'x', unknownColumn: 1 })),
        j: () => notes.addRow(as({ title: 42 })),
        k: () => notes.addRow(as({ title: 'x', token: 42 })),
        l: () => notes.addRows(as([{ title: 'x', rank: 'seven' }])),
        m: () => notes.search().update(as({ unknownColumn: 1 })),
        n: () => notes.addRow(as([])),
      }
      return mistakes[String(which)]?.()
    })
  })
  const told = async (path: string, body: unknown, code: string, message: string | RegExp): Promise<void> => {
    const answer = await ask(server, api + path, body as object | undefined)
    t.match(answer, { status: 400, code, message }, `${path} ${JSON.stringify(body)}`)
    t.notMatch(JSON.stringify(answer), /token/)
  }
  const noFilter = 'notes: expected a plain object as filter, got'
  const term = "notes: orderBy takes a column name, an object { column: 'asc' | 'desc' }, or a list of those"
  await told('/filter', [], 'bad-query', `${noFilter} a list`)
  await told('/filter', null, 'bad-query', `${noFilter} null`)
  await told('/filter', undefined, 'bad-query', `${noFilter} null`)
  await told('/filter', 5, 'bad-query', `${noFilter} a number`)
  await told('/filter', { rank: 'seven' }, 'wrong-type', 'notes.rank: expected a whole number, got a text')
  await told('/filter', { ['x'.repeat(100)]: 1 }, 'unknown-column', /has no column "x{80}"/)
  await told('/filter', { 'no such name': 1 }, 'unknown-column', /has no column "no such name"/)
  await told('/filter-param?where=[]', undefined, 'bad-query', `${noFilter} a list`)
  await told('/filter-args?titel=x', undefined, 'unknown-column', /has no column "titel"/)
  for (const by of [5, null, {}, { title: 'up' }, [[]]]) await told('/order', { by }, 'bad-query', term)
  await told('/order', { by: ['title', 'title'] }, 'bad-query', 'notes: orderBy names a column twice')
  await told('/order', { by: 'data' }, 'unsearchable-column', 'notes.data: a json column has no order')
  await told('/order-list?by=rank,titel', undefined, 'unknown-column', /has no column "titel"/)
  await told('/direction?by=up', undefined, 'bad-query', term)
  await told('/limit?limit=5', undefined, 'bad-query', 'notes: limit has to be a whole number from 0, got a text')
  await told('/options?order=title', undefined, 'bad-query', 'notes: search options have no "order"; there are orderBy and limit')
  for (const [size, got] of [['5000', 'a number'], ['abc', 'NaN'], ['1.5', 'a number'], ['-1', 'a number'], ['', 'a number'], ['1e999', 'Infinity']]) {
    await told(`/page?size=${size}`, undefined, 'bad-query', `notes: the size of a page has to be a whole number from 1 to 1000, got ${got}`)
  }
  await told('/page-options', [], 'bad-query', 'notes: expected a plain object as page options, got a list')
  await told('/page-options', { size: '5' }, 'bad-query', /^notes: the size of a page/)
  await told('/get', [], 'bad-query', `${noFilter} a list`)
  await told('/upsert', [], 'bad-query', /as the key of upsert, got a list$/)
  await told('/upsert', {}, 'bad-query', /as the key of upsert, got a plain object$/)
  await told('/add', [], 'wrong-type', 'notes: expected a plain object with a row to add, got a list')
  await told('/add', { title: 'x', titel: 'y' }, 'unknown-column', /has no column "titel"/)
  await told('/add', { title: [1] }, 'wrong-type', 'notes.title: expected a text, got a list')
  await told('/add', {}, 'missing-value', 'notes.title is required, and no value was given')
  await told('/add', { title: 'x', token: 5 }, 'wrong-type', 'notes: a hidden column did not get a value that it takes')
  await told('/add-args?title=x&titel=y', undefined, 'unknown-column', /has no column "titel"/)
  await told('/add-args?title=x&title=y', undefined, 'wrong-type', 'notes.title: expected a text, got a list')
  await told('/add-all', {}, 'wrong-type', 'notes: expected a list of rows to add, got a plain object')
  await told('/add-all', [{ title: 'x' }, { title: 5 }], 'wrong-type', 'row 2: notes.title: expected a text, got a number')
  await told('/add-as?name=a&name=b', undefined, 'wrong-type', 'notes.title: expected a text, got a list')
  await told('/add-as?when=later', undefined, 'wrong-type', 'notes.at: expected a valid Date, got an invalid Date')
  await told('/add-as?place=first', undefined, 'wrong-type', 'notes.rank: expected a whole number between -(2^53 - 1) and 2^53 - 1, got NaN')
  await told('/add-as?secret=5', undefined, 'wrong-type', 'notes: a hidden column did not get a value that it takes')
  t.same(log.filter(({ level }) => Number(level) >= 50), [], 'no mistake of the author')
  for (const which of 'abcdefghijklmn') {
    for (const [path, body] of [[`/own?which=${which}`, undefined], [`/own?which=${which}`, { other: ['thing', 3, true] }]] as const) {
      const lines = log.length
      const answer = await ask(server, api + path, body)
      t.match(answer, { status: 500, code: 'internal' }, which)
      t.notMatch(JSON.stringify(answer), /notes|title|token|rank|column/, 'nothing of the schema')
      t.match(log.slice(lines).find(({ level }) => level === 50)?.['err'], { stack: /error-codes\.test\.ts/ }, 'the log has the place')
    }
  }
  t.match(log.find(({ err }) => /hidden column/.test(JSON.stringify(err)))?.['err'], { stack: /notes\.token: expected a text/ }, 'the log names the column that is hidden from callers')
})

t.test('in a route of fastify.ts, too, it is told to the caller who has sent it, and to nobody otherwise', async (t) => {
  const lines: string[] = []
  const declare = () => defineTables({ notes: table({ title: text().required() }) })
  let declared: ReturnType<typeof declare>['notes'] | null = null
  const server = await createApp({
    directory: await temporaryFolder(t),
    define: () => {
      declared = declare().notes
    },
    plugin: async (fastify) => {
      fastify.post('/filter', async ({ body }) => declared?.search(body as never).all())
      fastify.get('/order/:by', async ({ params }) => declared?.search({}, { orderBy: (params as { by: never }).by }).all())
      fastify.post('/own', async () => declared?.addRow({ title: 'x', titel: 'y' } as never))
    },
    options: { name: 'test' },
    logTo: { write: (line: string) => lines.push(line) },
  })
  t.teardown(() => server.close())
  const post = (url: string, payload: string) => server.inject({ method: 'POST', url, payload, headers: { 'content-type': 'application/json' } })
  for (const [body, got] of [['[]', 'a list'], ['null', 'null']] as const) {
    t.match((await post('/filter', body)).json(), { statusCode: 400, code: 'bad-query', message: `notes: expected a plain object as filter, got ${got}` })
  }
  t.match((await server.inject('/order/titel')).json(), { statusCode: 400, code: 'unknown-column' })
  t.notMatch(lines.join(''), '"level":50')
  const own = await post('/own', '{"title":"x"}')
  t.match(own.json(), { statusCode: 500, code: 'internal' })
  t.notMatch(own.body, /notes|titel/)
  t.match(lines.find((line) => line.includes('"level":50')), /has no column/)
})

t.test('errors of tables have a table and columns, and those that an app makes need none', async (t) => {
  t.match(new TableError('busy', 'x'), { table: null, columns: [], code: 'busy' })
  t.match(new TableError('wrong-type', 'x', { table: 'tasks', columns: ['title'] }), {
    table: 'tasks',
    columns: ['title'],
  })
  t.match(new RowDeleted('tasks', '[1,2]'), { table: 'tasks', columns: [], code: 'row-deleted' })
})

t.test('an HttpError handler is asked for what a table refuses, behind the nearer ones', async (t) => {
  const about = ({ status, code, message, details, cause }: HttpError): object => {
    return { status, code, message, details, cause: cause instanceof TableError ? cause.columns : null }
  }
  const define = (more: () => void) => () => {
    const { tasks } = declareTables()
    httpEndpoint('/refused', () => tasks.addRow({ title: 5 } as never))
    httpEndpoint('/deleted', () => Promise.reject(new RowDeleted('tasks', 'x')))
    httpEndpoint('/busy', () => Promise.reject(new TableError('busy', 'try again')))
    httpEndpoint('/several', () => Promise.reject(new TableError('several-rows', 'a secret')))
    errorHandler(Error, (error) => `Error ${error.constructor.name}`)
    errorHandler(HttpError, (error) => ({ own: about(error) }))
    more()
  }
  const { server } = await buildApp(
    t,
    define(() => undefined),
  )
  const problem = { code: 'wrong-type', path: 'title', message: 'tasks.title: expected a text, got a number' }
  t.match((await server.inject(`${api}/refused?title=5`)).json(), {
    own: {
      status: 400,
      code: 'wrong-type',
      message: problem.message,
      details: { problems: [problem] },
      cause: ['title'],
    },
  })
  t.equal((await server.inject(`${api}/refused?title=5`)).statusCode, 400)
  t.match(await ask(server, `${api}/deleted`), { own: { status: 404, code: 'row-deleted', cause: [] } })
  t.match(
    await server.inject(`${api}/busy`),
    { statusCode: 503, body: 'Error TableError' },
    'not for what is the fault of nobody',
  )
  t.match(await server.inject(`${api}/several`), { statusCode: 500, body: 'Error TableError' }, 'nor for a mistake')

  const nearer = await buildApp(
    t,
    define(() => {
      errorHandler(RowDeleted, ({ table: name }) => `RowDeleted ${name}`)
      errorHandler(400, (error) => new HttpResponse(422, `400 ${error.code}`))
    }),
  )
  t.match(await nearer.server.inject(`${api}/deleted`), { statusCode: 404, body: 'RowDeleted tasks' })
  t.match(await nearer.server.inject(`${api}/refused?title=5`), { statusCode: 422, body: '400 wrong-type' })
})

t.test('what the users service refuses has its code, and an endpoint need not translate it', async (t) => {
  const { server } = await buildApp(t, () => {
    httpEndpoint(
      '/join',
      { methods: ['POST'], params: { email: text(), password: text() } },
      async ({ email, password }) => {
        await server.rowhouse.users.add(email, password)
      },
    )
    httpEndpoint('/leave', { methods: ['POST'] }, () => server.rowhouse.users.remove('nobody@example.com'))
  })
  const join = (email: string, password: string): Promise<Told> => ask(server, `${api}/join`, { email, password })
  await join('me@example.com', 'correct: horse')
  const taken = await join('me@example.com', 'correct: horse')
  t.match(taken, { status: 409, code: 'email-taken', message: /^there is already a user/ })
  t.match(await join('you@example.com', 'short'), {
    status: 400,
    code: 'weak-password',
    message: /at least 8 characters/,
  })
  t.match(await join('nothing', 'correct: horse'), { status: 400, code: 'not-an-email' })
  t.match(await ask(server, `${api}/leave`, {}), { status: 404, code: 'no-such-user' })
})
