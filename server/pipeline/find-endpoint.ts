import type { FastifyInstance } from 'fastify'
import { isReserved, type AddressSettings } from '../http/base-path.js'
import { refusal } from '../http/http-error.js'
import { checkMessage } from '../http/request/check-message.js'
import type { RequestPlace } from '../http/request/request-state.js'
import { readTarget, type RequestTarget } from '../http/request/target.js'
import type { Endpoint } from '../endpoint/endpoint.js'
import type { Matcher } from '../endpoint/matcher.js'
import { nameValues } from '../endpoint/path-pattern.js'
import type { PathValue } from '../http/request/target.js'

/** The endpoint that answers a request, and the values of its path's parameters in the order of the pattern. */
export class FoundEndpoint implements RequestPlace {
  readonly #values: readonly PathValue[]

  constructor(
    readonly endpoint: Endpoint,
    readonly target: RequestTarget,
    values: readonly PathValue[],
  ) {
    this.#values = values
  }

  get prefix(): string {
    return this.endpoint.prefix
  }

  namePathParameters(target: Record<string, unknown>): void {
    if (this.#values.length > 0) nameValues(target, this.endpoint.path.segments, this.#values)
  }
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
  /** Under the API prefix an unknown path is told to be an unknown API endpoint. */
  readonly addresses: AddressSettings
}

/**
 * Finds the endpoint of each request, path first and method second, before anything else happens to it. An unknown path ends here with 404, a method that the path does not
 * have with 405, and OPTIONS, where the app has no handler for it, with the methods of the path: all of them before anybody is asked for credentials.
 */
export function findEndpoints(server: FastifyInstance, { matcher, addresses }: FindEndpointOptions): void {
  server.decorateRequest('found', null)
  server.addHook('onRequest', (request, reply, done) => {
    checkMessage(request.raw)
    const target = readTarget(request.originalUrl)
    const match = matcher.match(target.segments)
    // A parameter of an app's path may stand for "_" too, and what is the platform's is nobody else's.
    if (match === null || (!match.resource.isPlatform && isReserved(target.path, addresses))) {
      throw refusal('no-endpoint', target.path.startsWith(`${addresses.apiPrefix}/`) ? 'No matching API endpoint' : 'Not Found')
    }
    const { resource, values } = match
    const endpoint = resource.endpointFor(request.method)
    if (endpoint !== undefined) {
      request.found = new FoundEndpoint(endpoint, target, values)
      done()
    } else if (request.method === 'OPTIONS') {
      void reply.code(204).header('allow', resource.allow).send()
    } else {
      throw refusal('method-not-supported', 'Method not supported', { headers: { allow: resource.allow } })
    }
  })
}
