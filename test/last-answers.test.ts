import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { createApp, httpEndpoint, request, type FastifyPlugin } from 'rowhouse'
import { startApp, temporaryFolder, type Settings } from './support/app.ts'
import { takesLong } from './support/needs.ts'
import { readAnswers, type RawAnswer } from './support/raw-http.ts'

const api = '/_/api'
const mebibyte = 1024 * 1024
const body = Buffer.alloc(8 * mebibyte, 'x')

/** A client that reads nothing before it has sent everything, as many do; resolves to all that it gets to read, and no answer where the connection was reset. */
async function sendThenRead(port: number, head: string, rest: Buffer | string = body): Promise<RawAnswer[]> {
  const socket = connect({ port, host: '127.0.0.1' })
  socket.on('error', () => undefined)
  const closed = once(socket, 'close')
  await once(socket, 'connect')
  socket.write(head)
  await Promise.race([new Promise((resolve) => socket.write(rest, resolve)), closed])
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  await closed
  return readAnswers(Buffer.concat(chunks).toString('latin1'), ['POST', 'POST'])
}

/** A client that has got its refusal, and neither stops sending nor closes. */
async function stayAfterRefusal(t: Test, port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.on('error', () => undefined)
  t.teardown(() => socket.destroy())
  socket.write(`POST ${api}/none HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 1000000000\r\n\r\n`)
  const [answer] = (await once(socket, 'data')) as [Buffer]
  t.match(answer.toString(), /^HTTP\/1\.1 404 /)
  return socket
}

/** Sends something from time to time until the connection is gone. */
async function trickle(socket: Socket): Promise<void> {
  while (!socket.closed) {
    if (socket.writable) socket.write('x')
    await delay(20)
  }
}

const ways = [
  ['HTTP/1.1 with "Connection: close"', 'HTTP/1.1\r\nhost: x\r\nconnection: close'],
  ['HTTP/1.0', 'HTTP/1.0'],
] as const
const length = `content-length: ${body.length}`

t.test('an upload that is refused while it arrives gets its refusal though the connection ends with it', { skip: takesLong('it sends dozens of bodies of some MiB') }, async (t) => {
  const { port } = await startApp(t, () => {
    httpEndpoint('/small', { methods: ['POST'], bodyLimit: 1000 }, () => request.body?.length)
    httpEndpoint('/upload', { methods: ['POST'] }, () => request.body?.length)
    httpEndpoint('/mine', { methods: ['POST'], authenticateUsers: true }, () => request.body?.length)
  })
  const refused: [status: number, method: string, path: string, headers: string][] = [
    [404, 'POST', '/none', length],
    [405, 'PUT', '/small', length],
    [413, 'POST', '/small', length],
    [401, 'POST', '/mine', length],
    [415, 'POST', '/upload', `${length}\r\ncontent-encoding: cow`],
    [400, 'POST', '/upload', `${length}\r\ncontent-type: multipart/form-data`],
    [417, 'POST', '/upload', `${length}\r\nexpect: wonders`],
    [400, 'POST', '/upload', `${length}\r\nhost: x\r\nhost: y`],
    [431, 'POST', '/upload', `${length}\r\nx: ${'x'.repeat(20_000)}`],
    [400, 'POST', '/upl\xe9ad', length],
    [405, 'CONNECT', 'x:80', length],
  ]
  for (const [way, rest] of ways) {
    for (const [status, method, path, headers] of refused) {
      if (status === 417 && way === 'HTTP/1.0') continue
      const target = method === 'CONNECT' ? path : `${api}${path}`
      const answers = await sendThenRead(port, `${method} ${target} ${rest}\r\n${headers}\r\n\r\n`)
      t.match(answers, [{ status, headers: { connection: 'close' } }], `${status} for ${method} ${path}, ${way}`)
      t.equal(answers.length, 1)
    }
    t.match(await sendThenRead(port, `POST ${api}/upload ${rest}\r\n${length}\r\n\r\n`), [{ status: 200, body: String(body.length) }], `an upload that is taken, ${way}`)
  }
  const chunk = Buffer.concat([Buffer.from(`${mebibyte.toString(16)}\r\n`), body.subarray(0, mebibyte), Buffer.from('\r\n')])
  const chunks = Buffer.concat(Array.from({ length: 8 }, () => chunk))
  const chunked = `HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked`
  t.match(await sendThenRead(port, `POST ${api}/small ${chunked}\r\nconnection: close\r\n\r\n`, chunks), [{ status: 413 }], 'in chunks')
  t.match(await sendThenRead(port, `POST ${api}/small ${chunked}\r\n\r\n`, Buffer.concat([chunk, body])), [{ status: 413 }], 'in chunks that become malformed behind the refusal')
  t.match(await sendThenRead(port, 'nonsense\r\n\r\n'), [{ status: 400 }], 'what is no HTTP at all')
})

t.test('so does one that the plugin of fastify.ts refuses, or that has not shown the key of a private app', { skip: takesLong('it starts many servers') }, async (t) => {
  const plugin: FastifyPlugin = async (fastify) => {
    fastify.post('/small', { bodyLimit: 1000 }, () => 'taken')
    fastify.post('/hook', { onRequest: (_request, reply) => void reply.code(403).send('forbidden') }, () => 'taken')
    fastify.post('/typed', () => 'taken')
  }
  const key = 'a-key-that-nobody-can-guess-0123456789'
  const start = async (options: Settings): Promise<number> => {
    const directory = await temporaryFolder(t)
    const server = await createApp({ directory, define: () => httpEndpoint('/b', () => 'b'), plugin, options: { name: 'test', ...options }, logTo: { write: () => undefined } })
    t.teardown(() => server.close())
    return Number(new URL(await server.listen({ port: 0, host: '127.0.0.1' })).port)
  }
  const [open, hidden] = [await start({}), await start({ private: { accessKey: key } })]
  const json = `${length}\r\ncontent-type: application/json`
  const cases: [status: number, port: number, path: string, headers: string][] = [
    [413, open, '/small', json],
    [403, open, '/hook', json],
    [415, open, '/typed', `${length}\r\ncontent-type: application/x-unheard-of`],
    [404, open, '/nowhere', json],
    [404, hidden, '/small', json],
    [404, hidden, `${api}/b`, json],
    [413, hidden, `/${key}/small`, json],
  ]
  for (const [way, rest] of ways) {
    for (const [status, port, path, headers] of cases) {
      t.match(await sendThenRead(port, `POST ${path} ${rest}\r\n${headers}\r\n\r\n`), [{ status }], `${status} for ${path.replace(key, 'KEY')}, ${way}`)
    }
  }
})

t.test('what follows the last answer of a connection is no request', async (t) => {
  const asked: string[] = []
  const { port } = await startApp(t, () => httpEndpoint('/b', ({ n }) => void asked.push(String(n))))
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.on('error', () => undefined)
  t.teardown(() => socket.destroy())
  const get = (n: number, more = ''): string => `GET ${api}/b?n=${n} HTTP/1.1\r\nhost: x\r\n${more}\r\n`
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  socket.write(get(1) + get(2, 'connection: close\r\n') + get(3))
  await once(socket, 'end')
  socket.write(get(4))
  await delay(100)
  socket.end(get(5))
  await once(socket, 'close')
  t.same(readAnswers(Buffer.concat(chunks).toString(), ['GET', 'GET', 'GET']).map(({ headers }) => headers['connection']), ['keep-alive', 'close'])
  t.same(asked, ['1', '2'])
})

t.test('a client that does not stop sending after its refusal is cut when the time of a request is over, and one that does not close either', { skip: takesLong('it waits for silence') }, async (t) => {
  const { port, server } = await startApp(t, () => undefined, { headersTimeout: 500, requestTimeout: 500 })
  await trickle(await stayAfterRefusal(t, port))
  const patient = await startApp(t, () => undefined)
  await stayAfterRefusal(t, patient.port)
  const count = (counted: typeof server): Promise<number> => new Promise((resolve) => counted.server.getConnections((_error, number) => resolve(number)))
  t.equal(await count(server), 0)
  t.equal(await count(patient.server), 1)
  while ((await count(patient.server)) > 0) await delay(100)
})

t.test('more clients than a thousand that stay after their refusal push each other out', { skip: takesLong('it opens more than a thousand connections') }, async (t) => {
  const { port, server } = await startApp(t, () => undefined)
  for (let count = 0; count < 1050; count++) await stayAfterRefusal(t, port)
  const left = await new Promise<number>((resolve) => server.server.getConnections((_error, number) => resolve(number)))
  t.ok(left <= 1001, `${left} connections are left`)
})

t.test('closing does not wait for clients that stay after their refusal, nor for its whole time', { skip: takesLong('clients stay for a second after their refusal') }, async (t) => {
  const { port, server, log } = await startApp(t, () => undefined)
  const before = trickle(await stayAfterRefusal(t, port))
  await server.close()
  await before
  t.notOk(log.some(({ message }) => String(message).includes('connections were cut')), 'the time for closing was not used up')
})
