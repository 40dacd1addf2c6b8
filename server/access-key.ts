import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { HttpError } from './errors/http-error.js'
import { originForm } from './request/target.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** What stood before the path of this request: the access key of a private app; `''` without it, and for apps that are not private. */
    basePath: string
    /** Whether the app may see this request: not, if it is private and the access key was not there. */
    isAdmitted: boolean
  }
}

/** What stands before every path of an app: `/<accessKey>` if it is private, else nothing. */
export function basePathOf(settings: { readonly private: { readonly accessKey: string | null } }): string {
  const { accessKey } = settings.private
  return accessKey === null ? '' : `/${accessKey}`
}

/**
 * Serves a private app under its access key only: the key is taken off the front of each path before anything looks at it, so that it gets into no log,
 * and a request without it is told that there is nothing, whatever it asks for. Code of the app never sees such a request, because any link that it made would tell the key.
 *
 * @param basePath as {@link basePathOf} gives it
 */
export function requireAccessKey(server: FastifyInstance, basePath: string): void {
  server.decorateRequest('basePath', '')
  server.decorateRequest('isAdmitted', basePath === '')
  if (basePath === '') return
  const expected = digest(basePath)
  server.addHook('onRequest', (request, _reply, done) => {
    const raw: IncomingMessage & { originalUrl?: string } = request.raw
    const path = originForm(raw.originalUrl ?? raw.url ?? '')
    const rest = path.slice(basePath.length)
    // By digests, in a time that does not tell how much of a guess is right.
    if (!/^(?:[/?]|$)/.test(rest) || !timingSafeEqual(digest(path.slice(0, basePath.length)), expected)) throw new HttpError(404, 'Not Found')
    // This is where Fastify reads the path, and nobody has asked for it before.
    raw.originalUrl = rest.startsWith('/') ? rest : `/${rest}`
    request.basePath = basePath
    request.isAdmitted = true
    done()
  })
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
