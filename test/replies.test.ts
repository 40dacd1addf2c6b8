import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { ReadableStream } from 'node:stream/web'
import { setTimeout as delay } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { errorHandler, abort, defineTables, eventStream, HttpError, httpEndpoint, HttpResponse, jsonify, Media, redirect, request, route, table, text, type ServerSentEvent, type StandardSchema } from 'rowhouse'
import { buildApp, startApp } from './support/app.ts'
import { takesLong } from './support/needs.ts'

const api = '/_/api'
const bytes = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 255])

t.test('each kind of value has its reply', async (t) => {
  class Point {
    toJSON() {
      return { x: 1 }
    }
  }
  const values: [string, () => unknown, string, string][] = [
    ['text', () => 'é', 'text/plain; charset=utf-8', 'é'],
    ['nothing', () => undefined, 'application/json', 'null'],
    ['null', () => null, 'application/json', 'null'],
    ['number', () => 4.5, 'application/json', '4.5'],
    ['boolean', () => false, 'application/json', 'false'],
    ['list', () => [1, 'a', null, undefined], 'application/json', '[1,"a",null,null]'],
    ['object', () => ({ key: 'value', left: undefined }), 'application/json', '{"key":"value"}'],
    ['date', () => ({ at: new Date(0) }), 'application/json', '{"at":"1970-01-01T00:00:00.000Z"}'],
    ['toJSON', () => ({ before: 1, at: new Point(), after: [new Point(), 2] }), 'application/json', '{"before":1,"at":{"x":1},"after":[{"x":1},2]}'],
    ['promise', () => Promise.resolve({ a: 1 }), 'application/json', '{"a":1}'],
    ['json', () => jsonify('text'), 'application/json', '"text"'],
    ['buffer', () => bytes, 'application/octet-stream', bytes.toString('latin1')],
    ['array', () => new Uint8Array(bytes), 'application/octet-stream', bytes.toString('latin1')],
    ['arraybuffer', () => new Uint8Array(bytes).buffer, 'application/octet-stream', bytes.toString('latin1')],
    ['blob', () => new Blob([bytes], { type: 'image/png' }), 'image/png', bytes.toString('latin1')],
    ['media', () => new Media(bytes, { contentType: 'image/png' }), 'image/png', bytes.toString('latin1')],
    ['stream', () => Readable.from(['a', 'b']), 'application/octet-stream', 'ab'],
    ['webstream', () => ReadableStream.from([bytes]), 'application/octet-stream', bytes.toString('latin1')],
    ['response', () => new Response('r', { headers: { 'content-type': 'text/x' } }), 'text/x', 'r'],
  ]
  const { server } = await buildApp(t, () => values.forEach(([path, value]) => httpEndpoint(`/${path}`, value)))
  for (const [path, , type, body] of values) {
    const answer = await server.inject(`${api}/${path}`)
    t.equal(answer.statusCode, 200, path)
    t.equal(answer.headers['content-type'], type, path)
    t.equal(answer.rawPayload.toString(type.includes('charset') || type.includes('json') ? 'utf8' : 'latin1'), body, path)
    t.notOk(answer.headers['server'] ?? answer.headers['x-powered-by'])
  }
})

t.test('a name of a Media becomes the file name of the reply', async (t) => {
  const { server } = await buildApp(t, () => httpEndpoint('/m', () => new Media(bytes, { contentType: 'image/png', name: `é "q".png` })))
  t.equal((await server.inject(`${api}/m`)).headers['content-disposition'], `inline; filename*=UTF-8''%C3%A9%20%22q%22.png`)
})

t.test('a file that somebody may have uploaded is shown, and runs nothing in the name of the app', async (t) => {
  const { server } = await buildApp(t, () => {
    route('/file', () => new Media(bytes, { contentType: String(request.queryParams['type']), name: 'upload' }))
    route('/back', { methods: ['POST'] }, () => request.body)
    route('/blob', { methods: ['POST'] }, async () => new Blob([await request.text()], { type: request.contentType }))
    route('/page', () => new Media('<p>mine</p>', { contentType: 'text/html' }))
    route('/own', { methods: ['POST'] }, () => new HttpResponse(200, request.body, { 'content-security-policy': "default-src 'self'" }))
    route('/known', { methods: ['POST'] }, () => new HttpResponse(200, request.body, { 'content-security-policy': 'sandbox allow-scripts', 'content-disposition': 'inline' }))
    route('/bytes', () => new HttpResponse(200, bytes, { 'content-type': 'text/html' }))
    route('/web', () => new Response(ReadableStream.from([bytes]) as ReadableStream<Uint8Array<ArrayBuffer>>))
  })
  const headersOf = async (path: string, type: string): Promise<Record<string, unknown>> =>
    (await server.inject(path === '/file' ? { url: path, query: { type } } : { method: 'POST', url: path, payload: '<p>', headers: { 'content-type': type } })).headers
  for (const path of ['/file', '/back', '/blob']) {
    const named = path === '/file' ? "; filename*=UTF-8''upload" : ''
    const shown = path === '/file' ? `inline${named}` : undefined
    for (const type of ['text/html', 'Text/HTML;charset=utf-8', 'text/html;', 'image/svg+xml', 'application/xhtml+xml', 'text/xml', 'application/xml', 'video/x+xml']) {
      const { 'content-type': sentType, 'content-disposition': disposition, ...headers } = await headersOf(path, type)
      t.match(headers, { 'content-security-policy': 'sandbox', 'x-content-type-options': 'nosniff' }, `${path} ${type}`)
      t.same([String(sentType).toLowerCase(), disposition], [type.toLowerCase(), shown], `${path} ${type}`)
    }
    for (const type of ['image/png', 'IMAGE/JPEG', 'audio/mpeg', 'video/mp4; codecs="avc1.42E01E"', 'application/pdf', 'text/plain; charset=utf-8', 'application/json']) {
      const headers = await headersOf(path, type)
      t.equal(headers['x-content-type-options'], 'nosniff', `${path} ${type}`)
      t.equal(headers['content-disposition'], shown, `${path} ${type}`)
      t.notMatch(headers['content-security-policy'] ?? '', /sandbox/, `${path} ${type}`)
    }
    for (const type of ['multipart/x-mixed-replace; boundary=x', 'text/javascript', 'application/zip', 'x/y', 'text/plain; a="b, text/html"']) {
      const headers = await headersOf(path, type)
      t.match(headers, { 'content-type': type, 'content-security-policy': 'sandbox', 'x-content-type-options': 'nosniff', 'content-disposition': `attachment${named}` }, `${path} ${type}`)
    }
    for (const type of ['text/plain, text/html', 'text/html, text/plain', 'text/html x', 'text/html(x)', 'text/html;charset', 'text/html; a=b c', 'text/html; a="b', 'html', 'text/', '/', '*', ' ', `text/html; a=${'b'.repeat(1000)}`]) {
      const headers = await headersOf(path, type)
      t.match(headers, { 'content-type': 'application/octet-stream', 'content-security-policy': 'sandbox', 'x-content-type-options': 'nosniff', 'content-disposition': `attachment${named}` }, `${path} ${type}`)
    }
  }
  t.match(await headersOf('/own', 'text/html'), { 'content-security-policy': "sandbox, default-src 'self'" }, 'a policy that stands on every answer does not open the sandbox')
  t.match(await headersOf('/known', 'text/html'), { 'content-security-policy': 'sandbox allow-scripts', 'content-disposition': 'inline' })
  for (const [path, type] of [['/page', 'text/html'], ['/bytes', 'text/html'], ['/web', undefined]] as const) {
    const { headers } = await server.inject(path)
    t.same([headers['content-type'], headers['x-content-type-options']], [type, 'nosniff'], path)
    t.notMatch(headers['content-security-policy'], /sandbox/, `${path} is of the app’s own`)
    t.notOk('content-disposition' in headers, path)
  }
})

t.test('HttpResponse decides status, headers and body', async (t) => {
  const { server } = await buildApp(t, () => {
    httpEndpoint('/s/:status', ({ status }) => new HttpResponse(Number(status), 'Body goes here'))
    httpEndpoint('/parts', () => new HttpResponse({ status: 404 }))
    httpEndpoint('/json', () => new HttpResponse(201, { a: [1] }, { 'X-One': 'a' }))
    httpEndpoint('/media', () => new HttpResponse(200, new Media(bytes, { contentType: 'image/png' }), { 'content-type': 'image/x-own', 'content-length': '1' }))
    httpEndpoint('/streamed', () => new HttpResponse(200, Readable.from(['x']), { 'content-type': 'text/csv' }))
    httpEndpoint('/lines', () => {
      const response = new HttpResponse(401, 'Authenticate.')
      response.headers.set('WWW-Authenticate', 'Digest realm="x"')
      response.headers.set('www-authenticate', 'Basic realm="Example"')
      response.headers.append('WWW-Authenticate', 'Bearer realm="Example"')
      response.headers.append('Link', 'a')
      response.headers.delete('LINK')
      return response
    })
    httpEndpoint('/changed', () => {
      const response = new HttpResponse()
      response.status = 418
      response.body = { tea: true }
      return response
    })
  })
  for (const status of [200, 201, 301, 304, 400, 403, 404, 409, 418, 500, 503]) {
    const answer = await server.inject(`${api}/s/${status}`)
    t.equal(answer.statusCode, status)
    t.equal(answer.body, status === 304 ? '' : 'Body goes here')
  }
  const empty = await server.inject(`${api}/s/204`)
  t.equal(empty.statusCode, 204)
  t.equal(empty.body, '')
  t.notOk(empty.headers['content-type'])
  const missing = await server.inject(`${api}/parts`)
  t.equal(missing.statusCode, 404)
  t.equal(missing.body, '')
  t.equal(missing.headers['content-type'], 'text/plain; charset=utf-8')
  t.match(await server.inject(`${api}/json`), { statusCode: 201, body: '{"a":[1]}', headers: { 'x-one': 'a', 'content-type': 'application/json' } })
  t.match((await server.inject(`${api}/media`)).headers, { 'content-type': 'image/x-own', 'content-length': String(bytes.length) })
  t.match(await server.inject(`${api}/streamed`), { body: 'x', headers: { 'content-type': 'text/csv' } })
  const lines = await server.inject(`${api}/lines`)
  t.same(lines.headers['www-authenticate'], ['Basic realm="Example"', 'Bearer realm="Example"'])
  t.notOk(lines.headers.link)
  t.match(await server.inject(`${api}/changed`), { statusCode: 418, body: '{"tea":true}' })
  // @ts-expect-error no status
  t.throws(() => new HttpResponse(1000), RangeError)
  t.throws(() => new HttpResponse(200, '', { 'x-y': 'a\r\nb: c' }), TypeError, 'no header can be smuggled in')
  t.throws(() => new HttpResponse().headers.set('a b', 'c'), TypeError)
})

t.test('several header lines of one name stay several on the wire', async (t) => {
  const { url } = await startApp(t, () => {
    httpEndpoint('/r', () => {
      const response = new Response(null, { status: 200 })
      response.headers.append('set-cookie', 'a=1')
      response.headers.append('set-cookie', 'b=2')
      return response
    })
  })
  const answer = await fetch(`${url}${api}/r`)
  t.same(answer.headers.getSetCookie(), ['a=1', 'b=2'])
  t.equal(answer.headers.get('content-type'), null, 'no content type is invented')
  t.equal(answer.headers.get('content-length'), '0')
})

t.test('redirect sends the client elsewhere', async (t) => {
  const { server } = await buildApp(t, () => {
    httpEndpoint('/wiki', () => {
      const response = new HttpResponse(302, 'Redirecting to Wikipedia...')
      response.headers.set('Location', 'https://en.wikipedia.org/')
      return response
    })
    httpEndpoint('/r', () => redirect('/ü?a=%20b'))
    httpEndpoint('/p', () => redirect('https://x.example/', 308))
  })
  t.match(await server.inject(`${api}/wiki`), { statusCode: 302, headers: { location: 'https://en.wikipedia.org/' }, body: 'Redirecting to Wikipedia...' })
  t.match(await server.inject(`${api}/r`), { statusCode: 302, headers: { location: '/%C3%BC?a=%20b' } })
  t.match(await server.inject(`${api}/p`), { statusCode: 308, headers: { location: 'https://x.example/' } })
})

t.test('a value that cannot be sent answers 500, and the log names it and its place', async (t) => {
  const cycle: Record<string, unknown> = { a: [{}] }
  Object.assign((cycle['a'] as object[])[0] ?? {}, { b: cycle })
  let deep: unknown = 1
  for (let level = 0; level < 20_000; level++) deep = [deep]
  const values: [unknown, string][] = [
    [{ items: [0, 1, 2, { total: 1n }] }, 'cannot send a BigInt as response.items[3].total'],
    [10n, 'cannot send a BigInt as response'],
    [() => 1, 'cannot send a function as response'],
    [Symbol('x'), 'cannot send a symbol as response'],
    [{ 'a b': [() => 1] }, 'cannot send a function as response["a b"][0]'],
    [{ x: Number.NaN }, 'cannot send NaN as response.x'],
    [Number.POSITIVE_INFINITY, 'cannot send Infinity as response'],
    [cycle, 'cannot send a cycle as response.a[0].b'],
    [{ m: new Map() }, 'cannot send an object of class Map as response.m'],
    [[new Date(Number.NaN)], 'cannot send an invalid Date as response[0]'],
    [{ p: Promise.resolve(1) }, 'cannot send a Promise (await it) as response.p'],
    [new HttpResponse(200, new HttpResponse()), 'cannot send a response as the body of another'],
    [deep, 'cannot send a value nested more than 1000 levels deep'],
  ]
  const { server, log } = await buildApp(t, () => httpEndpoint('/v/:n', ({ n }) => values[Number(n)]?.[0]))
  for (const [n, [, message]] of values.entries()) {
    const answer = await server.inject(`${api}/v/${n}`)
    t.equal(answer.statusCode, 500)
    t.equal(answer.body, 'An exception was raised. Check the application logs for details.')
    const line = log.find((entry) => entry['requestId'] === answer.headers['x-request-id'] && 'err' in entry)
    t.match(line?.['message'], `Exception on ${api}/v/${n} [GET]`)
    t.match(line, { err: { message } })
  }
})

t.test('a reply in memory that is larger than responseLimit answers 500, a stream may be larger', async (t) => {
  const { server, log } = await buildApp(t, () => {
    httpEndpoint('/big', () => Buffer.alloc(1001))
    httpEndpoint('/fits', () => Buffer.alloc(1000))
    httpEndpoint('/stream', () => Readable.from([Buffer.alloc(1000), Buffer.alloc(1000)]))
  }, { responseLimit: 1000 })
  t.equal((await server.inject(`${api}/big`)).statusCode, 500)
  t.match(JSON.stringify(log), /more than 1000 \(responseLimit\)/)
  t.equal((await server.inject(`${api}/fits`)).statusCode, 200)
  t.equal((await server.inject(`${api}/stream`)).rawPayload.length, 2000)
})

t.test('a stream is sent as it is produced, no faster than it is read, and its failure cuts the answer', async (t) => {
  let produced = 0
  let ended = false
  const { url } = await startApp(t, () => {
    httpEndpoint('/endless', async function* () {
      try {
        for (;;) {
          produced++
          yield Buffer.alloc(64 * 1024)
        }
      } finally {
        ended = true
      }
    })
    httpEndpoint('/failing', async function* () {
      yield 'begun'
      await delay(20)
      throw new Error('in the middle')
    })
    httpEndpoint('/failing-at-once', async function* () {
      if (request.path !== '') throw new Error('at once')
      yield ''
    })
    httpEndpoint('/ok', () => 'ok')
  })
  const abortion = new AbortController()
  const answer = await fetch(`${url}${api}/endless`, { signal: abortion.signal })
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader()
  await reader.read()
  await delay(200)
  t.ok(produced < 500, 'back-pressure holds the producer back')
  abortion.abort()
  while (!ended) await delay(5)
  await t.rejects(fetch(`${url}${api}/failing`).then((cut) => cut.text()), 'the client learns that the answer is not whole')
  t.equal((await fetch(`${url}${api}/failing-at-once`)).status, 500)
  t.equal(await (await fetch(`${url}${api}/ok`)).text(), 'ok', 'the server lives')
})

t.test('an error that was thrown for the caller is told to him, any other is not', async (t) => {
  const { server, log } = await buildApp(t, () => {
    httpEndpoint('/http', () => {
      throw new HttpError(409, 'this seat has been taken', { seat: 7 })
    })
    httpEndpoint('/abort', async () => {
      await delay(1)
      abort(418)
    })
    httpEndpoint('/boom', () => {
      throw new Error('the secret is 42')
    })
    httpEndpoint('/odd/:what', ({ what }) => {
      throw what === 'null' ? null : what === 'text' ? 'a text' : Object.create(null)
    })
    httpEndpoint('/status', () => {
      throw Object.assign(new Error('of somebody else'), { statusCode: 403, status: 403 })
    })
  })
  const json = { accept: 'application/json' }
  t.match((await server.inject({ url: `${api}/http`, headers: json })).json(), { status: 409, error: 'Conflict', message: 'this seat has been taken', seat: 7, requestId: String })
  t.match(await server.inject(`${api}/abort`), { statusCode: 418, body: "I'm a Teapot" })
  const boom = await server.inject(`${api}/boom`)
  t.equal(boom.statusCode, 500)
  t.equal(boom.headers['content-type'], 'text/plain; charset=utf-8')
  t.equal(boom.body, 'An exception was raised. Check the application logs for details.')
  const line = log.find(({ message }) => message === `Exception on ${api}/boom [GET]`)
  t.equal(line?.['requestId'], boom.headers['x-request-id'])
  t.match(line, { err: { stack: /the secret is 42[\s\S]*replies\.test\.ts/ } })
  for (const what of ['null', 'text', 'object']) t.equal((await server.inject(`${api}/odd/${what}`)).statusCode, 500)
  t.equal((await server.inject(`${api}/status`)).statusCode, 500, 'the status of an error of another library means nothing here')
})

t.test('an error wears what the caller accepts', async (t) => {
  const define = (): void =>
    httpEndpoint('/e', () => {
      throw new HttpError(400, '<script>alert("x")</script>')
    })
  const { server } = await buildApp(t, define)
  const ask = (accept?: string, path = '/e') => server.inject({ url: api + path, headers: accept === undefined ? {} : { accept } })
  const page = await ask('text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8')
  t.equal(page.headers['content-type'], 'text/html; charset=utf-8')
  t.match(page.body, '400 Bad Request')
  t.match(page.body, '&lt;script&gt;')
  t.notMatch(page.body, '<script>')
  t.equal((await ask('application/json')).headers['content-type'], 'application/json')
  t.equal((await ask('application/json, text/plain, */*')).headers['content-type'], 'application/json')
  for (const accept of [undefined, '*/*', 'text/plain', 'image/png', 'nonsense;;q=']) {
    t.equal((await ask(accept)).headers['content-type'], 'text/plain; charset=utf-8', String(accept))
  }
  t.match((await ask('text/html', '/nothing')).body, '404 Not Found')
  const { server: json } = await buildApp(t, define, { errors: 'json' })
  t.match((await json.inject({ url: `${api}/e`, headers: { accept: 'text/html' } })).json(), { status: 400 })
  t.match((await json.inject({ method: 'PUT', url: `${api}/e` })).json(), { status: 405, message: 'Method not supported' })
  t.match((await json.inject('/nothing')).json(), { status: 404, message: 'Not Found' })
  t.match((await json.inject('/%zz')).json(), { status: 400 })
})

t.test('an error that another caller would read in another dress says so to caches, and no other answer does', async (t) => {
  const define = (): void => {
    httpEndpoint('/e/:vary', ({ vary }) => {
      throw new HttpError(404, 'gone', {}, { Vary: String(vary) })
    })
    httpEndpoint('/ok', () => 'ok')
  }
  const { server } = await buildApp(t, define)
  const varyOf = async (path: string, accept = '*/*'): Promise<unknown> => (await server.inject({ url: api + path, headers: { accept } })).headers['vary']
  for (const accept of ['text/html', 'application/json', 'text/plain']) t.equal(await varyOf('/none', accept), 'Accept', accept)
  t.equal(await varyOf('/ok'), undefined)
  for (const [own, told] of [['Origin', 'Origin, Accept'], ['Accept-Encoding', 'Accept-Encoding, Accept'], ['origin, accept', 'origin, accept'], ['*', '*']] as const) t.equal(await varyOf(`/e/${own}`.replace(' ', '%20')), told)
  const { server: json } = await buildApp(t, define, { errors: 'json' })
  t.equal((await json.inject(`${api}/none`)).headers['vary'], undefined)
  t.equal((await json.inject(`${api}/e/Origin`)).headers['vary'], 'Origin')
})

t.test('a handler that takes too long answers 503, and the log names it', async (t) => {
  const { url, log } = await startApp(t, () => {
    httpEndpoint('/slow', { timeout: 50 }, () => new Promise(() => undefined))
    httpEndpoint('/in-time', { timeout: 2000 }, () => delay(10, 'done'))
  })
  const answer = await fetch(`${url}${api}/slow`)
  t.equal(answer.status, 503)
  t.match(log.find(({ endpoint, message }) => endpoint === `${api}/slow` && String(message).includes('did not answer')), {
    message: /replies\.test\.ts:\d+ did not answer within 50 ms/,
  })
  t.equal(await (await fetch(`${url}${api}/in-time`)).text(), 'done')
})

t.test('a piece of a stream that is neither text nor bytes ends that answer, not the server, and is in the log', async (t) => {
  const { url, log } = await startApp(t, () => {
    httpEndpoint('/readable', () => Readable.from(['a', { b: 1 }]))
    httpEndpoint('/generator', async function* () {
      yield 'a'
      yield 5
    })
    httpEndpoint('/web', () => ReadableStream.from(['a', { b: 1 }]))
    httpEndpoint('/first', () => Readable.from([{ b: 1 }]))
    httpEndpoint('/ok', () => 'ok')
  })
  for (const path of ['readable', 'generator', 'web']) await t.rejects(fetch(`${url}${api}/${path}`).then((answer) => answer.text()), path)
  t.equal((await fetch(`${url}${api}/first`)).status, 500)
  t.equal(await (await fetch(`${url}${api}/ok`)).text(), 'ok')
  for (const message of ['cannot send a plain object as response[1]', 'cannot send a number as response[1]', 'cannot send a plain object as response[0]']) t.match(JSON.stringify(log), message)
})

t.test('a stream that fails is in the log, and before its first piece it is an error reply without the headers of success', async (t) => {
  const { url, log } = await startApp(t, () => {
    httpEndpoint('/late', async function* () {
      yield 'begun'
      await delay(20)
      throw new Error('late failure')
    })
    httpEndpoint('/early', () => {
      const failing = Readable.from((async function* () {
        yield await Promise.reject(new Error('early failure'))
      })())
      return new HttpResponse(200, failing, { 'cache-control': 'public, max-age=31536000', etag: '"abc"', 'content-encoding': 'gzip' })
    })
  })
  await t.rejects(fetch(`${url}${api}/late`).then((answer) => answer.text()))
  const early = await fetch(`${url}${api}/early`)
  t.equal(early.status, 500)
  for (const name of ['cache-control', 'etag', 'content-encoding']) t.equal(early.headers.get(name), null, name)
  t.match(log.find(({ message }) => String(message).startsWith(`Exception on ${api}/late [GET]`)), { err: { message: 'late failure' } })
  t.match(log.find(({ message }) => String(message).startsWith(`Exception on ${api}/early [GET]`)), { err: { message: 'early failure' } })
})

t.test('a stream that is not sent is closed', async (t) => {
  const streams: Readable[] = []
  const made = (): Readable => {
    const stream = new Readable({ read: () => undefined })
    streams.push(stream)
    return stream
  }
  const { url } = await startApp(t, () => {
    httpEndpoint('/unchanged', () => new HttpResponse(304, made()))
    httpEndpoint('/late', { timeout: 20 }, async () => {
      await delay(250)
      return new HttpResponse(200, made())
    })
  })
  t.equal((await fetch(`${url}${api}/unchanged`)).status, 304)
  t.equal((await fetch(`${url}${api}/late`)).status, 503)
  while (streams.length < 2) await delay(5)
  await delay(5)
  t.same(streams.map(({ destroyed }) => destroyed), [true, true])
})

t.test('headers that frame a message are decided by the server', async (t) => {
  const framing = { 'transfer-encoding': 'chunked', 'content-length': '3', connection: 'keep-alive', trailer: 'x' }
  const upstream = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/plain', 'content-encoding': 'gzip', 'x-kept': '1' }).end(gzipSync('from upstream'))
  }).listen(0, '127.0.0.1')
  await once(upstream, 'listening')
  t.teardown(() => upstream.close())
  const { port } = upstream.address() as AddressInfo
  const { url } = await startApp(t, () => {
    httpEndpoint('/custom', () => new HttpResponse(200, 'hello', framing))
    httpEndpoint('/web', () => new Response('abcdef', { headers: framing }))
    httpEndpoint('/empty', () => new HttpResponse(204, '', framing))
    httpEndpoint('/proxy', () => fetch(`http://127.0.0.1:${port}/`))
  })
  const custom = await fetch(`${url}${api}/custom`)
  t.equal(await custom.text(), 'hello')
  t.same([custom.headers.get('content-length'), custom.headers.get('transfer-encoding'), custom.headers.get('trailer')], ['5', null, null])
  t.equal(await (await fetch(`${url}${api}/web`)).text(), 'abcdef')
  const empty = await fetch(`${url}${api}/empty`)
  t.same([empty.status, empty.headers.get('content-length'), empty.headers.get('transfer-encoding')], [204, null, null])
  const proxied = await fetch(`${url}${api}/proxy`)
  t.equal(await proxied.text(), 'from upstream', 'what fetch has decoded is not sent as encoded')
  t.same([proxied.headers.get('content-encoding'), proxied.headers.get('x-kept')], [null, '1'])
})

t.test('an error that cannot be told is told in general words, and both errors are in the log', async (t) => {
  const { server, log } = await buildApp(t, () => {
    httpEndpoint('/details', async () => {
      await delay(1)
      throw new HttpError(400, 'x', { n: 1n })
    })
    httpEndpoint('/header', () => {
      throw new HttpError(400, 'x', {}, { 'x-a': 'a\nb' })
    })
    httpEndpoint('/trap', async () => {
      await delay(1)
      throw new Proxy({}, { getPrototypeOf: () => { throw new Error('trap') }, get: () => { throw new Error('trap') } })
    })
  })
  for (const path of ['details', 'header', 'trap']) {
    const answer = await server.inject({ url: `${api}/${path}`, headers: { accept: 'application/json' } })
    t.equal(answer.statusCode, 500, path)
    t.equal(answer.json<{ message: string }>().message, 'An exception was raised. Check the application logs for details.')
  }
  t.match(JSON.stringify(log), /cannot send a BigInt as response\.n/)
})

t.test('an error after the time is over is in the log, and the time covers the check of the arguments', { skip: takesLong('it waits for time limits') }, async (t) => {
  const endless: StandardSchema = { '~standard': { version: 1, vendor: 'test', validate: () => new Promise(() => undefined) } }
  const { url, log } = await startApp(t, () => {
    httpEndpoint('/late', { timeout: 20 }, async () => {
      await delay(250)
      throw new Error('too late to be told')
    })
    httpEndpoint('/endless', { timeout: 20, params: { x: endless } }, () => 1)
  })
  t.equal((await fetch(`${url}${api}/late`)).status, 503)
  t.equal((await fetch(`${url}${api}/endless?x=1`)).status, 503)
  while (!JSON.stringify(log).includes('too late to be told')) await delay(10)
  t.pass('it is in the log')
})

t.test('a 401 of the author asks for credentials too, and keeps a challenge of his own', async (t) => {
  const { server } = await buildApp(t, () => {
    httpEndpoint('/plain', () => abort(401))
    httpEndpoint('/own', () => {
      throw new HttpError(401, 'x', {}, { 'WWW-Authenticate': 'Bearer' })
    })
  }, { realm: 'here' })
  t.match((await server.inject(`${api}/plain`)).headers['www-authenticate'], /^Basic realm="here"/)
  t.equal((await server.inject(`${api}/own`)).headers['www-authenticate'], 'Bearer')
})

t.test('headers are set by their methods, and anything else throws at once', async (t) => {
  const response = new HttpResponse(200, '', { 'X-One': 'a', 'set-cookie': ['a=1', 'b=2'] })
  const copy = new HttpResponse(200, '', response.headers)
  response.headers.clear()
  t.same([[...response.headers], [...copy.headers]], [[], [['x-one', 'a'], ['set-cookie', 'a=1'], ['set-cookie', 'b=2']]], 'a copy is a copy')
  t.same([copy.headers.get('X-ONE'), copy.headers.has('Set-Cookie'), copy.headers.getAll('Set-Cookie'), copy.headers.get('x-two')], ['a', true, ['a=1', 'b=2'], null])
  t.throws(() => Object.assign(response.headers, { location: '/x' }), TypeError)
  t.throws(() => Object.assign(response, { headers: {} }), TypeError)
  t.equal(redirect('http://[::1]:3030/x y/ü"?a=%20b').headers.get('location'), 'http://[::1]:3030/x%20y/%C3%BC%22?a=%20b')
  t.throws(() => redirect('/x', 200 as 302), RangeError)
})

t.test('what a table refuses is in the log too, for the author whose mistake it may be', async (t) => {
  const { server, log } = await buildApp(t, () => {
    const tables = defineTables({ notes: table({ title: text() }) })
    httpEndpoint('/n', (args) => tables.notes.addRow({ ...args } as object))
  })
  const answer = await server.inject(`${api}/n?titel=x`)
  t.equal(answer.statusCode, 400)
  t.match(log.find(({ message }) => message === `A table refused ${api}/n [GET]`), { level: 40, requestId: answer.headers['x-request-id'], err: { code: 'unknown-column' } })
})

/** The next event or comment of an event stream. */
async function readBlock(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
  const { value } = await reader.read()
  return new TextDecoder().decode(value)
}

t.test('an event stream sends events in their form, and comments while there are none', async (t) => {
  let ended = false
  const { url } = await startApp(t, () => {
    route('/events', () => eventStream(events(), { heartbeat: 30 }))
    async function* events(): AsyncGenerator<string | ServerSentEvent> {
      try {
        yield 'one\ntwo\r\nthree'
        yield { event: 'change', id: '7', retry: 10, data: { title: 'Wash\nthe car' } }
        await new Promise((resolve) => setTimeout(resolve, 60))
        yield { data: 'late' }
        yield { id: 'two\nlines' }
      } finally {
        ended = true
      }
    }
  })
  const answer = await fetch(`${url}/events`)
  t.equal(answer.headers.get('content-type'), 'text/event-stream')
  t.equal(answer.headers.get('cache-control'), 'no-store')
  const reader = answer.body?.getReader() as ReadableStreamDefaultReader<Uint8Array>
  let text = ''
  await t.rejects(async () => {
    for (;;) text += await readBlock(reader)
  }, 'an event that has no form cuts the stream')
  t.match(text, /^:\n\ndata: one\ndata: two\ndata: three\n\nevent: change\nid: 7\nretry: 10\ndata: \{"title":"Wash\\nthe car"\}\n\n(?::\n\n)+data: late\n\n$/)
  t.equal(ended, true)
})

t.test('an event stream keeps nothing of what it has sent', async (t) => {
  setFlagsFromString('--expose-gc')
  const collectGarbage = runInNewContext('gc') as () => void
  const sent: WeakRef<object>[] = []
  async function* events(): AsyncGenerator<ServerSentEvent> {
    for (;;) {
      const data = { number: sent.length }
      sent.push(new WeakRef(data))
      yield { data }
    }
  }
  const pieces = (eventStream(events()).body as AsyncIterable<string>)[Symbol.asyncIterator]()
  for (let count = 0; count < 2000; count++) await pieces.next()
  collectGarbage()
  await new Promise((resolve) => setTimeout(resolve, 1))
  collectGarbage()
  const kept = sent.filter((reference) => reference.deref() !== undefined).length
  t.ok(kept < 100, `${kept} of ${sent.length} events are still there`)
  await pieces.return?.()
})

t.test('the source of an event stream is ended when the client goes away, and when the server stops', async (t) => {
  let ended = 0
  const { url, server } = await startApp(t, () => {
    route('/events', () => eventStream(forever(), { heartbeat: 20 }))
    async function* forever(): AsyncGenerator<string> {
      try {
        for (;;) {
          yield 'again'
          await new Promise((resolve) => setTimeout(resolve, 10))
        }
      } finally {
        ended++
      }
    }
  })
  const warnings: Error[] = []
  const onWarning = (warning: Error): void => void warnings.push(warning)
  process.on('warning', onWarning)
  t.teardown(() => process.off('warning', onWarning))
  const controller = new AbortController()
  const clients = 12
  for (let client = 0; client < clients; client++) await fetch(`${url}/events`, { signal: controller.signal })
  controller.abort()
  for (let round = 0; round < 200 && ended < clients; round++) await new Promise((resolve) => setTimeout(resolve, 10))
  t.equal(ended, clients)
  t.same(warnings.filter(({ message }) => message.includes('AbortSignal') && message.includes('[AbortSignal]. MaxListeners')), [])
  ended = 1
  const answer = await fetch(`${url}/events`)
  const started = performance.now()
  const [body] = await Promise.all([answer.text(), server.close()])
  t.match(body, /again/)
  t.equal(ended, 2)
  t.ok(performance.now() - started < 5000, 'an open stream does not hold up the stop')
})

t.test('a stream that waits for nothing leaves the server to others, and an event stream keeps nothing of what it has sent', { timeout: 30_000 }, async (t) => {
  let kept: WeakRef<object>[] = []
  let produced = 0
  const { url } = await startApp(t, () => {
    async function* lines(): AsyncGenerator<string> {
      for (;; produced++) yield 'x'.repeat(100)
    }
    httpEndpoint('/lines', lines)
    route('/events', () => eventStream(lines()))
    route('/ok', () => 'ok')
    route('/objects', () =>
      eventStream(
        (async function* () {
          for (let number = 0; number < 200; number++) {
            const data = { number, text: 'x'.repeat(1000) }
            kept.push(new WeakRef(data))
            yield { data }
          }
          await new Promise(() => undefined)
        })(),
      ),
    )
  })
  // In a process of its own, so that it reads while the server writes.
  const read = `for (const url of process.argv.slice(1)) fetch(url).then(async ({ body }) => { for await (const piece of body) process.exitCode = 0 })`
  const reader = spawn(process.execPath, ['-e', read, `${url}${api}/lines`, `${url}/events`], { stdio: 'ignore' })
  t.teardown(() => reader.kill('SIGKILL'))
  while (produced < 1000) await delay(20)
  const before = produced
  const started = performance.now()
  for (let round = 0; round < 5; round++) t.equal(await (await fetch(`${url}/ok`)).text(), 'ok')
  t.ok(performance.now() - started < 2000)
  t.ok(produced > before, 'the streams went on meanwhile')
  reader.kill('SIGKILL')
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const { body } = await fetch(`${url}/objects`)
  const events = body?.getReader() as ReadableStreamDefaultReader<Uint8Array>
  for (let text = ''; !text.includes('"number":199'); ) text += Buffer.from((await events.read()).value ?? []).toString()
  await delay(20)
  collect()
  t.equal(kept.length, 200)
  kept = kept.filter((event) => event.deref() !== undefined)
  t.ok(kept.length < 20, `${kept.length} of 200 events are kept`)
  await events.cancel()
})

t.test('a source is let go of when its client leaves before the first piece, and one that fails in that changes no answer', async (t) => {
  const released: string[] = []
  const silent = (name: string) => ({
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise<IteratorResult<string>>(() => undefined),
      return: async () => {
        released.push(name)
        return { done: true as const, value: undefined }
      },
    }),
  })
  const { url, log } = await startApp(t, () => {
    route('/silent', () => silent('iterator'))
    route('/web', () => new Response(new ReadableStream({ cancel: () => void released.push('web') }) as unknown as string))
    route('/bad', () => ({
      [Symbol.asyncIterator]: () => ({
        next: async () => ({ done: false as const, value: 7 }),
        return: async () => {
          throw new Error('the cleanup fails')
        },
      }),
    }))
    errorHandler(500, async () => 'handled')
  })
  for (const [path, name] of [['/silent', 'iterator'], ['/web', 'web']] as const) {
    const controller = new AbortController()
    const asked = fetch(url + path, { signal: controller.signal })
    setTimeout(() => controller.abort(), 50)
    await t.rejects(asked)
    for (let waited = 0; waited < 3000 && !released.includes(name); waited += 10) await delay(10)
    t.ok(released.includes(name), path)
  }
  const bad = await fetch(`${url}/bad`)
  t.same([bad.status, await bad.text()], [500, 'handled'])
  t.match(log.filter(({ level }) => level === 50).map(({ message }) => message), ['Exception on /bad [GET]', 'Exception on /bad [GET] when a stream was let go of'])
})

t.test('a source is let go of as soon as the client is gone, whatever it waits for, and when it was gone before', { timeout: 10_000 }, async (t) => {
  const released: string[] = []
  const waiting = (name: string) => ({
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise<IteratorResult<string>>(() => undefined),
      return: async () => {
        released.push(name)
        return { done: true as const, value: undefined }
      },
    }),
  })
  const web = (): ReadableStream => new ReadableStream({ start: (controller) => controller.enqueue('x'), cancel: () => void released.push('web') })
  const node = (): Readable => new Readable({ read() { this.push('x'); this.read = () => undefined }, destroy: (error, done) => (released.push('node'), done(error)) })
  let gone: (() => void) | null = null
  const { url } = await startApp(t, () => {
    route('/events', () => eventStream(waiting('events')))
    route('/web', () => new Response(web() as unknown as string))
    route('/node', node)
    route('/late', async (_args, { signal }) => {
      gone?.()
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      return node()
    })
  })
  for (const path of ['/events', '/web', '/node']) {
    const controller = new AbortController()
    await fetch(url + path, { signal: controller.signal })
    controller.abort()
    while (!released.includes(path.slice(1))) await delay(5)
  }
  released.length = 0
  const controller = new AbortController()
  const running = new Promise<void>((resolve) => (gone = resolve))
  const asked = fetch(`${url}/late`, { signal: controller.signal })
  await running
  controller.abort()
  await t.rejects(asked)
  while (released.length === 0) await delay(5)
  t.same(released, ['node'])
  t.throws(() => eventStream(waiting('never'), { heartbeat: Number.POSITIVE_INFINITY }), { message: /takes 1 to 2147483647 milliseconds, got Infinity/ })
})

t.test('a text with a text type of its own gets its charset, other types are sent as they are', async (t) => {
  const { server } = await buildApp(t, () => {
    route('/<name>', ({ name }) => new HttpResponse(200, 'é', { 'content-type': request.queryParams['type'] as string, link: `<${name}>` }))
  })
  const typeOf = async (type: string): Promise<unknown> => (await server.inject({ url: '/x', query: { type } })).headers['content-type']
  t.equal(await typeOf('text/csv'), 'text/csv; charset=utf-8')
  t.equal(await typeOf('text/html; charset=iso-8859-1'), 'text/html; charset=iso-8859-1')
  t.equal(await typeOf('application/vnd.example.v2+json'), 'application/vnd.example.v2+json')
})

t.test('a client that stops reading its answer is let go of, one that waits for a slow source is not', { skip: takesLong('it waits for time limits') }, async (t) => {
  let ended = false
  const { server, port, url } = await startApp(
    t,
    () => {
      route('/endless', async function* () {
        try {
          for (;;) yield Buffer.alloc(64 * 1024)
        } finally {
          ended = true
        }
      })
      route('/large', () => Buffer.alloc(16 * 1024 * 1024))
      route('/slow', async function* () {
        yield 'a'
        await delay(900)
        yield 'b'
      })
    },
    { sendTimeout: 300 },
  )
  const slow = fetch(`${url}/slow`)
  const sockets = ['/endless', '/large'].map((path) => {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined)
    t.teardown(() => socket.destroy())
    socket.write(`GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`)
    return socket.pause()
  })
  t.equal(await (await slow).text(), 'ab')
  const open = (): Promise<number> => new Promise((resolve) => server.server.getConnections((_error, count) => resolve(count)))
  for (let round = 0; round < 100 && (await open()) > 1; round++) await delay(50)
  t.ok((await open()) <= 1, 'only the client that has read its answer is still connected')
  t.equal(ended, true, 'and the source is closed')
  t.equal(sockets.length, 2)
})

t.test('the time to read one answer is not that of the next on the same connection', { skip: takesLong('it waits for time limits') }, async (t) => {
  const { port } = await startApp(
    t,
    () => {
      route('/big', () => 'x'.repeat(40_000))
      route('/slow', async () => {
        await delay(900)
        return 'slow, but here'
      })
    },
    { sendTimeout: 300 },
  )
  const socket = connect(port, '127.0.0.1').on('error', () => undefined)
  socket.write('GET /big HTTP/1.1\r\nhost: a\r\n\r\nGET /slow HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n')
  let text = ''
  for await (const chunk of socket) text += String(chunk)
  t.match(text, /slow, but here$/)
})
