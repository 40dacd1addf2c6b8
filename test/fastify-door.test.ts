import { once } from 'node:events'
import { Agent, createServer, get, request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import fastifyStatic from '@fastify/static'
import websocket from '@fastify/websocket'
import fastifyPlugin from 'fastify-plugin'
import t, { type Test } from 'tap'
import {
  abort,
  authenticate,
  createApp,
  defineTables,
  durable,
  errorHandler,
  getAppOrigin,
  httpEndpoint,
  HttpError,
  HttpResponse,
  log,
  request,
  route,
  table,
  text,
  transaction,
  urlFor,
  users,
  type FastifyInstance,
  type FastifyPlugin,
} from 'rowhouse'
import type { Commit, Engine } from '../dist/db/engine/engine.js'
import { openSqlite } from '../dist/db/sqlite/open.js'
import { basic, outside, temporaryFolder } from './support/app.ts'
import { ask, type Answer, type Asked } from './support/ask.ts'
import { takesLong } from './support/needs.ts'
import { runRowhouse } from './support/rowhouse-process.ts'

type CreateAppOptions = Parameters<typeof createApp>[0]

interface PluginApp {
  readonly server: Awaited<ReturnType<typeof createApp>>
  readonly log: Record<string, unknown>[]
  readonly port: number
  ask(asked: Asked | string): Promise<Answer>
}

async function build(
  t: Test,
  plugin: FastifyPlugin,
  options: Partial<CreateAppOptions> = {},
): Promise<Omit<PluginApp, 'port' | 'ask'>> {
  const log: Record<string, unknown>[] = []
  const server = await createApp({
    directory: await temporaryFolder(t),
    define: () => undefined,
    plugin,
    ...options,
    options: { name: 'test', ...options.options },
    logTo: { write: (line: string) => void log.push(JSON.parse(line) as Record<string, unknown>) },
  })
  t.teardown(() => server.close())
  return { server, log }
}

async function start(t: Test, plugin: FastifyPlugin, options: Partial<CreateAppOptions> = {}): Promise<PluginApp> {
  const app = await build(t, plugin, options)
  const port = Number(new URL(await app.server.listen({ port: 0, host: '127.0.0.1' })).port)
  return { ...app, port, ask: (asked) => ask(port, typeof asked === 'string' ? { path: asked } : asked) }
}

const json = { 'content-type': 'application/json' }
const entriesOf = () => defineTables({ entries: table({ name: text().required().unique() }) })
type Entries = ReturnType<typeof entriesOf>['entries']

/** The tables of one app, which its plugin and its modules use. */
class Declared {
  #entries: Entries | null = null

  readonly define = (): void => {
    this.#entries = entriesOf().entries
  }

  get entries(): Entries {
    if (this.#entries === null) throw new Error('not declared yet')
    return this.#entries
  }

  async names(): Promise<string[]> {
    return (await this.entries.search().all()).map(({ name }) => name).sort()
  }
}

t.test(
  'tables, transactions, the request and the log work in handlers, before and after the body has come',
  async (t) => {
    const app = new Declared()
    const seen: unknown[] = []
    const { ask, log: lines } = await start(
      t,
      async (fastify) => {
        fastify.addHook('onRequest', async () => void seen.push(request.path))
        fastify.addHook('preParsing', async () => void seen.push(request.method))
        fastify.addHook('preValidation', async () => void seen.push(request.pathParams))
        fastify.addHook('onResponse', async () => void seen.push(request.queryParams))
        fastify.post('/entries/:list', async (given) => {
          given.log.info('by the request')
          log.info('by the export')
          await pause(5)
          const { name } = given.body as { name: string }
          await transaction(async () => {
            await app.entries.addRow({ name })
            t.same(await app.names(), [name])
          })
          t.equal(users.getUser(), null)
          return {
            path: request.path,
            url: request.url,
            header: request.headers['x-a'],
            params: request.pathParams,
            query: request.queryParams,
            type: request.mimetype,
            address: request.remoteAddress,
            id: given.id,
          }
        })
        fastify.post('/undone', async () => {
          await transaction(async () => {
            await app.entries.addRow({ name: 'undone' })
            throw new HttpError(409, 'taken back')
          })
        })
        fastify.post('/body', () => {
          t.throws(() => request.bodyJson, {
            message: /Fastify's to read; look at the body of the request that its handler is given/,
          })
          t.throws(() => request.formParams)
          return 'refused'
        })
      },
      { define: app.define },
    )
    const answer = await ask({
      method: 'POST',
      path: '/entries/b%2Fc?q=1',
      headers: { ...json, 'x-a': 'A' },
      body: '{"name":"n"}',
    })
    const told = JSON.parse(answer.body) as Record<string, unknown>
    t.match(told, {
      path: '/entries/b/c',
      url: /^http:\/\/127\.0\.0\.1:\d+\/entries\/b%2Fc\?q=1$/,
      header: 'A',
      params: { list: 'b/c' },
      query: { q: '1' },
      type: 'application/json',
      address: '127.0.0.1',
    })
    await pause(20)
    t.same(
      seen.map((each) => (typeof each === 'object' ? { ...each } : each)),
      ['/entries/b/c', 'POST', { list: 'b/c' }, { q: '1' }],
    )
    t.equal((await ask({ method: 'POST', path: '/undone' })).status, 409)
    t.same(await app.names(), ['n'])
    t.equal((await ask({ method: 'POST', path: '/body', headers: json, body: '{}' })).body, 'refused')

    const own = lines.filter(({ requestId }) => requestId === told['id'])
    t.match(own, [
      { message: 'by the request' },
      { message: 'by the export', endpoint: '/entries/:list' },
      { message: 'request', method: 'POST', path: '/entries/b%2Fc', endpoint: '/entries/:list', status: 200 },
    ])
    t.equal(own.length, 3)
  },
)

t.test('calls that run at the same time never see each other', async (t) => {
  const { ask } = await start(t, async (fastify) => {
    fastify.post('/echo/:number', async (given) => {
      await pause(Math.random() * 20)
      const before = request.pathParams['number']
      await new Promise((resolve) => setImmediate(resolve))
      return [before, request.headers['x-number'], (given.body as { number: string }).number]
    })
  })
  const numbers = Array.from({ length: 200 }, (_, index) => String(index))
  const answers = await Promise.all(
    numbers.map((number) =>
      ask({
        method: 'POST',
        path: `/echo/${number}`,
        headers: { ...json, 'x-number': number },
        body: JSON.stringify({ number }),
      }),
    ),
  )
  t.same(
    answers.map(({ body }) => JSON.parse(body) as unknown),
    numbers.map((number) => [number, number, number]),
  )
})

t.test('the id of a request is in its answer, and one line in the log tells of it, whoever has answered', async (t) => {
  const { server, log: lines } = await start(
    t,
    async (fastify) => {
      fastify.get('/own', (given) => given.id)
      fastify.get('/gives-up', (given, reply) => {
        given.log.info('gives up')
        reply.callNotFound()
      })
      fastify.get('/fails', () => {
        throw new Error('secret')
      })
    },
    { define: () => route('/by-route', () => null) },
  )
  const url = server.listeningOrigin
  for (const ask of [
    (path: string) => fetch(url + path).then((answer) => answer.headers.get('x-request-id')),
    (path: string) => server.inject(path).then(({ headers }) => headers['x-request-id']),
  ]) {
    for (const [path, count] of [
      ['/own', 1],
      ['/gives-up', 2],
      ['/fails', 2],
      ['/by-route', 1],
      ['/unknown', 1],
    ] as const) {
      lines.length = 0
      const id = await ask(path)
      await pause(10)
      t.match(id, /^[0-9a-f-]{36}$/)
      t.same(
        lines.map(({ requestId }) => requestId),
        Array.from({ length: count }, () => id),
        path,
      )
      t.equal(lines.filter(({ message }) => message === 'request').length, 1, path)
    }
  }
  t.equal((await server.inject('/own')).body.length, 36)
})

/** Engines whose commits are durable only when they are let. */
function reluctant(commits: { release: (failure?: Error) => void }[]) {
  return async (options: Parameters<typeof openSqlite>[0]): Promise<Engine> => {
    const held = new WeakMap<Commit, Commit>()
    const hold = (commit: Commit): Commit => {
      const present = held.get(commit)
      if (present !== undefined) return present
      let [resolve, reject] = [(): void => undefined, (_failure: Error): void => undefined]
      const promise = new Promise<void>((settle, refuse) => ([resolve, reject] = [settle, refuse]))
      promise.catch(() => undefined)
      const late = { durable: promise, isDurable: false }
      held.set(commit, late)
      commits.push({
        release: (failure) => {
          if (failure !== undefined) reject(failure)
          else {
            late.isDurable = true
            resolve()
          }
        },
      })
      return late
    }
    return openSqlite({ ...options, onWrite: (commit) => options.onWrite?.(hold(commit)) })
  }
}

t.test('no answer leaves before all that its call has written would survive a power cut', { skip: takesLong('it holds back seventeen answers, each for a moment') }, async (t) => {
  const app = new Declared()
  const commits: { release: (failure?: Error) => void }[] = []
  let count = 0
  const add = (): Promise<unknown> => app.entries.addRow({ name: `entry ${++count}` })
  const { ask, port } = await start(
    t,
    async (fastify) => {
      await fastify.register(websocket)
      fastify.head('/value', async (_given, reply) => (await add(), reply.send()))
      fastify.get('/value', async () => (await add(), 'done'))
      fastify.get('/by-get', async () => (await add(), 'done'))
      fastify.get('/forgotten', () => (void add(), 'done'))
      fastify.get('/node', (_given, reply) =>
        reply.send(
          Readable.from(
            (async function* () {
              yield 'do'
              await add()
              yield 'ne'
            })(),
          ),
        ),
      )
      fastify.get('/web', (_given, reply) =>
        reply.send(
          ReadableStream.from(
            (async function* () {
              yield Buffer.from('do')
              await add()
              yield Buffer.from('ne')
            })(),
          ),
        ),
      )
      fastify.get(
        '/response',
        () =>
          new Response(
            ReadableStream.from(
              (async function* () {
                yield Buffer.from('do')
                await add()
                yield Buffer.from('ne')
              })(),
            ),
          ),
      )
      fastify.get('/hook', { onSend: async () => void (await add()) }, () => 'done')
      fastify.get('/late-hook', () => 'done')
      fastify.addHook('onRoute', (options) => {
        if (options.url === '/later-hook') options.onSend = [async () => void (await add())]
      })
      fastify.get('/later-hook', () => 'done')
      fastify.get('/error', { errorHandler: async () => (await add(), 'done') }, () => {
        throw new Error('no')
      })
      fastify.get('/default-error', async () => {
        await add()
        throw new HttpError(409, 'done')
      })
      fastify.setNotFoundHandler(async () => (await add(), 'done'))
      fastify.get('/hijacked', async (_given, reply) => {
        reply.hijack()
        await add()
        await durable()
        reply.raw.end('done')
      })
      fastify.get('/socket', { websocket: true }, (socket) => {
        socket.on('message', async () => {
          await add()
          await durable()
          socket.send('done')
        })
      })
    },
    { define: app.define, openEngine: reluctant(commits) },
  )
  for (const { release } of commits.splice(0)) release()
  const held = async (what: string, answered: () => boolean): Promise<void> => {
    while (commits.length === 0) await pause(5)
    await pause(30)
    t.equal(answered(), false, `${what} waits`)
    for (const { release } of commits.splice(0)) release()
  }
  const asked: Asked[] = [
    '/value',
    '/by-get',
    '/forgotten',
    '/node',
    '/web',
    '/response',
    '/hook',
    '/later-hook',
    '/error',
    '/default-error',
    '/nowhere',
    '/hijacked',
  ].map((path) => ({ path }))
  for (const each of [...asked, { path: '/value', method: 'HEAD' }, { path: '/by-get', method: 'HEAD' }]) {
    let isAnswered = false
    const answer = ask(each).then((came) => {
      isAnswered = true
      return came
    })
    await held(`${each.method ?? 'GET'} ${each.path}`, () => isAnswered)
    t.match((await answer).body, each.method === 'HEAD' ? '' : 'done', each.path)
  }
  const socket = new WebSocket(`ws://127.0.0.1:${port}/socket`)
  await once(socket, 'open')
  let heard: unknown = null
  socket.addEventListener('message', ({ data }) => (heard = data))
  socket.send('write')
  await held('a message', () => heard !== null)
  await pause(30)
  t.equal(heard, 'done')
  socket.close()
  // Outside of all calls it waits for what was written there.
  const outside = app.entries.addRow({ name: 'outside' }).then(() => durable())
  let isDurable = false
  void outside.then(() => (isDurable = true))
  await held('durable() outside of calls', () => isDurable)
  await outside
})

t.test('when the disk refuses what a call has written, its caller is told so, once', async (t) => {
  const app = new Declared()
  const commits: { release: (failure?: Error) => void }[] = []
  const { ask } = await start(
    t,
    async (fastify) => {
      fastify.get('/value', async () => (await app.entries.addRow({ name: 'value' }), 'done'))
      fastify.get('/stream', (_given, reply) => {
        const pieces = async function* () {
          await app.entries.addRow({ name: 'stream' })
          yield 'done'
        }
        return reply.send(Readable.from(pieces()))
      })
    },
    { define: app.define, openEngine: reluctant(commits) },
  )
  // The start has written, too.
  for (const { release } of commits.splice(0)) release()
  for (const path of ['/value', '/stream']) {
    const answer = ask(path)
    while (commits.length === 0) await pause(5)
    for (const { release } of commits.splice(0))
      release(Object.assign(new Error('the disk is gone'), { statusCode: 503 }))
    const { status, body } = await answer
    t.equal(status, 503, path)
    t.notMatch(body, /done|disk/)
  }
})

t.test(
  'the most specific path answers, whoever has it, and what the plugin has not the pipeline may have',
  async (t) => {
    const by = (who: string) => () => who
    const { ask, server } = await start(
      t,
      async (fastify) => {
        for (const path of ['/a/b', '/c/:id', '/e/:id(^\\d+)', '/f/*', '/g/:from-:to', '/h', '/i/*', '/*'])
          fastify.get(path, (_given, reply) => (path === '/i/*' || path === '/*' ? reply.callNotFound() : 'plugin'))
        fastify.post('/j/:id', (_given, reply) => reply.callNotFound())
        fastify.post('/only', by('plugin'))
      },
      {
        define: () => {
          for (const path of ['/a/:x', '/c/d', '/e/:x', '/f/one', '/g/:x', '/i/:x', '/deep/er'])
            route(path, by('pipeline'))
          route('/h', { methods: ['PUT', 'POST'] }, by('pipeline'))
          route('/j/k', { methods: ['GET'] }, by('pipeline'))
          route('/j/<path:rest>', { methods: ['POST'] }, by('pipeline'))
          httpEndpoint('/known', by('pipeline'))
        },
      },
    )
    const expected: Readonly<Record<string, string>> = {
      '/a/b': 'plugin',
      '/a/c': 'pipeline',
      '/c/d': 'pipeline',
      '/c/e': 'plugin',
      '/e/12': 'plugin',
      '/e/twelve': 'pipeline',
      '/f/one': 'pipeline',
      '/f/two': 'plugin',
      '/f/': 'plugin',
      '/f/one/more': 'plugin',
      '/g/a-b': 'plugin',
      '/g/ab': 'pipeline',
      '/h': 'plugin',
      '/i/x': 'pipeline',
      '/i/x/y': 'Not Found',
      '/deep/er': 'pipeline',
      '/deep/est': 'Not Found',
      '/_/api/known': 'pipeline',
      '/_/api/unknown': 'No matching API endpoint',
      '/_/health/live': '{"status":"live"}',
      '/_/health/dead': 'Not Found',
    }
    for (const [path, who] of Object.entries(expected)) {
      t.equal((await ask(path)).body, who, path)
      t.equal((await server.inject(path)).body, who, `${path}, injected`)
    }
    t.equal((await ask({ path: '/h', method: 'PUT' })).body, 'pipeline', 'methods of one path may be answered by both')
    const refused = await ask({ path: '/h', method: 'DELETE' })
    t.match(refused, { status: 405, headers: { allow: ['GET, POST, PUT, HEAD, OPTIONS'] } })
    t.match(await ask({ path: '/only', method: 'DELETE' }), { status: 405, headers: { allow: ['POST, OPTIONS'] } })
    t.match(
      await ask({ path: '/only', method: 'GET' }),
      { status: 404 },
      'a wildcard of the plugin answers what its other paths do not',
    )
    t.match(await ask({ path: '/only', method: 'OPTIONS' }), { status: 204, headers: { allow: ['POST, OPTIONS'] } })
    t.match(await ask({ path: '/h', method: 'OPTIONS' }), {
      status: 204,
      headers: { allow: ['GET, POST, PUT, HEAD, OPTIONS'] },
    })
    t.match(
      await ask({ path: '/j/x', method: 'POST' }),
      { status: 200, body: 'pipeline' },
      'a request without a body is passed on whole',
    )
    t.match(
      await ask({ path: '/j/x', method: 'POST', headers: json, body: '{}' }),
      { status: 404, body: 'Not Found' },
      'one whose body has been read cannot be read again',
    )
  },
)

t.test('a preflight for every path, as plugins for CORS have it, is for those of the plugin', async (t) => {
  const { ask } = await start(
    t,
    async (fastify) => {
      fastify.options('*', (_given, reply) => reply.code(204).header('access-control-allow-origin', '*').send())
      fastify.get('/own', () => 'own')
    },
    { define: () => route('/other', () => 'other') },
  )
  t.match(await ask({ path: '/own', method: 'OPTIONS' }), {
    status: 204,
    headers: { 'access-control-allow-origin': ['*'] },
  })
  t.notOk('access-control-allow-origin' in (await ask({ path: '/other', method: 'OPTIONS' })).headers)
  t.match(await ask('/unknown'), { status: 404 })
})

t.test('error handlers of the app answer for what neither of the two knows', async (t) => {
  const { ask } = await start(
    t,
    async (fastify) => void fastify.get('/static/*', (_given, reply) => reply.callNotFound()),
    {
      define: () => errorHandler(404, (_error, given) => ({ nothing: given.path })),
    },
  )
  for (const path of ['/static/x', '/unknown'])
    t.same(await ask(path).then(({ status, body }) => [status, JSON.parse(body)]), [404, { nothing: path }])
})

/** What creating an app with this plugin fails with. */
async function mistake(t: Test, plugin: unknown, define: () => unknown = () => undefined): Promise<string> {
  const error: unknown = await build(t, plugin as FastifyPlugin, { define }).then(
    () => null,
    (thrown: unknown) => thrown,
  )
  return error instanceof Error ? error.message : 'no mistake'
}

t.test('mistakes stop the start, each with a sentence and its place', async (t) => {
  const here = 'fastify-door\\.test\\.ts:\\d+'
  const twice = await mistake(
    t,
    async (fastify: FastifyInstance) => void fastify.get('/same/:id', () => 1),
    () => route('/same/:name', () => 2),
  )
  t.match(
    twice,
    new RegExp(
      `^.*${here}: GET /same/:id is declared twice: here and at .*${here} \\(/same/:name\\); drop one, or give them different methods$`,
    ),
  )
  t.match(
    await mistake(t, async (fastify: FastifyInstance) => void fastify.get('/_/mine', () => 1)),
    new RegExp(`${here}: the path /_/mine is Rowhouse's own`),
  )
  t.match(
    await mistake(
      t,
      async (fastify: FastifyInstance) =>
        void fastify.get('/a', { config: { authenticateUser: true } as object }, () => 1),
    ),
    new RegExp(`${here}: the route /a has "authenticateUser" in its config; did you mean "authenticateUsers"\\?`),
  )
  t.match(
    await mistake(
      t,
      async (fastify: FastifyInstance) =>
        void fastify.get('/a', { config: { authenticateUsers: 'yes' } as object }, () => 1),
    ),
    new RegExp(
      `${here}: the route /a: the option "authenticateUsers" takes true, false or 'optional', got "yes", in its config`,
    ),
  )
  t.match(
    await mistake(t, async (fastify: FastifyInstance) => void fastify.decorateRequest('principal')),
    /^requests have a member "principal" of Rowhouse's own; call yours by another name$/,
  )
  await t.rejects(createApp({ directory: await temporaryFolder(t), plugin: async () => undefined }), {
    message: 'createApp() takes "plugin" beside "define"; an app in a folder has its plugin in fastify.ts',
  })
  t.match(
    await mistake(t, 'text'),
    /the default export has to be a Fastify plugin, such as export default async \(app\) => .*; got "text"/,
  )
  t.match(
    await mistake(t, async (fastify: FastifyInstance) => {
      fastify.get('/a', () => 1)
      fastify.get('/a', () => 2)
    }),
    /Method 'GET' already declared for route '\/a'/,
  )
  t.match(await mistake(t, async () => Promise.reject(new Error('no such service'))), /Error: no such service/)
  t.match(
    await mistake(
      t,
      async (fastify: FastifyInstance) =>
        void fastify.addHook('onReady', async () => Promise.reject(new Error('not ready'))),
    ),
    /Error: not ready/,
  )
  t.match(
    await mistake(t, async () => httpEndpoint('/late', () => 1)),
    /httpEndpoint\(\) was called while no app was loading/,
  )
  t.equal(
    await mistake(
      t,
      async (fastify: FastifyInstance) =>
        void fastify.get('/a', { config: { other: { authenticateUsers: 1 } } as object }, () => 1),
    ),
    'no mistake',
    'what others have in there is theirs',
  )
  t.equal(
    await mistake(
      t,
      async (fastify: FastifyInstance) => {
        fastify.get('/a', () => 1)
        fastify.get('/b', { constraints: { host: 'x' } }, () => 1)
        fastify.get('/b', { constraints: { host: 'y' } }, () => 1)
      },
      () => route('/a', { methods: ['HEAD', 'POST'] }, () => 2),
    ),
    'no mistake',
    "what Fastify adds for HEAD is in nobody's way",
  )
})

t.test('a plugin that fails to start is closed again', async (t) => {
  const app = new Declared()
  let closed: unknown = null
  const failing = build(
    t,
    async (fastify) => {
      fastify.addHook('onClose', async () => void (closed = await app.names()))
      fastify.addHook('onReady', async () => Promise.reject(new Error('not ready')))
    },
    { define: app.define },
  )
  await t.rejects(failing, /not ready/)
  t.same(closed, [])
})

const password = 'a long password of theirs'

t.test(
  'a route says in its config who has to be known, with the same schemes and the same 401 as everywhere',
  async (t) => {
    let asked = 0
    const {
      ask,
      server,
      log: lines,
    } = await start(
      t,
      async (fastify) => {
        const who = () => ({ user: users.getUser()?.email ?? null, own: request.user?.email ?? null })
        fastify.get('/open', (given) => ({ ...who(), given: given.user?.email ?? null }))
        fastify.get('/closed', { config: { authenticateUsers: true } }, (given) => ({
          ...who(),
          given: given.user?.email ?? null,
        }))
        fastify.get('/optional', { config: { authenticateUsers: 'optional' } }, (given) => ({
          ...who(),
          given: given.user?.email ?? null,
        }))
        fastify.get('/some', { config: { requireCredentials: true } }, () => ({
          scheme: request.authorization?.scheme,
        }))
        fastify.post('/closed', { config: { authenticateUsers: true } }, () => 'posted')
        fastify.register(async (own) => {
          own.setErrorHandler((error, _given, reply) => {
            const { statusCode, message } = error as { statusCode?: number; message: string }
            return reply.code(statusCode ?? 500).send(`own: ${message}`)
          })
          own.get('/own-errors', { config: { authenticateUsers: true } }, () => 'in')
        })
        fastify.register(async (early) => {
          early.addHook('onRequest', async (given, reply) => void reply.header('x-user', given.user?.email ?? 'nobody'))
          early.get('/early', { config: { authenticateUsers: true } }, () => 'in')
        })
      },
      {
        define: () => {
          authenticate(
            async ({ authorization }) => {
              asked += 1
              if (authorization?.scheme !== 'token') return null
              if (authorization.token === 'slow') await pause(10_000, undefined, { ref: false })
              return authorization.token === 'right' ? someone : null
            },
            { challenge: 'Token realm="mine"' },
          )
          route('/endpoint', { authenticateUsers: true }, () => 'in')
          route('/handled', () => null)
        },
        options: { handlerTimeout: 300 },
      },
    )
    const someone = await server.rowhouse.users.add('me@example.com', password)
    const right = basic('me@example.com', password)
    const token = { authorization: 'Token right' }
    const wrong = { authorization: 'Token wrong' }
    const bodyOf = ({ status, body }: Answer): unknown => [status, status === 200 ? JSON.parse(body) : null]
    const me = { user: 'me@example.com', own: 'me@example.com', given: 'me@example.com' }
    const nobody = { user: null, own: null, given: null }

    t.same(bodyOf(await ask({ path: '/open', headers: wrong })), [200, nobody])
    t.equal(asked, 0, 'where nobody is asked for, no scheme runs')
    for (const headers of [right, token]) {
      t.same(bodyOf(await ask({ path: '/closed', headers })), [200, me])
      t.same(bodyOf(await ask({ path: '/optional', headers })), [200, me])
      t.equal((await ask({ path: '/early', headers })).headers['x-user']?.[0], 'me@example.com')
    }
    t.same(bodyOf(await ask('/optional')), [200, nobody])
    t.same(bodyOf(await ask({ path: '/some', headers: wrong })), [200, { scheme: 'token' }])
    const { headers: challenges } = await ask('/endpoint')
    t.same(challenges['www-authenticate'], ['Basic realm="test", charset="UTF-8"', 'Token realm="mine"'])
    for (const each of [
      { path: '/closed' },
      { path: '/closed', headers: wrong },
      { path: '/optional', headers: wrong },
      { path: '/some' },
      { path: '/closed', method: 'HEAD' },
      { path: '/closed', method: 'POST', headers: json, body: '{' },
    ]) {
      const answer = await ask(each)
      t.equal(answer.status, 401, each.path)
      t.same(answer.headers['www-authenticate'], challenges['www-authenticate'])
      if (each.method !== 'HEAD')
        t.match(JSON.parse(answer.body), { statusCode: 401, error: 'Unauthorized', message: 'Unauthorized' })
    }
    t.match(await ask('/own-errors'), { status: 401, body: 'own: Unauthorized' })
    t.match(await ask({ path: '/closed', headers: { authorization: 'Token slow' } }), {
      status: 503,
      body: /took too long/,
    })
    await server.rowhouse.users.setEnabled('me@example.com', false)
    t.equal((await ask({ path: '/closed', headers: token })).status, 401, 'a disabled user is nobody')
    await pause(10)
    t.match(
      lines.find(({ message, status, path }) => message === 'request' && status === 200 && path === '/closed'),
      { principal: 'user', user: someone.id, endpoint: '/closed' },
    )
    t.ok(lines.some(({ status, network }) => status === 401 && network === '127.0.0.1'))
  },
)

t.test(
  'errors that nobody made to be shown are told in general words, those of Rowhouse with their usual status',
  async (t) => {
    const app = new Declared()
    const { ask, log: lines } = await start(
      t,
      async (fastify) => {
        fastify.get('/500', () => {
          throw new Error('the password is horse')
        })
        fastify.get('/503', () => {
          throw Object.assign(new Error('the password is horse'), { statusCode: 503 })
        })
        fastify.get('/no-error', () => {
          throw 'the password is horse'
        })
        fastify.get('/late', (_given, reply) => {
          setImmediate(() => reply.send(new Error('the password is horse')))
          return reply
        })
        fastify.get('/http', () => {
          throw new HttpError(422, 'made to be told', { field: 'a' }, { 'x-why': 'because' })
        })
        fastify.get('/table', async () => {
          await app.entries.addRow({ name: 'twice' })
          await app.entries.addRow({ name: 'twice' })
        })
        fastify.get('/abort', () => abort(403))
        fastify.get('/abort-with', () => abort(new HttpResponse(202, { early: true }, { 'x-early': '1' })))
      },
      { define: app.define },
    )
    for (const [path, status, message] of [
      ['/500', 500, 'An exception was raised. Check the application logs for details.'],
      ['/no-error', 500, 'An exception was raised. Check the application logs for details.'],
      ['/late', 500, 'An exception was raised. Check the application logs for details.'],
      ['/503', 503, 'Service Unavailable'],
    ] as const) {
      lines.length = 0
      const answer = await ask(path)
      const told = JSON.parse(answer.body) as Record<string, unknown>
      t.match({ ...answer, body: told }, { status, body: { statusCode: status, message } }, path)
      t.notMatch(answer.body, 'horse')
      t.match(
        lines.find(({ level }) => level === 50),
        {
          requestId: told['requestId'],
          message: `Exception on ${path} [GET]`,
          err: { message: /the password is horse/ },
        },
        path,
      )
    }
    const refused = await ask('/http')
    t.match(
      { ...refused, body: JSON.parse(refused.body) as unknown },
      {
        status: 422,
        headers: { 'x-why': ['because'] },
        body: { statusCode: 422, error: 'Unprocessable Entity', message: 'made to be told', field: 'a' },
      },
    )
    t.equal((await ask('/table')).status, 409)
    t.equal((await ask('/abort')).status, 403)
    t.match(await ask('/abort-with'), { status: 202, headers: { 'x-early': ['1'] }, body: '{"early":true}' })
  },
)

const key = 'k'.repeat(40)

t.test('in a private app the plugin sees no key, and nothing of it runs for whoever has not shown it', async (t) => {
  const seen: unknown[] = []
  const plugin: FastifyPlugin = async (fastify) => {
    fastify.server.prependListener('request', ({ url }) => seen.push(['listener', url]))
    fastify.server.on('upgrade', ({ url }, socket) => {
      seen.push(['upgrade', url])
      socket.end('HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n')
    })
    fastify.addHook('onRequest', async (given) => void seen.push(['hook', given.url, given.originalUrl]))
    fastify.get('/page', (given) => ({
      url: given.url,
      origin: getAppOrigin(),
      own: request.url,
      link: urlFor('other'),
    }))
    fastify.get('/inside', async () => [(await fastify.inject('/page')).json(), (await fastify.inject('/other')).body])
    fastify.setNotFoundHandler((given, reply) => reply.code(404).send(`unknown: ${given.url}`))
  }
  const {
    ask,
    port,
    server,
    log: lines,
  } = await start(t, plugin, {
    define: () => route('/other', { name: 'other' }, () => 'other'),
    options: { private: { accessKey: key } },
  })
  const origin = `http://127.0.0.1:${port}/${key}`
  const page = await ask(`/${key}/page?a=1`)
  t.same(JSON.parse(page.body), { url: '/page?a=1', origin, own: `${origin}/page?a=1`, link: `/${key}/other` })
  t.same(seen.splice(0), [
    ['listener', '/page?a=1'],
    ['hook', '/page?a=1', '/page?a=1'],
  ])
  t.match(await server.inject(`/${key}/page`).then((answer) => answer.json()), { url: '/page' })
  t.equal((await ask(`/${key}/nowhere`)).body, 'unknown: /nowhere')
  t.equal((await ask(`/${key}`)).body, 'unknown: /')
  t.equal((await ask(`/${key}/other`)).body, 'other')
  t.match(JSON.parse((await ask(`/${key}/inside`)).body), [{ url: '/page' }, 'other'], 'the app itself needs no key')
  seen.length = 0
  const upgrade = { connection: 'upgrade', upgrade: 'other' }
  for (const asked of [
    { path: '/page' },
    { path: '/nowhere' },
    { path: `/${key.slice(1)}/page` },
    { path: '/page', headers: upgrade },
    { path: '/page', headers: { expect: '100-continue' } },
    { path: '/page', headers: { expect: 'wonders' } },
  ]) {
    const { status, body } = await ask(asked)
    t.same(
      [status, body],
      [
        asked.headers !== undefined && 'expect' in asked.headers && asked.headers.expect === 'wonders' ? 417 : 404,
        asked.headers !== undefined && 'expect' in asked.headers && asked.headers.expect === 'wonders'
          ? 'the only expectation that can be met is 100-continue'
          : 'Not Found',
      ],
      JSON.stringify(asked),
    )
  }
  t.equal((await server.inject('/page')).body, 'Not Found')
  const tunnel = connect(port, '127.0.0.1', () =>
    tunnel.write('CONNECT example.com:443 HTTP/1.1\r\nhost: example.com\r\n\r\n'),
  )
  const [told] = (await once(tunnel, 'data')) as [Buffer]
  t.match(told.toString(), /^HTTP\/1\.1 405 [^]*\r\nconnection: close\r\n[^]*and this is none$/i)
  tunnel.destroy()
  t.same(seen, [], 'nothing of the app has seen any of these')
  t.equal((await ask({ path: `/${key}/page`, headers: upgrade })).status, 200)
  t.same(seen, [['upgrade', '/page']])
  t.notMatch(JSON.stringify(lines), key)
})

t.test('what adds itself to the listener, as socket.io does, is asked before anybody else', async (t) => {
  const { ask } = await start(
    t,
    async (fastify) => {
      const { server } = fastify
      const others = server.listeners('request')
      server.removeAllListeners('request')
      server.on('request', (raw, response) => {
        if (raw.url?.startsWith('/socket.io/')) response.end('socket.io')
        else for (const other of others) Reflect.apply(other, server, [raw, response])
      })
      fastify.get('/*', () => 'plugin')
    },
    { define: () => route('/route', () => 'route') },
  )
  t.equal((await ask('/socket.io/?transport=polling')).body, 'socket.io')
  t.equal((await ask('/any')).body, 'plugin')
  t.equal((await ask('/route')).body, 'route')
})

t.test('what arrives over a web socket is heard in the call that has opened it', async (t) => {
  const app = new Declared()
  const {
    port,
    server,
    log: lines,
  } = await start(
    t,
    async (fastify) => {
      await fastify.register(websocket)
      fastify.get('/room/:name', { websocket: true, config: { authenticateUsers: 'optional' } }, (socket, given) => {
        socket.on('message', async (data: Buffer) => {
          log.info('heard')
          await transaction(() => app.entries.addRow({ name: data.toString() }))
          await durable()
          socket.send(
            JSON.stringify({
              path: request.path,
              room: request.pathParams['name'],
              user: users.getUser()?.email ?? null,
              isSame: given.id === lines.at(-1)?.['requestId'],
            }),
          )
        })
      })
    },
    { define: app.define },
  )
  await server.rowhouse.users.add('me@example.com', password)
  const rooms = await Promise.all(
    ['a', 'b'].map(async (name) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/room/${name}`)
      await once(socket, 'open')
      return socket
    }),
  )
  for (const [index, socket] of rooms.entries()) {
    const heard = once(socket, 'message') as Promise<[MessageEvent]>
    socket.send(`from ${index}`)
    const [{ data }] = await heard
    const name = ['a', 'b'][index]
    t.same(JSON.parse(String(data)), { path: `/room/${name}`, room: name, user: null, isSame: true })
    socket.close()
  }
  t.same(await app.names(), ['from 0', 'from 1'])
})

t.test('a client that waits to be told to send its body is told so when it may come in', async (t) => {
  const { port, server } = await start(t, async (fastify) => {
    fastify.post('/open', (given) => given.body)
    fastify.post('/closed', { config: { authenticateUsers: true } }, (given) => given.body)
  })
  await server.rowhouse.users.add('me@example.com', password)
  const send = (
    path: string,
    headers: Record<string, string> = {},
  ): Promise<{ told: boolean; status: number | undefined }> =>
    new Promise((resolve, reject) => {
      let told = false
      const sent = httpRequest({
        host: '127.0.0.1',
        port,
        path,
        method: 'POST',
        headers: { ...json, expect: '100-continue', 'content-length': '2', ...headers },
        agent: false,
      })
      sent.on('continue', () => {
        told = true
        sent.end('{}')
      })
      sent.on('response', (response) => {
        response.resume()
        resolve({ told, status: response.statusCode })
        sent.destroy()
      })
      sent.on('error', reject)
      sent.flushHeaders()
    })
  t.same(await send('/open'), { told: true, status: 200 })
  t.same(await send('/closed', basic('me@example.com', password)), { told: true, status: 200 })
  t.same(await send('/closed'), { told: false, status: 401 })
})

t.test(
  'messages that can be read in two ways, and paths that cannot be read at all, never reach the plugin',
  async (t) => {
    let seen = 0
    const { port, ask } = await start(t, async (fastify) => {
      fastify.addHook('onRequest', async () => void (seen += 1))
      fastify.all('/*', () => 'plugin')
      fastify.get('/:id', (given) => (given.params as { id: string }).id.length)
    })
    const raw = async (text: string): Promise<string> => {
      const socket = connect(port, '127.0.0.1', () => socket.write(text))
      let came = ''
      socket.on('data', (piece: Buffer) => {
        came += piece.toString()
        if (came.includes('\r\n\r\n')) socket.end()
      })
      await once(socket, 'close')
      return came
    }
    t.match(await raw('GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n'), /^HTTP\/1\.1 400 /)
    t.match(await raw('GET /%zz HTTP/1.1\r\nhost: a\r\n\r\n'), /^HTTP\/1\.1 400 /)
    t.match(await raw('GET /%00 HTTP/1.1\r\nhost: a\r\n\r\n'), /^HTTP\/1\.1 400 /)
    t.match(await raw('GET * HTTP/1.1\r\nhost: a\r\n\r\n'), /^HTTP\/1\.1 400 /)
    t.equal((await ask(`/${'x'.repeat(5000)}`)).status, 414)
    t.equal(seen, 0)
    t.match(await raw('GET http://a/absolute HTTP/1.1\r\nhost: a\r\n\r\n'), /^HTTP\/1\.1 200 [\s\S]*8$/)
    t.equal(
      (await ask(`/${'x'.repeat(3000)}`)).body,
      '3000',
      'parameters may be longer than the 100 characters of a bare Fastify',
    )
  },
)

t.test(
  'the plugin is told when the server is ready, listens and stops, and its tables are there until the end',
  async (t) => {
    const app = new Declared()
    const told: string[] = []
    const { port, server } = await start(
      t,
      async (fastify) => {
        await fastify.register(websocket)
        fastify.addHook('onReady', async () => void told.push(`ready, ${(await app.names()).length}`))
        fastify.addHook('onListen', async () => void told.push(`listens, ${(await app.names()).length}`))
        fastify.addHook('onListen', (done) => {
          told.push('listens by callback')
          done()
        })
        fastify.addHook('preClose', async () => void told.push('stops'))
        fastify.addHook('onClose', async () => void told.push(`closes, ${(await app.names()).length}`))
        fastify.get('/socket', { websocket: true }, () => undefined)
        fastify.get('/slow', async () => {
          await pause(300)
          await app.entries.addRow({ name: 'slow' })
          told.push('answers')
          return 'slow'
        })
      },
      { define: app.define },
    )
    await pause(10)
    t.same(told.splice(0), ['ready, 0', 'listens, 0', 'listens by callback'])
    const socket = new WebSocket(`ws://127.0.0.1:${port}/socket`)
    await once(socket, 'open')
    const ended = once(socket, 'close')
    const agent = new Agent({ keepAlive: true })
    const slow = new Promise<{ body: string; connection: string | undefined }>((resolve, reject) => {
      get({ host: '127.0.0.1', port, path: '/slow', agent }, (response) => {
        let body = ''
        response
          .on('data', (piece: Buffer) => (body += piece.toString()))
          .on('end', () => resolve({ body, connection: response.headers.connection }))
      }).on('error', reject)
    })
    await pause(100)
    const from = performance.now()
    await server.close()
    t.ok(performance.now() - from < 3000, 'it does not wait for the web socket')
    await ended
    t.same(await slow, { body: 'slow', connection: 'close' })
    t.same(told, ['stops', 'answers', 'closes, 1'])
  },
)

t.test('a plugin may ask its own server, and other plugins may share what they add', async (t) => {
  const { ask, server } = await start(
    t,
    async (fastify) => {
      await fastify.register(
        fastifyPlugin(async (shared) => void shared.decorate('shared', 'shared'), {
          name: 'shared',
          dependencies: ['@fastify/cookie'],
        }),
      )
      fastify.get('/inner', (given) => ({
        cookies: given.cookies,
        shared: Reflect.get(given.server, 'shared') as unknown,
        app: given.server.rowhouse.configuration.name,
      }))
      fastify.get('/outer', async () => (await fastify.inject({ url: '/inner', cookies: { a: '1' } })).json())
      fastify.get('/route', async () => (await fastify.inject('/by-route')).body)
      t.ok(fastify.hasPlugin('@fastify/formbody'))
    },
    { define: () => route('/by-route', () => 'by route') },
  )
  t.same(JSON.parse((await ask('/outer')).body), { cookies: { a: '1' }, shared: 'shared', app: 'test' })
  t.equal((await ask('/route')).body, 'by route')
  t.same(
    server.rowhouse.endpoints
      .filter(({ door }) => door === 'fastify')
      .map(({ methods, path }) => `${methods.join()} ${path.text}`),
    ['GET /inner', 'GET /outer', 'GET /route'],
  )
})

t.test('an upgrade that nobody of the plugin wants is answered by the pipeline, and its connection ends', async (t) => {
  const { port } = await start(t, async (fastify) => void (await fastify.register(websocket)), {
    define: () => route('/route', () => 'route'),
  })
  for (const [path, status] of [
    ['/route', 200],
    ['/unknown', 404],
  ] as const) {
    const socket = connect(port, '127.0.0.1', () =>
      socket.write(`GET ${path} HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n`),
    )
    let came = ''
    socket.on('data', (piece: Buffer) => (came += piece.toString()))
    await once(socket, 'close')
    t.match(came, new RegExp(`^HTTP/1\\.1 ${status} [\\s\\S]*connection: close`, 'i'))
  }
})

t.test('a body that comes with the wish for another protocol, which curl --http2 has, is not lost', async (t) => {
  const { port, ask } = await start(t, async (fastify) => void (await fastify.register(websocket)), {
    define: () => route('/echo', { methods: ['POST'] }, (_args, { bodyJson }) => [bodyJson]),
  })
  const isIgnored = Reflect.has(createServer(), 'shouldUpgradeCallback')
  for (const body of ['"short"', JSON.stringify('x'.repeat(200_000))]) {
    const head = `content-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close, upgrade`
    const socket = connect(port, '127.0.0.1', () =>
      socket.write(`POST /echo HTTP/1.1\r\nhost: a\r\n${head}\r\nupgrade: h2c\r\n\r\n${body}`),
    )
    // The rest of a body that is refused may meet a connection that is closed.
    socket.on('error', () => undefined)
    let came = ''
    socket.on('data', (piece: Buffer) => (came += piece.toString()))
    await once(socket, 'close')
    t.match(came, isIgnored ? /^HTTP\/1\.1 200 / : /^HTTP\/1\.1 400 [\s\S]*without the Upgrade header/)
    if (isIgnored) t.ok(came.endsWith(`\r\n\r\n[${body}]`), 'nothing of it is lost')
  }
  t.equal((await ask({ path: '/unknown' })).status, 404, 'the server goes on')
})

t.test('an id that a trusted proxy has chosen, and the address that it tells, hold for the plugin', async (t) => {
  const { ask } = await start(
    t,
    async (fastify) => void fastify.get('/', (given) => [given.id, given.ip, given.protocol]),
    { options: { trustedProxies: ['127.0.0.1'] } },
  )
  t.same(
    JSON.parse(
      (
        await ask({
          path: '/',
          headers: { 'x-request-id': 'chosen', 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': 'https' },
        })
      ).body,
    ),
    ['chosen', '203.0.113.9', 'https'],
  )
})

t.test('a missing file of a folder that is served at the root leaves the rest of the app alone', async (t) => {
  const folder = await temporaryFolder(t)
  const { ask } = await start(t, async (fastify) => void (await fastify.register(fastifyStatic, { root: folder })), {
    define: () => httpEndpoint('/hello', () => 'Hello'),
  })
  t.match(await ask('/none.txt'), { status: 404, body: 'Not Found' })
  t.match(await ask('/_/api/hello'), { status: 200, body: 'Hello' })
  t.match(await ask('/_/api/none'), { status: 404, body: 'No matching API endpoint' })
  t.match(
    await ask({ path: '/none.txt', headers: { accept: 'application/json' } }).then(
      ({ body }) => JSON.parse(body) as unknown,
    ),
    { status: 404 },
  )
})

t.test('two apps in one process keep their plugins apart', async (t) => {
  const plugin =
    (name: string): FastifyPlugin =>
    async (fastify) => {
      fastify.get('/name', async () => {
        await pause(5)
        log.info('told')
        return [name, getAppOrigin('published')]
      })
    }
  const [a, b] = await Promise.all([
    start(t, plugin('a'), { options: { origin: 'https://a.example' } }),
    start(t, plugin('b'), { options: { origin: 'https://b.example' } }),
  ])
  t.same(await Promise.all([a, b].map(async ({ ask }) => JSON.parse((await ask('/name')).body) as unknown)), [
    ['a', 'https://a.example'],
    ['b', 'https://b.example'],
  ])
  t.ok([a, b].every(({ log: lines }) => lines.filter(({ message }) => message === 'told').length === 1))
})

const appFiles = {
  'tables.ts': `import { defineTables, table, text } from 'rowhouse'\nexport const tables = defineTables({ notes: table({ body: text() }) })\n`,
  modules: { 'a.ts': `import { httpEndpoint } from 'rowhouse'\nhttpEndpoint('/hello', () => 'Hello')\n` },
}

t.test('rowhouse routes lists the routes of fastify.ts, with their lines, and asks for no database', { skip: takesLong('it runs the compiler') }, async (t) => {
  const directory = t.testdir({
    ...appFiles,
    'fastify.ts': `import { type FastifyInstance } from 'rowhouse'
import { tables } from './tables.js'

export default async function (app: FastifyInstance) {
  app.addHook('onReady', async () => void (await tables.notes.search().count()))
  app.addHook('onClose', async () => void (await tables.notes.search().count()))
  const timer = setInterval(() => undefined, 1000)
  app.addHook('onClose', async () => clearInterval(timer))
  app.get('/plain', { config: { authenticateUsers: true } }, (request) => ({ by: request.user?.email }))
  app.route({ method: ['PUT', 'PATCH'], url: '/x/:id(^\\\\d+)', bodyLimit: 10, handler: () => null })
}
`,
  })
  const { stdout, code } = await runRowhouse(t, ['routes', directory])
  t.equal(code, 0)
  const rows = stdout.split('\n').map((line) => line.split(/ {2,}/))
  t.same(
    rows.filter((row) => row[2] === 'fastify'),
    [
      ['GET', '/plain', 'fastify', 'authenticateUsers', 'fastify.ts:9'],
      ['PUT PATCH', '/x/:id(^\\d+)', 'fastify', 'bodyLimit: 10', 'fastify.ts:10'],
    ],
  )
  const checked = await runRowhouse(t, ['check', await outside(t, directory)])
  t.same([checked.code, checked.stderr], [0, ''])
  t.match(checked.stdout, 'routes: 5, none in another')
})

t.test('mistakes in fastify.ts are told with their lines', { skip: takesLong('it runs the command many times') }, async (t) => {
  const told = async (source: string, more: object = {}): Promise<string> =>
    (await runRowhouse(t, ['routes', t.testdir({ ...appFiles, 'fastify.ts': source, ...more })])).stderr
  t.match(
    await told(`export const plugin = () => undefined\n`),
    /^fastify\.ts:1: the default export has to be a Fastify plugin, .*; there is none\n$/,
  )
  t.match(
    await told(`\nexport default { a: 1 }\n`),
    /^fastify\.ts:2: the default export has to be a Fastify plugin, .*; got an object\n$/,
  )
  t.match(
    await told(`export default async (app) => {\n  app.get('/_/api/hello', () => 1)\n}\n`),
    /^fastify\.ts:2: GET \/_\/api\/hello is declared twice: here and at modules\/a\.ts:2 /,
  )
  t.match(
    await told(`export default async (app) => {\n  app.nothing()\n}\n`),
    /^fastify\.ts:2:7: TypeError: app\.nothing is not a function\n$/,
  )
  t.match(
    await told(`export default async (app) => {\n  app.decorateRequest('found', null)\n}\n`),
    /^fastify\.ts:2:7: requests have a member "found" of Rowhouse's own; call yours by another name\n$/,
  )
  const inner = `async (inner) => {\n    inner.get('/a', () => 1).get('/a', () => 1)\n  }`
  t.match(
    await told(`export default async (app) => {\n  await app.register(${inner})\n}\n`),
    /^fastify\.ts:3:\d+: FastifyError: Method 'GET' already declared for route '\/a'\n$/,
  )
  t.match(
    await told(`export default async () => undefined\n`, { 'fastify.js': `export default async () => undefined\n` }),
    /an app has one Fastify plugin, and here are fastify\.js and fastify\.ts; drop one of them/,
  )
})

t.test('an app may consist of fastify.ts alone', async (t) => {
  const directory = t.testdir({
    'fastify.mjs': `export default (app, options, done) => {\n  app.get('/hello', async () => 'Hello')\n  done()\n}\n`,
  })
  const server = await createApp({ directory, options: { name: 'test' }, logTo: { write: () => undefined } })
  t.teardown(() => server.close())
  t.equal((await server.inject('/hello')).body, 'Hello')
})

t.test('access that an onRoute hook of the plugin sets counts, and a config that a hook replaces stops the start', async (t) => {
  const { ask } = await start(t, async (fastify) => {
    await fastify.register(async (scope) => {
      scope.addHook('onRoute', (route) => {
        route.config = { ...route.config, authenticateUsers: true }
      })
      scope.get('/guarded', () => 'in')
    })
    fastify.get('/open', () => 'open')
    fastify.get('/two', { exposeHeadRoute: false }, () => 'two')
    fastify.head('/two', { config: { authenticateUsers: true } }, (_request, reply) => reply.send(null))
  })
  t.equal((await ask('/guarded')).status, 401)
  t.equal((await ask('/open')).status, 200)
  const replaced = start(t, async (fastify) => {
    fastify.addHook('onRoute', (route) => {
      route.config = { authenticateUsers: true } as typeof route.config
    })
    fastify.get('/replaced', () => 'in')
  })
  await t.rejects(replaced, { message: /an onRoute hook has replaced the config of GET \/replaced; change it as/ })
})

t.test('an onSend hook that throws tells nobody why, and the log has it', async (t) => {
  const { ask } = await start(t, async (fastify) => {
    fastify.addHook('onSend', async () => {
      throw new Error('secret of the hook')
    })
    fastify.get('/hook', () => 'x')
  })
  const { status, body } = await ask('/hook')
  t.equal(status, 500)
  t.notMatch(body, /secret/)
  t.match(body, /An exception was raised/)
})
