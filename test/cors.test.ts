import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fastifyCors from '@fastify/cors'
import t, { type Test } from 'tap'
import { abort, authenticate, createApp, defineTables, crudEndpoints, errorHandler, httpEndpoint, HttpError, HttpResponse, middleware, route, table, text, type CreateAppOptions, type FastifyPlugin } from 'rowhouse'
import { basic, temporaryFolder } from './support/app.ts'
import { ask, type Answer, type Asked } from './support/ask.ts'

const front = 'https://front.example'
const other = 'https://other.example:8443'
const evil = 'https://evil.example'

/** What every answer may have of CORS, and `Vary`, line by line. */
function told({ headers }: Answer): Record<string, readonly string[]> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name === 'vary' || name.startsWith('access-control-')))
}

interface TestApp {
  readonly port: number
  ask(asked: Asked): Promise<Answer>
}

async function start(t: Test, define: () => unknown, settings: CreateAppOptions['options'] = {}, plugin?: FastifyPlugin): Promise<TestApp> {
  const app = await createApp({
    directory: await temporaryFolder(t),
    define,
    ...(plugin !== undefined && { plugin }),
    options: { name: 'test', ...settings },
    logTo: { write: () => undefined },
  })
  t.teardown(() => app.close())
  const port = Number(new URL(await app.listen({ port: 0, host: '127.0.0.1' })).port)
  return { port, ask: (asked) => ask(port, asked) }
}

const preflight = (origin: string, method: string, names?: string): Record<string, string> => ({
  origin,
  'access-control-request-method': method,
  ...(names !== undefined && { 'access-control-request-headers': names }),
})

const preflightVary = ['Origin, Access-Control-Request-Method, Access-Control-Request-Headers']

t.test('enableCors: true opens every answer of the endpoint to pages of all origins, never with credentials', async (t) => {
  const { ask } = await start(t, () => {
    httpEndpoint('/open', { enableCors: true }, () => 'open')
    httpEndpoint('/closed', () => 'closed')
  })
  for (const origin of [front, evil, 'null', ''])
    t.same(told(await ask({ path: '/_/api/open', headers: { origin } })), { 'access-control-allow-origin': ['*'] }, origin)
  t.same(told(await ask({ path: '/_/api/open' })), { 'access-control-allow-origin': ['*'] }, 'without an Origin, too: a cache may hand it to a page')
  t.same(told(await ask({ path: '/_/api/closed', headers: { origin: front } })), {})
  t.same(told(await ask({ path: '/_/api/closed', headers: { origin: 'null' } })), {})
})

t.test('other names for the option mean the same', async (t) => {
  const { ask } = await start(t, () => {
    route('/a', { enable_cors: true }, () => 'a')
    route('/b', { cross_origin: front }, () => 'b')
    route('/c', { crossOrigin: [front] }, () => 'c')
  })
  t.same(told(await ask({ path: '/a', headers: { origin: front } })), { 'access-control-allow-origin': ['*'] })
  for (const path of ['/b', '/c']) t.same(told(await ask({ path, headers: { origin: front } })), { 'access-control-allow-origin': [front], vary: ['Origin'] })
})

t.test('an origin or a list of origins opens to exactly those, and caches are told', async (t) => {
  const { ask } = await start(t, () => {
    route('/one', { enableCors: front }, () => 'one')
    route('/list', { enableCors: [front, other, 'https://Bücher.Example:443/', 'capacitor://localhost'] }, () => 'list')
    route('/none', { enableCors: [] }, () => 'none')
  })
  const opened = async (path: string, origin: string): Promise<unknown> => told(await ask({ path, headers: { origin } }))
  t.same(await opened('/one', front), { 'access-control-allow-origin': [front], vary: ['Origin'] })
  t.same(await opened('/one', 'HTTPS://Front.Example:443'), { 'access-control-allow-origin': [front], vary: ['Origin'] }, 'as browsers write it')
  t.same(await opened('/one', other), { vary: ['Origin'] })
  t.same(told(await ask({ path: '/one' })), { vary: ['Origin'] })
  for (const origin of [front, other, 'https://xn--bcher-kva.example', 'capacitor://localhost']) t.same(await opened('/list', origin), { 'access-control-allow-origin': [origin], vary: ['Origin'] })
  t.same(await opened('/list', evil), { vary: ['Origin'] })
  t.same(await opened('/none', front), {})
})

t.test('all that there is to say of CORS can be said', async (t) => {
  const { ask } = await start(t, () => {
    route('/all', { methods: ['GET', 'PUT'], enableCors: { origins: [front, other], credentials: true, headers: ['Content-Type', 'X-Key'], exposed: ['X-Total', 'ETag'], maxAge: 600 } }, () => 'all')
    route('/every', { enableCors: { origins: '*', exposed: ['X-Total'], maxAge: 0 } }, () => 'every')
  })
  const opened = { 'access-control-allow-origin': [front], 'access-control-allow-credentials': ['true'] }
  t.same(told(await ask({ path: '/all', headers: { origin: front } })), { ...opened, 'access-control-expose-headers': ['X-Total, ETag'], vary: ['Origin'] })
  t.same(told(await ask({ path: '/all', headers: { origin: evil } })), { vary: ['Origin'] })
  t.same(told(await ask({ method: 'OPTIONS', path: '/all', headers: preflight(front, 'PUT', 'x-other') })), {
    ...opened,
    'access-control-allow-methods': ['GET, PUT, HEAD'],
    'access-control-allow-headers': ['Content-Type, X-Key'],
    'access-control-max-age': ['600'],
    vary: preflightVary,
  })
  t.same(told(await ask({ path: '/every', headers: { origin: front } })), { 'access-control-allow-origin': ['*'], 'access-control-expose-headers': ['X-Total'] })
  t.same(told(await ask({ method: 'OPTIONS', path: '/every', headers: preflight(front, 'GET') })), {
    'access-control-allow-origin': ['*'],
    'access-control-allow-methods': ['GET, HEAD'],
    'access-control-max-age': ['0'],
    vary: preflightVary,
  })
})

t.test('what cannot be meant is a mistake at the start, which says why', async (t) => {
  const mistakes: readonly (readonly [unknown, RegExp])[] = [
    [{ origins: '*', credentials: true }, /has credentials for every origin, '\*': any page on the web could act as whoever looks at it, and browsers refuse it; name the origins/],
    [{ origins: front, credentials: true, exposed: ['*'] }, /has '\*' among "exposed", which means nothing where there are credentials/],
    ['null', /takes exact origins such as 'https:\/\/example\.com', got "null", which is the origin of pages without one/],
    [[front, 'null'], /got "null"/],
    ['https://*.example.com', /got "https:\/\/\*\.example\.com"; name each origin/],
    [[front, '*'], /got "\*" in a list; it stands alone/],
    ['front.example', /takes exact origins .* got "front\.example"/],
    ['https://front.example/path', /takes exact origins .* got "https:\/\/front\.example\/path"/],
    ['https://user@front.example', /takes exact origins/],
    ['file://', /takes exact origins/],
    ['', /takes exact origins .* got ""/],
    [[1], /takes exact origins .* got 1/],
    [1, /takes true, false, an origin such as 'https:\/\/example\.com', a list of origins, or \{ origins, credentials, headers, exposed, maxAge \}, got 1/],
    [undefined, /got undefined/],
    [null, /got null/],
    [{}, /takes origins: \{ origins: 'https:\/\/example\.com', … \}/],
    [{ origins: undefined }, /has "origins", which takes '\*', an origin or a list of origins, got undefined/],
    [{ origins: front, credential: true }, /has no "credential"; did you mean "credentials"\?/],
    [{ origins: front, credentials: 'yes' }, /has "credentials", which takes true or false, got "yes"/],
    [{ origins: front, headers: ['*'] }, /has "headers", which takes a list of header names, got "\*"; leave it out to allow all/],
    [{ origins: front, exposed: ['X Total'] }, /has "exposed", which takes a list of header names, got "X Total"/],
    [{ origins: front, maxAge: -1 }, /has "maxAge", which takes a whole number of seconds, got -1/],
  ]
  for (const [enableCors, message] of mistakes) {
    // What a program in plain JavaScript may say.
    const options = { enableCors } as { enableCors: boolean }
    await t.rejects(start(t, () => route('/a', options, () => 'a')), { message }, JSON.stringify(enableCors))
  }
  await t.rejects(
    start(t, () => undefined, { cors: { origins: '*', credentials: true } }),
    { message: /^cors: has credentials for every origin/ },
  )
  await t.rejects(start(t, () => undefined, { cors: 1 as unknown as boolean }), { message: /^cors: expected true, false, an origin such as/ })
})

t.test('the setting opens the whole app, unknown paths too, and an endpoint’s own option wins', async (t) => {
  const define = (): void => {
    route('/plain', () => 'plain')
    route('/closed', { enableCors: false }, () => 'closed')
    route('/mine', { enableCors: other }, () => 'mine')
  }
  const { ask } = await start(t, define, { cors: front })
  const opened = { 'access-control-allow-origin': [front], vary: ['Origin'] }
  const of = async (path: string, origin = front): Promise<unknown> => told(await ask({ path, headers: { origin, accept: 'application/json' } }))
  t.same(await of('/plain'), opened)
  t.same(await of('/plain', evil), { vary: ['Origin'] })
  t.same(await of('/closed'), {})
  t.same(await of('/mine'), { vary: ['Origin'] })
  t.same(await of('/mine', other), { 'access-control-allow-origin': [other], vary: ['Origin'] })
  t.same(await of('/nowhere'), { 'access-control-allow-origin': [front], vary: ['Accept, Origin'] }, '404')
  t.same(await of('/%zz'), { 'access-control-allow-origin': [front], vary: ['Accept, Origin'] }, '400')
  t.same(await of('/_/health/live'), {}, 'what is Rowhouse’s own stays closed')
})

t.test('only the app’s own other origins get headers without a word, each its own', async (t) => {
  const settings = { origin: 'https://app.example', alternateOrigins: ['https://www.app.example', 'http://localhost:5173'] }
  const { ask } = await start(t, () => {
    route('/plain', () => 'plain')
    route('/closed', { enableCors: false }, () => 'closed')
    route('/mine', { enableCors: front }, () => 'mine')
  }, settings)
  for (const path of ['/plain', '/closed', '/mine'])
    for (const origin of ['https://app.example', 'https://www.app.example', 'http://localhost:5173'])
      t.same(told(await ask({ path, headers: { origin } })), { 'access-control-allow-origin': [origin], vary: ['Origin'] }, `${path} ${origin}`)
  for (const origin of [evil, 'null', 'https://app.example.evil.example', 'https://x.app.example', 'http://app.example'])
    t.same(told(await ask({ path: '/plain', headers: { origin } })), { vary: ['Origin'] }, origin)
})

t.test('a preflight is answered before anybody is asked for credentials, by the rule of the method that is asked for', async (t) => {
  let handled = 0
  const { ask } = await start(t, () => {
    const handle = (): string => `${++handled}`
    route('/tasks', { methods: ['GET'], enableCors: true }, handle)
    route('/tasks', { methods: ['PUT', 'PATCH'], enableCors: front, authenticateUsers: true }, handle)
    route('/tasks', { methods: ['DELETE'], authenticateUsers: true }, handle)
    route('/tasks', { methods: ['POST'], enableCors: { origins: front, credentials: true } }, handle)
    route('/closed', { methods: ['GET', 'PUT'] }, handle)
  })
  const asked = async (origin: string, method: string, names?: string, path = '/tasks'): Promise<unknown> => {
    const answer = await ask({ method: 'OPTIONS', path, headers: preflight(origin, method, names) })
    t.equal(answer.status, 204)
    t.equal(answer.body, '')
    return told(answer)
  }
  const vary = preflightVary
  const methods = (list: string): Record<string, readonly string[]> => ({ 'access-control-allow-methods': [list], vary })
  t.same(await asked(front, 'PUT', 'content-type,x-key'), { 'access-control-allow-origin': [front], 'access-control-allow-headers': ['content-type, x-key'], ...methods('GET, POST, PUT, PATCH, HEAD') })
  t.same(await asked(front, 'GET'), { 'access-control-allow-origin': ['*'], ...methods('GET, POST, PUT, PATCH, HEAD') })
  t.same(await asked(evil, 'GET'), { 'access-control-allow-origin': ['*'], ...methods('GET, HEAD') })
  t.same(await asked(evil, 'PUT', 'x-key'), { vary })
  t.same(await asked(front, 'DELETE'), { vary }, 'that is not open to anybody')
  t.same(await asked(front, 'POST'), { 'access-control-allow-origin': [front], 'access-control-allow-credentials': ['true'], ...methods('POST') }, 'what is remembered with credentials names no method that has none')
  t.same(await asked(front, 'put'), { 'access-control-allow-origin': ['*'], ...methods('GET, POST, PUT, PATCH, HEAD') }, 'a method that the path does not have is not in the list')
  t.same(await asked(front, 'PUT', undefined, '/closed'), {})
  t.equal(handled, 0)
  t.equal((await ask({ method: 'OPTIONS', path: '/nowhere', headers: preflight(front, 'PUT') })).status, 404)
  const plain = await ask({ method: 'OPTIONS', path: '/tasks', headers: { origin: front } })
  t.same(plain.headers['allow'], ['GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS'])
  t.same(told(plain), { 'access-control-allow-origin': ['*'], vary })
})

t.test('of the headers that a preflight asks for only names of headers come back', async (t) => {
  const { ask } = await start(t, () => route('/', { enableCors: true }, () => 'here'))
  const asked = async (names: string): Promise<unknown> => (await ask({ method: 'OPTIONS', path: '/', headers: preflight(front, 'GET', names) })).headers['access-control-allow-headers']
  t.same(await asked('content-type , x-a,X-B'), ['content-type, x-a, X-B'])
  for (const names of ['', ',', 'x-a,,x-b', 'x a', 'x-a;q=1', '<script>', 'x-\u00e9', `x-${'a'.repeat(4096)}`, Array(2000).fill('x-a').join(',')]) t.equal(await asked(names), undefined, names.slice(0, 20))
})

t.test('an app’s own OPTIONS endpoint answers preflights, and has what its option says', async (t) => {
  const { ask } = await start(t, () => {
    route('/own', { methods: ['GET'], enableCors: true }, () => 'own')
    route('/own', { methods: ['OPTIONS'] }, () => new HttpResponse(200, 'mine'))
    route('/opened', { methods: ['OPTIONS'], enableCors: front }, () => new HttpResponse(204, '', { 'access-control-allow-methods': 'PURGE' }))
  })
  const own = await ask({ method: 'OPTIONS', path: '/own', headers: preflight(front, 'GET') })
  t.match(own, { status: 200, body: 'mine' })
  t.same(told(own), {})
  t.same(told(await ask({ method: 'OPTIONS', path: '/opened', headers: preflight(front, 'GET') })), { 'access-control-allow-origin': [front], 'access-control-allow-methods': ['PURGE'], vary: ['Origin'] })
})

t.test('what a handler says of CORS itself is what is sent, once, and its Vary stays', async (t) => {
  const own = { 'Access-Control-Allow-Origin': evil, Vary: 'origin' }
  const { ask } = await start(t, () => {
    route('/own', { enableCors: { origins: front, credentials: true, exposed: ['X-A'] } }, () => new HttpResponse(200, 'own', own))
    route('/web', { enableCors: true }, () => new Response('web', { headers: own }))
    route('/closed', () => new HttpResponse(200, 'closed', own))
    route('/vary', { enableCors: front }, () => new HttpResponse(200, 'vary', [['vary', 'Accept-Language, Cookie'], ['vary', 'Accept']]))
    route('/any', { enableCors: front }, () => new HttpResponse(200, 'any', { vary: '*' }))
    route('/exposed', { enableCors: front }, () => new HttpResponse(200, 'exposed', { 'access-control-expose-headers': 'X-B' }))
    route('/credentials', { enableCors: front }, () => new HttpResponse(200, 'credentials', { 'access-control-allow-credentials': 'true' }))
    route('/failed', { enableCors: front }, () => Promise.reject(new HttpError(409, 'no', {}, own)))
  })
  const of = async (path: string): Promise<unknown> => told(await ask({ path, headers: { origin: front, accept: 'application/json' } }))
  for (const path of ['/own', '/web', '/closed']) t.same(await of(path), { 'access-control-allow-origin': [evil], vary: ['origin'] }, path)
  t.same(await of('/vary'), { 'access-control-allow-origin': [front], vary: ['Accept-Language, Cookie, Accept, Origin'] })
  t.same(await of('/any'), { 'access-control-allow-origin': [front], vary: ['*'] })
  t.same(await of('/exposed'), { 'access-control-allow-origin': [front], 'access-control-expose-headers': ['X-B'], vary: ['Origin'] })
  t.same(await of('/credentials'), { 'access-control-allow-credentials': ['true'], vary: ['Origin'] }, 'together they would open more than either says')
  t.same(await of('/failed'), { 'access-control-allow-origin': [evil], vary: ['origin, Accept'] })
})

t.test('every answer of a path has them: errors, refusals, time-outs, streams, redirections, HEAD', async (t) => {
  const enableCors = front
  const { ask } = await start(t, () => {
    errorHandler(418, () => 'a teapot, after all')
    authenticate(() => null)
    route('/fail', { enableCors }, () => Promise.reject(new Error('no')))
    route('/teapot', { enableCors }, () => abort(418))
    route('/early', { enableCors }, () => abort(new HttpResponse(202, 'early')))
    route('/secret', { enableCors, authenticateUsers: true }, () => 'secret')
    route('/slow', { enableCors, timeout: 20 }, () => new Promise(() => undefined))
    route('/same', { enableCors }, () => new HttpResponse(304))
    route('/away', { enableCors }, () => new HttpResponse(303, '', { location: '/' }))
    route('/small', { methods: ['POST'], enableCors, bodyLimit: 1 }, () => 'small')
    route('/json', { methods: ['POST'], enableCors, params: { title: text() } }, () => 'json')
    route('/stream', { enableCors }, async function* () {
      yield 'one'
      yield 'two'
    })
    route('/broken', { enableCors }, (): unknown => ({ value: 1n }))
    route('/odd', { enableCors }, () => new HttpResponse(200, 'odd', { 'cache-control': 'max-age=9', 'x-length': '1' }))
  })
  const expected: readonly (readonly [number, string, Partial<Asked>?])[] = [
    [500, '/fail'],
    [418, '/teapot'],
    [202, '/early'],
    [401, '/secret'],
    [401, '/secret', { headers: basic('nobody@example.com', 'nothing') }],
    [503, '/slow'],
    [304, '/same'],
    [303, '/away'],
    [413, '/small', { method: 'POST', body: 'two' }],
    [400, '/json', { method: 'POST', body: '{', headers: { 'content-type': 'application/json' } }],
    [200, '/stream'],
    [200, '/stream', { method: 'HEAD' }],
    [500, '/broken'],
    [405, '/odd', { method: 'DELETE' }],
    [200, '/odd'],
  ]
  for (const [status, path, asked = {}] of expected) {
    const answer = await ask({ path, ...asked, headers: { ...asked.headers, origin: front } })
    t.equal(answer.status, status, path)
    t.same(answer.headers['access-control-allow-origin'], [front], `${asked.method ?? 'GET'} ${path}`)
    t.match(answer.headers['vary']?.join('|'), /^(?:Accept, )?Origin$/, path)
    const refused = await ask({ path, ...asked, headers: { ...asked.headers, origin: evil } })
    t.equal(refused.status, status, path)
    t.same(Object.keys(told(refused)), ['vary'], path)
  }
})

t.test('what a rate limit or a middleware answers has them, and preflights are not counted', async (t) => {
  const enableCors = front
  const { ask } = await start(
    t,
    () => {
      middleware((asked, next) => (asked.path === '/around' ? new HttpResponse(402, 'around') : next()))
      route('/around', { enableCors }, () => 'never')
      route('/limited', { methods: ['PUT'], enableCors, rateLimit: { max: 2, per: 'hour' } }, () => 'limited')
    },
    {},
    async (fastify) => void fastify.put('/plugin', { config: { enableCors, rateLimit: { max: 2, per: 'hour' } } }, () => 'limited'),
  )
  const around = await ask({ path: '/around', headers: { origin: front } })
  t.equal(around.status, 402)
  t.same(told(around), { 'access-control-allow-origin': [front], vary: ['Origin'] })
  for (const path of ['/limited', '/plugin']) {
    for (let count = 0; count < 5; count++) t.match(await ask({ method: 'OPTIONS', path, headers: preflight(front, 'PUT') }), { status: 204, headers: { 'access-control-allow-methods': ['PUT'] } })
    const statuses: unknown[] = []
    for (let count = 0; count < 3; count++) {
      const answer = await ask({ method: 'PUT', path, headers: { origin: front } })
      statuses.push(answer.status)
      t.same(answer.headers['access-control-allow-origin'], [front], path)
    }
    t.same(statuses, [200, 200, 429], path)
  }
})

t.test('crudEndpoints, file routes and routes of fastify.ts have the option, apart from their neighbours', async (t) => {
  const { ask } = await start(
    t,
    () => {
      const { rows } = defineTables({ rows: table({ name: text() }) })
      crudEndpoints('/rows', rows, { public: true, only: ['list', 'read', 'create'], enableCors: front })
      httpEndpoint('/rows/:id', { methods: ['DELETE'] }, () => 'never')
    },
    {},
    async (fastify) => {
      fastify.get('/plugin', { config: { enableCors: front } }, () => 'plugin')
      fastify.put('/plugin', () => 'closed')
      fastify.get('/plugin/fail', { config: { enableCors: front } }, () => Promise.reject(new Error('no')))
      fastify.get('/plugin/secret', { config: { enableCors: front, authenticateUsers: true } }, () => 'secret')
      fastify.post('/plugin/small', { config: { enableCors: front }, bodyLimit: 1 }, () => 'small')
      fastify.get('/plugin/own', { config: { enableCors: true } }, async (_, reply) => reply.header('access-control-allow-origin', evil).header('vary', 'Accept').send('own'))
    },
  )
  const opened = { 'access-control-allow-origin': [front], vary: ['Origin'] }
  const created = await ask({ method: 'POST', path: '/_/api/rows', body: '{"name":"one"}', headers: { origin: front, 'content-type': 'application/json' } })
  t.equal(created.status, 201)
  t.same(told(created), opened)
  const list = await ask({ path: '/_/api/rows', headers: { origin: front } })
  t.same(told(list), opened)
  const path = `/_/api/rows/${encodeURIComponent((JSON.parse(created.body) as { readonly id: string }).id)}`
  const etag = (await ask({ path })).headers['etag']?.[0] ?? ''
  const same = await ask({ path, headers: { origin: front, 'if-none-match': etag } })
  t.equal(same.status, 304)
  t.same(told(same), opened)
  t.same(told(await ask({ method: 'DELETE', path, headers: { origin: front } })), {})
  t.same(told(await ask({ method: 'OPTIONS', path, headers: preflight(front, 'DELETE') })), { vary: preflightVary })
  t.same(told(await ask({ method: 'OPTIONS', path, headers: preflight(front, 'GET') })), { ...opened, 'access-control-allow-methods': ['GET, HEAD'], vary: preflightVary })

  t.same(told(await ask({ path: '/plugin', headers: { origin: front } })), opened)
  t.same(told(await ask({ path: '/plugin', headers: { origin: evil } })), { vary: ['Origin'] })
  t.same(told(await ask({ method: 'PUT', path: '/plugin', headers: { origin: front } })), {})
  const refused: readonly (readonly [number, Asked])[] = [
    [500, { path: '/plugin/fail' }],
    [401, { path: '/plugin/secret' }],
    [413, { method: 'POST', path: '/plugin/small', body: '{"a":1}', headers: { 'content-type': 'application/json' } }],
  ]
  for (const [status, asked] of refused) {
    const answer = await ask({ ...asked, headers: { ...asked.headers, origin: front } })
    t.equal(answer.status, status)
    t.same(told(answer), opened, asked.path)
  }
  t.match(await ask({ method: 'DELETE', path: '/plugin', headers: { origin: front } }), { status: 405, headers: { 'access-control-allow-origin': [front] } })
  t.same(told(await ask({ path: '/plugin/own', headers: { origin: front } })), { 'access-control-allow-origin': [evil], vary: ['Accept'] })
  const allowed = await ask({ method: 'OPTIONS', path: '/plugin', headers: preflight(front, 'GET') })
  t.equal(allowed.status, 204)
  t.same(told(allowed), { ...opened, 'access-control-allow-methods': ['GET, HEAD'], vary: preflightVary })
  t.same(told(await ask({ method: 'OPTIONS', path: '/plugin', headers: preflight(front, 'PUT') })), { vary: preflightVary })
})

t.test('a misspelt or wrong option of a route of fastify.ts stops the start', async (t) => {
  const plugin = (config: object): FastifyPlugin => async (fastify) => void fastify.get('/a', { config }, () => 'a')
  await t.rejects(start(t, () => undefined, {}, plugin({ enableCor: true })), { message: /has "enableCor" in its config; did you mean "enableCors"\?/ })
  await t.rejects(start(t, () => undefined, {}, plugin({ enableCors: 'null' })), { message: /the option "enableCors" takes exact origins/ })
})

t.test('preflights of fastify.ts are answered though it answers unknown paths itself, and its 404 has what the app says', async (t) => {
  const { ask } = await start(t, () => undefined, { cors: front }, async (fastify) => {
    fastify.put('/plugin', () => 'plugin')
    fastify.put('/closed', { config: { enableCors: false } }, () => 'closed')
    fastify.setNotFoundHandler((_, reply) => void reply.code(404).send('none of mine'))
  })
  const allowed = await ask({ method: 'OPTIONS', path: '/plugin', headers: preflight(front, 'PUT') })
  t.match(allowed, { status: 204, headers: { 'access-control-allow-origin': [front], 'access-control-allow-methods': ['PUT'] } })
  t.match(await ask({ method: 'OPTIONS', path: '/closed', headers: preflight(front, 'PUT') }), { status: 404, body: 'none of mine' })
  const missing = await ask({ path: '/nowhere', headers: { origin: front } })
  t.equal(missing.body, 'none of mine')
  t.same(told(missing), { 'access-control-allow-origin': [front], vary: ['Origin'] })
})

t.test('a fastify.ts that registers @fastify/cors answers with that, and nothing is sent twice', async (t) => {
  const { ask } = await start(
    t,
    () => route('/tasks', { methods: ['GET', 'PUT'], enableCors: other }, () => 'tasks'),
    { cors: front },
    async (fastify) => {
      await fastify.register(fastifyCors, { origin: [evil], methods: ['GET', 'DELETE'], credentials: true })
      fastify.get('/plugin', () => 'plugin')
      fastify.get('/both', { config: { enableCors: other } }, () => 'both')
    },
  )
  t.same(told(await ask({ path: '/plugin', headers: { origin: front } })), { 'access-control-allow-credentials': ['true'], vary: ['Origin'] }, 'the setting opens nothing there')
  t.same(told(await ask({ path: '/both', headers: { origin: other } })), { 'access-control-allow-credentials': ['true'], vary: ['Origin'] }, 'what it says of credentials to everybody is not made good for an origin without')
  t.same(told(await ask({ path: '/plugin', headers: { origin: evil } })), { 'access-control-allow-origin': [evil], 'access-control-allow-credentials': ['true'], vary: ['Origin'] })
  t.same(told(await ask({ method: 'OPTIONS', path: '/plugin', headers: preflight(evil, 'DELETE', 'x-a') })), {
    'access-control-allow-origin': [evil],
    'access-control-allow-credentials': ['true'],
    'access-control-allow-methods': ['GET, DELETE'],
    'access-control-allow-headers': ['x-a'],
    vary: ['Origin, Access-Control-Request-Headers'],
  })
  t.same(told(await ask({ method: 'OPTIONS', path: '/tasks', headers: preflight(other, 'PUT') })), { 'access-control-allow-origin': [other], 'access-control-allow-methods': ['GET, PUT, HEAD'], vary: preflightVary })
})

t.test('the setting can be set by the environment: one origin, several, or all', async (t) => {
  const folder = await temporaryFolder(t)
  const of = async (value: string): Promise<unknown> => {
    await writeFile(join(folder, '.env'), `ROWHOUSE_CORS=${value}\n`)
    const app = await createApp({ directory: folder, define: () => undefined, logTo: { write: () => undefined } })
    await app.close()
    return app.rowhouse.configuration.cors
  }
  t.equal(await of('true'), true)
  t.equal(await of('*'), '*')
  t.equal(await of(front), front)
  t.same(await of(`${front}, ${other}`), [front, other])
  await t.rejects(of('https://*.example'), { message: /^cors: takes exact origins/ })
})
