import { Socket } from 'node:net'
import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import type { UserRow } from '../../../db/schema/users-table.js'
import { currentCall, runCall } from '../../call/call.js'
import type { Principal } from '../../call/principal.js'
import type { Endpoint } from '../../endpoint/endpoint.js'
import { sayContinue } from '../../http/body/continue.js'
import { refusal } from '../../http/http-error.js'
import { CommonRequest } from '../../http/request/common-request.js'
import type { RequestTarget } from '../../http/request/target.js'
import { authenticate } from '../../pipeline/authenticate.js'
import { presentError } from '../../pipeline/failure/describe-error.js'
import { readFailure } from '../../pipeline/failure/failure.js'
import { FoundEndpoint } from '../../pipeline/find-endpoint.js'
import { HttpCall } from '../../pipeline/http-call.js'
import type { PipelineParts } from '../../pipeline/parts.js'
import { decorateRequests } from '../../pipeline/request-decorators.js'
import { declared } from './collected-routes.js'
import type { Front } from './front.js'
import { passageOf } from './passage.js'

const callOf = Symbol('the call of a request')
const shadow = Symbol('what a plugin calls the user')

declare module 'fastify' {
  interface FastifyRequest {
    [callOf]: HttpCall | null
    [shadow]: unknown
  }
}

const notHere = "the body of a request to fastify.ts is Fastify's to read; look at the body of the request that its handler is given"

/** The call of a request that the app's Fastify plugin answers; null before it has begun. */
export function callOfRequest(request: FastifyRequest): HttpCall | null {
  return request[callOf]
}

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

/** What the calls of a plugin work with. */
export interface PluginCallsOptions {
  readonly parts: PipelineParts
  /** As `basePathOf` gives it. */
  readonly basePath: string
  readonly front: () => Front
}

/**
 * Lets each request to the app's Fastify plugin be a call, like any other, from its first hook to its answer: who calls is found out where its route asks for it, and the exports of `rowhouse` work.
 */
export function beginCalls(plugin: FastifyInstance, { parts, basePath, front }: PluginCallsOptions): void {
  decorateRequests(plugin)
  plugin.decorateRequest('found', null)
  plugin.decorateRequest('basePath', basePath)
  plugin.decorateRequest(callOf, null)

  plugin.addHook('onRequest', (request, reply, done) => {
    const { raw } = request
    // What has not come by way of the listener was injected, or wants to leave HTTP.
    const isUpgraded = passageOf(raw) === null && raw.socket instanceof Socket
    const passage = front().passageOf(raw)
    const endpoint = request.routeOptions.config[declared] ?? null
    if (passage.owner === 'pipeline' || (endpoint === null && !front().leavesUnknown(passage))) {
      if (isUpgraded) endConnection(reply)
      front().passOn(request, reply, passage)
      return
    }
    if (endpoint !== null) request.found = new FoundRoute(endpoint, passage.destination.target, request)
    const call = new HttpCall(parts, request, reply, endpoint, null, expire)
    request[callOf] = call
    if (isUpgraded) keepCall(raw.socket, call)
    identify(call, done)
  })
  // The events of a body do not come in the call.
  plugin.addHook('preValidation', (request, _reply, done) => within(request, done))
  plugin.addHook('onError', (request, _reply, _error, done) => within(request, done))
  plugin.addHook('onResponse', (request, _reply, done) => within(request, done))
}

/**
 * Lets plugins that the app's own registers give requests a `user` of theirs, as `@fastify/jwt` and `@fastify/passport` do: as far as such a plugin reaches, `request.user` is what it says.
 */
export function letOthersSetUser(scope: FastifyInstance): void {
  scope.decorateRequest(shadow, undefined)
  scope.decorateRequest('user', {
    getter(this: FastifyRequest): UserRow | null {
      const given = this[shadow]
      // What another plugin has put there has a type that is declared by that plugin.
      if (given !== undefined) return given as UserRow | null
      return this.principal.kind === 'user' ? this.principal.user : null
    },
    setter(this: FastifyRequest, given: unknown) {
      this[shadow] = given
    },
  })
}

/** Finds out who calls, as far as the route asks for it, and goes on in the call. */
function identify(call: HttpCall, done: HookHandlerDoneFunction): void {
  let principal: Principal | Promise<Principal>
  try {
    principal = authenticate(call)
  } catch (thrown) {
    refuse(call, thrown, done)
    return
  }
  if (principal instanceof Promise) {
    call.startTime()
    principal.then(
      (found) => enter(call, found, done),
      (thrown: unknown) => refuse(call, thrown, done),
    )
  } else {
    enter(call, principal, done)
  }
}

function enter(call: HttpCall, principal: Principal, done: HookHandlerDoneFunction): void {
  const { raw } = call
  raw.foundPrincipal = principal
  if (call.isDecided) return
  call.stopTime()
  CommonRequest.stateOf(call.beginRequest()).withhold(notHere)
  if (raw.headers.expect !== undefined) sayContinue(raw.raw)
  runCall(call, done as (nothing: undefined) => void, undefined)
}

/** An error handler of the plugin gets to see an error that says its status, as others do. */
function refuse(call: HttpCall, thrown: unknown, done: HookHandlerDoneFunction): void {
  if (call.isDecided) return
  call.stopTime()
  const { description } = readFailure(call.parts, call.raw, thrown)
  done(presentError(thrown, description))
}

/** Told when a scheme of the app has taken too long to find out who calls. */
function expire(call: HttpCall): void {
  if (call.isDecided) return
  call.isDecided = true
  const { parts, raw, response, timeout } = call
  parts.log.error({ requestId: raw.id, method: raw.method, timeout }, `${call.place} did not answer within ${timeout} ms`)
  void response.send(refusal('handler-timeout'))
}

function within(request: FastifyRequest, done: HookHandlerDoneFunction): void {
  const call = request[callOf]
  if (call === null || currentCall() === call) done()
  else runCall(call, done as (nothing: undefined) => void, undefined)
}

/** A connection that has left HTTP belongs to the request that has asked for it, and what arrives on it is heard in that one's call. */
function keepCall(socket: Socket, call: HttpCall): void {
  const own: (...event: never[]) => unknown = socket.emit
  const emit = (event: readonly unknown[]): boolean => Reflect.apply(own, socket, event) === true
  socket.emit = (...event: readonly unknown[]): boolean => runCall(call, emit, event)
}

/** Nothing more can be asked on a connection that was to leave HTTP and has not. */
function endConnection({ raw }: FastifyReply): void {
  const { socket } = raw
  raw.shouldKeepAlive = false
  raw.once('finish', () => socket?.destroySoon())
}
