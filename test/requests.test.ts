import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { errorHandler, getApiOrigin, get_api_origin, getAppOrigin, get_app_origin, HttpError, httpEndpoint, log, pick, request, route, urlFor, users } from 'rowhouse'
import { basic, buildApp, startApp } from './support/app.ts'
import { takesLong } from './support/needs.ts'

const api = '/_/api'

/** Sends bytes over a socket of its own and resolves to all that comes back until it falls silent. */
async function exchange(port: number, ...parts: (string | Buffer)[]): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => undefined)
  for (const part of parts) socket.write(part)
  const closed = once(socket, 'close').then(() => 'closed')
  for (let before = -1; before !== chunks.length || chunks.length === 0; ) {
    before = chunks.length
    if ((await Promise.race([closed, delay(150)])) === 'closed') break
  }
  socket.destroy()
  return Buffer.concat(chunks).toString('latin1')
}

t.test('the request tells what was asked for', async (t) => {
  const { server } = await buildApp(t, () =>
    httpEndpoint('/users/:id', { methods: ['GET', 'PUT'] }, () => ({
      path: request.path,
      method: request.method,
      url: request.url,
      query: request.queryParams,
      form: request.formParams,
      origin: request.origin,
      remoteAddress: request.remoteAddress,
      contentType: request.contentType,
      mimetype: request.mimetype,
      username: request.username,
      user: request.user,
      hasBody: request.body !== null,
    })),
  )
  t.same((await server.inject(`${api}/users/4%202?x=1`)).json(), {
    path: '/users/4 2',
    method: 'GET',
    url: `http://localhost:80${api}/users/4%202?x=1`,
    query: { x: '1' },
    form: {},
    origin: null,
    remoteAddress: '127.0.0.1',
    contentType: '',
    mimetype: '',
    username: null,
    user: null,
    hasBody: false,
  })
  const put = await server.inject({
    method: 'PUT',
    url: `${api}/users/42`,
    headers: { origin: 'https://other.example', 'content-type': 'Application/X-WWW-Form-URLencoded; charset=UTF-8', 'x-forwarded-for': '203.0.113.9' },
    payload: 'a=1&b=2',
  })
  t.match(put.json(), {
    method: 'PUT',
    form: { a: '1', b: '2' },
    origin: 'https://other.example',
    mimetype: 'application/x-www-form-urlencoded',
    contentType: 'Application/X-WWW-Form-URLencoded; charset=UTF-8',
    remoteAddress: '127.0.0.1',
  })
})

t.test('X-Forwarded-For is believed from a trusted proxy only', async (t) => {
  const define = (): void => httpEndpoint('/ip', () => `You requested user 42 from IP ${request.remoteAddress}`)
  const headers = { 'x-forwarded-for': '203.0.113.9' }
  const { server } = await buildApp(t, define, { trustedProxies: ['127.0.0.0/8'] })
  t.equal((await server.inject({ url: `${api}/ip`, headers })).body, 'You requested user 42 from IP 203.0.113.9')
  const { server: direct } = await buildApp(t, define, { trustedProxies: ['10.0.0.1'] })
  t.equal((await direct.inject({ url: `${api}/ip`, headers })).body, 'You requested user 42 from IP 127.0.0.1')
})

t.test('headers are read by name in any letter case', async (t) => {
  const { server } = await buildApp(t, () => {
    httpEndpoint('/all', (_args, { headers }) => headers)
    httpEndpoint('/h', (_args, { headers }) => [
      headers['x-api-key'],
      headers['X-Api-Key'],
      headers.get('X-API-KEY'),
      headers.get('missing'),
      headers.get('get'),
      headers.has('x-api-key'),
      Object.keys(headers).includes('x-api-key'),
    ])
  })
  t.match((await server.inject({ url: `${api}/all`, headers: { has: 'z', 'x-a': 'b' } })).json(), { 'x-a': 'b' }, 'they can be sent as they are')
  t.same((await server.inject({ url: `${api}/h`, headers: { 'x-api-key': 'k', get: 'g' } })).json(), ['k', 'k', 'k', null, 'g', true, true])
})

t.test('the body is byte-exact whatever its type and method, and null when there is none', async (t) => {
  const { url } = await startApp(t, () =>
    httpEndpoint('/b', { methods: ['POST', 'DELETE', 'GET', 'PATCH'] }, async (_args, { body }) =>
      body === null ? 'none' : [body.contentType, body.name, body.length, createHash('sha256').update(body.bytes).digest('hex'), (await body.arrayBuffer()).byteLength],
    ),
  )
  const bytes = randomBytes(300_000)
  const digest = createHash('sha256').update(bytes).digest('hex')
  for (const method of ['POST', 'DELETE', 'PATCH']) {
    const answer = await fetch(`${url}${api}/b`, {
      method,
      body: bytes,
      headers: { 'content-type': 'image/png', 'content-disposition': 'attachment; filename="dir/f.png"' },
    })
    t.same(await answer.json(), ['image/png', 'f.png', bytes.length, digest, bytes.length])
  }
  for (const type of ['not a type', 'application/json', 'multipart/mixed; boundary=x', 'text/plain; charset=latin1']) {
    const answer = await fetch(`${url}${api}/b`, { method: 'POST', body: bytes, headers: { 'content-type': type } })
    t.same(await answer.json(), [type === 'not a type' ? 'application/octet-stream' : type, null, bytes.length, digest, bytes.length], `${type} makes no difference`)
  }
  t.equal(await (await fetch(`${url}${api}/b`)).text(), 'none')
  t.equal(await (await fetch(`${url}${api}/b`, { method: 'POST', body: '' })).text(), 'none')
})

t.test('a JSON body is decoded for JSON types only, and refused with its mistake when it is malformed', async (t) => {
  const { server } = await buildApp(t, () => httpEndpoint('/j', () => [request.bodyJson]))
  const post = (payload: string | Buffer, type?: string) =>
    server.inject({ method: 'POST', url: `${api}/j`, payload, headers: type === undefined ? {} : { 'content-type': type } })
  for (const type of ['application/json', 'application/json; charset=utf-8', 'Application/JSON', 'application/vnd.x+json']) {
    t.same((await post('{"a":[1,"é"]}', type)).json(), [{ a: [1, 'é'] }], type)
  }
  for (const type of ['text/plain', 'text/json', 'application/jsonp', undefined]) t.same((await post('{"a":1}', type)).json(), [null], String(type))
  const deep = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)
  t.equal((await post(deep(100), 'application/json')).statusCode, 200)
  const refused: [string | Buffer, RegExp][] = [
    ['{"a":1,}', /position 7/],
    ['{"a" 1}', /colon expected at position 5/],
    ['[1 2]', /position 3/],
    ['// x\n1', /position 0/],
    ['{"a":01}', /position/],
    ['nul', /position 0/],
    ['"\u0001"', /position/],
    ['   ', /it is empty/],
    [Buffer.from([0x22, 0xff, 0x22]), /not UTF-8/],
    [deep(101), /nested more than 100 levels deep, at position 100/],
    ['['.repeat(1_000_000), /nested more than 100/],
    ['{"a":'.repeat(100_000), /nested more than 100/],
  ]
  for (const [payload, message] of refused) {
    const answer = await post(payload, 'application/json')
    t.equal(answer.statusCode, 400, String(payload).slice(0, 20))
    t.match(answer.body, message)
  }
  t.same((await post('"[[[[[[\\"[[["', 'application/json')).json(), ['[[[[[["[[['], 'brackets in a string are no nesting')
  for (const [payload, path] of [
    ['{"__proto__":{"x":1}}', 'body.__proto__'],
    ['{"a":[1,{"b c":{"__proto__":null}}]}', 'body.a[1]["b c"].__proto__'],
    [String.raw`[[{"\u005f\u005fproto\u005f\u005f":1}]]`, 'body[0][0].__proto__'],
    ['{"a":1e999,"__proto__":1}', 'body.__proto__'],
  ] as const) {
    const answer = await post(payload, 'application/json; charset=utf-8')
    t.match(answer, { statusCode: 400 }, payload)
    t.match(answer.body, `${path}: no member may be called __proto__`)
  }
  const harmless = '{"proto":"__proto__","__proto":1,"constructor":{"prototype":{}}}'
  t.equal((await post(harmless, 'application/json')).body, `[${harmless}]`, 'other names, and texts that have it, are like any other')
})

t.test('a body of exactly the limit passes, one byte more is refused with 413, and the connection survives', async (t) => {
  const { url, port } = await startApp(t, () => {
    httpEndpoint('/b', (_args, { body }) => body?.length ?? 0)
    httpEndpoint('/small', { bodyLimit: 10 }, (_args, { body }) => body?.length ?? 0)
  }, { bodyLimit: 1000 })
  const post = (path: string, length: number) => fetch(`${url}${api}${path}`, { method: 'POST', body: Buffer.alloc(length) })
  t.equal(await (await post('/b', 1000)).text(), '1000')
  const refused = await post('/b', 1001)
  t.equal(refused.status, 413)
  t.match(await refused.text(), /longer than the 1000 bytes/)
  t.equal((await post('/small', 10)).status, 200)
  t.equal((await post('/small', 11)).status, 413)
  t.equal((await post('/b', 5_000_000)).status, 413)
  const chunk = `3e8\r\n${'x'.repeat(1000)}\r\n`
  const chunked = await exchange(port, `POST ${api}/b HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n`, chunk, '1\r\nx\r\n0\r\n\r\n')
  t.match(chunked, /^HTTP\/1.1 413/, 'counted as it arrives when its length is not told')
  const both = await exchange(
    port,
    `POST ${api}/b HTTP/1.1\r\nhost: x\r\ncontent-length: 1001\r\n\r\n${'x'.repeat(1001)}`,
    `GET ${api}/b HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
  )
  t.match(both, /^HTTP\/1.1 413[\s\S]*HTTP\/1.1 200/, 'the next request on the connection is answered')
})

t.test('the default limit of a body is 20 MiB', async (t) => {
  const { server } = await buildApp(t, () => httpEndpoint('/b', (_args, { body }) => body?.length ?? 0))
  const limit = 20 * 1024 * 1024
  t.equal((await server.inject({ method: 'POST', url: `${api}/b`, payload: Buffer.alloc(limit) })).body, String(limit))
  t.equal((await server.inject({ method: 'POST', url: `${api}/b`, payload: Buffer.alloc(limit + 1) })).statusCode, 413)
})

t.test('a form of more than 1000 fields is refused with 400', async (t) => {
  const { server } = await buildApp(t, () => httpEndpoint('/b', (args) => Object.keys(args).length))
  const post = (payload: string, headers: Record<string, string>) => server.inject({ method: 'POST', url: `${api}/b`, payload, headers })
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  t.equal((await post(Array.from({ length: 1000 }, (_, n) => `f${n}=1`).join('&'), form)).body, '1000')
  t.equal((await post(Array.from({ length: 1001 }, (_, n) => `f${n}=1`).join('&'), form)).statusCode, 400)
})

t.test('a "%" that starts no UTF-8 spoils nothing but itself, in queries and forms alike', async (t) => {
  const { server } = await buildApp(t, () => httpEndpoint('/b', () => [request.queryParams, request.formParams].map((values) => [Object.entries(values), 'constructor' in values])))
  const cases: [string, unknown][] = [
    ['b=%E4%BD%A0%ff', [['b', '你\ufffd']]],
    ['b=%E4%BD&%e4=%41%', [['b', '\ufffd'], ['\ufffd', 'A%']]],
    ['%zz%41=%5', [['%zzA', '%5']]],
    ['b=a+%+b&c=1%2B1&c=100%25&c=%ff', [['b', 'a % b'], ['c', ['1+1', '100%', '\ufffd']]]],
    ['?a=%&=%&%&&', [['?a', '%'], ['', '%'], ['%', '']]],
    ['%5F_proto__=%&x=%ED%A0%80%c0%af', [['__proto__', '%'], ['x', '\ufffd'.repeat(5)]]],
    ['c=100%25', [['c', '100%']]],
    ['b=%E4%BD%A0&c', [['b', '你'], ['c', '']]],
    ['', []],
  ]
  for (const [text, expected] of cases) {
    const answer = await server.inject({ method: 'POST', url: `${api}/b?${text}`, headers: { 'content-type': 'application/x-www-form-urlencoded' }, payload: text })
    t.same(answer.json(), [[expected, false], [expected, false]], text)
  }
})

t.test('malformed requests are refused by the server and leave it alive', { skip: takesLong('it sends hundreds of malformed requests') }, async (t) => {
  const { url, port } = await startApp(t, () => httpEndpoint('/b', () => 'ok'))
  const cases = [
    `GET ${api}/b HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n`,
    `POST ${api}/b HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
    `GET ${api}/b\0 HTTP/1.1\r\nhost: a\r\n\r\n`,
    `GET ${api}/b HTTP/1.1\r\nhost: a\r\ncontent-length: x\r\n\r\n`,
    `GET ${api}/b HTTP/1.1\r\nhost: a/b@c"<x>\r\n\r\n`,
    `GET ${api}/b#x?y=1 HTTP/1.1\r\nhost: a\r\n\r\n`,
    'nonsense\r\n\r\n',
  ]
  for (const raw of cases) t.match(await exchange(port, raw), /^HTTP\/1\.1 400/, JSON.stringify(raw.slice(0, 40)))
  t.match(await exchange(port, `GET http://elsewhere${api}/b HTTP/1.1\r\nhost: elsewhere\r\nconnection: close\r\n\r\n`), /200 OK[\s\S]*ok$/, 'the absolute form is understood')
  const smuggled = await exchange(port, `POST ${api}/b HTTP/1.0\r\ntransfer-encoding: chunked\r\nconnection: keep-alive\r\n\r\n`, `0\r\n\r\nGET ${api}/b HTTP/1.1\r\nhost: a\r\n\r\n`)
  t.equal(smuggled.match(/HTTP\/1\.1/g)?.length, 1, 'what follows a request that can be read in two ways is not answered')
  t.match(await exchange(port, 'nonsense\r\n\r\n'), /x-request-id: [\s\S]*the request is not valid HTTP$/, 'in the form of every other error')
  t.match(await exchange(port, `GET ${api}/b HTTP/1.1\r\nhost: a\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`), /^HTTP\/1\.1 431/)
  t.equal(await (await fetch(`${url}${api}/b`)).text(), 'ok')
})

t.test('request is the request of the running call, 200 of them at once, and unavailable outside', async (t) => {
  const { server } = await buildApp(t, () =>
    httpEndpoint('/r/:n', async ({ n }, own) => {
      await delay(Math.random() * 20)
      const first = request.path
      await Promise.all([delay(Math.random() * 20), delay(1)])
      return [n, first, request.path, own.path, request.bodyJson, users.getUser()]
    }),
  )
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, n) => server.inject({ method: 'POST', url: `${api}/r/${n}`, payload: { n } })),
  )
  answers.forEach((answer, n) => t.same(answer.json(), [String(n), `/r/${n}`, `/r/${n}`, `/r/${n}`, { n }, null]))
  t.throws(() => request.path, { message: 'request is only available while an endpoint runs' })
  t.throws(() => users.getUser(), /only available while an endpoint runs/)
})

t.test('credentials are taken apart, and nothing of a malformed header is echoed', async (t) => {
  const { server } = await buildApp(t, () => {
    httpEndpoint('/open', () => [request.username, request.password, request.authorization])
    httpEndpoint('/judged', { requireCredentials: true }, () => {
      if (request.username !== 'admin' || request.password !== 'se:cret') throw new HttpError(403, 'not you')
      return 'in'
    })
  })
  const open = async (authorization: string) => (await server.inject({ url: `${api}/open`, headers: { authorization } })).json<unknown>()
  t.same(await open(basic('me', 'a:b').authorization), ['me', 'a:b', { scheme: 'basic', username: 'me', password: 'a:b' }])
  t.same(await open('Bearer x.y'), [null, null, { scheme: 'bearer', token: 'x.y' }])
  t.same(await open('Basic !!!'), [null, null, null])
  t.equal((await server.inject(`${api}/judged`)).statusCode, 401)
  t.equal((await server.inject({ url: `${api}/judged`, headers: basic('admin', 'se:cret') })).body, 'in')
  t.equal((await server.inject({ url: `${api}/judged`, headers: basic('admin', 'other') })).statusCode, 403)
  const malformed = await server.inject({ url: `${api}/judged`, headers: { authorization: 'Basic c2VjcmV0LXRva2Vu=' } })
  t.equal(malformed.statusCode, 401)
  t.notMatch(malformed.body + JSON.stringify(malformed.headers), /c2VjcmV0/)
})

t.test('credentials are checked before the body is read', async (t) => {
  const { port } = await startApp(t, () => httpEndpoint('/p', { authenticateUsers: true }, () => 1))
  const answer = await exchange(port, `POST ${api}/p HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n{"a":`)
  t.match(answer, /^HTTP\/1\.1 401/, 'a stranger with a malformed body is told 401, not 400')
})

t.test('pick takes members of a JSON object and refuses anything else with 400', async (t) => {
  const { server } = await buildApp(t, () => httpEndpoint('/p', () => pick<{ a: unknown; b: unknown }>(request.bodyJson, ['a', 'b'])))
  const post = (payload: object) => server.inject({ method: 'POST', url: `${api}/p`, payload })
  t.same((await post({ a: 1, c: 2 })).json(), { a: 1 })
  t.equal((await post([1])).statusCode, 400)
  t.match((await server.inject({ method: 'POST', url: `${api}/p` })).body, /expected a JSON object as the body, with content-type: application\/json, got none/)
  t.equal((await post(JSON.parse('{"__proto__":{"a":1}}') as object)).statusCode, 400, 'nothing can be inherited from a body')
})

t.test('signal aborts when the client goes away, and the handler runs to its end', async (t) => {
  const seen: string[] = []
  const { port } = await startApp(t, () =>
    httpEndpoint('/slow', async () => {
      const { signal } = request
      seen.push(`started ${signal.aborted}`)
      await once(signal, 'abort')
      seen.push(`aborted ${request.path}`)
    }),
  )
  const client = httpRequest({ port, path: `${api}/slow` }).on('error', () => undefined).end()
  while (seen.length < 1) await delay(5)
  client.destroy()
  while (seen.length < 2) await delay(5)
  t.same(seen, ['started false', 'aborted /slow'])
})

t.test('origins are built from what is configured or listened on, never from a forged Host', { skip: takesLong('it starts many servers') }, async (t) => {
  const define = (): void => httpEndpoint('/o', () => [getAppOrigin(), getApiOrigin(), getAppOrigin('published'), getApiOrigin('published')])
  const { url, port } = await startApp(t, define)
  const ask = async (headers: Record<string, string>, target = port): Promise<unknown> =>
    new Promise((resolve, reject) => {
      httpRequest({ port: target, path: `${api}/o`, headers }, (answer) => {
        const chunks: Buffer[] = []
        answer.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => resolve(JSON.parse(Buffer.concat(chunks).toString())))
      }).on('error', reject).end()
    })
  t.same(await ask({}), [`http://localhost:${port}`, `http://localhost:${port}${api}`, null, null], 'the address at which the caller is connected')
  t.same(await ask({ host: `127.0.0.1:${port}` }), [url, `${url}${api}`, null, null])
  t.equal((await fetch(`${url}${api}/o`)).status, 200, 'what getApiOrigin() gives can be fetched')
  t.notMatch(JSON.stringify(await ask({ host: 'evil.example' })), /evil/)
  const { port: published } = await startApp(t, define, { origin: 'https://todo.example', alternateOrigins: ['http://api.mydomain.test'] })
  const configured = ['https://todo.example', `https://todo.example${api}`]
  t.same(await ask({ host: 'evil.example' }, published), [...configured, ...configured])
  for (const host of [`localhost:${published}`, `127.0.0.1:${published}`]) t.same(await ask({ host }, published), [...configured, ...configured], 'the address that is listened on, which anybody may claim, is none of them')
  t.same(await ask({ host: 'api.mydomain.test' }, published), ['http://api.mydomain.test', `http://api.mydomain.test${api}`, ...configured], 'a configured domain reaches the same app')
  t.equal(get_app_origin, getAppOrigin)
  t.equal(get_api_origin, getApiOrigin)
})

t.test('a private app is served under its access key only, and keeps the key out of its log', { skip: takesLong('it hashes passwords and asks in many ways') }, async (t) => {
  const accessKey = 'k-9sYt_3yX0aVbWqPzR7Lm2d'
  const define = (): void => {
    httpEndpoint('/hello', { name: 'hello' }, () => ({ path: request.path, url: request.url, link: urlFor('hello', { x: 1 }), app: getAppOrigin(), api: getApiOrigin('published') }))
    route('/', () => 'home')
    route('/fail', () => Promise.reject(new Error('no')))
    route('/link', () => {
      log.info({ link: getAppOrigin() }, `made ${urlFor('hello')}`)
      throw new Error(`${getAppOrigin()} failed`)
    })
    for (const status of [400, 404]) errorHandler(status, (_error, { url }) => ({ asked: url, home: getAppOrigin() }))
  }
  const { url, log: lines, port } = await startApp(t, define, { private: { accessKey }, origin: 'https://app.example' })
  const home = `https://app.example/${accessKey}`
  const inside = `${url}/${accessKey}`
  t.same(await (await fetch(`${inside}/_/api/hello?y=2`)).json(), {
    path: '/hello',
    url: `${inside}/_/api/hello?y=2`,
    link: `/${accessKey}/_/api/hello?x=1`,
    app: home,
    api: `${home}/_/api`,
  })
  for (const path of ['', '/', '?x=1']) t.equal(await (await fetch(inside + path)).text(), 'home')
  t.equal((await fetch(`${inside}/_/health/live`)).status, 200)
  for (const [path, status] of [['/nothing', 404], ['/hello/%zz', 400]] as const) {
    const answer = await fetch(inside + path)
    t.same([answer.status, await answer.json()], [status, { asked: inside + path, home }])
  }
  t.equal((await fetch(`${inside}/fail`)).status, 500)
  for (const path of ['/', '/_/api/hello', '/_/health/live', `/${accessKey}x/`, `/${accessKey.slice(0, -1)}/`, `/${accessKey.toLowerCase()}/`, `//${accessKey}/`, '/%zz']) {
    for (const method of ['GET', 'OPTIONS', 'POST']) {
      const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method })
      t.same([answer.status, await answer.text()], [404, 'Not Found'], `${method} ${path}`)
      t.notOk(answer.headers.has('allow'))
    }
  }
  for (const request of ['GET / HTTP/1.1\r\nhost: a\r\nhost: b', 'GET / HTTP/1.1\r\nhost: a b', 'GET * HTTP/1.1\r\nhost: a', 'POST /x HTTP/1.0\r\ntransfer-encoding: chunked', 'nonsense']) {
    const answer = await exchange(port, `${request}\r\n\r\n`)
    t.match(answer, /^HTTP\/1\.1 40[04] /)
    t.notMatch(answer, accessKey, `no handler of the app is asked, which would tell the key: ${request}`)
  }
  // An exchange ends when the server has been silent for a while, so these are held side by side.
  const nearMisses = [`//${accessKey}/`, `/./${accessKey}/`, `/x/../${accessKey}/`, `/%6b${accessKey.slice(1)}/`, `/${accessKey}%2F`, `/${accessKey}%zz`, `/${accessKey};x/`, `/${accessKey}#x`, `/x/${accessKey}`, `/?${accessKey}`, `${accessKey}/`, `\\${accessKey}/`, `*${accessKey}`, `ftp://x/${accessKey}/`, `http://x//${accessKey}/`, `http://${accessKey}/`]
  await Promise.all(nearMisses.map(async (target) => t.match(await exchange(port, `GET ${target} HTTP/1.1\r\nhost: a\r\n\r\n`), /^HTTP\/1\.1 40[04] /, target)))
  const refused = ['', 'host: a\r\nhost: b\r\n', 'host: a\r\nexpect: x\r\n', 'host: a\r\ncontent-length: x\r\n', `host: a\r\nx: ${'x'.repeat(20_000)}\r\n`]
  const both = refused.flatMap((rest) => [`/${accessKey}/hello`, `//${accessKey}/hello`].map((target) => [target, rest] as const))
  await Promise.all(both.map(async ([target, rest]) => t.match(await exchange(port, `GET ${target} HTTP/1.1\r\n${rest}\r\n`), /^HTTP\/1\.1 4/, `${target} with ${rest.slice(0, 30)}`)))
  const ambiguous = await exchange(port, `GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\nGET /${accessKey}/ HTTP/1.1\r\nhost: a\r\n\r\n`)
  t.match(ambiguous, /^HTTP\/1\.1 400 /)
  t.notMatch(ambiguous, /home/, 'nothing that follows a request which can be read in two ways runs')
  t.equal((await fetch(`${inside}/link`)).status, 500)
  t.equal((await fetch(`${inside}/${accessKey}/hello`)).status, 404, 'a link that was put together wrongly')
  t.ok(lines.some(({ message }) => message === 'made /[access key]/_/api/hello'))
  t.ok(lines.some(({ path }) => path === '/[access key]/hello'))
  t.notMatch(JSON.stringify(lines), accessKey.slice(1, -1))
  await t.rejects(buildApp(t, define, { private: { accessKey: 'short' } }), { name: 'ConfigurationError', message: /private\.accessKey.*expected a text of 22 to 128.*got a text of 5 characters$/ })
})

t.test('a request that did not arrive in time is over: its rest runs nothing, and its connection is closed', { skip: takesLong('it waits for time limits'), timeout: 30_000 }, async (t) => {
  let ran = 0
  const { port, server } = await startApp(t, () => httpEndpoint('/write', { methods: ['POST'] }, () => ++ran), { requestTimeout: 800, headersTimeout: 500 })
  const half = 'POST /_/api/write HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nab'
  const answers = await Promise.all(
    ['', 'GET /nothing HTTP/1.1\r\nhost: a\r\n\r\n'].map(async (before) => {
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).on('error', () => undefined)
      t.teardown(() => socket.destroy())
      let text = ''
      socket.on('data', (chunk: Buffer) => (text += chunk.toString())).write(before + half)
      await once(socket, 'end')
      socket.write('cdefghij')
      return text
    }),
  )
  for (const answer of answers) t.match(answer, /HTTP\/1\.1 408 [\s\S]*the request did not arrive in time$/)
  const open = (): Promise<number> => new Promise((resolve) => server.server.getConnections((_error, count) => resolve(count)))
  for (let round = 0; round < 100 && (await open()) > 0; round++) await delay(50)
  t.equal(await open(), 0)
  t.equal(ran, 0)
})
