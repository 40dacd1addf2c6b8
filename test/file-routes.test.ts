import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import t, { type Test } from 'tap'
import { createApp, HttpResponse, JSONResponse } from 'rowhouse'
import { basic, outside, type Settings } from './support/app.ts'
import { field, file, multipart } from './support/multipart.ts'
import { takesLong } from './support/needs.ts'
import { runRowhouse, startServer } from './support/rowhouse-process.ts'

interface Files {
  readonly [name: string]: string | Files
}

/** Builds the app that these files of `pages/api/` are, and closes it with the test. */
async function load(t: Test, api: Files, { pages = {}, app: others = {}, settings = {} }: { readonly pages?: Files; readonly app?: Files; readonly settings?: Settings } = {}) {
  const directory = t.testdir({ pages: { ...pages, api }, ...others })
  const log: Record<string, unknown>[] = []
  const app = await createApp({ directory, options: settings, logTo: { write: (line: string) => void log.push(JSON.parse(line) as Record<string, unknown>) } })
  t.teardown(() => app.close())
  const ask = async (url: string, method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD' | 'OPTIONS' = 'GET') => (await app.inject({ url, method })).body
  return { app, ask, log, directory }
}

/** The message with which these files fail to load. */
async function failure(t: Test, files: Files): Promise<string> {
  const app = await createApp({ directory: t.testdir(files), logTo: { write: () => undefined } }).catch((reason: unknown) => reason)
  const message = app instanceof Error ? app.message : 'it loaded'
  t.notMatch(message, /\n/, 'one line')
  return message
}

/** A file that answers GET with its own name, so that a test sees which one was found. */
const told = (name: string) => `export const get = (request) => ['${name}', request.pathParams]`

t.test('a file below pages/api is an endpoint at its own path', async (t) => {
  const { app, ask } = await load(t, {
    'hello.ts': `import { JSONResponse, type FileRouteRequest } from 'rowhouse'\nexport async function get(request: FileRouteRequest): Promise<JSONResponse> {\n  return JSONResponse({ message: 'Hello, world!' })\n}\n`,
    'index.ts': told('root'),
    'feed.xml.ts': told('feed'),
    'a b.mjs': told('a b'),
    'a%2Fb.ts': told('percent'),
    '100%.ts': told('lone percent'),
    'q?x#y+é.ts': told('punctuation'),
    users: { 'index.js': told('users'), '[id].ts': told('user'), '[id]': { posts: { '[post].ts': told('post') } } },
    '(internal)': { reports: { '(by-year)': { '[year].ts': told('report') } } },
  })
  const hello = await app.inject('/api/hello')
  t.equal(hello.statusCode, 200)
  t.equal(hello.headers['content-type'], 'application/json')
  t.equal(hello.body, '{"message":"Hello, world!"}')
  t.equal(await ask('/api'), '["root",{}]')
  t.equal(await ask('/api/feed.xml'), '["feed",{}]')
  t.equal(await ask('/api/a%20b'), '["a b",{}]')
  t.equal(await ask('/api/a%252Fb'), '["percent",{}]', 'a file name is no URL: its percent sign stands for itself')
  t.equal(await ask('/api/100%25'), '["lone percent",{}]')
  t.equal(await ask('/api/q%3Fx%23y+%C3%A9'), '["punctuation",{}]')
  t.equal(await ask('/api/users'), '["users",{}]')
  t.equal(await ask('/api/users/42'), '["user",{"id":"42"}]')
  t.equal(await ask('/api/users/a%2Fb/posts/%C3%A9'), '["post",{"id":"a/b","post":"é"}]')
  t.equal(await ask('/api/reports/2026'), '["report",{"year":"2026"}]')
  for (const url of ['/api/', '/api/a%2Fb', '/api/index', '/api/users/', '/api/Hello', '/api/internal/reports/2026', '/api/reports', '/api/users//posts/1', '/hello', '/_/api/hello']) {
    t.equal((await app.inject(url)).statusCode, 404, url)
  }
})

t.test('[...name] takes the rest of a path as one text, [[...name]] also none of it', async (t) => {
  const { app, ask } = await load(t, { files: { '[...path].ts': told('files') }, docs: { '[[...page]].ts': told('docs') } })
  t.equal(await ask('/api/files/a'), '["files",{"path":"a"}]')
  t.equal(await ask('/api/files/a/b%2Fc/d.txt'), '["files",{"path":"a/b/c/d.txt"}]')
  t.equal((await app.inject('/api/files')).statusCode, 404)
  t.equal(await ask('/api/docs/a/b'), '["docs",{"page":"a/b"}]')
  t.equal(await ask('/api/docs'), '["docs",{}]')
})

t.test('names of parameters become names of JavaScript', async (t) => {
  const { ask } = await load(t, { '[user-id]': { '[v1.2]': { '[...2fa-code].ts': told('x') } } })
  t.equal(await ask('/api/a/b/c/d'), '["x",{"user_id":"a","v1_2":"b","_2fa_code":"c/d"}]')
})

t.test('the most specific file wins, whatever their order', async (t) => {
  const { ask } = await load(t, {
    '[[...any]].ts': told('optional'),
    users: { '[...rest].ts': told('rest'), '[id].ts': told('id'), 'me.ts': told('me'), '[id]': { 'posts.ts': told('posts') }, me: { '[what].ts': told('what') } },
  })
  t.match(await ask('/api/users/me'), '"me"')
  t.match(await ask('/api/users/7'), '"id"')
  t.match(await ask('/api/users/me/posts'), '"what"')
  t.match(await ask('/api/users/7/posts'), '"posts"')
  t.match(await ask('/api/users/7/other'), '"rest"')
  t.match(await ask('/api/users/7/posts/1'), '"rest"')
  t.match(await ask('/api/users'), '"optional"')
})

t.test('only modules below pages/api are endpoints: no pages, tests, types or data, and nothing that starts with _ or .', async (t) => {
  const api = {
    'shown.ts': `import { shared } from './_shared.js'\nexport const get = () => shared`,
    '_shared.ts': `export const shared = 'shared'\nexport const get = () => 'secret'`,
    '.hidden.ts': told('hidden'),
    'shown.test.ts': told('test'),
    'types.d.ts': 'export declare const get: number',
    'page.test.tsx': 'export const get = () => 1',
    'data.json': '{}',
    'notes.md': '# notes',
    _drafts: { 'draft.ts': told('draft') },
    node_modules: { 'package.js': told('package') },
  }
  const { app, ask } = await load(t, api, { pages: { 'about.ts': 'throw new Error("a page was run")', 'api.ts': 'throw new Error("so was this")', other: { 'hello.ts': told('other') } } })
  t.equal(await ask('/api/shown'), 'shared')
  t.same(app.rowhouse.endpoints.filter(({ door }) => door === 'file').map(({ path }) => path.text), ['/api/shown'])
})

t.test('functions named after methods answer them, in lower or upper case, by any way of exporting', async (t) => {
  const { app, ask } = await load(t, {
    'lower.ts': `export function get() { return 'get' }\nexport async function post() { return 'post' }\nexport const put = () => 'put', patch = async () => 'patch'\nexport const del = () => 'del'\nexport const helper = () => 'helper', path = 1`,
    'upper.ts': `export const GET = () => 'GET', POST = () => 'POST', PUT = () => 'PUT', PATCH = () => 'PATCH'\nconst remove = () => 'DELETE'\nexport { remove as DELETE }`,
    'renamed.ts': `import { one, two } from './_handlers.js'\nexport { one as delete, two as put }\nexport * from './_others.js'`,
    '_handlers.ts': `export const one = () => 'one', two = () => 'two'`,
    '_others.ts': `export const get = () => 'other'`,
  })
  for (const method of ['GET', 'POST', 'PUT', 'PATCH'] as const) {
    t.equal(await ask('/api/lower', method), method.toLowerCase())
    t.equal(await ask('/api/upper', method), method)
  }
  t.equal(await ask('/api/lower', 'DELETE'), 'del')
  t.equal(await ask('/api/upper', 'DELETE'), 'DELETE')
  t.equal(await ask('/api/renamed', 'DELETE'), 'one')
  t.equal(await ask('/api/renamed', 'PUT'), 'two')
  t.equal(await ask('/api/renamed'), 'other')
  const refused = await app.inject({ method: 'POST', url: '/api/renamed' })
  t.match(refused, { statusCode: 405, body: 'Method not supported', headers: { allow: 'GET, PUT, DELETE, HEAD, OPTIONS' } })
})

t.test('HEAD is answered by get and OPTIONS with the methods, unless the file exports its own', async (t) => {
  const { app } = await load(t, {
    'usual.ts': `export const get = () => 'text'\nexport const post = () => 1`,
    'own.ts': `import { HttpResponse } from 'rowhouse'\nexport const get = () => 'text'\nexport const head = () => new HttpResponse(200, '', { 'x-own': 'head' })\nexport const OPTIONS = () => new HttpResponse(200, 'own', { allow: 'GET' })`,
  })
  const head = await app.inject({ method: 'HEAD', url: '/api/usual' })
  t.match(head, { statusCode: 200, headers: { 'content-length': '4' } })
  t.match(await app.inject({ method: 'OPTIONS', url: '/api/usual' }), { statusCode: 204, body: '', headers: { allow: 'GET, POST, HEAD, OPTIONS' } })
  t.match(await app.inject({ method: 'HEAD', url: '/api/own' }), { statusCode: 200, headers: { 'x-own': 'head' } })
  t.match(await app.inject({ method: 'OPTIONS', url: '/api/own' }), { statusCode: 200, body: 'own', headers: { allow: 'GET' } })
})

t.test('one function, as default or endpoint, answers the usual methods that the file has no function for', async (t) => {
  const { app, ask } = await load(t, {
    'default.ts': `export default (request) => 'default ' + request.method\nexport const put = () => 'own'`,
    'endpoint.ts': `export async function endpoint(request) { return 'endpoint ' + request.method }\nexport default endpoint`,
    'named.ts': `export function get() { return 'get' }\nexport default get`,
  })
  for (const method of ['GET', 'POST', 'PATCH', 'DELETE'] as const) t.equal(await ask('/api/default', method), `default ${method}`)
  t.equal(await ask('/api/default', 'PUT'), 'own')
  t.equal(await ask('/api/endpoint', 'PUT'), 'endpoint PUT')
  t.match(await app.inject({ method: 'OPTIONS', url: '/api/default' }), { statusCode: 204, headers: { allow: /GET/ } })
  t.equal((await app.inject({ method: 'POST', url: '/api/named' })).statusCode, 405, 'a function that is exported as get opens nothing else')
})

t.test('a class answers with its methods, inherited ones too, on a new instance for each request', async (t) => {
  const { app, ask } = await load(t, {
    '_base.ts': `import { HTTPEndpoint } from 'rowhouse'\nexport class Base extends HTTPEndpoint { calls = 0; count() { return ++this.calls } get() { return 'base' } async delete() { await null; return ['deleted', this.count()] } }`,
    'users.ts': `import { JSONResponse } from 'rowhouse'\nimport { Base } from './_base.js'\nexport class Users extends Base { get(request) { return { users: [], calls: this.count() } } async post() { return new JSONResponse({ created: true }, { status: 201 }) } }\nexport class Helper { put() { return 'not to be called' } }\nexport default Users`,
    'plain.ts': `export default class { GET() { return this instanceof Object } del() { return 'gone' } }\nexport const post = () => 'function'`,
  })
  t.equal(await ask('/api/users'), '{"users":[],"calls":1}')
  t.equal(await ask('/api/users'), '{"users":[],"calls":1}', 'the second request does not see what the first has left')
  t.match(await app.inject({ method: 'POST', url: '/api/users', payload: '{}' }), { statusCode: 201, body: '{"created":true}' })
  t.equal(await ask('/api/users', 'DELETE'), '["deleted",1]')
  t.match(await app.inject({ method: 'PUT', url: '/api/users' }), { statusCode: 405, headers: { allow: 'GET, POST, DELETE, HEAD, OPTIONS' } })
  t.equal(await ask('/api/plain'), 'true')
  t.equal(await ask('/api/plain', 'POST'), 'function')
  t.equal(await ask('/api/plain', 'DELETE'), 'gone')
})

t.test('a handler reads the body as JSON, form and bytes, all on one request, whatever the method', async (t) => {
  const { app } = await load(t, {
    'read.ts': `import { JSONResponse } from 'rowhouse'
      const read = async (request) => JSONResponse({ json: await request.json().catch((error) => error.status), form: await request.form(), bytes: [...await request.body()], key: request.headers.get('X-Api-Key') ?? null })
      export { read as post, read as delete }`,
  })
  const send = async (method: 'POST' | 'DELETE', payload: string | Buffer, type: string) =>
    (await app.inject({ method, url: '/api/read', payload, headers: { 'content-type': type, 'x-API-key': 'k' } })).json<unknown>()
  t.same(await send('POST', '{"a":1}', 'application/json'), { json: { a: 1 }, form: {}, bytes: [...Buffer.from('{"a":1}')], key: 'k' })
  t.same(await send('DELETE', '{"id":1}', 'application/json'), { json: { id: 1 }, form: {}, bytes: [...Buffer.from('{"id":1}')], key: 'k' })
  t.same(await send('POST', 'a=1&b=x%20y', 'application/x-www-form-urlencoded'), { json: 400, form: { a: '1', b: 'x y' }, bytes: [...Buffer.from('a=1&b=x%20y')], key: 'k' })
  t.same(await send('POST', Buffer.from([0, 255, 10]), 'application/octet-stream'), { json: 400, form: {}, bytes: [0, 255, 10], key: 'k' })
})

t.test('a form with files is read by form(), and its bytes as sent by body()', async (t) => {
  const { app } = await load(t, {
    'form.ts': `export async function post(request) {
      const { a, f } = await request.form()
      return { a, name: f.name, type: f.contentType, bytes: [...f.bytes], same: request.files.f === f, sent: (await request.body()).length }
    }`,
  })
  const payload = multipart('edge', [[field('a'), '1'], [file('f', 'x.bin', 'application/x-test'), Buffer.from([0, 255, 13, 10])]])
  const reply = await app.inject({ method: 'POST', url: '/api/form', payload, headers: { 'content-type': 'multipart/form-data; boundary=edge' } })
  t.same(reply.json(), { a: '1', name: 'x.bin', type: 'application/x-test', bytes: [0, 255, 13, 10], same: true, sent: payload.length })
})

t.test('a file route sends what every endpoint may return', async (t) => {
  const { app } = await load(t, {
    '[kind].ts': `
      import { HttpResponse, HttpError, JSONResponse, redirect } from 'rowhouse'
      const kinds = {
        text: () => 'text',
        list: () => [1, 2],
        nothing: () => undefined,
        json: () => JSONResponse('a string', { status: 202, headers: { 'x-a': '1' } }),
        html: () => new HttpResponse(200, '<p>', { 'content-type': 'text/html' }),
        away: () => redirect('/elsewhere'),
        empty: () => new HttpResponse(204),
        web: () => new Response('web', { status: 201, headers: [['set-cookie', 'a=1'], ['set-cookie', 'b=2']] }),
        stream: async function* () { yield 'a'; yield 'b' },
        missing: () => JSONResponse({ error: 'Not found' }, { status: 404 }),
        refused: () => { throw new HttpError(418, 'a teapot') },
      }
      export const get = ({ pathParams }) => kinds[pathParams.kind]()`,
  })
  const get = (kind: string) => app.inject(`/api/${kind}`)
  t.match(await get('text'), { body: 'text', headers: { 'content-type': 'text/plain; charset=utf-8' } })
  t.match(await get('list'), { body: '[1,2]' })
  t.match(await get('nothing'), { statusCode: 200, body: 'null' })
  t.match(await get('json'), { statusCode: 202, body: '"a string"', headers: { 'content-type': 'application/json', 'x-a': '1' } })
  t.match(await get('html'), { body: '<p>', headers: { 'content-type': 'text/html' } })
  t.match(await get('away'), { statusCode: 302, headers: { location: '/elsewhere' } })
  t.match(await get('empty'), { statusCode: 204, body: '' })
  t.match(await get('web'), { statusCode: 201, body: 'web', headers: { 'set-cookie': ['a=1', 'b=2'] } })
  t.match(await get('stream'), { body: 'ab' })
  t.match(await get('missing'), { statusCode: 404, body: '{"error":"Not found"}' })
  t.match(await get('refused'), { statusCode: 418, body: /a teapot/ })
})

t.test('JSONResponse takes a status and headers and nothing else, so that no misspelt status is a 200', (t) => {
  // As JavaScript calls it.
  const respond = JSONResponse as (value: unknown, init?: unknown) => HttpResponse
  t.throws(() => respond({}, { statusCode: 404 }), new TypeError('JSONResponse() takes status and headers, not "statusCode"'))
  t.throws(() => respond({}, 404), { name: 'TypeError', message: /takes its status and headers as an object, such as { status: 404 }, got 404$/ })
  t.throws(() => respond({}, null), { name: 'TypeError', message: /got null$/ })
  t.throws(() => respond({}, [404]), { name: 'TypeError', message: /not "0"$/ })
  t.equal(respond({}, { status: undefined }).status, 200)
  t.equal(respond({}, undefined).status, 200)
  t.end()
})

t.test('JSONResponse is an HttpResponse, made with and without new', (t) => {
  for (const response of [JSONResponse({ a: 1 }, { status: 201 }), new JSONResponse({ a: 1 }, { status: 201 })]) {
    t.ok(response instanceof HttpResponse)
    t.ok(response instanceof JSONResponse)
    t.equal(response.status, 201)
    response.headers.set('x-a', '1')
    t.equal(response.headers.get('X-A'), '1')
  }
  // @ts-expect-error no status
  t.throws(() => JSONResponse(null, { status: 42 }), { message: /status from 200 to 599, got 42/ })
  t.end()
})

t.test('config holds for all endpoints of its file, and its parameters are the second argument', async (t) => {
  const { app } = await load(t, {
    'list.ts': `
      import { integer, urlFor, type FileRouteArguments, type FileRouteRequest } from 'rowhouse'
      export const config = { params: { page: integer().default(1) }, bodyLimit: 10, name: 'listing' }
      export const get = (request: FileRouteRequest, { page }: FileRouteArguments<typeof config>) => [page, urlFor('listing', { page: page + 1 })]
      export const post = (request: FileRouteRequest, { page }: FileRouteArguments<typeof config>) => page`,
    'private.ts': `export const config = { authenticateUsers: true }\nexport default class { get() { return 'secret' } }`,
    'open.ts': `export const get = () => 'open'`,
    'body.ts': `
      const schema = { '~standard': { version: 1, vendor: 'test', validate: (value) => (typeof value?.title === 'string' ? { value: { title: value.title.trim() } } : { issues: [{ message: 'expected a title' }] }) } }
      export const config = { body: schema }
      export const post = (request) => request.bodyJson`,
  })
  t.equal((await app.inject('/api/list')).body, '[1,"/api/list?page=2"]')
  t.equal((await app.inject('/api/list?page=7')).body, '[7,"/api/list?page=8"]')
  t.match(await app.inject('/api/list?page=x'), { statusCode: 400, body: 'parameter page: expected a whole number, got "x"' })
  t.equal((await app.inject({ method: 'POST', url: '/api/list', payload: 'x'.repeat(11) })).statusCode, 413)
  t.match(await app.inject('/api/private'), { statusCode: 401, headers: { 'www-authenticate': /^Basic / } })
  t.equal((await app.inject({ url: '/api/private', headers: basic('nobody', 'x') })).statusCode, 401)
  t.equal((await app.inject('/api/open')).body, 'open')
  const post = (payload: object) => app.inject({ method: 'POST', url: '/api/body', payload })
  t.match(await post({ title: ' a ' }), { statusCode: 200, body: '{"title":"a"}' })
  t.match(await post({}), { statusCode: 400, body: 'body: expected a title' })
})

t.test('middleware stands around its folder and all below, the outermost first, and may change the answer or give its own', async (t) => {
  const trail = (name: string) => `export default async (request, next) => { const response = await next(); response.headers.append('x-trail', '${name}'); return response }`
  const api = {
    'middleware.ts': trail('api'),
    'open.ts': 'export const get = () => ({ a: 1 })',
    'web.ts': `export const get = () => new Response('web')`,
    'fails.ts': `import { abort } from 'rowhouse'\nexport const get = () => abort(404, 'inner')`,
    '(staff)': {
      'middleware.ts': `import { HttpResponse, type Middleware } from 'rowhouse'\nconst guard: Middleware = (request, next) => (request.headers.get('x-staff') === null ? new HttpResponse(403, 'staff only') : next())\nexport default guard`,
      reports: { 'middleware.mjs': trail('reports'), '[id].ts': `globalThis.reportRuns = 0\nexport const get = ({ pathParams }) => [pathParams.id, ++globalThis.reportRuns]` },
    },
    'reports.ts': 'export const get = () => undefined',
    caught: {
      'middleware.ts': `export default async (request, next) => { try { return await next() } catch (error) { return ['caught', error.message, request.path] } }`,
      'index.ts': `export const get = () => { throw new Error('thrown') }`,
      'later.ts': `export const get = async () => { await null; throw new Error('rejected') }`,
    },
    status: { 'middleware.ts': `export default async (request, next) => { const response = await next(); response.status = 202; return response }`, 'index.ts': `export const get = () => 'text'` },
  }
  const { app } = await load(t, api, { pages: { 'middleware.ts': trail('pages') } })
  const get = (path: string, headers = {}) => app.inject({ url: `/api/${path}`, headers })
  t.match(await get('open'), { statusCode: 200, body: '{"a":1}', headers: { 'x-trail': ['api', 'pages'], 'content-type': 'application/json' } })
  t.match(await get('web'), { statusCode: 200, body: 'web', headers: { 'x-trail': 'api, pages' } })
  t.match(await get('reports'), { statusCode: 200, body: 'null', headers: { 'x-trail': ['api', 'pages'] } })
  t.match(await get('reports/1'), { statusCode: 403, body: 'staff only', headers: { 'x-trail': ['api', 'pages'] } })
  t.match(await get('reports/1', { 'x-staff': '1' }), { statusCode: 200, body: '["1",1]', headers: { 'x-trail': ['reports', 'api', 'pages'] } })
  const failed = await get('fails')
  t.match(failed, { statusCode: 404, body: 'inner' })
  t.notOk(failed.headers['x-trail'])
  t.match(await get('caught'), { statusCode: 200, body: '["caught","thrown","/api/caught"]' })
  t.match(await get('caught/later'), { statusCode: 200, body: '["caught","rejected","/api/caught/later"]' })
  t.match(await get('status'), { statusCode: 202, body: 'text', headers: { 'content-type': 'text/plain; charset=utf-8' } })
  t.equal((await get('middleware')).statusCode, 404)
})

t.test('middleware runs in the call: it reads request and tables, and its time is limited with that of the handler', async (t) => {
  const { app, log } = await load(
    t,
    {
      'middleware.ts': `import { request } from 'rowhouse'\nimport { tables } from '../../tables.js'\nexport default async (own, next) => { await tables.visits.addRow({ path: request.path }); return next() }`,
      'count.ts': `import { tables } from '../../tables.js'\nexport const get = async () => (await tables.visits.search().all()).length`,
      slow: { 'middleware.ts': 'export default () => new Promise((resolve) => setTimeout(resolve, 1000))', 'index.ts': 'export const get = () => 1' },
    },
    { app: { 'tables.ts': `import { defineTables, table, text } from 'rowhouse'\nexport const tables = defineTables({ visits: table({ path: text() }) })` }, settings: { handlerTimeout: 100 } },
  )
  t.equal((await app.inject('/api/count')).body, '1')
  t.equal((await app.inject('/api/count')).body, '2')
  t.equal((await app.inject('/api/slow')).statusCode, 503)
  t.ok(log.some(({ message }) => message === 'the handler at pages/api/slow/index.ts:1 did not answer within 100 ms'))
})

t.test('the request of a file route that is logged is told by method and path, without its headers', async (t) => {
  const { app, log } = await load(t, { 'me.ts': `import { log } from 'rowhouse'\nexport const get = (own) => { log.info(own, 'came'); log.info({ own }, 'asked') }` })
  await app.inject({ url: '/api/me?token=secret', headers: basic('me', 'secret') })
  t.match(log.find(({ message }) => message === 'came'), { request: { method: 'GET', path: '/api/me' } })
  t.match(log.find(({ message }) => message === 'asked'), { own: { method: 'GET', path: '/api/me' } })
  t.notMatch(JSON.stringify(log), /secret/)
})

t.test('a stream that a middleware does not send is closed, unless the middleware has made its own of it', async (t) => {
  const index = `import { Readable } from 'node:stream'\nexport const get = (request) => (globalThis.madeStreams[request.path] = Readable.from(['a', 'b']))`
  const { app } = await load(t, {
    replaced: { 'index.ts': index, 'middleware.ts': 'export default async (request, next) => { await next(); return "own" }' },
    failed: { 'index.ts': index, 'middleware.ts': 'export default async (request, next) => { await next(); throw new Error("no") }' },
    wrapped: { 'index.ts': index, 'middleware.ts': 'export default async (request, next) => { const { body } = await next(); return (async function* () { for await (const piece of body) yield piece + "!" })() }' },
  })
  const streams: Record<string, Readable> = {}
  Object.assign(globalThis, { madeStreams: streams })
  for (const [name, body] of Object.entries({ replaced: /^own$/, failed: /^An exception/, wrapped: /^a!b!$/ })) {
    t.match((await app.inject(`/api/${name}`)).body, body)
    t.equal(streams[`/api/${name}`]?.destroyed, true, name)
  }
})

t.test('what middleware has not waited for fails into the log, and nothing else', async (t) => {
  const slow = 'await new Promise((resolve) => setTimeout(resolve, 20))'
  const { app, log } = await load(t, {
    failed: { 'index.ts': `export const get = async () => { ${slow}; throw new Error('too late') }`, 'middleware.ts': `export default (request, next) => { next(); return 'at once' }` },
  })
  t.match(await app.inject('/api/failed'), { statusCode: 200, body: 'at once' })
  await new Promise((resolve) => setTimeout(resolve, 60))
  t.match(log.find(({ level }) => level === 50), { message: 'pages/api/failed/middleware.ts answered without waiting for next(), which has failed since; write "await next()"', err: { message: 'too late' } })
})

t.test('middleware that returns nothing, or calls next twice, is a 500 that the log explains', async (t) => {
  const index = { 'index.ts': 'export const get = () => "secret"' }
  const { app, log } = await load(t, {
    nothing: { ...index, 'middleware.ts': 'export default () => {}' },
    forgotten: { ...index, 'middleware.ts': 'export default async (request, next) => { await next() }' },
    twice: { ...index, 'middleware.ts': 'export default async (request, next) => { const response = await next(); next(); return response }' },
    again: { ...index, 'middleware.ts': 'export default async (request, next) => { await next(); return next() }' },
  })
  const explained = {
    nothing: /^pages\/api\/nothing\/middleware\.ts returned nothing; return the response of "await next\(\)"/,
    forgotten: /^pages\/api\/forgotten\/middleware\.ts returned nothing/,
    twice: /^pages\/api\/twice\/middleware\.ts called next\(\) a second time; call it once/,
    again: /^pages\/api\/again\/middleware\.ts called next\(\) a second time/,
  }
  for (const [name, message] of Object.entries(explained)) {
    const { statusCode, body } = await app.inject(`/api/${name}`)
    t.equal(statusCode, 500)
    t.notMatch(body, /secret|middleware/)
    t.match(log.find((line) => line['message'] === `Exception on /api/${name} [GET]`), { err: { message } })
  }
})

t.test('a mistake in a file stops the start with the file, the line and what to do', async (t) => {
  const cases: readonly (readonly [file: string, source: string, message: RegExp])[] = [
    ['a.ts', '', /^pages\/api\/a\.ts:1: this file exports nothing that answers a request: export a function get, post, .*start the file's name with "_"/],
    ['a.ts', 'export class Users { get() {} }', /^pages\/api\/a\.ts:1: this file exports nothing that answers a request: .*a class that extends HTTPEndpoint/],
    ['a.ts', '\nexport const get = () => 1\n// again\nexport { get as GET }', /^pages\/api\/a\.ts:\d: GET is answered twice, by the export "GET" and by the export "get"; keep one$/],
    ['a.ts', '\nexport const post = () => 1\nexport default class Users { post() {} }', /^pages\/api\/a\.ts:3: POST is answered twice, by the export "post" and by the method "post" of the class Users; keep one$/],
    ['a.ts', 'export default class Users { get() {} GET() {} }', /GET is answered twice, by the method "get" of the class Users and by the method "GET" of the class Users/],
    ['a.ts', 'export const del = () => 1\nconst x = () => 2\nexport { x as delete }', /DELETE is answered twice, by the export "del" and by the export "delete"/],
    ['a.ts', 'export const endpoint = () => 1\nexport default () => 2', /^pages\/api\/a\.ts:\d: "default" and "endpoint" both answer every method; keep one$/],
    ['a.ts', '\n\nexport const Get = () => 1', /^pages\/api\/a\.ts:3: the export "Get" is written neither in lower nor in upper case; did you mean "get" or "GET"\?$/],
    ['a.ts', 'export const DEL = () => 1', /the export "DEL" .*; did you mean "del" or "DELETE"\?$/],
    ['a.ts', 'export default class Users { Post() {} }', /the method "Post" of the class Users .*; did you mean "post" or "POST"\?$/],
    ['a.ts', 'export const get = () => 1\nexport const options = { a: 1 }', /^pages\/api\/a\.ts:2: the export "options" answers OPTIONS and has to be a function, got an object; give it another name/],
    ['a.ts', 'export class get {}', /the export "get" answers GET and has to be a function, got the class get/],
    ['a.ts', 'export default { get: () => 1 }', /the export "default" has to be a function or a class with methods such as get\(request\), got an object$/],
    ['a.ts', 'export default class Users { get = () => 1 }', /the class Users has no method that answers a request: .* not as properties/],
    ['a.ts', 'export default class Users { get get() { throw new Error("read") } }', /the method "get" of the class Users has to be a method, got undefined/],
    ['a.ts', 'export const get = () => 1\n\nexport const config = { timout: 1 }', /^pages\/api\/a\.ts:3: the endpoint \/api\/a: unknown option "timout"; did you mean "timeout"\?$/],
    ['a.ts', 'export const get = () => 1\nexport const config = { cache: true }', /unknown option "cache"/],
    ['a.ts', 'export const get = () => 1\nexport const config = { method: "GET" }', /config has no option "method": a file answers the methods that it exports functions for$/],
    ['a.ts', 'export const get = () => 1\nexport const config = () => ({})', /the export "config" has to be an object of options, got the function config\(\)$/],
    ['a.ts', 'export const get = () => 1\nexport const Config = { authenticateUsers: true }', /^pages\/api\/a\.ts:2: the export "Config" is not looked at; did you mean "config"\?$/],
    ['[].ts', told('x'), /^pages\/api\/\[\]\.ts:1: "\[\]" is no parameter: write \[name\] for one segment, \[\.\.\.name\] for one or more, \[\[\.\.\.name\]\] for none or more/],
    ['[[id]].ts', told('x'), /"\[\[id\]\]" is no parameter/],
    ['user-[id].ts', told('x'), /"user-\[id\]" is no parameter/],
    ['[id.ts', told('x'), /"\[id" is no parameter/],
    ['[..id].ts', told('x'), /"\[\.\.id\]" is no parameter/],
    ['[näme].ts', told('x'), /"\[näme\]" is no parameter/],
    ['(admin).ts', told('x'), /^pages\/api\/\(admin\)\.ts:1: "\(admin\)" is a name for a folder/],
  ]
  for (const [file, source, expected] of cases) t.match(await failure(t, { pages: { api: { [file]: source } } }), expected)
  t.match(
    await failure(t, { 'package.json': '{}', pages: { api: { 'a.js': 'module.exports = { get: () => 1 }' } } }),
    /^pages\/api\/a\.js:1: the export "default" has to be a function .* got an object; if the file is CommonJS, write "export" in place of "module\.exports"$/,
  )
  t.match(await failure(t, { pages: { api: { '[a-b]': { '[a_b].ts': told('x') } } } }), /^pages\/api\/\[a-b\]\/\[a_b\]\.ts:1: the path \/api\/\[a-b\]\/\[a_b\] has two parameters called "a_b"$/)
  t.match(await failure(t, { pages: { api: { '[...all]': { 'more.ts': told('x') } } } }), /^pages\/api\/\[\.\.\.all\]\/more\.ts:1: the path \/api\/\[\.\.\.all\]\/more goes on behind "all"/)
})

t.test('a middleware without a function as default stops the start, and so do two in one folder', async (t) => {
  const middleware = (source: string) => failure(t, { pages: { api: { 'a.ts': told('a'), 'middleware.ts': source } } })
  t.match(await middleware('export const middleware = () => 1'), /^pages\/api\/middleware\.ts:1: a middleware exports a function as default, such as: .*; it exports no default$/)
  t.match(await middleware('\nexport default {}'), /^pages\/api\/middleware\.ts:2: .*; got an object$/)
  t.match(await middleware('export default class Guard {}'), /; got the class Guard$/)
  t.match(await failure(t, { pages: { api: { 'a.ts': told('a'), 'Middleware.ts': 'export default () => 1' } } }), /^pages\/api\/Middleware\.ts guards nothing: middleware is in a file middleware\.ts /)
  t.match(await failure(t, { pages: { api: { 'a.ts': told('a'), 'middleware.tsx': 'export const guard = 1' } } }), /^pages\/api\/middleware\.tsx:1: a middleware exports a function as default, .*; it exports no default$/)
  t.match(await failure(t, { pages: { api: { 'a.ts': told('a'), 'middleware.ts': 'export default () => 1', 'middleware.cjs': 'module.exports = () => 1' } } }), /^pages\/api\/middleware\.ts:1: this folder has a second middleware, pages\/api\/middleware\.cjs; keep one$/)
})

t.test('two places for one path and method are both named; with different methods they share the path', async (t) => {
  const conflict = async (files: Files, expected: RegExp) => t.match(await failure(t, files), expected)
  const get = 'export const get = () => 1'
  await conflict({ pages: { api: { 'users.ts': get, users: { 'index.ts': `\n${get}` } } } }, /^pages\/api\/users(?:\/index)?\.ts:\d: GET \/api\/users is declared twice: here and at pages\/api\/users(?:\/index)?\.ts:\d \(\/api\/users\)/)
  await conflict({ pages: { api: { '[id].ts': get, '[name].ts': `\n\n${get}` } } }, /^pages\/api\/\[name\]\.ts:3: GET \/api\/\[name\] is declared twice: here and at pages\/api\/\[id\]\.ts:1 \(\/api\/\[id\]\)/)
  await conflict({ pages: { api: { '(a)': { 'x.ts': get }, '(b)': { 'x.ts': get } } } }, /^pages\/api\/\(b\)\/x\.ts:1: .* pages\/api\/\(a\)\/x\.ts:1/)
  await conflict({ pages: { api: { 'x.ts': get } }, modules: { 'm.ts': `import { route } from 'rowhouse'\nroute('/api/x', () => 1)` } }, /^pages\/api\/x\.ts:1: GET \/api\/x is declared twice: here and at modules\/m\.ts:2 \(\/api\/x\)/)
  const { ask } = await load(t, { 'users.ts': get, users: { 'index.ts': 'export const post = () => 2' } })
  t.equal(await ask('/api/users'), '1')
  t.equal(await ask('/api/users', 'POST'), '2')
})

t.test('each endpoint knows the line of its export, however it is exported', async (t) => {
  const source = `
/* export const get = () => 'in a comment' */
const text = \`
export const get = () => 'in a text'
\`
function remove() { return text }
export {
  remove as delete,
}
export const head = () => '', { put } = { put: () => text }
export
  async function get() { return text }
export { post } from './_other.js'
export default class { options() { return text } }`
  const { app } = await load(t, { 'a.ts': source, '_other.ts': '\n\n\nexport const post = () => 1' })
  const lines = Object.fromEntries(app.rowhouse.endpoints.flatMap(({ door, methods, source: { file, line } }) => (door === 'file' ? methods.map((method) => [method, `${file}:${line}`]) : [])))
  t.same(lines, {
    DELETE: 'pages/api/a.ts:8',
    HEAD: 'pages/api/a.ts:10',
    PUT: 'pages/api/a.ts:10',
    GET: 'pages/api/a.ts:12',
    POST: 'pages/api/a.ts:13',
    OPTIONS: 'pages/api/a.ts:14',
  })
})

t.test('stack traces name the lines of the source, and functions of one name in several files keep it', async (t) => {
  const failing = `interface Unused { readonly a: number }\n\nexport async function get() {\n  await null\n  throw new RangeError(get.name)\n}\n`
  const { app, log } = await load(t, { 'one.ts': failing, 'two.ts': failing, 'names.ts': `class Row {}\nexport const get = () => [get.name, Row.name]`, 'more.ts': `class Row {}\nexport const get = () => [get.name, Row.name]` })
  t.equal((await app.inject('/api/one')).statusCode, 500)
  t.equal((await app.inject('/api/two')).statusCode, 500)
  for (const file of ['one', 'two']) {
    const { err } = log.find(({ message }) => message === `Exception on /api/${file} [GET]`) as { err: { message: string; stack: string } }
    t.equal(err.message, 'get')
    t.match(err.stack, new RegExp(`at (?:async )?get \\(.*/pages/api/${file}\\.ts:5:9\\)`))
    t.notMatch(err.stack, /\.rowhouse\/build/)
  }
  t.equal((await app.inject('/api/names')).body, '["get","Row"]')
  t.equal((await app.inject('/api/more')).body, '["get","Row"]')
})

t.test('routes, modules and tables of one app share what they import, which is evaluated once', async (t) => {
  const shared = `globalThis.sharedRuns = (globalThis.sharedRuns ?? 0) + 1\nexport const state = { count: 0 }`
  const { ask } = await load(
    t,
    { 'a.ts': `import { state } from '../../lib/shared.js'\nexport const post = () => ++state.count`, 'b.ts': `import { state } from '../../lib/shared.js'\nexport const get = () => [state.count, globalThis.sharedRuns]` },
    { app: { lib: { 'shared.ts': shared }, modules: { 'm.ts': `import { httpEndpoint } from 'rowhouse'\nimport { state } from '../lib/shared.js'\nstate.count = 40\nhttpEndpoint('/m', () => state.count)` } } },
  )
  t.equal(await ask('/api/a', 'POST'), '41')
  t.equal(await ask('/api/b'), '[41,1]')
  t.equal(await ask('/_/api/m'), '41')
})

t.test('an app of nothing but file routes starts, is listed and is checked; 404 and 405 are those of every door', { skip: takesLong('it runs the compiler') }, async (t) => {
  const directory = t.testdir({
    pages: {
      'middleware.ts': `import type { Middleware } from 'rowhouse'\nconst mark: Middleware = async (_request, next) => {\n  const response = await next()\n  response.headers.set('x-marked', 'yes')\n  return response\n}\nexport default mark\n`,
      api: {
        users: {
          'index.ts': `import { JSONResponse, type FileRouteRequest } from 'rowhouse'\n\nexport const get = () => JSONResponse({ users: [] })\n\nexport async function post(request: FileRouteRequest) {\n  return new JSONResponse({ user: await request.json() }, { status: 201 })\n}\n`,
          '[id].ts': `import { HTTPEndpoint, type FileRouteRequest } from 'rowhouse'\n\nexport const config = { timeout: 5000 }\n\nexport class User extends HTTPEndpoint {\n  get({ pathParams }: FileRouteRequest) {\n    return { user: pathParams.id }\n  }\n}\n`,
        },
      },
    },
  })
  const { url } = await startServer(t, directory)
  const created = await fetch(`${url}/api/users`, { method: 'POST', body: '{"name":"A"}', headers: { 'content-type': 'application/json' } })
  t.equal(created.status, 201)
  t.same(await created.json(), { user: { name: 'A' } })
  t.equal(created.headers.get('x-marked'), 'yes')
  t.same(await (await fetch(`${url}/api/users/42`)).json(), { user: '42' })
  const refused = await fetch(`${url}/api/users`, { method: 'DELETE' })
  t.equal(refused.status, 405)
  t.equal(refused.headers.get('allow'), 'GET, POST, HEAD, OPTIONS')
  const head = await fetch(`${url}/api/users`, { method: 'HEAD' })
  t.equal(head.status, 200)
  t.equal(head.headers.get('content-length'), '12')
  t.equal((await fetch(`${url}/api/nothing`)).status, 404)
  t.match(await rawRequest(Number(new URL(url).port), 'GET /api/users/%00 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'), /^HTTP\/1\.1 400 /)

  const { stdout, stderr } = await runRowhouse(t, ['routes', directory])
  t.equal(stderr, '')
  t.match(stdout, /^GET +\/api\/users +file +- +pages\/api\/users\/index\.ts:3$/m)
  t.match(stdout, /^POST +\/api\/users +file +- +pages\/api\/users\/index\.ts:5$/m)
  t.match(stdout, /^GET +\/api\/users\/\[id\] +file +timeout: 5000 +pages\/api\/users\/\[id\]\.ts:5$/m)
  t.match(await runRowhouse(t, ['check', await outside(t, directory)]), { code: 0, stderr: '', stdout: /routes: 5, none in another's way\n.*\ntypes: in order/ })
  t.match(await runRowhouse(t, ['users', 'list', '--data', join(directory, 'elsewhere')], { cwd: directory }), { code: 1 })
})

/** Sends bytes as they are and resolves to all that comes back. */
async function rawRequest(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1').setEncoding('utf8')
  let received = ''
  socket.on('data', (data: string) => (received += data))
  socket.write(text)
  await once(socket, 'close')
  return received
}
