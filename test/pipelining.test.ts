import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { createApp, request, route, type FastifyPlugin } from 'rowhouse'
import { startApp, temporaryFolder } from './support/app.ts'
import { takesLong } from './support/needs.ts'
import { converse, readAnswers, type RawAnswer } from './support/raw-http.ts'

const get = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nhost: x\r\n${more}\r\n`

/** Sends requests on one connection, all at once, and resolves to as many answers. */
async function sendAhead(port: number, requests: readonly string[]): Promise<RawAnswer[]> {
  const methods = requests.map((text) => text.slice(0, text.indexOf(' ')))
  const received = await converse(port, { pieces: [requests.join('')], patience: 30_000, isEnough: (text) => text.split('HTTP/1.1 ').length > requests.length && readAnswers(text, methods).length === requests.length })
  return readAnswers(received, methods)
}

/** What handlers wait for. */
function gate() {
  let letGo = (): void => undefined
  const opened = new Promise<undefined>((resolve) => (letGo = () => resolve(undefined)))
  return { opened, open: () => letGo() }
}

function open(t: Test, port: number): Socket {
  const socket = connect({ port, host: '127.0.0.1' })
  socket.on('error', () => undefined)
  t.teardown(() => socket.destroy())
  return socket
}

t.test('requests that were sent ahead on one connection run one after the other, whichever door answers them', { skip: takesLong('it sends a thousand requests, one after the other') }, async (t) => {
  let running = 0
  let most = 0
  const run = async (name: unknown): Promise<string> => {
    most = Math.max(most, ++running)
    await delay(1)
    running--
    return String(name)
  }
  const plugin: FastifyPlugin = async (fastify) => {
    fastify.get('/plugin/:n', ({ params }) => run((params as { n: string }).n))
  }
  const directory = await temporaryFolder(t)
  const define = (): void => {
    route('/route/:n', ({ n }) => run(n))
    route('/body/:n', { methods: ['POST'] }, async ({ n }) => `${await run(n)} ${request.body?.length}`)
  }
  const server = await createApp({ directory, define, plugin, options: { name: 'test' }, logTo: { write: () => undefined } })
  t.teardown(() => server.close())
  const port = Number(new URL(await server.listen({ port: 0, host: '127.0.0.1' })).port)
  const requests = Array.from({ length: 200 }, (_, n) => [
    get(`/route/${n}`),
    get(`/plugin/${n}`),
    get(`/nowhere/${n}`),
    `POST /body/${n} HTTP/1.1\r\nhost: x\r\ncontent-length: 5000\r\n\r\n${'x'.repeat(5000)}`,
    `POST /body/${n} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`,
  ]).flat()
  const answers = await sendAhead(port, requests)
  t.same(answers.map(({ status, body }) => (status === 404 ? 404 : body)), Array.from({ length: 200 }, (_, n) => [`${n}`, `${n}`, 404, `${n} 5000`, `${n} 3`]).flat())
  t.equal(most, 1)
})

t.test('as long as an answer is outstanding no more is read from its connection than has been, and then everything is answered', { skip: takesLong('it sends 30,000 requests') }, async (t) => {
  const { opened, open: letGo } = gate()
  let begun = 0
  const { port, server } = await startApp(t, () => {
    route('/wait', () => (begun++, opened))
    route('/n/:n', ({ n }) => (begun++, n))
  })
  const connected = once(server.server, 'connection') as Promise<[Socket]>
  const client = open(t, port)
  const count = 30_000
  client.write(get('/wait') + Array.from({ length: count }, (_, n) => get(`/n/${n}`)).join(''))
  const [{ bytesRead: before }, inside] = [client, (await connected)[0]]
  t.equal(before, 0)
  await delay(500)
  t.ok(inside.bytesRead <= 128 * 1024, `${inside.bytesRead} bytes have been read`)
  t.equal(begun, 1)
  let text = ''
  client.setEncoding('latin1').on('data', (piece: string) => (text += piece))
  letGo()
  while (!text.endsWith(`\r\n\r\n${count - 1}`)) await once(client, 'data')
  t.equal(text.split('HTTP/1.1 200 OK').length - 1, count + 1)
  t.equal(begun, count + 1)
})

t.test('a request that has waited belongs to nobody but its own client: not to the call before it, nor to what that has left behind', async (t) => {
  const leftBehind = new AsyncLocalStorage<string>()
  const { port } = await startApp(t, () => {
    route('/first', async ({ n }) => {
      leftBehind.enterWith('first')
      await delay(5)
      return [n, request.path, leftBehind.getStore() ?? null]
    })
    route('/second', async ({ n }) => [n, request.path, leftBehind.getStore() ?? null])
  })
  const answers = await sendAhead(port, [get('/first?n=1'), get('/second?n=2'), get('/first?n=3'), get('/second?n=4')])
  t.same(answers.map(({ body }) => JSON.parse(body) as unknown), [
    ['1', '/first', 'first'],
    ['2', '/second', null],
    ['3', '/first', 'first'],
    ['4', '/second', null],
  ])
})

t.test('what waits behind the last answer of a connection does not run', async (t) => {
  const ran: string[] = []
  const { port, log } = await startApp(t, () => {
    route('/last', () => (ran.push('last'), delay(50, 'last')))
    route('/n/:n', ({ n }) => void ran.push(String(n)))
  })
  for (const more of ['connection: close\r\n', 'content-length: 0\r\nexpect: wonders\r\n']) {
    const received = await converse(port, { pieces: [get('/last', more) + get('/n/1')], patience: 1000 })
    t.equal(readAnswers(received, ['GET', 'GET']).length, 1)
  }
  t.same(ran, ['last'])
  t.notMatch(JSON.stringify(log), '/n/')
})

t.test('requests that are sent ahead on many connections are all answered, each behind the one before', { skip: takesLong('it sends ten thousand requests') }, async (t) => {
  const { port } = await startApp(t, () => {
    route('/n/:n', ({ n }) => n)
    route('/up', { methods: ['POST'] }, () => request.body?.length)
  })
  const up = `POST /up HTTP/1.1\r\nhost: x\r\ncontent-length: 3000\r\n\r\n${'x'.repeat(3000)}`
  const requests = Array.from({ length: 200 }, (_, n) => (n % 16 === 15 ? up : get(`/n/${n}`)))
  const all = await Promise.all(Array.from({ length: 50 }, () => sendAhead(port, requests)))
  const expected = requests.map((text, n) => (text === up ? '3000' : String(n)))
  for (const answers of all) t.same(answers.map(({ body }) => body), expected)
})

t.test('a connection on which a request has waited goes on, however many wait on others', async (t) => {
  const { opened, open: letGo } = gate()
  const { port } = await startApp(t, () => {
    route('/wait', () => opened)
    route('/n/:n', ({ n }) => n)
    route('/up', { methods: ['POST'] }, () => request.body?.length)
  })
  for (let count = 0; count < 80; count++) open(t, port).write(get('/wait').repeat(20))
  const client = open(t, port)
  let text = ''
  client.setEncoding('latin1').on('data', (piece: string) => (text += piece))
  const answersAre = async (count: number): Promise<void> => {
    while (text.split('HTTP/1.1 200').length - 1 < count) await once(client, 'data')
  }
  await delay(100)
  client.write(get('/n/1') + get('/n/2'))
  await answersAre(2)
  client.write('POST /up HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc')
  await answersAre(3)
  client.write(get('/n/3', 'connection: upgrade\r\nupgrade: other\r\n'))
  await answersAre(4)
  letGo()
})

t.test('requests that wait for others of their connection are not timed meanwhile', { skip: takesLong('it waits for a time limit') }, async (t) => {
  const { port } = await startApp(t, () => route('/slow', () => delay(150, 'slow')), { requestTimeout: 1000, headersTimeout: 1000 })
  const answers = await sendAhead(port, Array.from({ length: 20 }, () => get('/slow')))
  t.same(answers.map(({ body }) => body), Array.from({ length: 20 }, () => 'slow'))
})

t.test('where too much waits on many connections, some are cut, and an ordinary one is served', { skip: takesLong('it opens three hundred connections and fills them') }, async (t) => {
  const { opened, open: letGo } = gate()
  const { port, log } = await startApp(t, () => {
    route('/wait', () => opened)
    route('/n/:n', ({ n }) => n)
  })
  const many = get('/wait') + get('/n/1').repeat(3000)
  const clients = Array.from({ length: 300 }, () => open(t, port))
  for (const client of clients) client.write(many)
  const isCut = ({ message }: Record<string, unknown>): boolean => String(message).startsWith('a connection was cut on which requests waited')
  while (!log.some(isCut)) await delay(20)
  const answers = sendAhead(port, Array.from({ length: 20 }, (_, n) => get(`/n/${n}`)))
  t.same((await answers).map(({ body }) => body), Array.from({ length: 20 }, (_, n) => String(n)))
  t.ok(clients.some(({ closed }) => !closed), 'those who were first are served')
  letGo()
})

t.test('an answer is never cut because a request that was sent ahead of its turn has not been read in time', { skip: takesLong('it waits for a time limit') }, async (t) => {
  const { port } = await startApp(
    t,
    () => {
      route('/stream', async function* () {
        for (let piece = 0; piece < 12; piece++) {
          await delay(250)
          yield `piece ${piece}\n`
        }
      })
      route('/up', { methods: ['POST'], bodyLimit: 1_000_000 }, () => request.body?.length)
    },
    { requestTimeout: 1000, headersTimeout: 1000 },
  )
  const post = `POST /up HTTP/1.1\r\nhost: x\r\ncontent-length: 300000\r\n\r\n${'x'.repeat(300_000)}`
  const received = await converse(port, { pieces: [get('/stream') + post], patience: 10_000, isEnough: (text) => /\r\n0\r\n\r\nHTTP.*\r\n\r\n/s.test(text) })
  t.match(received, /piece 11\n\r\n0\r\n\r\nHTTP\/1\.1 408 /, 'the answer is whole, and then the next is told')
})
