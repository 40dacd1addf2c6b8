import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { createApp } from 'rowhouse'
import { temporaryFolder } from './support/app.ts'
import { needs } from './support/needs.ts'
import { startRowhouse } from './support/rowhouse-process.ts'

// The files of a file router's page on API routes, each as it stands there but for the language, and its requests, made with curl.

const run = promisify(execFile)
const skip = needs('curl')

interface Files {
  readonly [name: string]: string | Files
}

/** An answer of `curl -i`. */
interface Answer {
  readonly status: string
  /** As they were on the wire. */
  readonly headers: readonly string[]
  readonly body: string
}

/** Starts the app that these files of `pages/api/` are, and resolves to a `curl -i` that asks it. The path is the last word. */
async function start(t: Test, api: Files, cwd?: string): Promise<(...words: string[]) => Promise<Answer>> {
  const app = await createApp({ directory: t.testdir({ pages: { api } }), logTo: { write: () => undefined } })
  t.teardown(() => app.close())
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  return async (...words) => {
    const { stdout } = await run('curl', ['--silent', '--show-error', '--include', '--max-time', '20', ...words.slice(0, -1), url + words.at(-1)], { cwd })
    const end = stdout.indexOf('\r\n\r\n')
    const [status = '', ...headers] = stdout.slice(0, end).split('\r\n')
    return { status: status.slice('HTTP/1.1 '.length), headers, body: stdout.slice(end + 4) }
  }
}

const json = ['-H', 'content-type: application/json']

t.test('a basic route, and a file with a function for each method', { skip }, async (t) => {
  const curl = await start(t, {
    'hello.ts': `
      import { JSONResponse, type FileRouteRequest } from 'rowhouse'
      export async function get(request: FileRouteRequest): Promise<JSONResponse> {
        return new JSONResponse({ message: 'Hello, world!' })
      }`,
    '_users.ts': `
      interface User { readonly id: number; readonly name: string; readonly email: string }
      const users: User[] = []
      export const fetchAllUsers = async () => users
      export const createUser = async (name: string, email: string) => { const user = { id: users.length + 1, name, email }; users.push(user); return user }
      export const removeUser = async (id: number) => void users.splice(users.findIndex((user) => user.id === id), 1)`,
    'users.ts': `
      import { JSONResponse, type FileRouteRequest } from 'rowhouse'
      import { createUser, fetchAllUsers, removeUser } from './_users.js'
      interface Body { readonly id: number; readonly name: string; readonly email: string }
      export async function get(request: FileRouteRequest): Promise<JSONResponse> {
        const users = await fetchAllUsers()
        return new JSONResponse({ users })
      }
      export async function post(request: FileRouteRequest): Promise<JSONResponse> {
        const body = await request.json() as Body
        const user = await createUser(body.name, body.email)
        return new JSONResponse({ user }, { status: 201 })
      }
      async function remove(request: FileRouteRequest): Promise<JSONResponse> {
        const body = await request.json() as Body
        await removeUser(body.id)
        return new JSONResponse({ deleted: true })
      }
      export { remove as delete }`,
    'others.ts': `
      import { HttpResponse } from 'rowhouse'
      export const put = () => 'PUT'
      export const patch = () => 'PATCH'
      export const options = () => new HttpResponse(200, 'OPTIONS', { 'access-control-allow-origin': 'https://other.example' })`,
  })
  const hello = await curl('/api/hello')
  t.match(hello, { status: '200 OK', body: '{"message":"Hello, world!"}' })
  t.ok(hello.headers.includes('content-type: application/json'))
  t.match(await curl('/api/users'), { status: '200 OK', body: '{"users":[]}' })
  const ann = { id: 1, name: 'A', email: 'a@x' }
  t.match(await curl('-X', 'POST', ...json, '-d', '{"name":"A","email":"a@x"}', '/api/users'), { status: '201 Created', body: JSON.stringify({ user: ann }) })
  t.equal((await curl('/api/users')).body, JSON.stringify({ users: [ann] }))
  t.match(await curl('-X', 'POST', ...json, '-d', '{"name":', '/api/users'), { status: '400 Bad Request', body: /the body is not valid JSON/ })
  t.equal((await curl('/api/users')).body, JSON.stringify({ users: [ann] }), 'nobody was created')
  t.match(await curl('-X', 'DELETE', ...json, '-d', '{"id":1}', '/api/users'), { status: '200 OK', body: '{"deleted":true}' })
  t.equal((await curl('/api/users')).body, '{"users":[]}')
  t.match(await curl('-I', '/api/users'), { status: '200 OK', body: '' })

  t.equal((await curl('-X', 'PUT', '/api/others')).body, 'PUT')
  t.equal((await curl('-X', 'PATCH', '/api/others')).body, 'PATCH')
  const options = await curl('-X', 'OPTIONS', '-H', 'Origin: https://other.example', '-H', 'Access-Control-Request-Method: PUT', '/api/others')
  t.match(options, { status: '200 OK', body: 'OPTIONS' }, 'an export of its own goes before every automatic answer')
  t.ok(options.headers.includes('access-control-allow-origin: https://other.example'))

  const refused = await curl('-X', 'PUT', '/api/users')
  t.match(refused, { status: '405 Method Not Allowed', body: 'Method not supported' })
  t.ok(refused.headers.includes('allow: GET, POST, DELETE, HEAD, OPTIONS'))
  t.ok((await curl('-X', 'OPTIONS', '/api/users')).headers.includes('allow: GET, POST, DELETE, HEAD, OPTIONS'))
  t.equal((await curl('/api/_users')).status, '404 Not Found')
})

t.test('a class of endpoints', { skip }, async (t) => {
  const curl = await start(t, {
    'users.ts': `
      import { HTTPEndpoint, JSONResponse, type FileRouteRequest } from 'rowhouse'
      export class Users extends HTTPEndpoint {
        async get(request: FileRouteRequest): Promise<JSONResponse> {
          return new JSONResponse({ users: [] })
        }
        async post(request: FileRouteRequest): Promise<JSONResponse> {
          const body = await request.json()
          return new JSONResponse({ created: true }, { status: 201 })
        }
      }`,
  })
  t.match(await curl('/api/users'), { status: '200 OK', body: '{"users":[]}' })
  t.match(await curl('-X', 'POST', '-d', '{}', '/api/users'), { status: '201 Created', body: '{"created":true}' })
  const refused = await curl('-X', 'DELETE', '/api/users')
  t.equal(refused.status, '405 Method Not Allowed')
  t.ok(refused.headers.includes('allow: GET, POST, HEAD, OPTIONS'))
})

t.test('a dynamic route: the parameter is a text, and what is missing answers 404', { skip }, async (t) => {
  const curl = await start(t, {
    users: {
      '[id].ts': `
        import { JSONResponse, type FileRouteRequest } from 'rowhouse'
        const fetchUser = async (id: string | undefined) => (id === '42' ? { id, name: 'Ann' } : null)
        export async function get(request: FileRouteRequest): Promise<JSONResponse> {
          const userId = request.pathParams['id']
          const user = await fetchUser(userId)
          if (user === null) return new JSONResponse({ error: 'Not found' }, { status: 404 })
          return new JSONResponse({ user })
        }`,
      'me.ts': `export const get = () => 'me'`,
    },
  })
  t.match(await curl('/api/users/42'), { status: '200 OK', body: '{"user":{"id":"42","name":"Ann"}}' })
  t.match(await curl('/api/users/999'), { status: '404 Not Found', body: '{"error":"Not found"}' })
  t.equal((await curl('/api/users/me')).body, 'me', 'a file that is named goes before a parameter')
})

t.test('one body is read as JSON, as a form and as bytes, all in one handler', { skip }, async (t) => {
  const folder = await temporaryFolder(t)
  const bytes = randomBytes(100_000)
  await writeFile(join(folder, 'x.bin'), bytes)
  const curl = await start(
    t,
    {
      'received.ts': `
        import { JSONResponse, type FileRouteRequest } from 'rowhouse'
        export async function post(request: FileRouteRequest): Promise<JSONResponse> {
          const body = await request.json()
          const form = await request.form()
          const raw = await request.body()
          return new JSONResponse({ received: true, told: [body, form, raw.toString()] })
        }`,
      'form.ts': `
        import { Media, type FileRouteRequest } from 'rowhouse'
        export async function post(request: FileRouteRequest) {
          const { a, f } = await request.form()
          return { a, f: f instanceof Media ? [f.name, f.contentType, Buffer.from(f.bytes).toString('base64')] : null }
        }`,
      'raw.ts': `export const put = async (request) => new Uint8Array(await request.body()).reduce((sum, byte) => (sum * 31 + byte) % 1_000_003, 7)`,
    },
    folder,
  )
  t.same(JSON.parse((await curl('-X', 'POST', ...json, '-d', '{"a":1}', '/api/received')).body), { received: true, told: [{ a: 1 }, {}, '{"a":1}'] })
  t.equal((await curl('-X', 'POST', '-d', 'a=1', '/api/received')).status, '400 Bad Request', 'a form is no JSON')
  t.same(JSON.parse((await curl('-d', 'a=1&b=2', '/api/form')).body), { a: '1', f: null })
  t.same(JSON.parse((await curl('-F', 'a=1', '-F', 'f=@x.bin', '/api/form')).body), { a: '1', f: ['x.bin', 'application/octet-stream', bytes.toString('base64')] })
  const sum = bytes.reduce((total, byte) => (total * 31 + byte) % 1_000_003, 7)
  t.equal((await curl('-X', 'PUT', '--data-binary', '@x.bin', '/api/raw')).body, String(sum))
})

t.test('error responses: a key that is missing, or unknown', { skip }, async (t) => {
  const curl = await start(t, {
    'data.ts': `
      import { JSONResponse, type FileRouteRequest } from 'rowhouse'
      const fetchData = async (apiKey: string) => (apiKey === 'k-123' ? { plan: 'free' } : null)
      export async function get(request: FileRouteRequest): Promise<JSONResponse> {
        const apiKey = request.headers.get('x-api-key')
        if (!apiKey) return new JSONResponse({ error: 'Missing API key' }, { status: 401 })
        const data = await fetchData(apiKey)
        if (data === null) return new JSONResponse({ error: 'Not found' }, { status: 404 })
        return new JSONResponse({ data })
      }`,
  })
  t.match(await curl('/api/data'), { status: '401 Unauthorized', body: '{"error":"Missing API key"}' })
  t.match(await curl('-H', 'X-API-Key: other', '/api/data'), { status: '404 Not Found', body: '{"error":"Not found"}' })
  t.match(await curl('-H', 'X-API-KEY: k-123', '/api/data'), { status: '200 OK', body: '{"data":{"plan":"free"}}' })
})

t.test('any response, called from anywhere, without a token', { skip }, async (t) => {
  const curl = await start(t, {
    'middleware.ts': `
      import type { Middleware } from 'rowhouse'
      const middleware: Middleware = async (request, next) => { const response = await next(); response.headers.set('x-middleware', request.method); return response }
      export default middleware`,
    '[kind].ts': `
      import { createReadStream } from 'node:fs'
      import { HttpResponse, Media, redirect, type FileRouteRequest } from 'rowhouse'
      const kinds: Record<string, () => unknown> = {
        text: () => 'text',
        html: () => new HttpResponse(200, '<p>page</p>', { 'content-type': 'text/html; charset=utf-8' }),
        away: () => redirect('/api/text'),
        stream: async function* () { yield 'one,'; yield 'two' },
        file: () => new HttpResponse(200, createReadStream(import.meta.filename), { 'content-type': 'text/plain' }),
        named: () => new Media(Buffer.from('a,b'), { contentType: 'text/csv', name: 'a.csv' }),
        empty: () => new HttpResponse(204),
      }
      export const get = ({ pathParams }: FileRouteRequest) => kinds[String(pathParams['kind'])]?.()
      export const post = ({ origin }: FileRouteRequest) => ({ origin })`,
  })
  t.match(await curl('/api/text'), { status: '200 OK', body: 'text' })
  const html = await curl('/api/html')
  t.equal(html.body, '<p>page</p>')
  t.ok(html.headers.includes('content-type: text/html; charset=utf-8'))
  t.ok((await curl('/api/away')).headers.includes('location: /api/text'))
  t.match(await curl('-L', '/api/away'), { body: /\r\n\r\ntext$/ }, 'curl follows it')
  const stream = await curl('/api/stream')
  t.equal(stream.body, 'one,two')
  t.ok(stream.headers.some((line) => /^transfer-encoding: chunked$/i.test(line)))
  t.match((await curl('/api/file')).body, /createReadStream\(import\.meta\.filename\)/)
  t.ok((await curl('/api/named')).headers.includes("content-disposition: inline; filename*=UTF-8''a.csv"))
  t.match(await curl('/api/empty'), { status: '204 No Content', body: '' })
  const foreign = await curl('-H', 'Origin: https://other.example', '-H', 'Referer: https://other.example/page', '-d', 'a=1', '/api/hook')
  t.match(foreign, { status: '200 OK', body: '{"origin":"https://other.example"}' })
  t.ok(foreign.headers.includes('x-middleware: POST'))
})

t.test('the app answers at the port that its configuration names', { skip }, async (t) => {
  // Below those that the system hands out, and another one for each process.
  const port = 20_000 + (process.pid % 10_000)
  const directory = t.testdir({ 'rowhouse.config.ts': `export default { port: ${port} }`, pages: { api: { 'hello.ts': `export const get = () => ({ message: 'Hello, world!' })` } } })
  startRowhouse(t, ['start', directory])
  const { stdout } = await run('curl', ['--silent', '--show-error', '--max-time', '20', '--retry', '100', '--retry-connrefused', '--retry-delay', '1', `http://localhost:${port}/api/hello`])
  t.equal(stdout, '{"message":"Hello, world!"}')
})
