import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { UserRow } from '../../../db/schema/users-table.js'
import { nobody, type Principal } from '../../call/principal.js'
import type { Endpoint } from '../../endpoint/endpoint.js'
import { DeclarationError } from '../../errors/declaration-error.js'
import { refusal } from '../../http/http-error.js'
import type { Authorization } from '../../http/request/authorization.js'
import { CommonRequest } from '../../http/request/common-request.js'
import type { RowhouseRequest } from '../../http/request/request.js'
import type { RequestTarget } from '../../http/request/target.js'
import { shownAuthorization } from '../../pipeline/cross-site.js'
import { FoundEndpoint } from '../../pipeline/find-endpoint.js'
import { HttpCall } from '../../pipeline/http-call.js'
import type { PipelineParts } from '../../pipeline/parts.js'

const callOf = Symbol('the call of a request')
const given = Symbol('the user that another plugin has found')

declare module 'fastify' {
  interface FastifyRequest {
    [callOf]?: PluginCall
    [given]?: unknown
  }
}

const notHere =
  "the body of a request to fastify.ts is Fastify's to read; look at the body of the request that its handler is given"

/** A path of the plugin, whose parameters Fastify has read. */
class FoundRoute extends FoundEndpoint {
  readonly #request: FastifyRequest

  constructor(endpoint: Endpoint, target: RequestTarget, request: FastifyRequest) {
    super(endpoint, target, [])
    this.#request = request
  }

  override namePathParameters(target: Record<string, unknown>): void {
    Object.assign(target, this.#request.params)
  }
}

/**
 * The call of a request that the app's Fastify plugin answers, and what is known of its caller. It is kept with the
 * request, and makes what is asked for when it is asked for: most requests ask for little.
 */
export class PluginCall extends HttpCall {
  foundPrincipal: Principal | null = null
  triedAccount: string | null = null
  readonly #target: RequestTarget
  #found: FoundRoute | null = null
  #authorization: Authorization | null | undefined
  #hasEntered = false

  /** @param endpoint null where the plugin has no route */
  constructor(
    parts: PipelineParts,
    request: FastifyRequest,
    reply: FastifyReply,
    endpoint: Endpoint | null,
    target: RequestTarget,
  ) {
    super(parts, request, reply, endpoint, null, expire)
    this.#target = target
    request[callOf] = this
  }

  /** Null before it has begun. */
  static of(request: FastifyRequest): PluginCall | null {
    return request[callOf] ?? null
  }

  get found(): FoundEndpoint | null {
    if (this.endpoint === null) return null
    return (this.#found ??= new FoundRoute(this.endpoint, this.#target, this.raw))
  }

  get authorization(): Authorization | null {
    if (this.#authorization === undefined) this.#authorization = shownAuthorization(this.raw, this.endpoint, this.parts.isOwnOrigin)
    return this.#authorization
  }

  override get principal(): Principal {
    return this.foundPrincipal ?? nobody
  }

  override get request(): RowhouseRequest {
    const request = this.beginRequest()
    if (this.#hasEntered) CommonRequest.stateOf(request).withhold(notHere)
    return request
  }

  override identify(principal: Principal): void {
    this.foundPrincipal = principal
  }

  /** Told when it is known who calls, and the plugin's own code runs from now on. */
  enter(principal: Principal): void {
    this.stopTime()
    this.identify(principal)
    this.#hasEntered = true
  }
}

/** Told when a scheme of the app has taken too long to find out who calls. */
function expire(call: HttpCall): void {
  if (call.isDecided) return
  call.isDecided = true
  const { parts, raw, response, timeout } = call
  const what = `${call.place ?? 'the app'} did not answer within ${timeout} ms`
  parts.log.error({ requestId: raw.id, method: raw.method, timeout }, what)
  void response.send(refusal('handler-timeout'))
}

/** What the pipeline looks at in a request, and a plugin must not put anything else in the place of. */
const taken: ReadonlySet<string> = new Set(['basePath', 'found', 'principal', 'callingUser', 'authorization', 'cookieHeader', 'triedAccount'])

/** Gives the requests of a plugin what those of the pipeline know of themselves; their calls know it. */
export function decoratePluginRequests(plugin: FastifyInstance, basePath: string): void {
  // Pairs of functions: a value would be put on each request, whoever asks for it.
  plugin.decorateRequest('basePath', {
    getter: () => basePath,
  })
  plugin.decorateRequest('found', {
    getter(this: FastifyRequest) {
      return this[callOf]?.found ?? null
    },
  })
  plugin.decorateRequest('principal', {
    getter(this: FastifyRequest) {
      return this[callOf]?.principal ?? nobody
    },
  })
  plugin.decorateRequest('callingUser', {
    getter(this: FastifyRequest) {
      const { principal } = this
      return principal.kind === 'user' ? principal.user : null
    },
  })
  plugin.decorateRequest('cookieHeader', {
    getter(this: FastifyRequest) {
      return this[callOf]?.isIsolated === true ? undefined : this.raw.headers.cookie
    },
  })
  plugin.decorateRequest('authorization', {
    getter(this: FastifyRequest) {
      return this[callOf]?.authorization ?? null
    },
  })
  plugin.decorateRequest('triedAccount', {
    getter(this: FastifyRequest) {
      return this[callOf]?.triedAccount ?? null
    },
    setter(this: FastifyRequest, account: string | null) {
      if (this[callOf] !== undefined) this[callOf].triedAccount = account
    },
  })
  // Plugins for tokens and the like find users of their own: as far as such a one reaches, it is what they have set.
  plugin.decorateRequest('user', {
    getter(this: FastifyRequest) {
      // What another plugin has put there has the type that it declares.
      return given in this ? (this[given] as UserRow | null) : this.callingUser
    },
    setter(this: FastifyRequest, user: unknown) {
      this[given] = user
    },
  })
}

/** Refuses names that the requests of a plugin have already: what it puts there would be lost, or mislead. */
export function refuseTakenNames(plugin: FastifyInstance): void {
  const { decorateRequest } = plugin
  Object.assign(plugin, {
    decorateRequest(this: FastifyInstance, name: string, ...rest: unknown[]): unknown {
      if (!taken.has(name)) return Reflect.apply(decorateRequest, this, [name, ...rest])
      throw new DeclarationError(`requests have a member "${name}" of Rowhouse's own; call yours by another name`)
    },
  })
}
