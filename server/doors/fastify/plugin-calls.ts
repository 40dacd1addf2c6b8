import type { ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import { currentCall, runCall } from '../../call/call.js'
import type { Principal } from '../../call/principal.js'
import { sayContinue } from '../../http/body/continue.js'
import { hasBody } from '../../http/body/read-body.js'
import { hidePlatformCookies } from '../../http/cookies/cookie-header.js'
import { admit } from '../../pipeline/admit.js'
import { asksForToken, csrfField, refusalOf } from '../../pipeline/csrf.js'
import { presentError } from '../../pipeline/failure/describe-error.js'
import { readFailure } from '../../pipeline/failure/failure.js'
import type { PipelineParts } from '../../pipeline/parts.js'
import { declared, plainBodyLimit } from './collected-routes.js'
import type { Front } from './front.js'
import { passageOf } from './passage.js'
import { countBody } from './plugin-bodies.js'
import { PluginCall } from './plugin-call.js'

/**
 * Lets each request to the app's Fastify plugin be a call, like any other, from its first hook to its answer: who calls
 * is found out where its route asks for it, and the exports of `rowhouse` work.
 */
export function beginCalls(plugin: FastifyInstance, parts: PipelineParts, front: () => Front): void {
  plugin.addHook('onRequest', (request, reply, done) => {
    const { raw } = request
    // What has not come by way of the listener was injected, or wants to leave HTTP.
    const isUpgraded = passageOf(raw) === null && raw.socket instanceof Socket
    // Whatever ends here ends its connection: the plugin that would take it over has not seen it yet.
    const letGo = isUpgraded ? endConnection(reply) : null
    const passage = front().passageOf(raw)
    const endpoint = request.routeOptions.config[declared] ?? null
    if (passage.owner === 'pipeline' || (endpoint === null && !front().leavesUnknown(passage))) {
      front().passOn(request, reply, passage)
      return
    }
    hidePlatformCookies(raw)
    const call = new PluginCall(parts, request, reply, endpoint, passage.destination.target)
    if (isUpgraded) keepCall(raw.socket, call)
    identify(call, (failure) => {
      if (failure === undefined) {
        letGo?.()
        keepForUser(call, isUpgraded ? raw.socket : reply.raw)
      }
      done(failure)
    })
  })
  // The events of a body do not come in the call, nor does what somebody else has waited for.
  plugin.addHook('preValidation', (request, _reply, done) => within(request, done))
  plugin.addHook('preValidation', (request, _reply, done) => {
    const call = PluginCall.of(request)
    done((call !== null && asksForToken(call) ? refusalOf(call, takeField(request.body)) : null) ?? undefined)
  })
  plugin.addHook('onError', (request, _reply, _error, done) => within(request, done))
}

/** Takes the token out of a form, as whatever parses forms in the plugin has made it. */
function takeField(body: unknown): unknown {
  if (typeof body !== 'object' || body === null || !Object.hasOwn(body, csrfField)) return undefined
  const field: unknown = Reflect.get(body, csrfField)
  Reflect.deleteProperty(body, csrfField)
  return field
}

/** Lets what comes next for a request run in its call. */
export function within(request: FastifyRequest, done: HookHandlerDoneFunction): void {
  const call = PluginCall.of(request)
  if (call === null || currentCall() === call) done()
  else runCall(call, done as (nothing: undefined) => void, undefined)
}

/** Finds out who calls, as far as the route asks for it, and goes on in the call. */
function identify(call: PluginCall, done: HookHandlerDoneFunction): void {
  let principal: Principal | Promise<Principal>
  try {
    principal = admit(call)
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

function enter(call: PluginCall, principal: Principal, done: HookHandlerDoneFunction): void {
  if (call.isDecided) return
  call.enter(principal)
  const { raw } = call.raw
  if (raw.headers.expect !== undefined) sayContinue(raw)
  if (hasBody(raw)) {
    const limit = call.endpoint?.options.bodyLimit ?? plainBodyLimit
    countBody(call, limit, call.parts.bodies.memory, (error) => runCall(call, (thrown) => refuseBody(call, thrown), error))
  }
  runCall(call, done as (nothing: undefined) => void, undefined)
}

/** What the route does with the connection, or with `reply.raw`, may outlast the right of its user to it. */
function keepForUser({ parts, principal, sessionHash }: PluginCall, connection: Socket | ServerResponse): void {
  if (principal.kind !== 'user') return
  const end = (): void => void connection.destroy()
  connection.once('close', parts.openAnswers.keep(principal.user, sessionHash, { end, isOver: () => connection.writableFinished }))
}

/** An error handler of the plugin gets to see an error that says its status, as others do. */
function refuse(call: PluginCall, thrown: unknown, done: HookHandlerDoneFunction): void {
  if (call.isDecided) return
  call.stopTime()
  const { description } = readFailure(call.parts, call.raw, thrown)
  done(presentError(thrown, description))
}

/** Answers a request in the middle of its body, of which nothing more is read: the connection ends with the answer. */
function refuseBody({ response }: PluginCall, thrown: unknown): void {
  if (response.sent) return
  endConnection(response)
  void response.header('connection', 'close').send(thrown)
}

/**
 * A connection that has left HTTP belongs to the request that has asked for it, and what arrives on it is heard in that
 * one's call.
 */
function keepCall(socket: Socket, call: PluginCall): void {
  const own: (...event: never[]) => unknown = socket.emit
  const emit = (event: readonly unknown[]): boolean => Reflect.apply(own, socket, event) === true
  socket.emit = (...event: readonly unknown[]): boolean => runCall(call, emit, event)
}

/**
 * Nothing more can be asked on a connection that was to leave HTTP and has not: it ends with the answer. Returns what
 * takes that back, for one that does leave.
 */
function endConnection({ raw }: FastifyReply): () => void {
  const { socket } = raw
  // What Node.js passes for a message that has a body is a Duplex, which has no destroySoon().
  const end = (): void => void socket?.end(() => socket.destroy())
  raw.shouldKeepAlive = false
  raw.once('finish', end)
  return () => void raw.off('finish', end)
}
