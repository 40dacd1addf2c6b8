import type { Socket } from 'node:net'
import type { FastifyPluginCallback } from 'fastify'
import fastifyPlugin from 'fastify-plugin'

/** Options of the plugin. */
export interface LingeringCloseOptions {
  /** The longest that a client may go on sending after its last answer, in milliseconds. */
  readonly timeout: number
  /** Counts what arrives, in bytes: false stops it until the function is called. */
  readonly takeIn: (length: number, goOn: () => void) => boolean
}

/** How long a client may send nothing and not close either, in milliseconds; nginx's `lingering_timeout`. */
const silence = 5000
/** How much of what a client goes on sending is read, in bytes. */
const mostBytes = 256 * 1024 * 1024
/** How many connections linger at once. Beyond that, those that have lingered longest are cut. */
const mostConnections = 1000
/** How long a connection lingers at most once the server is closing, in milliseconds. */
const closingTimeout = 1000

/**
 * Ends connections in two steps (RFC 9112, 9.6), so that the last answer arrives: ours is closed for writing first, then what the client still sends is read and dropped until it closes too.
 * Closed at once, with something unread, the connection would be reset, and the reset destroys an answer that the client has not read yet: that of an upload which is refused while it arrives.
 *
 * Nothing that arrives after the last answer is taken for a request, and nobody lingers for ever: there are limits for the time, the silence, the bytes and the connections.
 */
const lingeringClosePlugin: FastifyPluginCallback<LingeringCloseOptions> = (app, { timeout, takeIn }, ready) => {
  /** Those that linger, longest first, with what ends that. */
  const lingering = new Map<Socket, NodeJS.Timeout>()
  let longest = timeout

  function cut(socket: Socket): void {
    clearTimeout(lingering.get(socket))
    lingering.delete(socket)
    socket.destroy()
  }

  function linger(this: Socket): void {
    if (lingering.has(this) || this.destroyed) return
    const [oldest] = lingering.keys()
    if (oldest !== undefined && lingering.size >= mostConnections) cut(oldest)
    const end = (): void => cut(this)
    lingering.set(this, setTimeout(end, longest))
    this.end()
    // It is no longer read as HTTP: the parser of Node.js reads past these events as long as nobody else listens to them.
    this.removeAllListeners('data')
    let left = mostBytes
    this.on('data', ({ length }: Buffer) => {
      left -= length
      if (left < 0) end()
      else if (!takeIn(length, () => this.resume())) this.pause()
    })
    const ended = (): void => void (this.writableFinished ? end() : this.once('finish', end))
    this.once('end', ended).once('close', end).once('timeout', end).on('error', end)
    this.setTimeout(silence)
    this.resume()
  }

  app.server.on('connection', (socket: Socket) => {
    // Whoever wants a connection to be closed once all has been sent says it by this, Node.js after the last answer.
    socket.destroySoon = linger
  })

  app.addHook('preClose', (done) => {
    longest = Math.min(timeout, closingTimeout)
    for (const [socket, timer] of lingering) {
      clearTimeout(timer)
      lingering.set(socket, setTimeout(cut, longest, socket))
    }
    done()
  })
  ready()
}

/** See {@link LingeringCloseOptions}. */
export const lingeringClose = fastifyPlugin(lingeringClosePlugin, { name: 'rowhouse-lingering-close', fastify: '5.x' })
