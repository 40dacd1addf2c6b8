import { AsyncResource } from 'node:async_hooks'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { endsConnection } from './persistence.js'

/** How many requests of a connection are taken apart ahead of their turn: as many as clients that send several at once usually do. Each takes a few KiB until then. */
const mostAhead = 16
/** How many of all connections; beyond that, one of each. */
const mostAheadOfAll = 1024
/** How many bytes of all connections may wait to be taken apart; whose next ones would not fit is cut. */
const mostUnparsed = 16 * 1024 * 1024
/** How many that have waited run in one turn of the event loop: all of those in one packet would keep it to themselves. */
const mostInTurn = 64

/** What is known of a connection on which requests wait. */
interface Line {
  /** How many have been taken apart. */
  waiting: number
  /** Whether the parser is to stop behind the message that it is at. */
  isFull: boolean
  /** What has been read and not been taken apart. */
  unparsed: Buffer | null
  /** The last message that has been taken apart, and perhaps not to its end. */
  last: IncomingMessage | null
  /** Whether Node.js has given up to time it, since it waited for what lies here. */
  isUntimed: boolean
}

/** The parser of a connection. It is not documented; without it nothing is lost but memory. */
interface Parser {
  /** Told of a message whose headers have been read. What it returns goes to llhttp. */
  onIncoming?: ((message: IncomingMessage, keepAlive: boolean) => number) | null
  resume?(): unknown
}

type Parsed = Socket & { readonly parser?: Parser | null }

/** With this llhttp stops behind the headers of a message (its documentation calls it `HPE_PAUSED`). */
const stop = 21

/** What Node.js tells, as an error of the client, of a parser that has stopped. */
interface Stopped {
  readonly code?: unknown
  readonly rawPacket?: unknown
  readonly bytesParsed?: unknown
}

/**
 * Lets each connection have one request at a time, as most servers do: those that a client has sent ahead (pipelining; RFC 9112, 9.3.2) wait until it is their turn to be answered, before anybody has looked at them,
 * and no more is read from the connection meanwhile. Handled all at once, a thousand requests in one packet would take megabytes, and their answers, of which only the first can be sent, any number of them.
 *
 * Node.js parses all that it has read, up to 64 KiB. Its parser is stopped after a few requests, and given the rest when they have had their turn.
 *
 * @param cut is told of a connection that is cut because too much waits on all of them
 */
export function serveInTurn(server: Server, cut: () => void): void {
  const lines = new WeakMap<Socket, Line>()
  let allWaiting = 0
  let allUnparsed = 0
  let begunInTurn = 0
  const emit: (...event: never[]) => unknown = server.emit

  function lineOf(socket: Socket): Line {
    const present = lines.get(socket)
    if (present !== undefined) return present
    const line: Line = { waiting: 0, isFull: false, unparsed: null, last: null, isUntimed: false }
    lines.set(socket, line)
    stopWhenFull(socket, line)
    // Node.js resumes reading at the end of each message, in the next tick: by then the connection may have been paused again, without a word to what reads.
    socket.on('resume', () => {
      if (line.waiting === 0 && line.unparsed === null) return
      if (socket.isPaused()) socket.emit('pause')
      else socket.pause()
    })
    socket.once('close', () => {
      allWaiting -= line.waiting
      line.waiting = 0
      takeUnparsed(line)
    })
    return line
  }

  function wait(event: unknown[], message: IncomingMessage, response: ServerResponse): void {
    const { socket } = message
    if (socket.destroyed) return
    const line = lineOf(socket)
    line.last = message
    line.waiting++
    allWaiting++
    line.isFull = line.waiting >= mostAhead || allWaiting > mostAheadOfAll
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
    if (line.waiting === 0) {
      if (line.unparsed === null) socket.resume()
      else setImmediate(parseOn, socket, line)
    }
    Reflect.apply(emit, server, event)
  }

  /** @returns whether the parser was stopped here, and what it has left is kept */
  function keepUnparsed({ code, rawPacket, bytesParsed }: Stopped, socket: Socket): boolean {
    const line = lines.get(socket)
    if (code !== 'HPE_PAUSED' || line === undefined || !Buffer.isBuffer(rawPacket) || typeof bytesParsed !== 'number') return false
    line.unparsed = rawPacket.subarray(bytesParsed)
    allUnparsed += line.unparsed.length
    if (allUnparsed > mostUnparsed) {
      cut()
      socket.destroy()
    }
    return true
  }

  /** @returns whether a message is told to be overdue whose rest lies here */
  function isHeld({ code }: Stopped, socket: Socket): boolean {
    const line = lines.get(socket)
    if (code !== 'ERR_HTTP_REQUEST_TIMEOUT' || line === undefined || line.unparsed === null) return false
    line.isUntimed = true
    return true
  }

  function takeUnparsed(line: Line): Buffer | null {
    const { unparsed } = line
    allUnparsed -= unparsed?.length ?? 0
    line.unparsed = null
    return unparsed
  }

  function parseOn(socket: Parsed, line: Line): void {
    const unparsed = takeUnparsed(line)
    if (unparsed === null || socket.destroyed) return
    socket.parser?.resume?.()
    // As what has just been read.
    const { last, isUntimed } = line
    line.isUntimed = false
    socket.emit('data', unparsed)
    if (isUntimed && last !== null && !last.complete) setTimeout(() => void (last.complete || socket.destroy()), server.requestTimeout).unref()
    if (line.waiting === 0 && line.unparsed === null) socket.resume()
  }

  server.emit = function (this: Server, ...event: unknown[]): boolean {
    const [name] = event
    if (messageEvents.has(name)) {
      const [, message, response] = event as [string, IncomingMessage, ServerResponse]
      if (endsConnection(message)) response.shouldKeepAlive = false
      if (response.socket === null) {
        wait(event, message, response)
        return true
      }
    } else if (name === 'clientError') {
      const [, error, socket] = event as [string, Stopped, Socket]
      if (keepUnparsed(error, socket) || isHeld(error, socket)) return true
    }
    return Reflect.apply(emit, this, event) === true
  }
}

function stopWhenFull({ parser }: Parsed, line: Line): void {
  const onIncoming = parser?.onIncoming
  if (parser === null || parser === undefined || typeof onIncoming !== 'function') return
  parser.onIncoming = (message, keepAlive) => {
    // Only for a message that waits.
    line.isFull = false
    const answer = onIncoming(message, keepAlive)
    // Behind one that leaves HTTP the parser has stopped already, and tells nobody.
    if (!line.isFull || answer !== 0 || message.headers.upgrade !== undefined) return answer
    return stop
  }
}

/** The events by which Node.js hands over a message with its answer. */
const messageEvents: ReadonlySet<unknown> = new Set(['request', 'checkContinue', 'checkExpectation'])
