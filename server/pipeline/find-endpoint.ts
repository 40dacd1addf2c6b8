import type { FastifyInstance } from 'fastify'
import { refusal } from '../http/http-error.js'
import { checkMessage } from '../http/request/check-message.js'
import { readTarget, type RequestTarget } from '../http/request/target.js'
import type { Endpoint } from '../endpoint/endpoint.js'
import type { Matcher } from '../endpoint/matcher.js'
import type { PathValue } from '../endpoint/path-pattern.js'

/** The endpoint that answers a request, and the values of its path's parameters in the order of the pattern. */
export interface FoundEndpoint {
  readonly endpoint: Endpoint
  readonly target: RequestTarget
  readonly values: readonly PathValue[]
}

declare module 'fastify' {
  interface FastifyRequest {
    /** null until the endpoint has been found. */
    found: FoundEndpoint | null
  }
}

/** What finding an endpoint needs to know of the app. */
export interface FindEndpointOptions {
  readonly matcher: Matcher
  /** Under this prefix an unknown path is told to be an unknown API endpoint. */
  readonly apiPrefix: string
}

/**
 * Finds the endpoint of each request, path first and method second, before anything else happens to it. An unknown path ends here with 404, a method that the path does not
 * have with 405, and OPTIONS, where the author has no handler of his own, with the methods of the path: all of them before anybody is asked for credentials.
 */
export function findEndpoints(server: FastifyInstance, { matcher, apiPrefix }: FindEndpointOptions): void {
  server.decorateRequest('found', null)
  server.addHook('onRequest', (request, reply, done) => {
    checkMessage(request.raw)
    const target = readTarget(request.originalUrl)
    const match = matcher.match(target.segments)
    if (match === null) {
      throw refusal('no-endpoint', target.path.startsWith(`${apiPrefix}/`) ? 'No matching API endpoint' : 'Not Found')
    }
    const { resource, values } = match
    const endpoint = resource.endpointFor(request.method)
    if (endpoint !== undefined) {
      request.found = { endpoint, target, values }
      done()
    } else if (request.method === 'OPTIONS') {
      void reply.code(204).header('allow', resource.allow).send()
    } else {
      throw refusal('method-not-supported', 'Method not supported', { headers: { allow: resource.allow } })
    }
  })
}
