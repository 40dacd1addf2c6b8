import { once } from 'node:events'
import { readdirSync, readlinkSync, statSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import t from 'tap'
import { createApp, crudEndpoints, defineTables, httpEndpoint, media, route, table, text } from 'rowhouse'
import { buildApp, startApp, temporaryFolder, type TestApp } from './support/app.ts'
import { needs, takesLong } from './support/needs.ts'
import { startServer } from './support/rowhouse-process.ts'

const api = '/_/api'
const mebibyte = 1024 * 1024

/** Some 28 bytes of brotli that fill a window of 16 MiB (RFC 7932, 9.1) and do not end. */
const greedyBrotli = brotliCompressSync(Buffer.alloc(20_000_000), { params: { [constants.BROTLI_PARAM_LGWIN]: 24 } }).subarray(0, -1)

/** What a client on this machine sends, and never ends. */
interface Unfinished {
  readonly path: string
  readonly headers?: string
  readonly bytes: Buffer
  /** The address that it comes from; each of 127.0.0.0/8 is a network of its own. */
  readonly from?: string
}

/** A connection on which a body has begun, and what came back so far. */
interface Beginning {
  readonly socket: Socket
  readonly answer: () => string
}

/** Begins requests whose bodies do not end. They are announced longer than they ever get. */
function begin(port: number, { path, headers = '', bytes, from = '127.0.0.1' }: Unfinished): Beginning {
  const socket = connect({ port, host: '127.0.0.1', localAddress: from }).on('error', () => undefined)
  let answer = ''
  socket.setEncoding('latin1').on('data', (piece: string) => (answer += piece))
  socket.write(`POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: ${bytes.length + 1}\r\n${headers}\r\n`)
  socket.write(bytes)
  return { socket, answer: () => answer }
}

/** Waits until so many have been refused, and a moment more for those that are one too many; resolves to how many were. */
async function refusedOf(beginnings: readonly Beginning[], expected: number): Promise<number> {
  const count = (): number => beginnings.filter(({ answer }) => answer() !== '').length
  for (let patience = 600; count() < expected && patience > 0; patience--) await delay(50)
  for (let [before, quiet] = [-1, 0]; quiet < 10; quiet = before === count() ? quiet + 1 : 0) {
    before = count()
    await delay(50)
  }
  return count()
}

/** The ports of the clients that an app of this process has a connection to. */
function watchClients({ server }: { readonly server: TestApp['server'] }): ReadonlySet<number> {
  const ports = new Set<number>()
  server.server.on('connection', (socket: Socket) => {
    const { remotePort = 0 } = socket
    ports.add(remotePort)
    socket.once('close', () => ports.delete(remotePort))
  })
  return ports
}

/** How long the files of bodies are that this process has open. */
function bytesOnDisk(directory: string): number {
  let sum = 0
  for (const descriptor of readdirSync('/proc/self/fd')) {
    try {
      const path = `/proc/self/fd/${descriptor}`
      if (readlinkSync(path).startsWith(join(directory, '.rowhouse', 'request-bodies'))) sum += statSync(path).size
    } catch {
      // Closed in the meantime.
    }
  }
  return sum
}

/** Breaks them off, and waits until the server has seen it. */
async function end(beginnings: readonly Beginning[], clients: ReadonlySet<number> = new Set()): Promise<void> {
  const ports = beginnings.map(({ socket }) => socket.localPort ?? 0)
  for (const { socket } of beginnings) {
    if (socket.closed) continue
    socket.destroy()
    await once(socket, 'close')
  }
  while (ports.some((port) => clients.has(port))) await delay(10)
}

t.test('compressed bodies are taken only where an endpoint asks for them, by whatever door it was declared', async (t) => {
  const directory = await temporaryFolder(t)
  const write = async (path: string, source: string): Promise<void> => {
    await mkdir(join(directory, path, '..'), { recursive: true })
    await writeFile(join(directory, path), source)
  }
  await write('tables.ts', `import { defineTables, table, text } from 'rowhouse'
    export const tables = defineTables({ notes: table({ title: text() }), plain: table({ title: text() }) })`)
  await write('modules/doors.ts', `import { crudEndpoints, httpEndpoint, route } from 'rowhouse'
    import { tables } from '../tables.js'
    for (const [name, options] of [['takes', { decompress: true }], ['refuses', {}], ['says-no', { decompress: false }]] as const) {
      httpEndpoint('/' + name, { methods: ['POST'], ...options }, ({}, { bodyJson }) => bodyJson)
      route('/' + name, { methods: ['POST'], ...options }, (_args, { bodyJson }) => bodyJson)
    }
    crudEndpoints('/crud-takes', tables.notes, { public: true, decompress: true })
    crudEndpoints('/crud-refuses', tables.plain, { public: true })`)
  await write('pages/api/takes.ts', 'export const config = { decompress: true }\nexport const post = (request) => request.bodyJson')
  await write('pages/api/refuses.ts', 'export const post = (request) => request.bodyJson')
  const server = await createApp({ directory, options: { logging: { level: 'silent' } } })
  t.teardown(() => server.close())
  const post = (url: string, payload: Buffer, encoding: string) =>
    server.inject({ method: 'POST', url, payload, headers: { 'content-type': 'application/json', 'content-encoding': encoding } })
  const json = '{"title":"x"}'
  for (const path of [`${api}/takes`, '/takes', '/api/takes', `${api}/crud-takes`]) {
    for (const [encoding, compress] of [['gzip', gzipSync], ['br', brotliCompressSync]] as const) {
      const answer = await post(path, compress(json), encoding)
      t.match([answer.statusCode < 300, answer.json<unknown>()], [true, { title: 'x' }], `${encoding} to ${path}`)
    }
  }
  for (const path of [`${api}/refuses`, `${api}/says-no`, '/refuses', '/api/refuses', `${api}/crud-refuses`]) {
    for (const encoding of ['gzip', 'br', 'deflate', 'x', 'gzip, br']) {
      const answer = await post(path, gzipSync(json), encoding)
      t.match([answer.statusCode, answer.headers['accept-encoding']], [415, 'identity'], `${encoding} to ${path}`)
      t.match(answer.body, /this endpoint takes none that is compressed; send it as it is$/)
    }
    t.ok((await post(path, Buffer.from(json), 'identity')).statusCode < 300, `identity to ${path}`)
  }
})

t.test('the endpoints of the platform take no body: it is refused at once, and no byte of it is waited for', async (t) => {
  const { port, server } = await startApp(t, () => undefined)
  const ask = async (method: string, path: string, head: string, bytes: Buffer): Promise<string> => {
    const socket = connect(port, '127.0.0.1').setEncoding('latin1')
    socket.write(`${method} ${path} HTTP/1.1\r\nhost: x\r\n${head}\r\n`)
    socket.write(bytes)
    let answer = ''
    for await (const piece of socket) {
      answer += String(piece)
      if (answer.includes('\r\n\r\n')) break
    }
    return answer
  }
  for (const path of ['/_/health/live', '/_/health/ready']) {
    t.match(await ask('GET', path, 'content-encoding: br\r\ncontent-length: 100\r\n', greedyBrotli), /^HTTP\/1.1 413 [\s\S]*this endpoint takes no body/)
    t.match(await ask('GET', path, 'content-length: 1\r\n', Buffer.alloc(0)), /^HTTP\/1.1 413 /, 'before it has come')
    t.match(await ask('GET', path, 'transfer-encoding: chunked\r\n', Buffer.alloc(0)), /^HTTP\/1.1 413 /, 'of unknown length')
    t.match(await ask('GET', path, 'content-length: 1\r\nexpect: 100-continue\r\n', Buffer.alloc(0)), /^HTTP\/1.1 413 /, 'instead of "100 Continue"')
    t.match(await ask('HEAD', path, 'content-length: 9\r\n', Buffer.alloc(9)), /^HTTP\/1.1 413 /)
    t.equal((await server.inject(path)).statusCode, 200)
  }
})

t.test('a network gets half of the memory for bodies while it is alone, others get theirs, and all of it is given back', { skip: takesLong('it sends hundreds of megabytes') }, async (t) => {
  const app = await startApp(t, () => httpEndpoint('/b', ({ fail }, { body }) => {
    if (fail !== undefined) throw new Error('on purpose')
    return body?.length
  }), { bodyMemoryLimit: 64 * mebibyte })
  const { port, url, log } = app
  const clients = watchClients(app)
  const one: Unfinished = { path: `${api}/b`, bytes: Buffer.alloc(1_000_000) }
  const round = async (): Promise<void> => {
    const flood = Array.from({ length: 40 }, () => begin(port, one))
    const refused = await refusedOf(flood, 7)
    // A body takes a little more than its bytes, for its pieces.
    t.ok(refused >= 7 && refused <= 11, `${refused} of 40 are refused, about a fifth`)
    const told = flood.map(({ answer }) => answer()).find((answer) => answer !== '') ?? ''
    t.match(told, /^HTTP\/1.1 503 [\s\S]*\r\nretry-after: [1-9]\d*\r\n[\s\S]*Too much is being sent to the server at this moment; try again\.$/i)
    const others = Array.from({ length: 10 }, () => begin(port, { ...one, from: '127.0.0.2' }))
    t.equal(await refusedOf(others, 0), 0, 'of another network, none is')
    t.equal((await fetch(`${url}${api}/b`, { method: 'POST', body: 'small' })).status, 200, 'small bodies are not counted')
    await end([...flood, ...others], clients)
  }
  await round()
  const body = Buffer.alloc(1_000_000)
  for (let turn = 0; turn < 50; turn++) {
    t.equal((await fetch(`${url}${api}/b`, { method: 'POST', body })).status, 200)
    t.equal((await fetch(`${url}${api}/b?fail=1`, { method: 'POST', body })).status, 500)
    t.equal((await fetch(`${url}${api}/b`, { method: 'POST', body, headers: { 'content-type': 'multipart/form-data; boundary=X' } })).status, 400)
  }
  await round()
  const warnings = log.filter(({ message }) => String(message).startsWith('bodies of requests were refused'))
  t.equal(warnings.length, 1, 'the operator is told, and not each time')
  t.match(warnings[0]?.['message'], /bodyMemoryLimit/)
})

t.test('what decompresses a body counts from its first byte on, as much as it asks for', { skip: takesLong('it waits for what does not come') }, async (t) => {
  const app = await startApp(t, () => httpEndpoint('/b', { decompress: true }, (_args, { body }) => body?.length), { bodyMemoryLimit: 64 * mebibyte })
  const { port, server } = app
  const clients = watchClients(app)
  const greedy: Unfinished = { path: `${api}/b`, headers: 'content-encoding: br\r\n', bytes: greedyBrotli }
  const announced = Array.from({ length: 10 }, () => begin(port, { ...greedy, bytes: Buffer.alloc(0) }))
  const small = () => server.inject({ method: 'POST', url: `${api}/b`, payload: brotliCompressSync('abc', { params: { [constants.BROTLI_PARAM_LGWIN]: 16 } }), headers: { 'content-encoding': 'br' } })
  const two = [begin(port, greedy), begin(port, greedy)]
  t.equal(await refusedOf(two, 1), 1, 'one has room, and two have not')
  t.match(two.map(({ answer }) => answer()).join(''), /^HTTP\/1.1 503 /)
  t.equal(await refusedOf(announced, 0), 0, 'what is only announced takes nothing')
  t.equal((await small()).body, '3', 'a stream with a small window has room')
  await end([...two, ...announced], clients)
  for (let turn = 0; turn < 5; turn++) {
    const again = begin(port, greedy)
    t.equal(await refusedOf([again], 0), 0, 'a broken connection has given all of it back')
    await end([again], clients)
  }
})

t.test('the networks of one /48 of IPv6 have one share together, and another has its own', { skip: takesLong('it sends tens of megabytes') }, async (t) => {
  const { port } = await startApp(t, () => httpEndpoint('/b', (_args, { body }) => body?.length), { bodyMemoryLimit: 64 * mebibyte, trustedProxies: ['127.0.0.1'] })
  const from = (address: string) => begin(port, { path: `${api}/b`, bytes: Buffer.alloc(1_000_000), headers: `x-forwarded-for: ${address}\r\n` })
  const flood = Array.from({ length: 40 }, (_, n) => from(`2001:db8:1:${(n * 300).toString(16)}::1`))
  const refused = await refusedOf(flood, 7)
  t.ok(refused >= 7 && refused <= 11, `${refused} of 40 are refused, about a fifth`)
  const others = Array.from({ length: 10 }, () => from('2001:db8:2::1'))
  t.equal(await refusedOf(others, 0), 0)
  await end([...flood, ...others])
})

t.test('a network gets half of the disk for bodies, one body may take all of that, and all of it is given back', { skip: takesLong('it waits for what does not come') || needs('/proc') }, async (t) => {
  const limit = 3 * mebibyte
  const app = await startApp(t, () => httpEndpoint('/b', (_args, { body }) => body), { bodyLimit: limit, bodyDiskLimit: 2 * limit })
  const { port, server, url, directory } = app
  const clients = watchClients(app)
  const post = (length: number) => server.inject({ method: 'POST', url: `${api}/b`, payload: Buffer.alloc(length) })
  for (let turn = 0; turn < 3; turn++) {
    // The file of an answer is closed a moment after the answer has come.
    while (bytesOnDisk(directory) > 0) await delay(10)
    const first = begin(port, { path: `${api}/b`, bytes: Buffer.alloc(2 * mebibyte) })
    while (bytesOnDisk(directory) < 2 * mebibyte) await delay(10)
    const refused = await post(limit)
    t.match([refused.statusCode, refused.headers['retry-after'], refused.body.slice(0, 100)], [503, /^[1-9]/, /^Too much is being sent/])
    const other = begin(port, { path: `${api}/b`, bytes: Buffer.alloc(2 * mebibyte), from: '127.0.0.2' })
    t.equal(await refusedOf([other], 0), 0, 'another network has its share')
    t.equal((await post(mebibyte)).statusCode, 200, 'what is held in memory needs none')
    t.equal(first.answer(), '')
    await end([first, other], clients)
    const whole = await fetch(`${url}${api}/b`, { method: 'POST', body: Buffer.alloc(limit) })
    t.equal((await whole.arrayBuffer()).byteLength, limit, 'a broken connection has given all of it back')
    t.equal((await post(limit)).statusCode, 200, 'and so has an answer')
  }
})

t.test('bodies leave a fourth of a small disk to what stays: tables can be written', { skip: takesLong('it fills a disk') || needs('a small disk') }, async (t) => {
  const directory = await temporaryFolder(t)
  const data = join(directory, 'small')
  await mkdir(join(directory, 'modules'))
  await mkdir(data)
  await writeFile(join(directory, 'tables.ts'), `import { defineTables, table, text } from 'rowhouse'
    export const tables = defineTables({ notes: table({ title: text() }) })`)
  await writeFile(join(directory, 'modules', 'notes.ts'), `import { crudEndpoints } from 'rowhouse'
    import { tables } from '../tables.js'
    crudEndpoints('/notes', tables.notes, { public: true })`)
  const mount = 'mount -t tmpfs -o size=64m,mode=700 none "$0" && exec "$@"'
  const through = ['unshare', '--map-root-user', '--mount', 'sh', '-c', mount, data]
  const { url } = await startServer(t, directory, ['--data', data], { through })
  const port = Number(new URL(url).port)
  const flood = [2, 3, 4, 5].flatMap((network) =>
    Array.from({ length: 8 }, () => begin(port, { path: `${api}/notes`, bytes: Buffer.alloc(8 * mebibyte), from: `127.0.0.${network}` })))
  const refused = await refusedOf(flood, 21)
  t.ok(refused > 20 && refused < 32, `${refused} of 32 are refused`)
  for (const { answer } of flood) if (answer() !== '') t.match(answer(), /^HTTP\/1.1 507 /)
  const created = await fetch(`${url}${api}/notes`, { method: 'POST', body: JSON.stringify({ title: 'x'.repeat(100_000) }), headers: { 'content-type': 'application/json' } })
  t.equal(created.status, 201)
  await end(flood)
})

t.test('bodies that break off leave no garbage behind, which a server that is idle then would not collect', { skip: takesLong('it starts a server') }, async (t) => {
  const directory = await temporaryFolder(t)
  await mkdir(join(directory, 'modules'))
  await writeFile(join(directory, 'modules', 'memory.ts'), `import { httpEndpoint } from 'rowhouse'
    httpEndpoint('/memory', () => process.memoryUsage().arrayBuffers)
    httpEndpoint('/b', (_args, { body }) => body?.length)`)
  const { url } = await startServer(t, directory)
  const port = Number(new URL(url).port)
  const memory = async (): Promise<number> => Number(await (await fetch(`${url}${api}/memory`)).text()) / mebibyte
  const before = await memory()
  const flood = Array.from({ length: 30 }, () => begin(port, { path: `${api}/b`, bytes: Buffer.alloc(1_000_000) }))
  while ((await memory()) < before + 25) await delay(20)
  await end(flood)
  for (let patience = 100; (await memory()) > before + 5 && patience > 0; patience--) await delay(20)
  const after = await memory()
  t.ok(after < before + 5, `${before.toFixed(1)} MiB became ${after.toFixed(1)}`)
})

t.test('bodies that fastify.ts reads count among all others, and what it passes on as a stream does not', { skip: takesLong('it sends hundreds of megabytes') }, async (t) => {
  const server = await createApp({
    directory: await temporaryFolder(t),
    options: { bodyMemoryLimit: 64 * mebibyte, logging: { level: 'silent' } },
    define: () => httpEndpoint('/b', (_args, { body }) => body?.length),
    plugin: (app, _options, done) => {
      app.post('/held', ({ body }) => String(body).length)
      app.addContentTypeParser('application/streamed', async (_request: unknown, payload: AsyncIterable<Buffer>) => {
        let length = 0
        for await (const chunk of payload) length += chunk.length
        return length
      })
      app.addContentTypeParser('application/flowing', (_request, payload, parsed) => {
        let length = 0
        payload.on('data', (chunk: Buffer) => (length += chunk.length)).on('end', () => parsed(null, length))
      })
      app.post('/streamed', ({ body }) => body)
      done()
    },
  })
  t.teardown(() => server.close())
  const clients = watchClients({ server })
  const url = await server.listen({ port: 0, host: '127.0.0.1' })
  const port = Number(new URL(url).port)
  const one: Unfinished = { path: '/held', headers: 'content-type: text/plain\r\n', bytes: Buffer.alloc(1_000_000) }
  for (let turn = 0; turn < 2; turn++) {
    const flood = Array.from({ length: 40 }, () => begin(port, one))
    const refused = await refusedOf(flood, 7)
    t.ok(refused >= 7 && refused <= 11, `${refused} of 40 are refused, about a fifth`)
    const told = flood.map(({ answer }) => answer()).find((answer) => answer !== '') ?? ''
    t.match(told, /^HTTP\/1.1 503 [\s\S]*\r\nretry-after: [1-9]\d*\r\n[\s\S]*"code":"bodies-overloaded"/i)
    const pipeline = begin(port, { ...one, path: `${api}/b` })
    t.equal(await refusedOf([pipeline], 1), 1, 'the pipeline has the same room')
    const other = begin(port, { ...one, from: '127.0.0.2' })
    t.equal(await refusedOf([other], 0), 0, 'of another network, none is')
    await end([...flood, pipeline, other], clients)
  }
  for (const type of ['application/streamed', 'application/flowing']) {
    const streamed = await fetch(`${url}/streamed`, { method: 'POST', body: Buffer.alloc(40 * mebibyte), headers: { 'content-type': type } })
    t.equal(await streamed.text(), String(40 * mebibyte), type)
  }
  for (let turn = 0; turn < 50; turn++) {
    const held = await fetch(`${url}/held`, { method: 'POST', body: 'x'.repeat(1_000_000), headers: { 'content-type': 'text/plain' } })
    t.equal(await held.text(), '1000000')
  }
})

t.test('a limit that no body could ever reach stops the start', async (t) => {
  const big = { bodyLimit: 2 ** 29 + 1 }
  await t.rejects(buildApp(t, () => httpEndpoint('/b', big, () => 1)), { message: /the option "bodyLimit" takes at most 536870912, half of the setting bodyDiskLimit.*raise bodyDiskLimit/ })
  await t.rejects(buildApp(t, () => route('/b', big, () => 1)), { message: /bodyDiskLimit/ })
  await t.rejects(buildApp(t, () => crudEndpoints('/n', defineTables({ n: table({ a: text(), b: media() }) }).n, { public: true, ...big })), { message: /bodyDiskLimit/ })
  await t.rejects(buildApp(t, () => undefined, { bodyLimit: 20, bodyDiskLimit: 39 }), { message: /bodyLimit: expected at most half of bodyDiskLimit, 39, which is what one client gets, got 20/ })
  await t.rejects(buildApp(t, () => undefined, { bodyMemoryLimit: 1 }), { message: /bodyMemoryLimit: expected a whole number of bytes from 67108864/ })
  const { server } = await buildApp(t, () => httpEndpoint('/b', big, () => 1), { bodyDiskLimit: 2 ** 31 })
  t.equal((await server.inject(`${api}/b`)).body, '1')
})
