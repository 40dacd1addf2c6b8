import t from 'tap'
import {
  abort,
  crudEndpoints,
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
import { buildApp, type TestApp } from './support/app.ts'

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
  t.match((await server.inject(`${api}/refused`)).json(), {
    own: {
      status: 400,
      code: 'wrong-type',
      message: problem.message,
      details: { problems: [problem] },
      cause: ['title'],
    },
  })
  t.equal((await server.inject(`${api}/refused`)).statusCode, 400)
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
  t.match(await nearer.server.inject(`${api}/refused`), { statusCode: 422, body: '400 wrong-type' })
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
