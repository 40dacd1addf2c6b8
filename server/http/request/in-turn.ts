import { AsyncResource } from 'node:async_hooks'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { endsConnection } from './persistence.js'

/** How many requests of all connections together may wait for their turn; each takes a few KiB until then. */
const mostWaiting = 10_000
/** How many of them a connection is never cut for: as many as clients that send several requests at once usually do. */
const usualWaiting = 32
/** How many that have waited run in one turn of the event loop: all of those in one packet would keep it to themselves. */
const mostInTurn = 64

/** What is known of a connection on which requests wait. */
interface Line {
  waiting: number
}

/**
 * Lets each connection have one request at a time, as most servers do: those that a client has sent ahead (pipelining; RFC 9112, 9.3.2) wait until it is their turn to be answered, before anybody has looked at them,
 * and no more is read from the connection meanwhile. Handled all at once, a thousand requests in one packet would take megabytes, and their answers, of which only the first can be sent, any number of them.
 *
 * Node.js parses all that it has read, up to 64 KiB. Where that adds up on many connections, those with the most are cut.
 *
 * @param cut is told of a connection that is cut, with the number of its requests that wait
 */
export function serveInTurn(server: Server, cut: (waiting: number) => void): void {
  const lines = new WeakMap<Socket, Line>()
  let allWaiting = 0
  let begunInTurn = 0
  const emit: (...event: never[]) => unknown = server.emit

  function lineOf(socket: Socket): Line {
    const present = lines.get(socket)
    if (present !== undefined) return present
    const line: Line = { waiting: 0 }
    lines.set(socket, line)
    // Node.js resumes reading at the end of each message.
    socket.on('resume', () => {
      if (line.waiting > 0) socket.pause()
    })
    socket.once('close', () => {
      allWaiting -= line.waiting
      line.waiting = 0
    })
    return line
  }

  function wait(event: unknown[], { socket }: IncomingMessage, response: ServerResponse): void {
    if (socket.destroyed) return
    const line = lineOf(socket)
    line.waiting++
    allWaiting++
    if (allWaiting > mostWaiting && line.waiting > usualWaiting) {
      cut(line.waiting)
      stopParsing(socket)
      socket.destroy()
      return
    }
    socket.pause()
    // Emitted when the answer before has been sent, in the middle of what Node.js does then, and on behalf of that request.
    const begin = AsyncResource.bind(() => takeTurn(event, socket, line))
    response.once('socket', () => defer(begin))
  }

  function defer(begin: () => void): void {
    if (begunInTurn === 0) setImmediate(() => (begunInTurn = 0))
    if (begunInTurn++ < mostInTurn) process.nextTick(begin)
    else setImmediate(begin)
  }

  function takeTurn(event: unknown[], socket: Socket, line: Line): void {
    if (socket.destroyed) return
    line.waiting--
    allWaiting--
    if (line.waiting === 0) socket.resume()
    Reflect.apply(emit, server, event)
  }

  server.emit = function (this: Server, ...event: unknown[]): boolean {
    if (messageEvents.has(event[0])) {
      const [, message, response] = event as [string, IncomingMessage, ServerResponse]
      if (endsConnection(message)) response.shouldKeepAlive = false
      if (response.socket === null) {
        wait(event, message, response)
        return true
      }
    }
    return Reflect.apply(emit, this, event) === true
  }
}

/**
 * Lets the rest of what has been read from a connection be, of which Node.js would otherwise make a thousand more messages
 * and keep them until the socket has closed. Its parser is not documented; without this nothing but time and memory is
 * lost.
 */
function stopParsing(socket: Socket & { readonly parser?: { pause?(): unknown } | null }): void {
  socket.parser?.pause?.()
}

/** The events by which Node.js hands over a message with its answer. */
const messageEvents: ReadonlySet<unknown> = new Set(['request', 'checkContinue', 'checkExpectation'])
