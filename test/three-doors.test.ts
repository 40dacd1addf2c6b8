import { mkdir, writeFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { dirname, join } from 'node:path'
import t from 'tap'
import { createApp } from 'rowhouse'
import { temporaryFolder } from './support/app.ts'
import { takesLong } from './support/needs.ts'
import { readAnswers } from './support/raw-http.ts'

/** What the app does, whichever door it is reached through. */
const handlers = `
import { abort, HttpResponse, jsonify, Media, redirect, type FileRouteRequest, type RowhouseRequest } from 'rowhouse'

type CommonRequest = FileRouteRequest | RowhouseRequest

const names: Readonly<Record<string, string>> = { '1': 'john', '2': 'steve' }

export const hello = () => ({ message: 'Hello, world!' })
export const text = () => 'héllo'
export const echo = (request: CommonRequest) => ({ method: request.method, query: request.queryParams, form: request.formParams, type: request.mimetype })
export const user = (request: CommonRequest) => {
  const name = names[String(request.pathParams['id'])]
  return name === undefined ? jsonify({ error: 'Not found' }, 404) : { user: name }
}
export const create = async (request: CommonRequest) => new HttpResponse(201, { user: await request.json() }, { location: '/api/users/3' })
export const replace = async (request: CommonRequest) => (await request.text()).toUpperCase()
export const remove = (request: CommonRequest) => ({ deleted: request.bodyJson })
export const fail = () => { throw new Error('secret detail') }
export const teapot = () => abort(418, 'short and stout')
export const nothing = () => undefined
export const unsendable = () => ({ items: [1n] })
export async function* stream() { yield 'one,'; yield 'two' }
export const away = () => redirect('/api/hello', 303)
export const bytes = () => new Media(new Uint8Array([0, 255, 13, 10]), { contentType: 'image/x-test', name: 'é.bin' })
export const cookies = () => new HttpResponse(200, '', new Headers([['set-cookie', 'a=1'], ['set-cookie', 'b=2']]))
export const web = () => new Response('created', { status: 202, headers: { 'content-type': 'text/x-web' } })
export const secret = (request: CommonRequest) => request.user?.email
export const page = (request: CommonRequest) => ({ asked: request.queryParams['page'] })
export const slow = () => new Promise(() => undefined)
export const limited = (request: CommonRequest) => request.text()
export const rest = (request: CommonRequest) => request.pathParams
`

interface Place {
  /** Under /api/, with :name for a parameter and *name for all the rest. */
  readonly path: string
  readonly methods: Readonly<Record<string, string>>
  readonly options?: string
}

const places: readonly Place[] = [
  { path: 'hello', methods: { GET: 'hello' } },
  { path: 'text', methods: { GET: 'text' } },
  { path: 'echo', methods: { GET: 'echo', POST: 'echo', PUT: 'echo', DELETE: 'echo' } },
  { path: 'users', methods: { GET: 'hello', POST: 'create', PUT: 'replace', DELETE: 'remove' } },
  { path: 'users/me', methods: { GET: 'text' } },
  { path: 'users/:id', methods: { GET: 'user' } },
  { path: 'files/*rest', methods: { GET: 'rest' } },
  { path: 'fail', methods: { GET: 'fail', POST: 'fail' } },
  { path: 'teapot', methods: { GET: 'teapot' } },
  { path: 'nothing', methods: { GET: 'nothing' } },
  { path: 'unsendable', methods: { GET: 'unsendable' } },
  { path: 'stream', methods: { GET: 'stream' } },
  { path: 'away', methods: { GET: 'away' } },
  { path: 'bytes', methods: { GET: 'bytes' } },
  { path: 'cookies', methods: { GET: 'cookies' } },
  { path: 'web', methods: { GET: 'web' } },
  { path: 'secret', methods: { GET: 'secret' }, options: 'authenticateUsers: true' },
  { path: 'page', methods: { GET: 'page', POST: 'page' }, options: 'params: { page: integer(), note: optional(text()) }' },
  { path: 'slow', methods: { GET: 'slow' }, options: 'timeout: 150' },
  { path: 'limited', methods: { POST: 'limited' }, options: 'bodyLimit: 10' },
  { path: 'options', methods: { OPTIONS: 'hello', HEAD: 'cookies' } },
]

/** The app's modules, written for `httpEndpoint` or `route`. */
function inModule(door: 'httpEndpoint' | 'route', prefix: string): Record<string, string> {
  const lines = places.flatMap(({ path, methods, options = '' }) =>
    Object.entries(methods).map(
      ([method, handler]) => `${door}('${prefix}/${path.replace('*rest', '<path:rest>')}', { methods: ['${method}'], ${options} }, (_args: unknown, request: RowhouseRequest) => app.${handler}(request))`,
    ),
  )
  return {
    'handlers.ts': handlers,
    'modules/app.ts': [`import { ${door}, integer, optional, text, type RowhouseRequest } from 'rowhouse'`, "import * as app from '../handlers.js'", ...lines].join('\n'),
  }
}

/** The same as file routes. */
function inFiles(): Record<string, string> {
  const files = places.map(({ path, methods, options }) => {
    const exports = Object.entries(methods).map(([method, handler]) => `export const ${method} = (request: FileRouteRequest) => app.${handler}(request)`)
    const config = options === undefined ? '' : `export const config = { ${options} }`
    const file = path.replace(/:(\w+)/, '[$1]').replace('*rest', '[...rest]')
    const up = '../'.repeat(path.split('/').length + 1)
    return [`pages/api/${file}.ts`, ["import { integer, optional, text, type FileRouteRequest } from 'rowhouse'", `import * as app from '${up}handlers.js'`, config, ...exports].join('\n')] as const
  })
  return { 'handlers.ts': handlers, ...Object.fromEntries(files) }
}

const json = 'content-type: application/json'
const form = 'content-type: application/x-www-form-urlencoded'
const basic = (credentials: string): string => `authorization: Basic ${Buffer.from(credentials).toString('base64')}`

/** Method and path, headers, body. */
const requests: readonly (readonly [line: string, headers?: readonly string[], body?: string])[] = [
  ['GET /api/hello'],
  ['HEAD /api/hello'],
  ['OPTIONS /api/hello'],
  ['POST /api/hello'],
  ['TRACE /api/hello'],
  ['GET /api/hello/'],
  ['GET /api/Hello'],
  ['GET /api/text'],
  ['GET /api/echo?a=1&a=2&b=%20+c&__proto__=x'],
  ['POST /api/echo?a=1', [form], 'title=a%20b+c%26d&title=%C3%A9&x='],
  ['PUT /api/echo', [form], 'a=1'],
  ['DELETE /api/echo', ['content-type: multipart/form-data; boundary=x'], '--x\r\ncontent-disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n'],
  ['POST /api/echo', ['content-type: multipart/form-data'], '--x--'],
  ['PATCH /api/echo'],
  ['OPTIONS /api/echo'],
  ['HEAD /api/echo?x=1'],
  ['GET /api/users'],
  ['POST /api/users', [json], '{"name":"A","email":"a@x"}'],
  ['POST /api/users', [json], '{"name":'],
  ['POST /api/users', ['content-type: application/vnd.x+json; charset=utf-8'], '[1]'],
  ['POST /api/users', [], ''],
  ['POST /api/users', [json, 'accept: application/json'], `${'['.repeat(200)}`],
  ['PUT /api/users', ['content-type: text/plain'], 'straße'],
  ['DELETE /api/users', [json], '{"id":1}'],
  ['DELETE /api/users'],
  ['GET /api/users/me'],
  ['POST /api/users/me'],
  ['GET /api/users/2'],
  ['GET /api/users/4'],
  ['GET /api/users/%5B2%2C3%5D'],
  ['GET /api/users/a%2Fb'],
  ['GET /api/users/'],
  ['GET /api/users/2/x'],
  ['GET /api/users/%zz'],
  ['GET /api/users/%00'],
  [`GET /api/users/${'x'.repeat(5000)}`],
  ['GET /api/files/a/b%20c/d'],
  ['GET /api/files/'],
  ['GET /api/files'],
  ['GET /api/fail'],
  ['GET /api/fail', ['accept: text/html']],
  ['POST /api/fail', ['accept: application/json', json], '{}'],
  ['GET /api/teapot'],
  ['GET /api/teapot', ['accept: application/json']],
  ['GET /api/nothing'],
  ['GET /api/unsendable'],
  ['GET /api/stream'],
  ['HEAD /api/stream'],
  ['GET /api/away'],
  ['GET /api/bytes'],
  ['GET /api/cookies'],
  ['GET /api/web'],
  ['GET /api/secret'],
  ['GET /api/secret', [basic('me@example.com:wrong')]],
  ['GET /api/secret', [basic('me@example.com:my password')]],
  ['GET /api/secret', ['authorization: Basic %%%', 'accept: text/html']],
  ['GET /api/page?page=7'],
  ['GET /api/page?page=x&note=a&note=b'],
  ['POST /api/page', [form], 'page=7'],
  ['POST /api/page', [json, 'accept: application/json'], '{"page":"x"}'],
  ['GET /api/slow'],
  ['POST /api/limited', ['content-type: text/plain'], '0123456789'],
  ['POST /api/limited', ['content-type: text/plain'], '0123456789x'],
  ['POST /api/limited', ['content-encoding: br-unknown'], 'x'],
  ['OPTIONS /api/options'],
  ['HEAD /api/options'],
  ['GET /api/options'],
  ['GET /api/unknown'],
  ['GET /api/unknown', ['accept: text/html']],
  ['GET /elsewhere'],
]

/** All bytes of the answer, as they came over the wire, but for the time, the request's id and the ends of chunks. */
async function ask(port: number, [line, headers = [], body]: (typeof requests)[number]): Promise<string> {
  const socket = createConnection({ port, host: '127.0.0.1' })
  const length = body === undefined ? [] : [`content-length: ${Buffer.byteLength(body)}`]
  socket.write(`${[`${line} HTTP/1.1`, 'host: app.example', 'connection: close', ...headers, ...length].join('\r\n')}\r\n\r\n${body ?? ''}`)
  return withoutChunks((await buffer(socket)).toString('latin1'), line)
    .replace(/^date: .*$/im, 'date: …')
    .replaceAll(/[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/g, 'an id')
}

/** Where a stream is cut into chunks is a matter of the moment, so its content counts as a whole. */
function withoutChunks(answer: string, line: string): string {
  const [read] = /^transfer-encoding: chunked\r$/im.test(answer) ? readAnswers(answer, [line.split(' ')[0] ?? '']) : []
  return read === undefined ? answer : answer.slice(0, answer.indexOf('\r\n\r\n') + 4) + read.body
}

t.test(`the same app through three doors answers ${requests.length} requests alike, byte for byte`, { skip: takesLong('it asks each of three apps all of them') }, async (t) => {
  const apps = { endpoint: inModule('httpEndpoint', ''), route: inModule('route', '/api'), file: inFiles() }
  const answers: Record<string, string[]> = {}
  for (const [door, files] of Object.entries(apps)) {
    const directory = await temporaryFolder(t)
    for (const [name, contents] of Object.entries(files)) {
      await mkdir(dirname(join(directory, name)), { recursive: true })
      await writeFile(join(directory, name), contents)
    }
    const server = await createApp({ directory, options: { name: 'test', apiPrefix: '/api', origin: 'https://app.example' }, logTo: { write: () => undefined } })
    t.teardown(() => server.close())
    await server.rowhouse.users.add('me@example.com', 'my password')
    const port = Number(new URL(await server.listen({ port: 0, host: '127.0.0.1' })).port)
    answers[door] = await Promise.all(requests.map((request) => ask(port, request)))
  }
  for (const [index, [line, headers = []]] of requests.entries()) {
    const expected = answers['endpoint']?.[index] ?? ''
    t.match(expected, /^HTTP\/1\.1 \d{3} /, line)
    for (const door of ['route', 'file']) t.equal(answers[door]?.[index], expected, `${line} ${headers.join(' ')} through ${door}`)
  }
  const statuses = new Set(answers['endpoint']?.map((answer) => answer.slice(9, 12)))
  t.same([...statuses].sort(), ['200', '201', '202', '204', '303', '400', '401', '404', '405', '413', '414', '415', '418', '500', '503'], 'all kinds of answers were among them')
})
