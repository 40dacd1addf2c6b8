import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import {
  abort,
  createApp,
  defineTables,
  errorHandler,
  eventStream,
  HttpError,
  httpEndpoint,
  HttpResponse,
  middleware,
  request,
  requestValue,
  route,
  table,
  text,
  transaction,
  urlFor,
  users,
} from 'rowhouse'
import { basic, buildApp, temporaryFolder } from './support/app.ts'
import { runRowhouse } from './support/rowhouse-process.ts'
import { takesLong } from './support/needs.ts'

type Files = NonNullable<Parameters<Test['testdir']>[0]>

const load = (t: Test, files: Files) => start(t, t.testdir(files))

async function start(t: Test, directory: string) {
  const app = await createApp({ directory, logTo: { write: () => undefined } })
  t.teardown(() => app.close())
  return app
}

/** The message with which an app is refused at its start. */
async function refusal(t: Test, define: () => unknown): Promise<string> {
  const directory = await temporaryFolder(t)
  const app = await createApp({ directory, define, logTo: { write: () => undefined } }).catch((reason: unknown) => reason)
  return app instanceof Error ? app.message : 'it started'
}

/** Puts its name into the header `x-trail` of what comes from inside: the outermost stands last. */
const trail =
  (name: string) =>
  async (_request: unknown, next: () => Promise<HttpResponse | Response>): Promise<HttpResponse | Response> => {
    const response = await next()
    response.headers.append('x-trail', name)
    return response
  }

t.test('middleware stands around all that is at or below its path, by whole segments, and the first declared is the outermost', async (t) => {
  const { server } = await buildApp(t, () => {
    route('/', () => 'root')
    route('/admin', () => 'admin')
    middleware('/admin', trail('admin'))
    middleware(trail('all'))
    middleware('/admin/users/', trail('users'))
    route('/admin/users', () => 'users')
    httpEndpoint('/admin/users/:id', ({ id }) => id)
    route('/administration', () => 'other')
    route('/Admin', () => 'case')
    route('/über%20uns', () => 'über')
    middleware('/%C3%BCber%20uns', trail('über'))
    httpEndpoint('/deep', () => 'deep')
    middleware('/_/api/deep', trail('whole'))
  })
  const trails: Readonly<Record<string, string | readonly string[]>> = {
    '/': 'all',
    '/admin': ['all', 'admin'],
    '/admin/users': ['users', 'all', 'admin'],
    '/_/api/admin/users/7': ['users', 'all', 'admin'],
    '/administration': 'all',
    '/Admin': 'all',
    '/%c3%bcber%20uns': ['über', 'all'],
    '/_/api/deep': ['whole', 'all'],
  }
  for (const [url, told] of Object.entries(trails)) {
    const { statusCode, headers } = await server.inject(url)
    t.same([statusCode, headers['x-trail']], [200, told], url)
  }
  t.same((await server.inject({ method: 'HEAD', url: '/admin' })).headers['x-trail'], ['all', 'admin'])
})

t.test('an endpoint whose path has parameters is surrounded for those requests that are below the path of a middleware', async (t) => {
  const { server } = await buildApp(t, () => {
    const staffOnly = (): HttpResponse => new HttpResponse(403, 'staff only')
    middleware('/admin/users', staffOnly)
    middleware('/7', staffOnly)
    route('/<path:rest>', ({ rest }) => `page ${rest}`)
    route('/:section/list', ({ section }) => `list of ${section}`)
    route('/<int:id>', ({ id }) => `number ${id}`)
    httpEndpoint('/:a/:b', ({ a, b }) => `${a} ${b}`)
  })
  const told = async (url: string): Promise<string> => (await server.inject(url)).body
  for (const url of ['/admin/users', '/admin/users/1', '/admin/%75sers/', '/_/api/admin/users', '/7']) t.equal(await told(url), 'staff only', url)
  t.equal(await told('/admin'), 'page admin')
  t.equal(await told('/admin/list'), 'list of admin')
  t.equal(await told('/admin/usersx'), 'page admin/usersx')
  t.equal(await told('/8'), 'number 8')
  t.equal(await told('/_/api/admin/other'), 'admin other')
})

t.test('unknown paths and methods, refused callers, bad parameters and Rowhouse’s own endpoints are answered without middleware', async (t) => {
  let runs = 0
  const { server } = await buildApp(t, () => {
    middleware((_request, next) => (runs++, next()))
    route('/known', () => 'known')
    route('/mine', { authenticateUsers: true }, () => 'mine')
    route('/typed', { params: { word: text() } }, ({ word }) => word)
  })
  for (const url of ['/_/health/live', '/_/health/ready', '/unknown', '/mine', '/typed']) await server.inject(url)
  await server.inject({ method: 'DELETE', url: '/known' })
  await server.inject({ method: 'OPTIONS', url: '/known' })
  t.equal(runs, 0)
  t.equal((await server.inject('/known')).body, 'known')
  t.equal(runs, 1)
})

t.test('what is thrown inside rejects next(), may be answered, and else becomes the error reply; that of the middleware too', async (t) => {
  const { server, log } = await buildApp(t, () => {
    middleware('/caught', async (_request, next) => {
      try {
        return await next()
      } catch (thrown) {
        return new HttpResponse(409, thrown instanceof Error ? `caught: ${thrown.message}` : 'what was thrown is no error')
      }
    })
    route('/caught', () => Promise.reject(new Error('no')))
    middleware('/passed', trail('passed'))
    route('/passed', () => {
      throw new HttpError(418, 'teapot')
    })
    middleware('/broken', () => {
      throw new Error('secret')
    })
    route('/broken', () => 'never')
    middleware('/closed', () => abort(403, 'closed'))
    route('/closed', () => 'never')
    errorHandler(418, (error) => new HttpResponse(418, `handled: ${error.message}`))
  })
  t.match(await server.inject('/caught'), { statusCode: 409, body: 'caught: no' })
  t.match(await server.inject('/passed'), { statusCode: 418, body: 'handled: teapot', headers: { 'x-trail': undefined } })
  const broken = await server.inject('/broken')
  t.equal(broken.statusCode, 500)
  t.notMatch(broken.body, /secret/)
  t.match(await server.inject('/closed'), { statusCode: 403, body: 'closed' })
  t.match(log.find(({ level }) => level === 50), { message: 'Exception on /broken [GET]', err: { message: 'secret' } })
})

t.test('a reply that abort() has ended the handler with is its response, and no error', async (t) => {
  const { server } = await buildApp(t, () => {
    middleware(trail('outer'))
    middleware(trail('inner'))
    route('/', () => abort(new HttpResponse(202, 'aborted')))
  })
  t.match(await server.inject('/'), { statusCode: 202, body: 'aborted', headers: { 'x-trail': ['inner', 'outer'] } })
})

t.test('headers may be added to every kind of answer: texts, JSON, web responses and streams', async (t) => {
  async function* events(): AsyncGenerator<string> {
    yield 'event'
  }
  const { server } = await buildApp(t, () => {
    middleware(trail('seen'))
    route('/text', () => 'text')
    route('/json', () => ({ a: 1 }))
    route('/nothing', () => undefined)
    route('/web', () => new Response('web', { headers: { 'content-type': 'text/x-own' } }))
    route('/pieces', async function* () {
      yield 'one '
      await sleep(1)
      yield 'two'
    })
    route('/events', () => eventStream(events()))
  })
  const bodies = { text: 'text', json: '{"a":1}', nothing: 'null', web: 'web', pieces: 'one two', events: /data: event/ }
  for (const [name, body] of Object.entries(bodies)) t.match(await server.inject(`/${name}`), { statusCode: 200, body, headers: { 'x-trail': 'seen' } }, name)
})

t.test('crudEndpoints and file routes are surrounded, those outside of their own middleware.ts', async (t) => {
  const app = await load(t, {
    'tables.ts': `import { defineTables, table, text } from 'rowhouse'\nexport const tables = defineTables({ tasks: table({ title: text() }) })`,
    modules: {
      'b.ts': `import { middleware } from 'rowhouse'\nimport { trail } from '../trail.js'\nmiddleware('/api', trail('b'))`,
      'a.ts': `import { crudEndpoints, middleware } from 'rowhouse'\nimport { tables } from '../tables.js'\nimport { trail } from '../trail.js'\ncrudEndpoints('/tasks', tables.tasks, { public: true, columns: ['title'] })\nmiddleware(trail('a'))`,
    },
    'trail.ts': `export const trail = (name) => async (_request, next) => { const response = await next(); response.headers.append('x-trail', name); return response }`,
    pages: { api: { 'middleware.ts': `import { trail } from '../../trail.js'\nexport default trail('folder')`, 'hello.ts': `export const get = (request) => [request.constructor.name, request.path]` } },
  })
  t.match(await app.inject('/api/hello'), { body: '["FileRouteRequest","/api/hello"]', headers: { 'x-trail': ['folder', 'b', 'a'] } })
  t.match(await app.inject('/_/api/tasks'), { statusCode: 200, headers: { 'x-trail': 'a' } })
  t.match(await app.inject({ method: 'POST', url: '/_/api/tasks', payload: { title: 'x' } }), { statusCode: 201, headers: { 'x-trail': 'a' } })
})

t.test('middleware that calls next twice, does not wait for it or returns nothing is told in the log by its place', async (t) => {
  const { server, log } = await buildApp(t, () => {
    const late = async (): Promise<never> => {
      await sleep(10)
      throw new Error('too late')
    }
    middleware('/twice', async (_request, next) => (await next(), next()))
    // The compiler refuses it, too.
    // @ts-expect-error nothing is no answer
    middleware('/nothing', async (_request, next) => void (await next()))
    middleware('/unwaited', (_request, next) => {
      void next()
      return 'at once'
    })
    for (const path of ['/twice', '/nothing']) route(path, () => 'text')
    route('/unwaited', late)
  })
  t.equal((await server.inject('/twice')).statusCode, 500)
  t.equal((await server.inject('/nothing')).statusCode, 500)
  t.match(await server.inject('/unwaited'), { statusCode: 200, body: 'at once' })
  await sleep(30)
  const errors = log.filter(({ level }) => level === 50).map(({ message, err }) => `${String(message)}: ${(err as Error).message}`)
  const place = /the middleware at \S*middleware\.test\.ts:\d+/
  t.match(errors[0], new RegExp(`${place.source} called next\\(\\) a second time`))
  t.match(errors[1], new RegExp(`${place.source} returned nothing; return the response of "await next\\(\\)"`))
  t.match(errors[2], new RegExp(`^${place.source} answered without waiting for next\\(\\), .*: too late$`))
})

t.test('middleware is a part of the call: its user, transaction and time are those of the handler', async (t) => {
  let titles: readonly (string | null)[] = []
  const { server, log } = await buildApp(
    t,
    () => {
      const tables = defineTables({ tasks: table({ title: text() }) })
      middleware('/failed', (_request, next) => transaction(next))
      route('/failed', async () => {
        await tables.tasks.addRow({ title: 'rolled back' })
        throw new HttpError(409, 'no')
      })
      middleware('/who', async (own, next) => {
        const response = await next()
        response.headers.set('x-who', `${users.getUser()?.email} ${own.path} ${request.path} ${urlFor('who', {})}`)
        return response
      })
      route('/who', { authenticateUsers: true }, function who() {
        return 'me'
      })
      middleware('/slow', async (_request, next) => {
        await sleep(300)
        return next()
      })
      route('/slow', () => 'never')
      route('/titles', async () => (titles = (await tables.tasks.search().all()).map(({ title }) => title)))
    },
    { handlerTimeout: 100 },
  )
  await server.rowhouse.users.add('me@example.com', 'my long password')
  t.equal((await server.inject('/failed')).statusCode, 409)
  await server.inject('/titles')
  t.same(titles, [])
  const { headers } = await server.inject({ url: '/who', headers: basic('me@example.com', 'my long password') })
  t.equal(headers['x-who'], 'me@example.com /who /who /who')
  t.equal((await server.inject('/slow')).statusCode, 503)
  t.ok(log.some(({ message }) => String(message).includes('did not answer within 100 ms')))
})

t.test('a value that a middleware has set is got by whatever the handler calls, any number of awaits later, and by no other request', async (t) => {
  const { server } = await buildApp(t, () => {
    const tenant = requestValue<{ readonly name: string }>('tenant')
    const nameOf = async (): Promise<string> => {
      await sleep(Math.random() * 5)
      return tenant.get().name
    }
    middleware('/with', async (own, next) => {
      tenant.set({ name: String(own.headers['x-tenant']) })
      return next()
    })
    route('/with', () => transaction(async () => [await nameOf(), await Promise.all([nameOf(), nameOf()])]))
    route('/with/stream', async function* () {
      yield await nameOf()
    })
    route('/without', () => [tenant.has(), tenant.getOptional() ?? null])
    route('/with/error', () => {
      throw new HttpError(418)
    })
    errorHandler(418, () => new HttpResponse(418, `error of ${tenant.get().name}`))
  })
  const asked = await Promise.all(Array.from({ length: 50 }, (_, index) => server.inject({ url: '/with', headers: { 'x-tenant': `t${index}` } })))
  t.same(asked.map((answer) => answer.json() as unknown), asked.map((_, index) => [`t${index}`, [`t${index}`, `t${index}`]]))
  t.equal((await server.inject({ url: '/with/stream', headers: { 'x-tenant': 'streamed' } })).body, 'streamed')
  t.equal((await server.inject('/without')).body, '[false,null]')
  t.equal((await server.inject({ url: '/with/error', headers: { 'x-tenant': 'failed' } })).body, 'error of failed')
})

t.test('a value that nobody has set, or that is asked for outside of a call, is an error that says so', async (t) => {
  const flag = requestValue<boolean | null>('flag')
  const { server, log } = await buildApp(t, () => {
    const tenant = requestValue<string>('tenant')
    route('/tenant', () => tenant.get())
    route('/flag', () => {
      flag.set(null)
      return [flag.has(), flag.get()]
    })
  })
  t.equal((await server.inject('/tenant')).statusCode, 500)
  const told = log.find(({ level }) => level === 50)?.['err']
  t.match(told, { message: /^the value "tenant", declared at \S*middleware\.test\.ts:\d+, has not been set for GET \/tenant: no middleware that sets it has run; let one stand around this path, or use getOptional\(\) / })
  t.equal((await server.inject('/flag')).body, '[true,null]')
  t.throws(() => flag.set(true), { message: 'the value "flag" can only be set while an endpoint runs' })
  t.throws(() => flag.get(), { message: 'the value "flag" can only be read while an endpoint runs' })
  t.equal(flag.getOptional(), undefined)
  t.equal(flag.has(), false)
  t.throws(() => requestValue(''), TypeError)
})

t.test('middleware with a wrong argument, or around nothing, stops the start', async (t) => {
  const given = (...args: unknown[]) => refusal(t, () => {
    route('/tasks', () => 'tasks')
    Reflect.apply(middleware, undefined, args)
  })
  const run = (): string => 'answer'
  t.match(await given(), /middleware\.test\.ts:\d+: middleware\(\) takes a path such as "\/reports", or only a function, as its first argument, got undefined/)
  t.match(await given('/tasks'), /middleware\(path, run\) takes a function as its last argument, .*, got undefined/)
  t.match(await given('/tasks', class Guard { readonly name = 'guard' }), /got the class Guard/)
  t.match(await given('tasks', run), /a path starts with "\/", got "tasks"/)
  t.match(await given('/tasks/:id', run), /middleware\("\/tasks\/:id"\): the path has the parameter "id"; a middleware stands around a fixed beginning of paths/)
  t.match(await given('/task', run), /middleware\.test\.ts:\d+: middleware\("\/task"\) stands around nothing: no endpoint of the app is there/)
  t.match(await given('/_/health', run), /stands around nothing/)
  t.equal(await refusal(t, () => middleware(run)), 'it started')
  t.throws(() => middleware(run), /^middleware\(\) was called while no app was loading/)
})

t.test('two apps that load the same modules in one process keep their middleware and its values apart', async (t) => {
  const files = (name: string): Files => ({ modules: { 'a.ts': `import { middleware, requestValue, route } from 'rowhouse'\nconst count = requestValue('count')\nlet runs = 0\nmiddleware((_request, next) => { count.set('${name}' + ++runs); return next() })\nroute('/', () => count.get())` } })
  const directory = t.testdir({ one: files('one'), two: files('two') })
  const [one, two] = [await start(t, `${directory}/one`), await start(t, `${directory}/two`)]
  t.same([(await one.inject('/')).body, (await two.inject('/')).body, (await one.inject('/')).body], ['one1', 'two1', 'one2'])
})

t.test('rowhouse check and routes load modules with middleware, and find one around nothing', { skip: takesLong('it starts a process') }, async (t) => {
  const directory = t.testdir({
    right: { 'package.json': '{"type":"module"}', modules: { 'a.ts': `import { middleware, requestValue, route, type HttpResponse, type Middleware, type RowhouseRequest } from 'rowhouse'\nconst word = requestValue<string>('word')\nconst mark: Middleware<RowhouseRequest> = async (request, next) => { word.set(request.method); return await next() }\nmiddleware('/a', mark)\nmiddleware(async (_request, next): Promise<HttpResponse | Response> => next())\nroute('/a', () => word.get().toLowerCase())` } },
    wrong: { modules: { 'a.js': `import { middleware, route } from 'rowhouse'\nroute('/a', () => 1)\nmiddleware('/b', (_request, next) => next())` } },
  })
  t.match(await runRowhouse(t, ['routes', `${directory}/right`]), { stdout: /\/a +route .*modules\/a\.ts:6/ })
  t.match(await runRowhouse(t, ['check', `${directory}/wrong`]), { stderr: /modules\/a\.js:3: middleware\("\/b"\) stands around nothing/ })
})
