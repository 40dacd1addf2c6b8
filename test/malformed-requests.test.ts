import { readdirSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { boolean, createApp, date, datetime, httpEndpoint, HttpResponse, integer, json, Media, number, optional, redirect, request, route } from 'rowhouse'
import { basic, startApp, temporaryFolder } from './support/app.ts'
import { needs, takesLong } from './support/needs.ts'
import { Random, someConversation, type RandomConversation } from './support/random-requests.ts'
import { converse, readAnswers, requestsIn, type RawAnswer } from './support/raw-http.ts'
import { startServer } from './support/rowhouse-process.ts'

const api = '/_/api'

/** Sends requests on one connection, as Latin-1, and resolves to the answers. */
async function ask(port: number, text: string, patience?: number): Promise<RawAnswer[]> {
  return readAnswers(await converse(port, { pieces: [text], ...(patience !== undefined && { patience }) }), requestsIn(text))
}

const line = (method: string, path: string): string => `${method} ${api}${path} HTTP/1.1\r\nhost: x\r\n`
const hidden = `${line('GET', '/hidden')}\r\n`

t.test('a message that two readers could end at different places gets one refusal, and what follows on the connection no answer', { skip: takesLong('it opens a connection for each of many messages') }, async (t) => {
  const asked: string[] = []
  const { port } = await startApp(t, () => {
    httpEndpoint('/b', () => request.body?.length ?? 0)
    httpEndpoint('/hidden', () => void asked.push('hidden'))
  })
  const post = line('POST', '/b')
  const cases: [string, string][] = [
    ['CL.TE', `${post}content-length: 6\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`],
    ['TE.CL', `${post}transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`],
    ['two lengths', `${post}content-length: 0\r\ncontent-length: ${hidden.length}\r\n\r\n${hidden}`],
    ['the same length twice', `${post}content-length: 0\r\ncontent-length: 0\r\n\r\n${hidden}`],
    ['a list of lengths', `${post}content-length: 0, 0\r\n\r\n${hidden}`],
    ...['+0', '-0', '0x0', '0 0', '0_0', '00000000000000000000000000000', '18446744073709551616', '', '0\x0b', '\xa00', '1e1'].flatMap((length): [string, string][] =>
      /^0*$/.test(length) && length !== '' ? [] : [[`content-length ${JSON.stringify(length)}`, `${post}content-length: ${length}\r\n\r\n${hidden}`]],
    ),
    ...['xchunked', 'chunked, identity', 'identity', 'gzip, chunked, x', 'chunked\x0b', '\x0bchunked', '"chunked"', 'chunked;x=y', 'cow', ''].map((coding): [string, string] => [
      `transfer-encoding ${JSON.stringify(coding)}`,
      `${post}transfer-encoding: ${coding}\r\n\r\n0\r\n\r\n${hidden}`,
    ]),
    ['a space before the colon', `${post}transfer-encoding : chunked\r\n\r\n0\r\n\r\n${hidden}`],
    ['a name that is continued', `${post}transfer-encoding\r\n: chunked\r\n\r\n0\r\n\r\n${hidden}`],
    ['a value that is continued', `${post}transfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n${hidden}`],
    ['a space before the first header', `POST ${api}/b HTTP/1.1\r\n transfer-encoding: chunked\r\nhost: x\r\n\r\n0\r\n\r\n${hidden}`],
    ['two codings', `${post}transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n${hidden}`],
    ['bare line feeds', `${post}x: y\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`],
    ['a bare carriage return', `${post}x: y\rtransfer-encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`],
    ['a NUL in a value', `${post}x: \0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`],
    ...['0x5', '+5', '-5', ' 5', 'g', '', '10000000000000005', '5\n', '5 \x0b'].map((size): [string, string] => [
      `chunk size ${JSON.stringify(size)}`,
      `${post}transfer-encoding: chunked\r\n\r\n${size}\r\nabcde\r\n0\r\n\r\n${hidden}`,
    ]),
    ['a chunk longer than its size', `${post}transfer-encoding: chunked\r\n\r\n3\r\nabcde\r\n0\r\n\r\n${hidden}`],
    ['a line feed behind a chunk', `${post}transfer-encoding: chunked\r\n\r\n3\r\nabc\n0\r\n\r\n${hidden}`],
    ['a line feed in a chunk extension', `${post}transfer-encoding: chunked\r\n\r\n3;x\nabc\r\n0\r\n\r\n${hidden}`],
    ['chunks in HTTP/1.0', `POST ${api}/b HTTP/1.0\r\nconnection: keep-alive\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`],
    ['chunks in HTTP/1.0 behind a malformed path', `POST /%zz HTTP/1.0\r\nconnection: keep-alive\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`],
    ['no host', `GET ${api}/b HTTP/1.1\r\n\r\n${hidden}`],
    ['no host behind an expectation', `GET ${api}/b HTTP/1.1\r\nexpect: x\r\n\r\n${hidden}`],
    ['two hosts', `${line('GET', '/b')}host: y\r\n\r\n${hidden}`],
    ['two hosts behind a malformed path', `GET /%zz HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n${hidden}`],
    ['two hosts behind an expectation', `${line('GET', '/b')}host: y\r\nexpect: x\r\n\r\n${hidden}`],
    ['an expectation that nobody meets', `${post}expect: x\r\ncontent-length: 3\r\n\r\nabc${hidden}`],
    ['HTTP/2.0', `POST ${api}/b HTTP/2.0\r\nconnection: keep-alive\r\n\r\n${hidden}`],
    ['HTTP/0.9', `GET ${api}/b HTTP/0.9\r\nconnection: keep-alive\r\n\r\n${hidden}`],
    ['the beginning of HTTP/2', `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${hidden}`],
    ['the method of that beginning', `PRI ${api}/b HTTP/1.1\r\nhost: x\r\n\r\n${hidden}`],
    ['that method in another version', `PRI ${api}/b HTTP/2.0\r\nhost: x\r\n\r\n${hidden}`],
    ['no version', `GET ${api}/b\r\n\r\n${hidden}`],
  ]
  for (const [name, text] of cases) {
    const answers = await ask(port, text, 1000)
    t.same(answers.map(({ status }) => status), [name.startsWith('an expectation') ? 417 : 400], name)
    t.equal(answers[0]?.headers['connection'], 'close', `${name}: the connection is closed`)
    t.ok(answers[0]?.headers['x-request-id'] !== undefined && answers[0].body !== '', `${name}: the refusal says why, and has an id`)
  }
  t.same(asked, [])
  // The same reader lets through what has one meaning.
  const plain = await ask(port, `${post}Transfer-Encoding:\tCHUNKED \r\n\r\n5;a="b"\r\nabcde\r\n0\r\nx-trailer: 1\r\n\r\n${post}content-length: 3\r\n\r\nabc${hidden}`)
  t.same(plain.map(({ status, body }) => [status, body]), [[200, '5'], [200, '3'], [200, 'null']])
  t.match(await ask(port, `GET ${api}/b HTTP/1.0\r\n\r\n`), [{ status: 200, body: '0' }], 'HTTP/1.0 knows no Host')
})

t.test('a target that is no path is refused, so that none is reached that a proxy in front has not seen', async (t) => {
  const { port } = await startApp(t, () => {
    httpEndpoint('/b', () => 'ok')
    route('/', { methods: ['GET', 'OPTIONS'] }, () => 'home')
  })
  const status = async (method: string, target: string): Promise<number | undefined> => (await ask(port, `${method} ${target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`))[0]?.status
  for (const target of [`*${api.slice(1)}/b`, `*${api}/b`, '*', `ftp://x${api}/b`, `file://${api}/b`, 'x:80', `x${api}/b`, `\\${api}/b`]) t.equal(await status('GET', target), 400, target)
  t.equal(await status('OPTIONS', '*'), 400)
  t.equal(await status('GET', `HTTPS://x${api}/b`), 200)
  t.equal(await status('GET', 'http://x?y'), 200)
  t.equal(await status('GET', `//x${api}/b`), 404)
})

/** What the pipeline answers, and what an app's Fastify plugin does. */
async function startBoth(t: Test): Promise<{ readonly port: number; readonly asked: string[] }> {
  const asked: string[] = []
  const server = await createApp({
    directory: await temporaryFolder(t),
    define: () => {
      httpEndpoint('/b', () => void asked.push('endpoint'))
      httpEndpoint('/hidden', () => void asked.push('hidden'))
    },
    plugin: async (fastify) => void fastify.all('/plugin', async () => void asked.push('plugin')),
    options: { name: 'test' },
    logTo: { write: () => undefined },
  })
  t.teardown(() => server.close())
  return { port: Number(new URL(await server.listen({ port: 0, host: '127.0.0.1' })).port), asked }
}

t.test('a header that has one value and comes twice is refused, because two readers could go by either', { skip: takesLong('it waits for a connection to stay silent') }, async (t) => {
  const { port, asked } = await startBoth(t)
  const pairs = [
    ['Authorization', basic('a', 'b').authorization, basic('c', 'd').authorization],
    ['authorization', basic('a', 'b').authorization, basic('a', 'b').authorization],
    ['Content-Type', 'application/json', 'text/plain'],
    ['If-Modified-Since', 'Sun, 06 Nov 1994 08:49:37 GMT', 'Sun, 06 Nov 2094 08:49:37 GMT'],
    ['If-Unmodified-Since', 'Sun, 06 Nov 1994 08:49:37 GMT', ''],
  ] as const
  for (const path of [`${api}/b`, '/plugin', '/none']) {
    for (const [name, first, second] of pairs) {
      const answers = await ask(port, `GET ${path} HTTP/1.1\r\nhost: x\r\n${name}: ${first}\r\nx-other: 1\r\n${name.toUpperCase()}: ${second}\r\n\r\n${hidden}`)
      t.match(answers, [{ status: 400, headers: { connection: 'close' } }], `${name} for ${path}`)
      t.match(answers[0]?.body, new RegExp(`several ${name} headers`, 'i'))
      t.equal(answers.length, 1)
    }
  }
  t.same(asked, [])
  const lists = 'accept: text/html\r\naccept: text/plain\r\nif-match: "a"\r\nif-match: "b"\r\ncookie: a=1\r\ncookie: b=2\r\ncache-control: no-cache\r\ncache-control: no-store\r\n'
  t.match(await ask(port, `GET ${api}/b HTTP/1.1\r\nhost: x\r\n${lists}authorization: Bearer x\r\nconnection: close\r\n\r\n`), [{ status: 200 }], 'lists may come in several lines')
})

t.test('a Host that is no host is refused, and so is a URL of another one', async (t) => {
  const { port, asked } = await startBoth(t)
  const send = (target: string, host: string, version = '1.1') => ask(port, `GET ${target} HTTP/${version}\r\n${host}connection: close\r\n\r\n${hidden}`)
  const bad = ['', ' ', 'a:b', 'a:99999', 'a:-1', 'a:1:2', 'a%00', 'a%2e', 'a b', 'a/b', 'a?b', 'a#b', 'user@a', 'user:pass@a', ':80', '[::1', '::1', '[::g]', '999.1.1.1', '1.2.3.4.5', 'a,b c', 'a\\b', 'a<b', 'a"b', 'a^b', 'http://a']
  for (const path of [`${api}/b`, '/plugin']) {
    for (const host of bad) t.match((await send(path, `host: ${host}\r\n`)).map(({ status }) => status), [400], `${JSON.stringify(host)} for ${path}`)
    t.same((await send(path, '')).map(({ status }) => status), [400], 'none')
    for (const [target, host] of [['http://b', 'a'], ['http://a:81', 'a'], ['https://a', 'a:80'], ['http://a@b', 'b'], ['http://a:x', 'a'], ['http://', 'a'], ['http://a:80', 'a:81'], ['http://a%00', 'a']] as const) {
      t.same((await send(target + path, `host: ${host}\r\n`)).map(({ status }) => status), [400], `${target} and ${host}`)
    }
  }
  t.same(asked, [])
  for (const host of ['web.1', 'web.1:3030', 'web.1.', 'web.0x1', '999.1.1.1']) {
    const [answer] = await send(`${api}/b`, `host: ${host}\r\n`)
    t.match(answer, { status: 400, body: /^the Host header is no host that a URL can have: it ends in a number and is no IPv4 address \(WHATWG URL, 3\.5\); call the server by a name/ }, host)
  }
  t.match((await send(`${api}/b`, 'host: a b\r\n'))[0], { status: 400, body: 'the Host header is no host' })
  for (const host of ['a', 'web-1', 'web_1:3030', 'web.1a', "a!$&'()*+,;=~", 'A.example', 'a.example.:80', '127.0.0.1:3030', '[::1]', '[2001:db8::1]:3030', 'my_service', 'localhost:1', 'a:', 'xn--bcher-kva.example']) {
    t.same((await send(`${api}/b`, `host: ${host}\r\n`)).map(({ status }) => status), [200], host)
  }
  for (const [target, host] of [['http://a', 'A'], ['HTTP://A:80', 'a'], ['http://a', 'a:80'], ['https://a:443', 'a'], ['http://[::1]:81', '[0:0::1]:81']] as const) {
    t.same((await send(`${target}${api}/b`, `host: ${host}\r\n`)).map(({ status }) => status), [200], `${target} and ${host}`)
  }
  t.same((await send(`${api}/b`, '', '1.0')).map(({ status }) => status), [200], 'HTTP/1.0 knows no Host')
  t.same((await send(`http://a${api}/b`, '', '1.0')).map(({ status }) => status), [200])
})

t.test('CONNECT is answered, behind the answers to what came before it, and its connection ends', { skip: takesLong('it waits for slow answers, and for what does not follow them') }, async (t) => {
  const { port, log } = await startApp(t, () => {
    httpEndpoint('/fast', () => 'fast')
    httpEndpoint('/slow', () => delay(50, 'slow'))
    route('/stream', async function* () {
      for (let count = 0; count < 20; count++) yield await delay(5, 'x'.repeat(100_000))
    })
  })
  const tunnels = ['CONNECT x:80 HTTP/1.1\r\nhost: x:80\r\n', `CONNECT ${api}/fast HTTP/1.1\r\nhost: x\r\n`, 'CONNECT x:80 HTTP/1.0\r\n', 'CONNECT x:80 HTTP/1.1\r\nhost: x:80\r\ncontent-length: 3\r\n']
  for (const tunnel of tunnels) {
    const answers = await ask(port, `${tunnel}\r\nabc${hidden}`, 1000)
    t.match(answers, [{ status: 405, headers: { allow: '', connection: 'close' }, body: 'CONNECT asks a proxy for a tunnel, and this is none' }], tunnel)
    t.equal(answers.length, 1, 'and what comes behind it is no request')
  }
  t.equal(log.filter(({ method, status }) => method === 'CONNECT' && status === 405).length, tunnels.length, 'the log knows it')
  const before = ['/fast', '/slow', '/fast'].map((path) => `${line('GET', path)}\r\n`).join('')
  t.same((await ask(port, `${before}${tunnels[0]}\r\n`, 1000)).map(({ status, body }) => (status === 200 ? body : status)), ['fast', 'slow', 'fast', 405])
  const streamed = await ask(port, `GET /stream HTTP/1.1\r\nhost: x\r\n\r\n${tunnels[0]}\r\n`, 2000)
  t.same(streamed.map(({ status, body }) => [status, body.length > 100]), [[200, true], [405, false]])
  t.equal(streamed[0]?.body.length, 2_000_000, 'a stream before it comes whole')
})

t.test('a request in HTTP/1.0 is the last on its connection unless it asks for more, and "close" counts beside "keep-alive"', async (t) => {
  const { port } = await startApp(t, () => httpEndpoint('/b', () => 'b'))
  const get = (...connection: string[]): string => `GET ${api}/b HTTP/1.0\r\n${connection.map((value) => `connection: ${value}\r\n`).join('')}\r\n`
  const connections = async (text: string): Promise<(string | undefined)[]> => readAnswers(await converse(port, { pieces: [text] }), ['GET', 'GET', 'GET']).map(({ headers }) => headers['connection'])
  t.same(await connections(get() + get()), ['close'])
  t.same(await connections(get('keep-alive') + get('Keep-Alive') + get('close')), ['keep-alive', 'keep-alive', 'close'])
  for (const both of [['keep-alive', 'close'], ['close', 'keep-alive'], ['keep-alive, close'], ['Close,Keep-Alive']]) t.same(await connections(get(...both) + get()), ['close'], both.join(' and '))
  t.same(await connections(`${line('GET', '/b')}connection: keep-alive, close\r\n\r\n${get()}`), ['close'])
})

t.test('what may have been lost behind an ignored wish for another protocol is told to be, by the end of the connection', { skip: takesLong('it waits between the pieces of what it sends') }, async (t) => {
  const asked: string[] = []
  const { port } = await startApp(t, () => httpEndpoint('/b/:n', { methods: ['GET', 'POST'] }, ({ n }) => void asked.push(String(n))))
  const get = (n: number): string => `${line('GET', `/b/${n}`)}\r\n`
  const upgrade = (n: number): string => `${line('GET', `/b/${n}`)}connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n\r\n`
  const post = (n: number): string => `${line('POST', `/b/${n}`)}connection: upgrade\r\nupgrade: websocket\r\ncontent-length: 3\r\n\r\nabc`
  const talk = async (...pieces: string[]): Promise<(string | undefined)[]> => readAnswers(await converse(port, { pieces, pause: 50 }), pieces.flatMap(requestsIn)).map(({ headers }) => headers['connection'])
  t.same(await talk(upgrade(1) + get(2)), ['close'])
  t.same(await talk(get(3) + upgrade(4) + get(5)), ['keep-alive', 'close'])
  t.same(await talk(post(6) + get(7)), ['close'])
  t.same(await talk(post(8), get(9)), ['close'])
  t.same(asked.splice(0), ['1', '3', '4', '6', '8'])
  t.same(await talk(upgrade(1), get(2), upgrade(3), get(4)), ['keep-alive', 'keep-alive', 'keep-alive', 'keep-alive'], 'where nothing can have been, the connection is kept')
  t.same(await talk(`${line('GET', '/b/5')}upgrade: h2c\r\n\r\n${get(6)}`), ['keep-alive', 'keep-alive'], 'a header without its connection option is no wish')
  t.same(asked, ['1', '2', '3', '4', '5', '6'])
})

t.test('a byte that cannot be in a request is named where it stands, so that its author finds it', async (t) => {
  const { port } = await startApp(t, () => httpEndpoint('/b', () => 'b'))
  const refused = async (text: string): Promise<string | undefined> => {
    const answers = await ask(port, text, 1000)
    t.match(answers, [{ status: 400, headers: { connection: 'close' } }], JSON.stringify(text.slice(0, 60)))
    return answers[0]?.body
  }
  const rest = 'HTTP/1.1\r\nhost: x\r\n'
  const notASCII = (digits: string): string => `the target of the request has the byte 0x${digits}, which is not ASCII; send it percent-encoded, as %${digits}`
  for (const target of ['/caf\xc3\xa9', `${api}/b?name=\xc3\xa9`, '/\xc3', '\xc3', 'http://caf\xc3\xa9/']) t.equal(await refused(`GET ${target} ${rest}\r\n`), notASCII('C3'), target)
  t.equal(await refused(`GET /caf\xe9 ${rest}\r\n`), notASCII('E9'))
  t.equal(await refused(`GET /a\x01b ${rest}\r\n`), 'the target of the request has the byte 0x01, which is a control character; send it percent-encoded, as %01')
  t.match(await refused(`GET /a b ${rest}\r\n`), /a space in the target is sent as %20$/)
  t.equal(await refused(`GET /a ${rest}x\xe9: y\r\n\r\n`), 'the headers of the request have the byte 0xE9 where it may not be')
  t.equal(await refused(`GET /a ${rest}x: \x01\r\n\r\n`), 'the headers of the request have the byte 0x01 where it may not be')
  t.match(await ask(port, `GET ${api}/b ${rest}x: \xe9\r\n\r\n`), [{ status: 200 }], 'the value of a header may have it')
  const pieces = ['GET /caf', '\xe9 HTTP/1.1\r\nhost: x\r\n\r\n']
  t.match(readAnswers(await converse(port, { pieces, pause: 50, patience: 1000 }), ['GET']), [{ status: 400, body: notASCII('E9') }], 'in whatever packets it comes')
})

t.test('1000 headers or more are refused, because Node.js would hide some of them', async (t) => {
  const { port } = await startApp(t, () => httpEndpoint('/b', (_args, { headers }) => headers['x-last']))
  const send = (count: number) => ask(port, `${line('GET', '/b')}${Array.from({ length: count - 2 }, (_, index) => `${index.toString(36)}:\r\n`).join('')}x-last: seen\r\n\r\n${hidden}`)
  t.match(await send(999), [{ status: 200, body: 'seen' }, {}])
  for (const count of [1000, 1001, 1040, 3000]) {
    const answers = await send(count)
    t.same(answers.map(({ status }) => status), [431], `${count} headers`)
  }
})

t.test('a request that has been taken on gets its own answer, whatever follows it on the connection', async (t) => {
  const done: string[] = []
  const { port } = await startApp(t, () =>
    httpEndpoint('/slow/:n', { methods: ['GET', 'POST'] }, async ({ n }) => {
      await delay(100)
      done.push(String(n))
      return n
    }),
  )
  for (const rest of ['nonsense\r\n\r\n', `GET ${api}/slow/2 HTTP/9.9\r\n\r\n`, '\0'.repeat(1000), `${line('GET', '/slow/2')}x: ${'x'.repeat(20_000)}\r\n\r\n`]) {
    const answers = await ask(port, `${line('GET', '/slow/1')}\r\n${rest}`, 1000)
    t.match(answers, [{ status: 200, body: '1', headers: { connection: 'close' } }], 'the last one on its connection')
    t.equal(answers.length, 1)
  }
  const broken = await ask(port, `${line('POST', '/slow/3')}transfer-encoding: chunked\r\n\r\nnonsense\r\n\r\n`, 1000)
  t.match(broken.map(({ status }) => status), [400], 'one whose body is malformed has not been taken on')
  t.same(done, ['1', '1', '1', '1'])
})

t.test('what is malformed is told so on a connection that has been used, too, but never behind an answer to the same request', async (t) => {
  const { port, log } = await startApp(t, () => httpEndpoint('/b', { bodyLimit: 10 }, () => 'ok'))
  const talk = async (...pieces: string[]): Promise<RawAnswer[]> => readAnswers(await converse(port, { pieces, pause: 50, patience: 1000 }), ['GET', 'GET', 'GET'])
  const good = [`${line('GET', '/b')}\r\n`, `${line('POST', '/b')}content-length: 3\r\n\r\nabc`, `${line('POST', '/b')}content-length: 11\r\n\r\nabcdefghijk`]
  for (const first of good) {
    const before = log.length
    for (const [rest, status] of [['nonsense\r\n\r\n', 400], [`${line('GET', '/b')}x: ${'x'.repeat(20_000)}\r\n\r\n`, 431]] as const) {
      const answers = await talk(first, rest)
      t.same(answers.map((answer) => answer.status), [first === good[2] ? 413 : 200, status], `${status} behind ${first.slice(0, 4)}`)
      t.ok(log.slice(before).some(({ requestId, message }) => requestId === answers[1]?.headers['x-request-id'] && message === 'a request was refused before it could be read'), 'and the log knows it')
    }
  }
  const chunked = `${line('POST', '/b')}transfer-encoding: chunked\r\n\r\nb\r\nabcdefghijk\r\n`
  t.same((await talk(chunked, 'nonsense\r\n')).map(({ status }) => status), [413])
  t.same((await talk(`${good[0]}${chunked}`, 'nonsense\r\n')).map(({ status }) => status), [200, 413])
})

t.test('100 Continue is said where an answer can begin, and never in the middle of one', async (t) => {
  const { port } = await startApp(t, () => {
    httpEndpoint('/slow', () => delay(50, 'slow'))
    httpEndpoint('/upload', () => request.body)
  })
  const upload = `${line('POST', '/upload')}expect: 100-continue\r\ncontent-length: 3\r\n\r\nabc`
  t.match(await converse(port, { pieces: [upload] }), /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nabc$/)
  const waiting = await ask(port, `${line('GET', '/slow')}\r\n${upload}`)
  t.match(waiting, [{ body: 'slow' }, { body: 'abc', headers: { connection: 'keep-alive' } }], 'in its turn, behind the answer to the request before')
})

t.test('a client that waits for 100 Continue is told the refusal in its place', async (t) => {
  const { port } = await startApp(t, () => {
    httpEndpoint('/small', { methods: ['POST'], bodyLimit: 10 }, () => request.body)
    httpEndpoint('/mine', { methods: ['POST'], authenticateUsers: true }, () => request.body)
  })
  const start = (path: string, rest: string): string => `${line('POST', path)}expect: 100-continue\r\n${rest}\r\n\r\n`
  const refusals: [string, number][] = [
    [start('/small', 'content-length: 11'), 413],
    [start('/small', 'content-length: 3\r\ncontent-encoding: cow'), 415],
    [start('/small', 'content-length: 3\r\ncontent-type: multipart/form-data'), 400],
    [start('/mine', 'content-length: 3'), 401],
    [start('/mine', `content-length: 3\r\nauthorization: ${basic('nobody', 'x').authorization}`), 401],
    [start('/none', 'transfer-encoding: chunked'), 404],
    [start('/small', 'content-length: 3').replace('POST', 'PUT'), 405],
  ]
  for (const [text, status] of refusals) {
    const received = await converse(port, { pieces: [text], patience: 1000 })
    t.match(received, new RegExp(`^HTTP/1\\.1 ${status} [^]*\r\nconnection: close\r\n`, 'i'), `${status}, and the body that may still come is taken for no request`)
    t.notMatch(received, '100 Continue')
  }
  t.match(await converse(port, { pieces: [start('/small', 'content-length: 3'), 'abc'], pause: 50 }), /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n[^]*abc$/)
})

t.test('HEAD is answered without running a stream, and closes it', async (t) => {
  const seen: string[] = []
  async function* endless(): AsyncGenerator<string> {
    try {
      for (;;) yield 'x'.repeat(1000)
    } finally {
      seen.push('closed')
    }
  }
  const { port } = await startApp(t, () => {
    route('/endless', () => new HttpResponse(200, endless(), { 'content-type': 'text/x' }))
    route('/web', () => new ReadableStream({ pull: () => void seen.push('pulled'), cancel: () => void seen.push('cancelled') }, { highWaterMark: 0 }))
  })
  const answers = await ask(port, 'HEAD /endless HTTP/1.1\r\nhost: x\r\n\r\nHEAD /web HTTP/1.1\r\nhost: x\r\n\r\n')
  t.match(answers, [{ status: 200, headers: { 'content-type': 'text/x' }, body: '' }, { status: 200, body: '' }])
  t.same(seen, ['cancelled'], 'and what has not begun need not end')
})

t.test('nothing that a client sends starts a header of the answer', { skip: takesLong('it tries hundreds of values') }, async (t) => {
  const { port, server } = await startApp(t, () => {
    httpEndpoint('/redirect', ({ to }) => redirect(String(to)))
    httpEndpoint('/name', ({ to }) => new Media('x', { name: String(to) }))
    httpEndpoint('/header', ({ to }) => new HttpResponse(200, '', { 'x-to': String(to) }))
    httpEndpoint('/type', ({ to }) => new Media('x', { contentType: String(to) }))
    httpEndpoint('/upload', () => request.body)
    httpEndpoint('/mine', { requireCredentials: true }, () => 1)
  })
  const values = ['%0d%0ax-injected:%201', '%0ax-injected:%201', '%0dx-injected:%201', '%E5%98%8D%E5%98%8Ax-injected:1', '%00x-injected:1', '%C2%85x-injected:1', 'x%22%3B%0d%0a%0d%0a%3Cscript%3E']
  for (const path of ['/redirect', '/name', '/header', '/type']) {
    for (const value of values) {
      // `ask` throws for what is no header line.
      const [answer, ...others] = await ask(port, `${line('GET', `${path}?to=${value}`)}connection: close\r\n\r\n`)
      t.same(others, [])
      t.notOk(answer?.headers['x-injected'], `${path} ${value}`)
      t.notMatch(answer?.body, /script/)
      t.ok(path === '/redirect' ? answer?.status === 302 : [200, 500].includes(answer?.status ?? 0))
    }
  }
  t.equal((await server.inject(`${api}/redirect?to=%0d%0ax-injected:%201`)).headers.location, '%0D%0Ax-injected:%201')
  const id = '11111111-1111-1111-1111-111111111111'
  const sent = 'x-request-id: ' + id + '\r\naccess-control-request-method: x-injected\r\nx-http-method-override: DELETE\r\nforwarded: host=evil\r\nx-forwarded-host: evil\r\n'
  for (const request of [line('OPTIONS', '/redirect'), line('PUT', '/redirect'), line('GET', '/mine'), line('GET', '/none')]) {
    const [answer] = await ask(port, `${request}${sent}\r\n`)
    t.notMatch(JSON.stringify(answer), new RegExp(`x-injected|evil|${id}`), request)
  }
  for (const [name, value] of [['content-type', 'text/\xe9'], ['content-type', 'a/b;\tc=d'], ['content-disposition', 'x; filename="\xc3\x89\t\x85.png"'], ['content-disposition', 'x; filename="\xff"']]) {
    const [answer] = await ask(port, `${line('POST', '/upload')}${name}: ${value}\r\ncontent-length: 1\r\n\r\na`)
    t.match(answer, { status: 200, body: 'a' }, `${name}: ${JSON.stringify(value)} cannot be echoed as it is, and is no error`)
  }
})

t.test('names that every object has are names like any other', async (t) => {
  const { port, server } = await startApp(t, () => {
    httpEndpoint('/echo/:constructor/:__proto__', (args, request) => ({ args, query: request.queryParams, form: request.formParams, path: request.pathParams, json: request.bodyJson }))
    httpEndpoint('/headers', (_args, { headers }) => {
      // What objects inherit has types, but these headers have no prototype.
      const [own, none]: unknown[] = [headers['constructor'], headers['toString']]
      return { proto: headers['__proto__'], own, none, keys: Object.keys(headers) }
    })
    httpEndpoint('/clean', () => Object.keys(Object.prototype).length + Object.keys(Array.prototype).length)
    httpEndpoint('/declared', { params: { toString: optional(number()), valueOf: optional(number()) } }, (args) => args)
  })
  const names = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', '__defineGetter__', 'constructor[prototype][polluted]', '__proto__[polluted]', '__proto__.polluted']
  const fields = names.map((name) => `${encodeURIComponent(name)}=1&${name}=2`).join('&')
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  const answer = await server.inject({ method: 'POST', url: `${api}/echo/a/b?${fields}`, payload: fields, headers: form })
  const expected = Object.fromEntries(names.map((name) => [name, ['1', '2']]))
  const { args, query, form: sent, path } = JSON.parse(answer.body, undefined) as Record<string, object>
  const same = (found: object | undefined, wanted: object) => t.same(Object.entries(found ?? {}).sort(), Object.entries(wanted).sort())
  same(query, expected)
  same(sent, expected)
  same(path, JSON.parse('{"constructor":"a","__proto__":"b"}') as object)
  same(args, JSON.parse(JSON.stringify({ ...expected, constructor: 'a' }).replace('"__proto__":["1","2"]', '"__proto__":"b"')) as object)
  const polluting = '{"constructor":{"prototype":{"polluted":1}}}'
  t.match((await server.inject({ method: 'POST', url: `${api}/echo/a/b`, payload: polluting, headers: { 'content-type': 'application/json' } })).body, `"json":${polluting}`)
  const [headers] = await ask(port, `${line('GET', '/headers')}__proto__: p\r\nconstructor: c\r\n\r\n`)
  t.match(JSON.parse(headers?.body ?? ''), { own: 'c', none: undefined })
  t.same((await server.inject(`${api}/declared`)).json(), {}, 'what is inherited is not sent')
  t.same((await server.inject({ method: 'POST', url: `${api}/declared`, payload: {} })).json(), {})
  t.same((await server.inject(`${api}/clean`)).json(), 0)
  t.equal(({} as Record<string, unknown>)['polluted'], undefined)
})

t.test('parameters nested deeply are flat names, or 400 where they are JSON', async (t) => {
  const { server } = await startApp(t, () => {
    httpEndpoint('/all', (args) => Object.keys(args).length)
    httpEndpoint('/j', { params: { j: json() } }, ({ j }) => ({ j }))
    httpEndpoint('/body', { methods: ['POST'] }, () => request.bodyJson)
  })
  t.equal((await server.inject(`${api}/all?${'a[b]'.repeat(3000)}=1`)).body, '1')
  t.equal((await server.inject(`${api}/all?${'a.b.'.repeat(3000)}=1`)).body, '1')
  t.equal((await server.inject(`${api}/all?${'&='.repeat(7000)}`)).statusCode, 200)
  const deep = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)
  t.equal((await server.inject(`${api}/j?j=${deep(99)}`)).statusCode, 200)
  const form = (payload: string) => server.inject({ method: 'POST', url: `${api}/j`, payload, headers: { 'content-type': 'application/x-www-form-urlencoded' } })
  for (const text of [deep(101), deep(7000)]) t.match(await server.inject(`${api}/j?j=${text}`), { statusCode: 400, body: /^parameter j: expected JSON of at most 100 levels, got "\[/ })
  t.equal((await form(`j=${deep(500_000)}`)).statusCode, 400)
  // Two readers of JSON that disagree about where a text ends count its brackets differently.
  const body = (payload: string) => server.inject({ method: 'POST', url: `${api}/body`, payload, headers: { 'content-type': 'application/json' } })
  t.match(await body(`["\n${'['.repeat(1_000_000)}`), { statusCode: 400, body: /end of string at position 1$/ })
  t.match(await body(`["\\x${'{"a":'.repeat(200_000)}`), { statusCode: 400 })
  t.match(await body(`[1,2 3,"${'x'.repeat(1_000_000)}`), { statusCode: 400, body: /comma expected at position 5$/ })
  for (const far of [`["${'x'.repeat(1_000_000)}"x]`, `[${'1,'.repeat(500_000)}x]`, `[${' '.repeat(1_000_000)}x]`]) t.match(await body(far), { statusCode: 400, body: /the mistake is behind position 262144$/ })
})

t.test('no input takes more time than its length explains', { skip: takesLong('it sends hundreds of large requests') }, async (t) => {
  const { server } = await startApp(t, () => {
    httpEndpoint('/open/:id', (_args, request) => [request.authorization?.scheme, request.body?.name, request.mimetype, request.formParams, request.url.length])
    httpEndpoint('/typed', { params: { n: optional(number()), i: optional(integer()), d: optional(date()), at: optional(datetime()), b: optional(boolean()), j: optional(json()) } }, () => 1)
    httpEndpoint('/json', { methods: ['POST'] }, () => request.bodyJson)
    httpEndpoint('/mine', { authenticateUsers: true }, () => 1)
    route('/r/<int:i>/<float:f>/<uuid:u>/<any(a,b):c>/<string(length=3):s>/x', () => 1)
    route('/files/<path:rest>', () => 1)
  })
  const short = 15_000
  const long = 1024 * 1024
  const fill = (unit: string, length: number, end = ''): string => unit.repeat(Math.floor(length / unit.length)) + end
  const header = (name: string, value: string) => [`${name}: ${value.slice(0, 25)}…`, { method: 'POST', url: `${api}/open/1`, payload: 'x', headers: { [name]: value } }] as const
  const get = (url: string) => [`GET ${url.slice(0, 40)}…`, { method: 'GET', url }] as const
  const form = (payload: string) => [`form ${payload.slice(0, 25)}…`, { method: 'POST', url: `${api}/typed`, payload, headers: { 'content-type': 'application/x-www-form-urlencoded' } }] as const
  const body = (payload: string) => [`JSON ${payload.slice(0, 25)}…`, { method: 'POST', url: `${api}/json`, payload, headers: { 'content-type': 'application/json' } }] as const
  const error = (accept: string) => [`accept: ${accept.slice(0, 25)}…`, { method: 'GET', url: `${api}/none`, headers: { accept } }] as const
  const probes = [
    ...['a/b,', ',', ';', 'a/b;q=0.', 'a/b;"', 'a/b;x="\\"', '*/*;', 'text/html;a=b;', ' ', '\t,', '"', '\\'].flatMap((unit) => [error(fill(unit, short)), error(`a/b;x="${fill(unit, short)}`)]),
    ...['; ', 'filename="', '; filename=', '; filename="\\"', ' ', '\\"', '"', '\\" ', 'a/', "UTF-8''%"].flatMap((unit) => [
      header('content-disposition', fill(unit, short)),
      header('content-disposition', `attachment; filename="${fill(unit, short)}`),
      header('content-disposition', `attachment; filename="a\\"${fill(unit, short)}x`),
      header('content-type', `multipart/form-data; boundary="${fill(unit, short)}`),
    ]),
    ...['A', ' ', '=', 'AA==', '\t'].flatMap((unit) => [header('authorization', `Basic ${fill(unit, short)}!`), header('authorization', fill(unit, short)), header('authorization', `x${fill(unit, short)}`)]),
    header('content-type', fill(';', short)),
    header('content-type', fill(' ', short, 'x')),
    header('host', fill('a.', short)),
    header('cookie', fill('a=b;', short)),
    ...['n', 'i', 'd', 'at', 'b', 'j'].flatMap((name) =>
      ['1', '1.', '-', '0', ' ', '1e', '2024-02-29', 'T00:00:00', '(', '%25', '+', '[1,', '"', '{"a":1,'].flatMap((unit) => [form(`${name}=${fill(unit, long, 'x')}`), get(`${api}/typed?${name}=${fill(unit, short, 'x')}`)]),
    ),
    ...['\\"', '"', ';', ''].map((start) => [
      `1000 parts with ${JSON.stringify(start)} and spaces`,
      {
        method: 'POST',
        url: `${api}/open/1`,
        headers: { 'content-type': 'multipart/form-data; boundary=b' },
        payload: `${`--b\r\ncontent-disposition: form-data; name="a${start}${' '.repeat(2000)}x"\r\n\r\n\r\n`.repeat(1000)}--b--\r\n`,
      },
    ] as const),
    form(fill('a', long, '=1')),
    form(fill('%41', long)),
    form(`a=${fill('%zz', long)}`),
    form(`a=${fill('+', long)}`),
    form(fill('=', long)),
    form(fill('&', long)),
    ...['1 ', '[', '{', '"', '\\', '#', '/*', '1,', '"a":', '[],', ' ', '\n'].flatMap((unit) => [body(fill(unit, long)), body(`[${fill(unit, long)}`), body(`["\n${fill(unit, long)}`), body(`[1${fill(` ,${unit}`, long)}`)]),
    ...['1', '1.', 'a', '-', '/', '%2f', '%41', '..', '1/1.5/', ';'].flatMap((unit) => [get(`/r/${fill(unit, short)}`), get(`/r/1/${fill(unit, 4000)}x/${fill(unit, 4000)}`), get(`/files/${fill(unit, short)}`), get(`/${fill(unit, short)}`)]),
    [`credentials`, { method: 'GET', url: `${api}/mine`, headers: basic(fill('a', 5000), fill('b', 5000)) }] as const,
  ]
  let slowest = { name: '', milliseconds: 0 }
  for (const [name, message] of probes) {
    let milliseconds = Number.POSITIVE_INFINITY
    // The collector of garbage may choose this very moment; it does not do so twice.
    for (let attempt = 0; attempt < 3 && milliseconds > 200; attempt++) {
      const before = process.cpuUsage()
      const { statusCode } = await server.inject(message)
      const { user, system } = process.cpuUsage(before)
      milliseconds = (user + system) / 1000
      if (statusCode >= 500) t.fail(`${name} answers ${statusCode}`)
    }
    if (milliseconds > slowest.milliseconds) slowest = { name, milliseconds }
    if (milliseconds > 200) t.fail(`${name} takes ${Math.round(milliseconds)} ms`)
  }
  t.ok(slowest.milliseconds <= 200, `${probes.length} inputs; the slowest, ${slowest.name}, took ${Math.round(slowest.milliseconds)} ms`)
})

const fuzzed = {
  'rowhouse.config.ts': `
    import { defineConfig } from 'rowhouse'
    export default defineConfig({ bodyLimit: 256 * 1024, headersTimeout: 1000, requestTimeout: 2000 })`,
  'tables.ts': `
    import { defineTables, table, text } from 'rowhouse'
    export const tables = defineTables({ entries: table({ title: text().required() }) })`,
  modules: {
    'app.ts': `
      import { monitorEventLoopDelay } from 'node:perf_hooks'
      import { setFlagsFromString } from 'node:v8'
      import { runInNewContext } from 'node:vm'
      import { boolean, date, datetime, httpEndpoint, HttpResponse, integer, json, Media, number, optional, redirect, request, route, text } from 'rowhouse'
      import { tables } from '../tables.js'

      httpEndpoint('/echo/:id', (args, { path, method, url, queryParams, formParams, headers, body, bodyJson, mimetype, origin, authorization }) =>
        ({ args, path, method, url, queryParams, formParams, headers, body, bodyJson: JSON.stringify(bodyJson), mimetype, origin, authorization }))
      httpEndpoint('/typed', { params: { n: optional(integer()), day: optional(date()), at: optional(datetime()), rate: optional(number()), flag: optional(boolean()), data: optional(json()) } },
        ({ data, ...args }) => ({ ...args, data: JSON.stringify(data) }))
      httpEndpoint('/checked', { methods: ['POST'], body: { '~standard': { version: 1, vendor: 'test', validate: (value) =>
        (typeof value?.title === 'string' ? { value } : { issues: [{ message: 'expected a title', path: ['title'] }] }) } } }, () => request.bodyJson)
      httpEndpoint('/add', { params: { title: text() } }, async ({ title }) => (await tables.entries.addRow({ title })).getId())
      httpEndpoint('/form', async () => [Object.keys(await request.form()), await request.text()])
      httpEndpoint('/upload', { methods: ['POST', 'PUT'] }, () => request.body)
      httpEndpoint('/mine', { authenticateUsers: true }, () => 'mine')
      httpEndpoint('/judged', { requireCredentials: true }, () => request.authorization)
      route('/r/<int:i>/<float:f>/<uuid:u>/<any(a, b):c>', (args) => args)
      route('/files/<path:rest>', ({ rest }) => rest)
      route('/redirect', ({ to }) => redirect(String(to)))
      route('/headers', ({ value }) => new HttpResponse(200, String(value), { 'x-value': encodeURIComponent(String(value).toWellFormed()), 'content-type': 'text/html' }))
      route('/media', ({ name }) => new Media('x', { name: String(name).replace(/\\p{Cc}|\\p{Surrogate}/gu, '_') }))
      route('/stream', async function* () { for (let count = 0; count < 20; count++) yield 'piece' + (await count) })
      route('/goodbye', () => 'goodbye')

      const delays = monitorEventLoopDelay({ resolution: 10 })
      delays.enable()
      setFlagsFromString('--expose-gc')
      const collectGarbage = runInNewContext('gc')
      route('/process', ({ reset }) => {
        collectGarbage()
        const longestDelay = delays.max / 1e6
        if (reset !== undefined) delays.reset()
        return { pid: process.pid, heapUsed: process.memoryUsage().heapUsed, external: process.memoryUsage().external, longestDelay }
      })`,
  },
}

/** What the app tells of its own process. */
interface ProcessState {
  readonly pid: number
  readonly heapUsed: number
  readonly external: number
  /** Of the event loop, in milliseconds. */
  readonly longestDelay: number
}

/** What is wrong with how the server answered a conversation; undefined when nothing is. */
function mistakeIn({ pieces, ending, isValid }: RandomConversation, received: string): string | undefined {
  const expected = requestsIn(pieces.join(''))
  let answers: RawAnswer[]
  try {
    answers = readAnswers(received, expected)
  } catch (error) {
    return String(error)
  }
  const failed = answers.find(({ status }) => status >= 500)
  if (failed !== undefined) return `answered ${failed.status}: ${failed.body.slice(0, 200)}`
  if (answers.some(({ headers }) => 'x-injected' in headers)) return 'a header was injected'
  if (answers.length > expected.length) return `${answers.length} answers to ${expected.length} requests`
  if (isValid && ending === 'wait' && answers.length !== expected.length) return `only ${answers.length} answers to ${expected.length} valid requests`
  return undefined
}

const openFiles = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length

t.test('10,000 random and malformed requests leave the server as it was', { timeout: 110_000, skip: takesLong('10,000 requests, some of them sent byte by byte') }, async (t) => {
  const seed = Date.now() >>> 0
  t.comment(`seed ${seed}`)
  const random = new Random(seed)
  const server = await startServer(t, t.testdir(fuzzed))
  const port = Number(new URL(server.url).port)
  const stateOf = async (query = ''): Promise<ProcessState> => (await (await fetch(`${server.url}/process${query}`, { headers: { connection: 'close' } })).json()) as ProcessState

  const mistakes: string[] = []
  let left = 10_000
  const work = async (): Promise<void> => {
    while (left > 0 && mistakes.length < 3) {
      const conversation = someConversation(random)
      left -= conversation.requests
      const mistake = mistakeIn(conversation, await converse(port, conversation))
      if (mistake !== undefined) mistakes.push(`${mistake}, to ${JSON.stringify(conversation.pieces).slice(0, 3000)}`)
    }
  }
  const workTogether = async (requests: number): Promise<void> => {
    left = requests
    await Promise.all(Array.from({ length: 32 }, work))
  }

  // What opens and grows once, such as the connections for readers of the database, does so here.
  await workTogether(500)
  const before = await stateOf('?reset')
  const skip = needs('/proc')
  const filesBefore = skip === false ? openFiles(before.pid) : 0
  const dribbles = ['GET /goodbye HTTP/1.1\r\nhost: x\r\n', 'nonsense', 'POST /_/api/upload HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\n\r\n'].map((start) =>
    // What is written to a connection that the server has closed makes the system drop an answer that was not read yet; so the pauses are long.
    converse(port, { pieces: [start, ...'x'.repeat(20)], pause: 150, patience: 3000 }),
  )
  await workTogether(9500)
  t.same(mistakes, [], `seed ${seed}`)
  for (const dribble of await Promise.all(dribbles)) t.match(dribble, /^HTTP\/1\.1 4(?:00|08) /, 'what takes too long is refused')

  const after = await stateOf()
  t.equal(after.pid, before.pid, 'the process is the same')
  t.equal(server.child.exitCode, null)
  t.ok(after.longestDelay < 1000, `nothing held up everything else for a second (${Math.round(after.longestDelay)} ms at most)`)
  t.ok(after.heapUsed - before.heapUsed < 30e6 && after.external - before.external < 30e6, `memory is given back (${Math.round((after.heapUsed - before.heapUsed) / 1e6)} MB more)`)
  const hasOpened = (): boolean => skip === false && openFiles(before.pid) > filesBefore
  for (const deadline = Date.now() + 5000; hasOpened() && Date.now() < deadline; ) await delay(50)
  t.notOk(hasOpened(), `no file or connection is left open (${filesBefore} before)`, { skip })
  t.equal(server.output.stderr, '')
  const alarms = server.output.stdout.split('\n').filter((entry) => /^\{"level":[56]0|Exception|not caught|nobody handled/.test(entry))
  t.same(alarms.slice(0, 3), [], 'the log knows no failure')
  server.child.kill('SIGTERM')
  t.equal((await server.ended).code, 0)
})
