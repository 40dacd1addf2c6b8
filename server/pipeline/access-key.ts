import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { refusal } from '../http/http-error.js'
import { checkMessage } from '../http/request/check-message.js'
import { originForm } from '../http/request/target.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** What stood before the path: the access key of a private app, `''` for others; null as long as the request has not shown the key. */
    basePath: string | null
  }
}

/**
 * Serves a private app under its access key only: the key is taken off the front of each path before anything looks at it, so that it gets into no log,
 * and a request without it is told that there is nothing, whatever it asks for. No code of the app runs for such a one: a handler of errors may tell what it knows, such as a link.
 *
 * @param basePath as `basePathOf` gives it
 */
export function requireAccessKey(server: FastifyInstance, basePath: string): void {
  server.decorateRequest('basePath', basePath === '' ? '' : null)
  if (basePath === '') return
  const expected = digest(basePath)
  server.addHook('onRequest', (request, _reply, done) => {
    const raw: IncomingMessage & { originalUrl?: string } = request.raw
    const path = originForm(raw.originalUrl ?? raw.url ?? '')
    const rest = path.slice(basePath.length)
    // By digests, in a time that does not tell how much of a guess is right.
    const isShown = /^(?:[/?]|$)/.test(rest) && timingSafeEqual(digest(path.slice(0, basePath.length)), expected)
    // This is where Fastify reads the path, and nobody has asked for it before. What was asked for without the key is told nowhere: it may have nearly been the key.
    raw.originalUrl = isShown && rest.startsWith('/') ? rest : `/${isShown ? rest : ''}`
    if (!isShown) {
      // One that can be read in two ways ends its connection, whoever sends it. All others are checked where their endpoint is looked for.
      checkMessage(request.raw)
      throw refusal('no-endpoint', 'Not Found')
    }
    request.basePath = basePath
    done()
  })
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
