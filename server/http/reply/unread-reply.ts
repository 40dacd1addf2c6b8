import type { ServerResponse } from 'node:http'
import { Socket } from 'node:net'

/** As much as the buffers of any connection take, in bytes or units of a string: what is shorter waits for nobody. */
const takenAtOnce = 16 * 1024

/** How many answers of the longest kind the process holds for clients that are slow to read them. */
const mostAnswers = 8

/** What is held for clients that have not read it yet, in bytes or units of a string; what has waited longest first. */
const held = new Map<ServerResponse, number>()
let allHeld = 0

/** What bounds a reply. */
export interface ReplyLimits {
  /** The longest body that is held in memory, in bytes. */
  readonly responseLimit: number
  /** How long a client may take nothing of what waits for it, in milliseconds. */
  readonly sendTimeout: number
}

/**
 * Bounds what a client that has stopped reading can hold: what waits for it is in memory, or keeps the source of a stream open, for as long as it likes. Its connection ends after some time,
 * and at once where too much waits for all clients together and nothing has waited longer.
 *
 * @param body what is sent, if anything; a stream is read no faster than it is sent, and holds nothing
 */
export function boundUnread(response: ServerResponse, body: unknown, { responseLimit, sendTimeout }: ReplyLimits): void {
  if (body === null || body === undefined) return
  const length = typeof body === 'string' || Buffer.isBuffer(body) ? body.length : null
  if (length !== null && length <= takenAtOnce) return
  endWhenUnread(response, sendTimeout)
  if (length !== null) hold(response, length, responseLimit * mostAnswers)
}

function hold(response: ServerResponse, length: number, limit: number): void {
  held.set(response, length)
  allHeld += length
  const letGo = (): void => release(response)
  response.once('finish', letGo).once('close', letGo)
  for (const longest of held.keys()) {
    if (allHeld <= limit || longest === response) break
    release(longest)
    longest.destroy()
  }
}

function release(response: ServerResponse): void {
  allHeld -= held.get(response) ?? 0
  held.delete(response)
}

/**
 * Ends the connection of a client that has stopped reading: what waits for it would be held in memory, and a stream's source open, for as long as it likes.
 * A client that reads on is left alone unless it is very slow: the system reports progress once about a third of its buffer is free again. So is one that waits for a source which has nothing to send.
 *
 * @param milliseconds how long nothing of the answer may be taken while some of it waits
 */
function endWhenUnread(response: ServerResponse, milliseconds: number): void {
  // Node.js calls this after so much silence on the connection; with a listener it leaves the rest to us.
  response.setTimeout(milliseconds, () => {
    if (response.writableLength > 0 || (response.socket?.writableLength ?? 0) > 0) response.destroy()
  })
  // Before Node.js: what waits behind this answer on the same connection has another time.
  response.prependOnceListener('finish', () => {
    const { socket } = response
    // An injected request has no real socket.
    if (socket instanceof Socket) socket.setTimeout(0)
  })
}
