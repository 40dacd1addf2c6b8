import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type { InjectOptions } from 'fastify'
import t from 'tap'
import {
  abort,
  createApp,
  defineTables,
  errorHandler,
  HttpError,
  httpEndpoint,
  HttpResponse,
  redirect,
  request,
  requiresAuth,
  RowDeleted,
  table,
  TableError,
  text,
  urlFor,
  type StandardSchema,
} from 'rowhouse'
import { basic, buildApp, startApp, temporaryFolder } from './support/app.ts'
import { takesLong } from './support/needs.ts'

const api = '/_/api'
const general = 'An exception was raised. Check the application logs for details.'

class Taken extends Error {
  readonly seat: number

  constructor(seat: number) {
    super(`seat ${seat} is taken`)
    this.seat = seat
  }
}
class TakenTwice extends Taken {}
class Teapot extends HttpError {
  constructor() {
    super(404, 'short and stout')
  }
}

/** Fails in the way that the path names. */
const failures: Record<string, () => unknown> = {
  taken: () => { throw new Taken(7) },
  twice: () => { throw new TakenTwice(8) },
  teapot: () => { throw new Teapot() },
  missing: () => abort(404, 'no such task'),
  conflict: () => abort(409),
  deleted: () => { throw new RowDeleted('tasks', 'x') },
  boom: () => { throw new TypeError('the secret is 42') },
  text: () => { throw 'a text' },
  frozen: () => { throw Object.freeze(new Error('frozen')) },
}

/** A stream that fails before its first piece. */
async function* failingStream(message: string): AsyncGenerator<string> {
  yield await delay(1).then(() => Promise.reject(new Error(message)))
}

function defineFailures(): void {
  for (const [path, fail] of Object.entries(failures)) httpEndpoint(`/${path}`, fail)
}

t.test('a 404 handler replaces the answer to unknown URLs too, and leaves 405 and 500 alone', async (t) => {
  const { server } = await buildApp(t, () => {
    defineFailures()
    errorHandler(404, (_error, request) => ({ status: 404, message: `Not Found: ${request.url}` }))
  })
  for (const path of ['/users/4', `${api}/nothing`, `${api}/missing`, `${api}/deleted`]) {
    const answer = await server.inject({ url: path, headers: { host: 'host' } })
    t.equal(answer.statusCode, 404, path)
    t.equal(answer.headers['content-type'], 'application/json')
    t.same(answer.json(), { status: 404, message: `Not Found: http://host${path}` })
    t.match(answer.headers['x-request-id'], /^[0-9a-f-]{36}$/)
  }
  t.match(await server.inject({ method: 'PUT', url: `${api}/boom` }), { statusCode: 405, body: 'Method not supported', headers: { allow: 'GET, POST, HEAD, OPTIONS' } })
  t.match(await server.inject(`${api}/boom`), { statusCode: 500, body: general })
})

t.test('the most derived class goes first, then the status, then HttpError, then Error', async (t) => {
  const { server } = await buildApp(t, () => {
    defineFailures()
    errorHandler(Error, (error) => `Error ${error.message}`)
    errorHandler(HttpError, (error) => `HttpError ${error.status}`)
    errorHandler(404, (error) => `404 ${error.message}`)
    errorHandler(500, (error) => `500 ${error.constructor.name}`)
    errorHandler(Taken, (error) => new HttpResponse(409, `Taken ${error.seat}`))
    errorHandler(Teapot, () => 'Teapot')
    errorHandler(TableError, (error) => `TableError ${error.code}`)
  })
  const expected = { taken: [409, 'Taken 7'], twice: [409, 'Taken 8'], teapot: [404, 'Teapot'], missing: [404, '404 no such task'], conflict: [409, 'HttpError 409'], deleted: [404, 'TableError row-deleted'], boom: [500, '500 TypeError'] }
  for (const [path, [status, body]] of Object.entries(expected)) t.match(await server.inject(`${api}/${path}`), { statusCode: status, body }, path)
  const { server: other } = await buildApp(t, () => {
    defineFailures()
    errorHandler(Error, (error) => `Error ${error.message}`)
    errorHandler(TakenTwice, (error) => `twice ${error.seat}`)
  })
  t.match(await other.inject(`${api}/twice`), { statusCode: 500, body: 'twice 8' })
  t.match(await other.inject(`${api}/taken`), { statusCode: 500, body: 'Error seat 7 is taken' })
  t.match(await other.inject('/nothing'), { statusCode: 404, body: 'Error Not Found' })
})

t.test('a handler for a status gets an HttpError, the error of a table as its cause; for 500 it gets what was thrown', async (t) => {
  const { server } = await buildApp(t, () => {
    defineFailures()
    for (const status of [409, 503] as const) errorHandler(status, (error) => `${error.status}`)
    errorHandler(404, (error) => {
      const { status, message, cause } = error
      return { status, message, isHttpError: error instanceof HttpError, cause: cause instanceof RowDeleted ? cause.code : (cause ?? null) }
    })
    httpEndpoint('/several', () => { throw new TableError('several-rows', 'several rows of the table tasks') })
    httpEndpoint('/full', () => { throw new TableError('disk-full', 'no room') })
    errorHandler(500, (error) => `500 ${error.constructor.name}`)
    errorHandler(507, { scope: 'app' }, (error) => `${error.status} ${error.message}`)
  })
  const deleted: unknown = (await server.inject(`${api}/deleted`)).json()
  t.match(deleted, { status: 404, message: new RowDeleted('tasks', 'x').message, isHttpError: true, cause: 'row-deleted' })
  t.same((await server.inject(`${api}/missing`)).json(), { status: 404, message: 'no such task', isHttpError: true, cause: null })
  t.match(await server.inject(`${api}/conflict`), { statusCode: 409, body: '409' })
  t.match(await server.inject(`${api}/several`), { statusCode: 500, body: '500 TableError' })
  t.match(await server.inject(`${api}/full`), { statusCode: 507, body: '507 no room' })
})

t.test('every refusal of Rowhouse can be replaced, whatever stage it comes from, and keeps its headers', async (t) => {
  const { url } = await startApp(
    t,
    () => {
      for (const status of [400, 401, 404, 405, 413, 415, 503]) {
        errorHandler(status, async (error, given) => ({ own: status, message: error.message, path: request.path, method: given.method, body: (await given.body?.text()) ?? null, query: given.queryParams['q'] ?? null }))
      }
      httpEndpoint('/users', { authenticateUsers: true }, () => 1)
      httpEndpoint('/small', { bodyLimit: 3 }, () => 1)
      httpEndpoint('/number', { params: { title: text() } }, () => 1)
      httpEndpoint('/slow', { timeout: 20 }, () => new Promise(() => undefined))
    },
    { realm: 'here' },
  )
  const ask = async (path: string, init?: RequestInit) => {
    const answer = await fetch(url + path, init)
    return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Record<string, unknown> }
  }
  const bad = await ask('/a/%zz?q=1')
  t.match(bad, { status: 400, body: { own: 400, message: /the path has a "%"/, path: '/a/%zz', query: '1', body: null } })
  t.match(bad.headers.get('x-request-id'), /^[0-9a-f-]{36}$/)
  t.match(await ask('/%00'), { status: 400, body: { own: 400, message: /NUL/ } })
  const refused = await ask(`${api}/users?q=1`)
  t.match(refused, { status: 401, body: { own: 401, message: 'Unauthorized', path: '/users', query: '1' } })
  t.equal(refused.headers.get('www-authenticate'), 'Basic realm="here", charset="UTF-8"')
  const unsupported = await ask(`${api}/small`, { method: 'DELETE' })
  t.match(unsupported, { status: 405, body: { own: 405, method: 'DELETE', path: `${api}/small` } })
  t.equal(unsupported.headers.get('allow'), 'GET, POST, HEAD, OPTIONS')
  t.match(await ask(`${api}/small`, { method: 'POST', body: 'four' }), { status: 413, body: { own: 413, body: null } })
  const compressed = await ask(`${api}/small`, { method: 'POST', body: 'abc', headers: { 'content-encoding': 'pack' } })
  t.match(compressed, { status: 415, body: { own: 415 } })
  t.match(await ask(`${api}/number`, { method: 'POST', body: 'sent' }), { status: 400, body: { message: 'missing parameter: title', body: 'sent' } })
  t.match(await ask(`${api}/slow`), { status: 503, body: { own: 503, path: '/slow' } })
  const head = await fetch(`${url}/nothing`, { method: 'HEAD' })
  t.same([head.status, head.headers.get('content-type'), await head.text()], [404, 'application/json', ''])
})

t.test('a handler says status and headers if it wants to, and what it does not say stays', async (t) => {
  const { server } = await buildApp(t, () => {
    httpEndpoint('/limited', () => {
      throw new HttpError(429, 'slow down', {}, { 'Retry-After': '7', 'content-type': 'text/x-gone' })
    })
    httpEndpoint('/methods', { methods: ['PUT'] }, () => 1)
    httpEndpoint('/closed', () => abort(401))
    httpEndpoint('/gone', () => abort(410))
    errorHandler(429, () => new HttpResponse(200, 'wait', { 'x-request-id': 'forged' }))
    errorHandler(405, () => new HttpResponse(405, { no: true }, { allow: 'PUT' }))
    errorHandler(401, () => new Response('closed', { status: 401, headers: { 'content-type': 'text/x-own' } }))
    errorHandler(410, () => redirect('/elsewhere'))
    errorHandler(404, () => Readable.from(['not ', 'here']))
    errorHandler(400, () => undefined)
  })
  const limited = await server.inject(`${api}/limited`)
  t.match(limited, { statusCode: 200, body: 'wait', headers: { 'retry-after': '7', 'content-type': 'text/plain; charset=utf-8', 'x-request-id': /^[0-9a-f-]{36}$/ } })
  t.match(await server.inject(`${api}/methods`), { statusCode: 405, body: '{"no":true}', headers: { allow: 'PUT' } })
  t.match(await server.inject(`${api}/closed`), { statusCode: 401, body: 'closed', headers: { 'content-type': 'text/x-own', 'www-authenticate': /^Basic / } })
  t.match(await server.inject(`${api}/gone`), { statusCode: 302, headers: { location: '/elsewhere' } })
  t.match(await server.inject('/nothing'), { statusCode: 404, body: 'not here' })
  t.match(await server.inject('/%zz'), { statusCode: 400, body: 'null' })
})

t.test('a 500 handler gets what was thrown, which is in the log already, and an app tells nothing more than it wants to', async (t) => {
  const given: Error[] = []
  const { server, log } = await buildApp(t, () => {
    defineFailures()
    errorHandler(500, (error, { path }) => {
      given.push(error)
      return { oops: path, logged: log.some(({ err }) => (err as Error | undefined)?.message === error.message) }
    })
  })
  const boom = await server.inject(`${api}/boom`)
  t.match(boom, { statusCode: 500, body: '{"oops":"/boom","logged":true}' })
  t.match(given[0], { name: 'TypeError', message: 'the secret is 42' })
  t.match(
    log.find(({ message }) => message === `Exception on ${api}/boom [GET]`),
    { requestId: boom.headers['x-request-id'], err: { stack: /the secret is 42[\s\S]*error-handlers\.test\.ts/ } },
  )
  t.equal((await server.inject(`${api}/text`)).statusCode, 500)
  t.match(given[1], { message: "a value that is no Error was thrown: 'a text'", cause: 'a text' })
  t.equal((await server.inject(`${api}/frozen`)).json<{ logged: boolean }>().logged, true)
  t.equal(given[2]?.message, 'frozen')
})

t.test('a handler runs inside a call: it may write, wait and look at who asks, and the writes are there', async (t) => {
  const { server } = await buildApp(t, () => {
    const tables = defineTables({ failures: table({ path: text() }) })
    defineFailures()
    errorHandler(Error, async () => {
      await tables.failures.addRow({ path: request.path })
      await delay(1)
      abort(new HttpResponse(418, { kept: await tables.failures.search().count(), path: request.path }))
    })
  })
  t.match(await server.inject(`${api}/boom`), { statusCode: 418, body: '{"kept":1,"path":"/boom"}' })
  t.match(await server.inject('/unknown'), { statusCode: 418, body: '{"kept":2,"path":"/unknown"}' })
})

t.test('an error in an error handler is in the log beside the first one, and the caller gets the general 500', async (t) => {
  const handlers: Record<string, (error: Error) => unknown> = {
    throws: () => { throw new Error('second failure') },
    rejects: async () => { await delay(1); throw new Error('second failure') },
    json: () => ({ toJSON: () => { throw new Error('second failure') } }),
    getter: () => ({ get value() { throw new Error('second failure') } }),
    stream: () => failingStream('second failure'),
    table: () => { throw new TableError('missing-value', 'second failure') },
    odd: () => { throw Object.freeze(new Error('second failure')) },
  }
  const { url, log } = await startApp(t, () => {
    for (const status of [500, 409]) errorHandler(status, (error, { queryParams }) => handlers[String(queryParams['how'])]?.(error))
    httpEndpoint('/boom', () => { throw new Error('first failure') })
    httpEndpoint('/conflict', () => abort(409, 'first failure'))
    httpEndpoint('/stream', () => failingStream('first failure'))
    httpEndpoint('/ok', () => 'ok')
  })
  for (const path of ['boom', 'conflict', 'stream']) {
    for (const how of Object.keys(handlers)) {
      const before = log.length
      const answer = await fetch(`${url}${api}/${path}?how=${how}`)
      const id = answer.headers.get('x-request-id')
      t.same([answer.status, await answer.text()], [500, general], `${path} ${how}`)
      const lines = log.slice(before).filter(({ requestId }) => requestId === id)
      t.ok(lines.some(({ err }) => String((err as Error | undefined)?.message).includes('first failure')), `${path} ${how}: the first is in the log`)
      t.ok(lines.some(({ message }) => /^Exception on .* in the error handler at .*error-handlers\.test\.ts:\d+$/.test(String(message))), `${path} ${how}: the second is too`)
    }
  }
  t.equal(await (await fetch(`${url}${api}/ok`)).text(), 'ok', 'the server lives')
})

t.test('a stream of an error handler that fails late is cut, and so the client notices', async (t) => {
  const { url, log } = await startApp(t, () => {
    httpEndpoint('/boom', () => failingStream('first failure'))
    errorHandler(500, async function* () {
      yield 'begun'
      if (request.queryParams['wait'] !== undefined) await delay(20)
      throw new Error('second failure')
    })
  })
  await t.rejects(fetch(`${url}${api}/boom?wait`).then((answer) => answer.text()))
  await t.rejects(fetch(`${url}${api}/boom`).then((answer) => answer.text()))
  t.equal(log.filter(({ message }) => /in the error handler at .*, after a part of the answer had been sent/.test(String(message))).length, 2)
})

t.test('a stream sees its own request in each of its pieces, however slowly they are read', { skip: takesLong('it reads slowly') }, async (t) => {
  const seen = new Set<string>()
  const look = () => { try { seen.add(request.path) } catch (error) { seen.add(String(error)) } }
  const { url } = await startApp(t, () => {
    const pieces = async function* () {
      for (let n = 0; n < 200; n++) {
        if (n % 10 === 9) await delay(1)
        look()
        yield 'x'.repeat(100_000)
        look()
      }
    }
    httpEndpoint('/long', pieces)
    errorHandler(404, pieces)
  })
  for (const path of ['/_/api/long', '/nothing']) {
    seen.clear()
    const answer = await fetch(url + path)
    let length = 0
    for await (const chunk of answer.body ?? []) {
      length += chunk.length
      if (length % 7 === 0) await delay(2)
    }
    t.equal(length, 20_000_000)
    t.same([...seen], [path === '/nothing' ? path : '/long'])
  }
})

t.test('an HttpError of an error handler is its answer, and is handled no further', async (t) => {
  const { server } = await buildApp(t, () => {
    defineFailures()
    errorHandler(Taken, (error) => abort(409, `not ${error.seat}`))
    errorHandler(409, () => 'not asked')
  })
  t.match(await server.inject(`${api}/taken`), { statusCode: 409, body: 'not 7' })
})

t.test('an error handler that hangs is answered for with 503 within the time limit', { skip: takesLong('it waits for time limits') }, async (t) => {
  const silent = new Readable({ read: () => undefined })
  const { url, log } = await startApp(
    t,
    () => {
      httpEndpoint('/boom', { timeout: 30 }, () => { throw new Error('first failure') })
      errorHandler(500, async () => {
        await delay(300)
        throw new Error('too late to be told')
      })
      errorHandler(404, () => new Promise(() => undefined))
      errorHandler(405, () => silent)
      errorHandler(503, () => 'not asked')
    },
    { handlerTimeout: 50 },
  )
  for (const path of [`${api}/boom`, '/nothing']) {
    const answer = await fetch(url + path)
    t.same([answer.status, await answer.text()], [503, 'The server took too long to answer.'], path)
  }
  t.equal((await fetch(`${url}${api}/boom`, { method: 'DELETE' })).status, 503)
  t.equal(silent.destroyed, true, 'a stream that nobody gets is closed')
  t.equal(log.filter(({ message }) => /^the error handler at .*error-handlers\.test\.ts:\d+ did not answer within (30|50) ms$/.test(String(message))).length, 3)
  while (!JSON.stringify(log).includes('too late to be told')) await delay(10)
  t.pass('what it threw later is in the log')
})

t.test("the platform's own endpoints keep their errors", async (t) => {
  const { server } = await buildApp(t, () => errorHandler(Error, () => 'own'), { bodyLimit: 1 })
  t.equal((await server.inject('/nothing')).body, 'own')
  t.match(await server.inject({ url: '/_/health/live', payload: 'four', headers: { 'content-type': 'text/plain' } }), { statusCode: 413, body: /takes no body/ })
})

t.test('a handler of the file of the endpoint goes before those of the app, and may be for that file only', async (t) => {
  const directory = t.testdir({
    modules: {
      'app.ts': `import { errorHandler, httpEndpoint, abort } from 'rowhouse'
        errorHandler(404, () => 'of the app')
        httpEndpoint('/app', () => abort(404))`,
      'own.ts': `import { errorHandler, httpEndpoint, abort } from 'rowhouse'
        errorHandler(404, { scope: 'module' }, () => 'of the module')
        errorHandler(Error, { scope: 'module' }, (error) => 'any error of the module')
        httpEndpoint('/own', () => abort(404))
        httpEndpoint('/own-conflict', () => abort(409))`,
      'wide.ts': `import { errorHandler, httpEndpoint, abort, HttpError } from 'rowhouse'
        errorHandler(409, () => 'conflict of the app')
        errorHandler(HttpError, () => 'of wide.ts')
        httpEndpoint('/wide', () => abort(404))`,
    },
  })
  const server = await createApp({ directory, logTo: { write: () => undefined } })
  t.teardown(() => server.close())
  const expected = { '/app': 'of the app', '/own': 'of the module', '/own-conflict': 'any error of the module', '/wide': 'of wide.ts', '/nothing': 'of the app' }
  for (const [path, body] of Object.entries(expected)) t.equal((await server.inject(api + path)).body, body, path)
})

t.test('a mistake in errorHandler() stops the start with its place', async (t) => {
  const failure = async (define: () => unknown): Promise<string> => {
    const error: unknown = await createApp({ directory: await temporaryFolder(t), define, logTo: { write: () => undefined } }).then(() => 'it started', (reason: unknown) => reason)
    return error instanceof Error ? `${error.name} ${error.message}` : String(error)
  }
  // As JavaScript calls it.
  const declare = errorHandler as (...args: unknown[]) => void
  t.match(await failure(() => [declare(404, () => 1), declare(404, () => 2)]), /^DeclarationError .*error-handlers\.test\.ts:\d+: errorHandler\(404\) is here a second time, after .*error-handlers\.test\.ts:\d+/)
  t.match(await failure(() => [declare(Taken, () => 1), declare(Taken, { scope: 'module' }, () => 2)]), /errorHandler\(Taken\) is here a second time/)
  t.match(await failure(() => declare(200, () => 1)), /takes a status from 400 to 599 or a class of errors as its first argument, got 200/)
  t.match(await failure(() => declare(Map, () => 1)), /got the class Map/)
  t.match(await failure(() => declare('404', () => 1)), /got "404"/)
  t.match(await failure(() => declare(404)), /takes a function as its last argument, got undefined/)
  t.match(await failure(() => declare(404, { scop: 'app' }, () => 1)), /has no option "scop"; did you mean "scope"/)
  t.match(await failure(() => declare(404, { scope: 'file' }, () => 1)), /takes 'app' or 'module' as scope, got "file"/)
  t.throws(() => declare(404, () => 1), /while no app was loading/)
  t.equal(await failure(() => [declare(404, () => 1), declare(500, () => 2), declare(Error, () => 3)]), 'it started')
})

t.test('abort() with a response ends the request with exactly that, from anywhere, and no error is logged', async (t) => {
  const checked: StandardSchema = { '~standard': { version: 1, vendor: 'test', validate: () => abort(redirect('/sign-in')) } }
  const { url, log } = await startApp(t, () => {
    errorHandler(Error, () => 'not asked')
    const tables = defineTables({ notes: table({ title: text() }) })
    httpEndpoint('/sync', () => abort(new HttpResponse(418, { tea: true }, { 'x-pot': '1' })))
    httpEndpoint('/async', async () => {
      await tables.notes.addRow({ title: 'kept' })
      await delay(1)
      abort(new Response('web', { status: 402, headers: { 'content-type': 'text/x-own' } }))
    })
    httpEndpoint('/params', { params: { x: checked } }, () => 1)
    httpEndpoint('/stream', async function* () {
      yield await delay(1).then(() => abort(new HttpResponse(200, Readable.from(['another ', 'stream']))))
    })
    httpEndpoint('/json', () => ({ toJSON: () => abort(new HttpResponse(401, 'no challenge')) }))
    httpEndpoint('/status', () => abort(418))
    // @ts-expect-error a BigInt cannot be sent
    httpEndpoint('/bad', () => abort(new HttpResponse(200, { n: 1n })))
  })
  const ask = async (path: string) => {
    const answer = await fetch(`${url}${api}${path}`, { redirect: 'manual' })
    return { status: answer.status, body: await answer.text(), headers: Object.fromEntries(answer.headers) }
  }
  t.match(await ask('/sync'), { status: 418, body: '{"tea":true}', headers: { 'x-pot': '1' } })
  t.match(await ask('/async'), { status: 402, body: 'web', headers: { 'content-type': 'text/x-own' } })
  t.match(await ask('/params?x=1'), { status: 302, headers: { location: '/sign-in' } })
  t.match(await ask('/stream'), { status: 200, body: 'another stream' })
  const plain = await ask('/json')
  t.match(plain, { status: 401, body: 'no challenge' })
  t.notOk('www-authenticate' in plain.headers, 'nothing is added')
  t.same(log.filter(({ level }) => Number(level) >= 40), [])
  t.match(await ask('/status'), { status: 418, body: 'not asked' })
  t.match(await ask('/bad'), { status: 500, body: 'not asked' }, 'one that cannot be sent is an error')
})

t.test('requiresAuth lets those through to a handler who pass a check of its author', async (t) => {
  let checks = 0
  const { url } = await startApp(t, () => {
    const options = { challenge: 'Basic realm="Example"', refusal: { message: 'Authenticate.' } }
    const secret = requiresAuth(({ username, password }) => {
      checks++
      return username === 'admin' && password === 'secret'
    }, options)
    httpEndpoint('/secrets', secret(() => 'Shhh this is top secret spy stuff!'))
    httpEndpoint('/named', secret(function report() { return urlFor('report') }))
    httpEndpoint('/secrets/:id', secret(({ id }, { path }) => ({ id: id.toUpperCase(), path, user: request.username })))
    const token = requiresAuth(async ({ scheme, token }, { method }) => (await delay(1, method === 'GET')) && scheme === 'bearer' && token === 'letmein')
    httpEndpoint('/token', token(() => 'in'))
    const challenges = { challenge: ['Basic realm="Example"', 'Bearer realm="Example"'] }
    httpEndpoint('/lines', requiresAuth(() => false, challenges)(() => 'in'))
    httpEndpoint('/line', requiresAuth(() => false, { challenge: challenges.challenge.join(', '), refusal: async () => new HttpResponse(401, 'no', { 'x-own': '1' }) })(() => 'in'))
    httpEndpoint('/elsewhere', requiresAuth(() => false, { refusal: () => redirect('/sign-in') })(() => 'in'))
    httpEndpoint('/throws', requiresAuth(() => { throw new Error('in the check') })(() => 'in'))
    httpEndpoint('/odd', requiresAuth((() => 'yes') as unknown as () => boolean)(() => 'in'))
  }, { realm: 'here' })
  const ask = async (path: string, headers: Record<string, string> = {}) => {
    const answer = await fetch(`${url}${api}${path}`, { headers, redirect: 'manual' })
    return { status: answer.status, body: await answer.text(), challenge: answer.headers.get('www-authenticate') }
  }
  const refusal = { status: 401, body: '{"message":"Authenticate."}', challenge: 'Basic realm="Example"' }
  t.same(await ask('/secrets'), refusal)
  for (const authorization of ['Basic', 'Basic !!!', 'Basic YWRtaW46/', 'Bearer ', '']) t.same(await ask('/secrets', { authorization }), refusal, authorization)
  t.equal(checks, 0, 'the check is not asked about what is no credentials')
  t.same(await ask('/secrets', basic('admin', 'wrong')), refusal)
  t.same(await ask('/secrets', basic('other', 'secret')), refusal)
  t.same(await ask('/secrets', { authorization: 'Bearer x' }), refusal)
  t.match(await ask('/secrets', { authorization: 'Basic YWRtaW46c2VjcmV0' }), { status: 200, body: 'Shhh this is top secret spy stuff!' })
  t.match(await ask('/named', basic('admin', 'secret')), { status: 200, body: `${api}/named` }, 'urlFor knows the handler by its name')
  t.match(await ask('/secrets/abc', { authorization: 'bAsIc YWRtaW46c2VjcmV0' }), { status: 200, body: '{"id":"ABC","path":"/secrets/abc","user":"admin"}' })
  t.match(await ask('/token', { authorization: 'Bearer letmein' }), { status: 200, body: 'in' })
  t.same(await ask('/token', { authorization: 'Bearer letmeout' }), { status: 401, body: 'Unauthorized', challenge: 'Basic realm="here", charset="UTF-8"' })
  t.match(await ask('/lines'), { status: 401, body: 'Unauthorized' })
  t.match(await ask('/elsewhere'), { status: 302, challenge: null })
  t.match(await ask('/throws', basic('a', 'b')), { status: 500, body: general })
  t.match(await ask('/odd', basic('a', 'b')), { status: 500, body: general }, 'an answer that is neither true nor false opens nothing')
  const raw = async (path: string) => (await rawHeaders(`${url}${api}${path}`)).filter(([name]) => name.toLowerCase() === 'www-authenticate').map(([, value]) => value)
  t.same(await raw('/lines'), ['Basic realm="Example"', 'Bearer realm="Example"'], 'several challenges are several lines')
  t.same(await raw('/line'), ['Basic realm="Example", Bearer realm="Example"'], 'or one, if it is one text')
  t.throws(() => requiresAuth(() => true, { challenge: [] }), TypeError)
  t.throws(() => requiresAuth(() => true, { challenge: 'a\nb' }), TypeError)
  t.throws(() => requiresAuth(() => true, { refusal: new Response('once') }), TypeError)
  t.throws(() => requiresAuth(() => true)(() => 1)(), /outside of a request/)
})

t.test('errors: json makes every error JSON, with its status and its headers', async (t) => {
  const { server } = await buildApp(t, () => {
    defineFailures()
    httpEndpoint('/title', { params: { title: text() }, bodyLimit: 3 }, () => 1)
  }, { errors: 'json' })
  const ask = async (status: number, options: InjectOptions) => {
    const answer = await server.inject(options)
    t.equal(answer.statusCode, status)
    t.equal(answer.headers['content-type'], 'application/json')
    t.match(answer.json(), { status, error: String, message: String, requestId: answer.headers['x-request-id'] })
    return answer
  }
  const headers = { accept: 'text/html' }
  await ask(400, { url: `${api}/title`, headers })
  await ask(400, { url: '/%zz', headers })
  await ask(404, { url: '/nothing', headers })
  t.equal((await ask(405, { method: 'PUT', url: `${api}/title`, headers })).headers.allow, 'GET, POST, HEAD, OPTIONS')
  await ask(413, { method: 'POST', url: `${api}/title`, payload: 'four', headers })
  await ask(415, { method: 'POST', url: `${api}/title`, payload: 'abc', headers: { ...headers, 'content-encoding': 'pack' } })
  const boom = await ask(500, { url: `${api}/boom`, headers })
  t.notMatch(boom.body, /secret|stack|error-handlers/)
})

t.test('an exception anywhere is a general 500 with an id, under which the log has its stack, and the server lives', { skip: takesLong('it fails in every place there is') }, async (t) => {
  const validator: StandardSchema = { '~standard': { version: 1, vendor: 'test', validate: () => { throw new Error('zebra') } } }
  const late: StandardSchema = { '~standard': { version: 1, vendor: 'test', validate: () => Promise.reject(new Error('zebra')) } }
  const hostile = (target: object) => new Proxy(target, { get: () => { throw new Error('trap') }, getPrototypeOf: () => { throw new Error('trap') } })
  const thrown: Record<string, unknown> = {
    null: null,
    undefined: undefined,
    text: 'zebra',
    frozen: Object.freeze({ name: 'zebra' }),
    'frozen-error': Object.freeze(new Error('zebra')),
    proxy: hostile({}),
    'proxy-of-error': new Proxy(new Error('zebra'), { get: () => { throw new Error('trap') } }),
    'proxy-of-http-error': new Proxy(new HttpError(400, 'zebra'), { get: () => { throw new Error('trap') } }),
    getter: Object.defineProperty(new Error('zebra'), 'extra', { enumerable: true, get: () => { throw new Error('trap') } }),
    circle: (() => { const error = new Error('zebra'); error.cause = error; return error })(),
    symbol: Symbol('zebra'),
  }
  const { url, log } = await startApp(t, () => {
    httpEndpoint('/sync', () => { throw new Error('zebra') })
    httpEndpoint('/async', async () => { await delay(1); throw new Error('zebra') })
    httpEndpoint('/stream', () => failingStream('zebra'))
    httpEndpoint('/json', () => ({ toJSON: () => { throw new Error('zebra') } }))
    httpEndpoint('/property', () => ({ get value() { throw new Error('zebra') } }))
    httpEndpoint('/refusing', () => new Proxy({}, { has: () => { throw new Error('zebra') } }))
    httpEndpoint('/validator', { params: { x: validator } }, () => 1)
    httpEndpoint('/late-validator', { params: { x: late } }, () => 1)
    httpEndpoint('/body', { body: validator }, () => 1)
    httpEndpoint('/thrown/:what', ({ what }) => { throw thrown[what] })
    httpEndpoint('/rejected/:what', async ({ what }) => { await delay(1); throw thrown[what] })
    httpEndpoint('/late-stream', async function* () { yield 'begun'; await delay(5); throw new Error('zebra') })
    httpEndpoint('/ok', () => 'ok')
  })
  const paths = ['sync', 'async', 'stream', 'json', 'property', 'refusing', 'validator?x=1', 'late-validator?x=1', 'body', ...Object.keys(thrown).flatMap((what) => [`thrown/${what}`, `rejected/${what}`])]
  for (const path of paths) {
    for (const accept of ['*/*', 'application/json', 'text/html']) {
      const answer = await fetch(`${url}${api}/${path}`, { headers: { accept, 'content-type': 'application/json' }, method: path === 'body' ? 'POST' : 'GET', ...(path === 'body' ? { body: '{}' } : {}) })
      const body = await answer.text()
      const id = answer.headers.get('x-request-id')
      t.equal(answer.status, 500, path)
      t.match(body, general)
      t.notMatch(body, /zebra|trap|error-handlers|\n +at /, path)
      const line = log.find(({ requestId, level }) => requestId === id && level === 50)
      t.match(line, { message: `Exception on ${api}/${path.split('?')[0]} [${path === 'body' ? 'POST' : 'GET'}]`, err: { stack: /Error/ } }, path)
    }
  }
  await t.rejects(fetch(`${url}${api}/late-stream`).then((answer) => answer.text()))
  t.equal(await (await fetch(`${url}${api}/ok`)).text(), 'ok')
})

/** The header lines of an answer as they are on the wire; fetch merges those of one name. */
async function rawHeaders(url: string): Promise<[string, string][]> {
  const { get } = await import('node:http')
  return new Promise((resolve, reject) => {
    get(url, (answer) => {
      answer.resume()
      const { rawHeaders: raw } = answer
      resolve(raw.flatMap((name, index) => (index % 2 === 0 ? [[name, raw[index + 1] ?? '']] : [])))
    }).on('error', reject)
  })
}
