import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { AddressSettings } from '../http/base-path.js'
import type { CorsRule } from '../http/cors/cors-rule.js'
import { keepCorsRule } from '../http/cors/send-cors.js'
import { refusal } from '../http/http-error.js'
import { checkMessage } from '../http/request/check-message.js'
import type { RequestPlace } from '../http/request/request-state.js'
import { readTarget, type RequestTarget } from '../http/request/target.js'
import type { Endpoint } from '../endpoint/endpoint.js'
import type { Matcher, PathMatch, Resource } from '../endpoint/matcher.js'
import { nameValues } from '../endpoint/path-pattern.js'
import type { PathValue } from '../http/request/target.js'
import { answerOptions, ruleOfPath } from './options-answer.js'

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

  get decodeLimit(): number {
    return this.endpoint.options.decodeLimit
  }

  namePathParameters(target: Record<string, unknown>): void {
    if (this.#values.length > 0) nameValues(target, this.endpoint.path.segments, this.#values)
  }
}

declare module 'fastify' {
  interface FastifyRequest {
    /** null until the endpoint has been found. */
    found: FoundEndpoint | null
    /** What there is at its path, where that has no endpoint for its method. */
    missed: Resource | null
  }
}

/** What a message asks for, and who answers there, whatever the method; null where nobody does. */
export interface Destination {
  readonly target: RequestTarget
  readonly match: PathMatch | null
}

/**
 * Reads where a message is sent to.
 *
 * @param url without the access key of a private app
 * @throws HttpError 4xx when it cannot be read, or can be in two ways
 */
export function findDestination(raw: IncomingMessage, url: string, matcher: Matcher): Destination {
  checkMessage(raw)
  const target = readTarget(url)
  return { target, match: matcher.match(target.segments) }
}

/** What finding an endpoint needs to know of the app. */
export interface FindEndpointOptions {
  /** Where a request is sent to; null for one that somebody else has taken over. */
  readonly destinationOf: (request: FastifyRequest, reply: FastifyReply) => Destination | null
  /** Under the API prefix an unknown path is told to be an unknown API endpoint. */
  readonly addresses: AddressSettings
  /** Who may read the answers to requests for which there is no path. */
  readonly cors: CorsRule
}

/**
 * Finds the endpoint of each request, path first and method second, before anything else happens to it. An unknown path ends here with 404, a method that the path does not
 * have with 405, and OPTIONS, where the app has no handler for it, with what may be done there: all of them before anybody is asked for credentials. From here on it is known, too, which pages of other origins may read the answer.
 */
export function findEndpoints(server: FastifyInstance, { destinationOf, addresses, cors }: FindEndpointOptions): void {
  server.decorateRequest('found', null)
  server.decorateRequest('missed', null)
  server.addHook('onRequest', (request, reply, done) => {
    keepCorsRule(reply, cors)
    const destination = destinationOf(request, reply)
    if (destination === null) return
    const { target, match } = destination
    if (match === null || isForeign(target, match.resource)) {
      throw refusal('no-endpoint', target.path.startsWith(`${addresses.apiPrefix}/`) ? 'No matching API endpoint' : 'Not Found')
    }
    const { resource, values } = match
    const endpoint = resource.endpointFor(request.method)
    if (endpoint !== undefined) {
      keepCorsRule(reply, endpoint.options.cors)
      request.found = new FoundEndpoint(endpoint, target, values)
      done()
    } else if (request.method === 'OPTIONS') {
      answerOptions(request, reply, resource)
    } else {
      keepCorsRule(reply, ruleOfPath(resource, request.headers.origin))
      request.missed = resource
      throw refusal('method-not-supported', 'Method not supported', { headers: { allow: resource.allow } })
    }
  })
}

/**
 * Whether what was asked for is the platform's, and answered here by somebody else: a parameter may stand for anything, but not for the `_` of `/_/`.
 * A path that is written with it is refused when it is declared, unless it is under the API prefix.
 */
function isForeign({ segments }: RequestTarget, resource: Resource): boolean {
  return segments[0] === '_' && segments.length > 1 && resource.beginsWithParameter && !resource.isPlatform
}
