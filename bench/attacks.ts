import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { brotliCompressSync, constants } from 'node:zlib'

/** What the attackers are told; they run in a worker, so that they do not slow down who measures. */
export interface AttackOrder {
  readonly port: number
  readonly kind: string
  /** How many attack at once. */
  readonly connections: number
  /** How long each waits after an answer, in milliseconds. */
  readonly pause: number
  /** How long the bodies are, in bytes. */
  readonly bodyLength: number
}

/** What is counted while they attack, by what came of it: a status, or how the connection ended. */
export type AttackOutcome = Readonly<Record<string, number>>

/** What one attacker sends on a connection, and whether it waits for the answer or holds the connection as it is. */
interface Attack {
  readonly pieces: readonly Buffer[]
  readonly holds: 'until the answer' | 'unread' | 'unfinished'
}

/** A few bytes of brotli that fill a window of 16 MiB (RFC 7932, 9.1) and do not end. */
const greedyBrotli = brotliCompressSync(Buffer.alloc(20_000_000), {
  params: { [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS },
}).subarray(0, -1)

function request(
  line: string,
  headers: Readonly<Record<string, string | number>>,
  body: Buffer = Buffer.alloc(0),
): Buffer {
  const lines = Object.entries({ host: 'attacked', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.concat([Buffer.from(`${line} HTTP/1.1\r\n${lines.join('')}\r\n`), body])
}

function post(path: string, type: string, body: Buffer, missing = 0): Buffer {
  return request(`POST ${path}`, { 'content-type': type, 'content-length': body.length + missing }, body)
}

function filled(start: string, unit: string, end: string, length: number): Buffer {
  const bytes = Buffer.alloc(length, unit)
  bytes.write(start)
  bytes.write(end, length - end.length)
  return bytes
}

/** By their kinds. */
export const attacks: Readonly<Record<string, (order: AttackOrder) => Attack>> = {
  brotli: () => {
    const headers = { 'content-type': 'application/json', 'content-encoding': 'br', 'content-length': 1000 }
    return { pieces: [request('POST /_/api/form', headers, greedyBrotli)], holds: 'unfinished' }
  },
  unfinished: () => ({ pieces: [post('/_/api/form', 'text/plain', Buffer.alloc(1_000_000), 1)], holds: 'unfinished' }),
  pipelined: () => {
    const requests = Buffer.concat(Array<Buffer>(1000).fill(request('GET /_/api/probe', {})))
    return { pieces: Array<Buffer>(30).fill(requests), holds: 'unread' }
  },
  form: ({ bodyLength }) => ({
    pieces: [post('/_/api/form', 'application/x-www-form-urlencoded', filled('a=', '%25', '', bodyLength))],
    holds: 'until the answer',
  }),
  json: ({ bodyLength }) => {
    const unit = `${'['.repeat(50)}${']'.repeat(50)},`
    const count = Math.floor((bodyLength - 3) / unit.length)
    const body = Buffer.from(`[${unit.repeat(count)}1]`)
    return { pieces: [post('/_/api/json', 'application/json', body)], holds: 'until the answer' }
  },
  list: () => ({ pieces: [request('GET /_/api/rows?limit=230', {})], holds: 'until the answer' }),
  password: () => {
    const credentials = Buffer.from(`somebody@example.com:${'p'.repeat(11_000)}`).toString('base64')
    return { pieces: [request('GET /_/api/mine', { authorization: `Basic ${credentials}` })], holds: 'until the answer' }
  },
  accept: () => {
    const accept = Array.from({ length: 1000 }, (_, index) => `a/b${index};q=0.1`).join(',')
    return { pieces: [request('GET /nothing', { accept })], holds: 'until the answer' }
  },
}

/** Attacks until told to stop, and tells then what came of it. */
async function attackUntilStopped(order: AttackOrder, stopping: AbortSignal): Promise<AttackOutcome> {
  const outcome: Record<string, number> = {}
  const attack = attacks[order.kind]?.(order)
  if (attack === undefined) throw new RangeError(`there is no attack of the kind ${order.kind}`)
  const attacker = async (): Promise<void> => {
    while (!stopping.aborted) {
      const ended = await attackOnce(order.port, attack, stopping)
      outcome[ended] = (outcome[ended] ?? 0) + 1
      await delay(order.pause, undefined, { signal: stopping }).catch(() => undefined)
    }
  }
  await Promise.all(Array.from({ length: order.connections }, attacker))
  return outcome
}

/** Resolves to the status of the answer, or to how the connection ended without one. */
async function attackOnce(port: number, { pieces, holds }: Attack, stopping: AbortSignal): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let ended = 'no answer'
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  socket.on('error', (error: NodeJS.ErrnoException) => (ended = error.code ?? error.message))
  if (holds !== 'unread') {
    socket.once('data', (bytes) => {
      ended = /^HTTP\/1\.1 (\d+)/.exec(bytes.toString('latin1', 0, 20))?.[1] ?? 'no HTTP'
      if (holds === 'unfinished') socket.destroy()
      else void endOfAnswer(socket, bytes).then(() => socket.destroy())
    })
  }
  const stop = (): void => void socket.destroy()
  stopping.addEventListener('abort', stop, { once: true })
  for (const piece of pieces) {
    if (socket.closed || socket.destroyed) break
    if (!socket.write(piece)) await Promise.race([once(socket, 'drain').catch(() => undefined), closed])
  }
  await closed
  stopping.removeEventListener('abort', stop)
  return stopping.aborted && ended === 'no answer' ? 'held to the end' : ended
}

/** Reads on as long as more comes: who attacks takes what is answered. */
async function endOfAnswer(socket: Socket, first: Buffer): Promise<void> {
  const head = first.indexOf('\r\n\r\n')
  const length = /\r\ncontent-length: (\d+)/i.exec(first.toString('latin1', 0, head + 2))?.[1]
  let left = length === undefined ? Infinity : Number(length) + head + 4
  await new Promise<void>((resolve) => {
    const take = (bytes: Buffer): void => {
      left -= bytes.length
      // One that is sent in pieces ends with an empty one.
      if (left <= 0 || (left === Infinity && bytes.toString('latin1', bytes.length - 5) === '0\r\n\r\n')) resolve()
    }
    socket.on('data', take).once('close', resolve)
    take(first)
  })
}

if (parentPort !== null) {
  const port = parentPort
  const stopping = new AbortController()
  port.once('message', () => stopping.abort())
  port.postMessage(await attackUntilStopped(workerData as AttackOrder, stopping.signal))
}
