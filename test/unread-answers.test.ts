import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { createApp, route } from 'rowhouse'
import { temporaryFolder, type Settings } from './support/app.ts'
import { takesLong } from './support/needs.ts'

const mebibyte = 1024 * 1024

/** The same answer by both ways. */
async function start(t: Test, length: number, options: Settings): Promise<number> {
  const server = await createApp({
    directory: await temporaryFolder(t),
    define: () => route('/own', () => 'x'.repeat(length)),
    plugin: async (fastify) => void fastify.get('/plugin', () => 'x'.repeat(length)),
    options: { name: 'test', ...options },
    logTo: { write: () => undefined },
  })
  t.teardown(() => server.close())
  return Number(new URL(await server.listen({ port: 0, host: '127.0.0.1' })).port)
}

/** A client that asks and does not read, once the answer has begun. */
async function askWithoutReading(t: Test, port: number, path: string): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' })
  socket.on('error', () => undefined)
  t.teardown(() => socket.destroy())
  socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`)
  await once(socket, 'readable')
  return socket
}

/** How much of its answer a client still gets. */
async function read(socket: Socket): Promise<number> {
  let length = 0
  socket.on('data', ({ length: more }: Buffer) => (length += more))
  if (!socket.closed) await once(socket, 'close')
  return length
}

t.test('of answers that nobody reads only so many are held, and those that have waited longest are cut', { skip: takesLong('it holds 200 MiB') }, async (t) => {
  const length = 6 * mebibyte
  const port = await start(t, length, { responseLimit: length })
  for (const path of ['/own', '/plugin']) {
    const sockets: Socket[] = []
    for (let count = 0; count < 40; count++) sockets.push(await askWithoutReading(t, port, path))
    const [first, last] = [sockets[0] as Socket, sockets.at(-1) as Socket]
    t.ok((await read(first)) < length, `${path}: the first is cut`)
    t.ok((await read(last)) > length, `${path}: the last comes whole`)
    for (const socket of sockets) socket.destroy()
    await delay(100)
  }
})

t.test('a client that reads nothing of its answer is cut after sendTimeout, whoever answers it', { skip: takesLong('it waits for clients that do not read') }, async (t) => {
  const length = 12 * mebibyte
  const port = await start(t, length, { sendTimeout: 300 })
  for (const path of ['/own', '/plugin']) {
    const socket = await askWithoutReading(t, port, path)
    await delay(2000)
    t.ok((await read(socket)) < length, path)
  }
})
