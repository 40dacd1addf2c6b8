import { Server, type Socket } from 'node:net'
import type { FastifyPluginCallback } from 'fastify'
import fastifyPlugin from 'fastify-plugin'

/** Options of the plugin. */
export interface GracefulCloseOptions {
  /** How long requests in flight may take once closing has begun, in milliseconds; then their connections are cut. */
  readonly timeout: number
}

/** How long a connection without a request stays open once closing has begun, in milliseconds: a client may be sending one at this very moment. */
const idleGrace = 500
/** How often connections are looked at after that, in milliseconds. */
const sweepInterval = 50

/**
 * Lets `close()` lose no request and end soon: the port is given up at once, requests on open connections are answered normally and told to be the last (`Connection: close`,
 * RFC 9112, 9.6), connections without a request are closed after a moment, and the hooks that close databases run when the last answer is out.
 *
 * Fastify alone closes idle connections first, under the requests that are on their way through them, and then waits for those that were busy to become idle and time out,
 * which takes as long as `keepAliveTimeout`. It has to be created with `return503OnClosing: false`.
 */
const gracefulClosePlugin: FastifyPluginCallback<GracefulCloseOptions> = (app, { timeout }, ready) => {
  const { server } = app
  const connections = new Set<Socket>()
  let closing = false
  let noneLeft: (() => void) | null = null
  let sweeper: NodeJS.Timeout | undefined
  let deadline: NodeJS.Timeout | undefined

  server.on('connection', (socket: Socket) => {
    connections.add(socket)
    socket.once('close', () => {
      connections.delete(socket)
      if (connections.size === 0) noneLeft?.()
    })
  })

  const sweep = (): void => {
    server.closeIdleConnections()
    // Node.js counts a connection as busy until its first request has come, which may be never.
    for (const socket of connections) if (socket.bytesRead === 0) socket.destroy()
  }

  const cut = (): void => {
    app.log.warn(`${connections.size} connections were cut, whose requests had not ended ${timeout} ms after closing began`)
    for (const socket of connections) socket.destroy()
  }

  app.addHook('onSend', (_request, reply, payload, done) => {
    if (closing) reply.header('connection', 'close')
    done(null, payload)
  })

  app.addHook('preClose', async () => {
    closing = true
    // The HTTP server's own close() would reset every idle connection now; the one it inherits only gives up the port.
    Server.prototype.close.call(server)
    if (connections.size === 0) return
    deadline = setTimeout(cut, timeout)
    await new Promise<void>((resolve) => {
      const grace = setTimeout(resolve, Math.min(idleGrace, timeout))
      noneLeft = () => {
        clearTimeout(grace)
        resolve()
      }
    })
    sweeper = setInterval(sweep, sweepInterval)
  })

  app.addHook('onClose', (_app, done) => {
    clearInterval(sweeper)
    clearTimeout(deadline)
    done()
  })
  ready()
}

/** See {@link GracefulCloseOptions}. */
export const gracefulClose = fastifyPlugin(gracefulClosePlugin, { fastify: '5.x', name: 'graceful-close' })
