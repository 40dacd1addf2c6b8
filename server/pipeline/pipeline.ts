import type { ServerResponse } from 'node:http'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { TableError } from '../../db/errors/errors.js'
import { isPromiseLike } from '../../db/values/promise-like.js'
import { runCall } from '../call/call.js'
import type { Principal } from '../call/principal.js'
import type { HandlerArguments } from '../endpoint/endpoint.js'
import { isA } from '../errors/to-error.js'
import { leaseBody } from '../http/body/body-lease.js'
import { readBody, type BodyLimits, type ReceivedBody } from '../http/body/read-body.js'
import { EarlyReply } from '../http/early-reply.js'
import { refusal } from '../http/http-error.js'
import { discard } from '../http/reply/discard.js'
import { EventPieces } from '../http/reply/event-stream.js'
import { HttpResponse } from '../http/reply/http-response.js'
import { isStream, toReply, type Reply } from '../http/reply/reply.js'
import { sendReply } from '../http/reply/send-reply.js'
import { WatchedStream } from '../http/reply/watched-stream.js'
import { RowhouseRequest } from '../http/request/request.js'
import { admit } from './admit.js'
import { readArguments } from './arguments.js'
import { answerFailedHandler, readFailure, type Failure } from './failure/failure.js'
import { describeError } from './failure/describe-error.js'
import { checkCsrfToken } from './csrf.js'
import { logFailure } from './failure/log-error.js'
import { sendError, setFailureHeaders } from './failure/send-error.js'
import type { FoundEndpoint } from './find-endpoint.js'
import { HttpCall } from './http-call.js'
import type { PipelineParts } from './parts.js'
import { findSession } from './schemes/session.js'

/**
 * Serves a request whose endpoint is found: caller, body, arguments, handler, reply, disk. The one way for every door.
 */
export function serve(parts: PipelineParts, raw: FastifyRequest, response: FastifyReply): void {
  // The hook that finds endpoints ends every request for which there is none.
  const { endpoint } = raw.found as FoundEndpoint
  step(new HttpCall(parts, raw, response, endpoint, null, timeOut), undefined, identify)
}

/** Answers a request that failed outside of the pipeline: in a hook before it. */
export function refuse(parts: PipelineParts, raw: FastifyRequest, response: FastifyReply, thrown: unknown): void {
  fail(new HttpCall(parts, raw, response, raw.found?.endpoint ?? null, null, timeOut), thrown)
}

/**
 * Takes the next step with a value, at once or, where it is a promise, when it is there; whatever fails is answered as an error.
 * Awaiting would do the same with a promise for each step, which costs more than the step.
 */
function step<Value>(call: HttpCall, value: Value | PromiseLike<Value>, next: (call: HttpCall, value: Value) => void): void {
  if (isPromiseLike(value)) {
    call.startTime()
    value.then(
      (settled) => step(call, settled, next),
      (thrown: unknown) => fail(call, thrown),
    )
    return
  }
  try {
    next(call, value)
  } catch (thrown) {
    fail(call, thrown)
  }
}

function identify(call: HttpCall): void {
  step(call, admit(call), receive)
}

/** For a request without an endpoint. */
const noBody: BodyLimits = { bodyLimit: 0, decompress: false }

/** A body is waited for under limits of its own. */
function receive(call: HttpCall, principal: Principal): void {
  const { parts, raw, endpoint } = call
  call.identify(principal)
  if (call.isDecided) return
  call.stopTime()
  step(call, readBody(raw.raw, raw, endpoint?.options ?? noBody, parts.bodies), takeTurn)
}

function takeTurn(call: HttpCall, body: ReceivedBody | null): void {
  const turn = call.parts.turns.next(call.endpoint, body === null ? 0 : body.content.length)
  if (turn === null) enterCall(call, body)
  else step(call, turn, () => enterCall(call, body))
}

function enterCall(call: HttpCall, body: ReceivedBody | null): void {
  const { response } = call
  call.lease = body === null ? null : leaseBody(body, response.raw)
  RowhouseRequest.stateOf(call.beginRequest()).receive(body)
  call.beginTime()
  runCall(call, prepare, call)
}

function prepare(call: HttpCall): void {
  checkCsrfToken(call, requestOf(call))
  const args = readArguments(call.raw.found as FoundEndpoint, requestOf(call))
  // To ask anything else for `then` is to look at the arguments, which those of a form that cannot be decoded do not bear.
  if (args instanceof Promise) step(call, args, handle)
  else handle(call, args)
}

function handle(call: HttpCall, args: HandlerArguments): void {
  RowhouseRequest.stateOf(requestOf(call)).args = args
  if (call.isDecided) call.handlerEnded()
  else step(call, call.endpoint?.handler(args, requestOf(call)), convert)
}

function convert(call: HttpCall, value: unknown): void {
  call.handlerEnded()
  if (call.isDecided) discard(value)
  else if (call.failure === null || value instanceof HttpResponse || value instanceof Response) step(call, toReply(value, call.parts), begin)
  else step(call, toReply(value, call.parts), beginAsError)
}

/** What an error handler returns has the error's status, unless it says another. */
function beginAsError(call: HttpCall, reply: Reply): void {
  begin(call, { ...reply, status: call.failure?.description.status ?? reply.status })
}

/** A stream that fails before its first piece can still be answered in another way. To HEAD nothing of it is sent. */
function begin(call: HttpCall, reply: Reply): void {
  const { body } = reply
  if (!isStream(body) || call.raw.method === 'HEAD') {
    call.reply = reply
    reachDisk(call)
  } else if (call.isDecided) {
    discard(body)
  } else {
    // A stream may have nothing to send for longer than a handler may take; that of an error handler has to begin in time.
    if (call.failure === null) call.stopTime()
    const stream = watch(call, body)
    call.reply = { ...reply, body: stream }
    call.stream = stream
    keepForUser(call, body)
    step(call, startOf(stream, call.response.raw), reachDisk)
  }
}

/** A stream may outlast the right of its user to it. */
function keepForUser({ parts, response: { raw }, principal, sessionHash }: HttpCall, body: AsyncIterable<unknown>): void {
  if (principal.kind !== 'user') return
  const end = (): void => {
    // Its end is no failure. Any other stream would look whole.
    if (body instanceof EventPieces) void body.return()
    else raw.destroy()
  }
  raw.once('close', parts.openAnswers.keep(principal.user, sessionHash, { end, isOver: () => raw.writableFinished }))
}

/** The first piece of a stream, for which nothing waits any more when the client has gone away. */
async function startOf(stream: WatchedStream, response: ServerResponse): Promise<void> {
  const letGo = (): void => discard(stream)
  if (response.closed) letGo()
  response.once('close', letGo)
  await stream.start()
  response.off('close', letGo)
}

/** Each piece waits for the disk as a whole answer does: a stream may write while it is sent. */
function watch(call: HttpCall, body: AsyncIterable<unknown>): WatchedStream {
  const { parts, raw, response, writes, failure } = call
  const place = failure === null ? '' : `in ${failure.handling?.place ?? 'an error handler'}, `
  return new WatchedStream(body, {
    run: (work) => runCall(call, work, undefined),
    beforePiece: () => writes.settled(),
    onReleaseFailure: (thrown) => logFailure(parts, raw, thrown, `${place}when a stream was let go of`),
    onLateFailure: async (thrown) => {
      logFailure(parts, raw, thrown, `${place}after a part of the answer had been sent`)
      // What has been sent leaves at the end of the turn. Then the answer is cut, or the client would take the part for the whole.
      await nextTurn()
      response.raw.destroy()
    },
  })
}

/** What was written has to survive a power cut before anybody is told of it. */
function reachDisk(call: HttpCall): void {
  const stored = call.storeSession()
  if (stored === null) syncDisk(call)
  else step(call, stored, syncDisk)
}

function syncDisk(call: HttpCall): void {
  step(call, call.writes.durable(), judge)
}

/** A success is not told when a write was refused and nobody has caught that. */
function judge(call: HttpCall): void {
  const verdict = call.writes.verdict()
  if (verdict === null) send(call)
  else step(call, verdict, send)
}

function send(call: HttpCall): void {
  const { parts, raw, response, reply, failure } = call
  if (reply === null) return
  call.stopTime()
  if (call.isDecided) {
    discard(reply.body)
    return
  }
  parts.turns.answered(call.endpoint, reply.body)
  if (failure !== null) setFailureHeaders(parts, response, reply.status, failure.description)
  parts.securityHeaders.set(raw, response, reply.body === null ? null : reply.headers['content-type'], reply.headers)
  sendReply(response, withoutForeignCookies(call, reply), parts.settings)
  call.isDecided = true
}

/** A page of another site can make a browser ask; it cannot have it keep something for this one. */
function withoutForeignCookies(call: HttpCall, reply: Reply): Reply {
  if (reply.headers['set-cookie'] === undefined || !call.isIsolated) return reply
  const { 'set-cookie': _lines, ...headers } = reply.headers
  return { ...reply, headers }
}

/** Where everything that is thrown arrives. */
function fail(call: HttpCall, thrown: unknown): void {
  const { parts, raw, response, failure } = call
  call.handlerEnded()
  discard(call.reply?.body)
  if (isA(EarlyReply, thrown)) {
    // The way of a finished reply out of whatever was running: no mistake.
    runCall(call, (left) => step(left, thrown.response, convert), call)
  } else if (call.isDecided) {
    logFailure(parts, raw, thrown, 'after the request had been answered')
  } else {
    call.stopTime()
    call.isDecided = true
    whenDurable(call, thrown, (failed) => {
      if (failure === null) answer(call, readFailure(parts, raw, failed, call.request))
      else answerFailedHandler(parts, raw, response, failure, failed)
    })
  }
}

/** What was written before a failure stays written, so the answer that tells of the failure waits for the disk too; and if the disk fails, that is the news. */
function whenDurable(call: HttpCall, thrown: unknown, tell: (failed: unknown) => void): void {
  const stored = call.storeSession()
  const durable = stored === null ? call.writes.durable() : stored.then(() => call.writes.durable())
  if (durable === null) tell(thrown)
  else durable.then(() => tell(thrown), tell)
}

/** The app's own error handler makes the answer where it has one for the error, in a call of its own: what the failed one still writes is not what that acknowledges. Otherwise Rowhouse does. */
function answer(failed: HttpCall, failure: Failure): void {
  const { parts, raw, response, endpoint } = failed
  if (failure.handling === null) {
    sendError(parts, raw, response, failure.description, failure)
    return
  }
  const call = new HttpCall(parts, raw, response, endpoint, failure, timeOut)
  call.takeOver(failed)
  RowhouseRequest.stateOf(call.beginRequest()).leaveUnread()
  call.beginTime()
  runCall(call, handleError, call)
}

/** What has failed before anybody was asked who calls is answered in the session of its browser all the same. */
function handleError(call: HttpCall): void {
  step(call, findSession(call), enterSession)
}

function enterSession(call: HttpCall, principal: Principal | null): void {
  if (principal !== null) call.identify(principal)
  callErrorHandler(call)
}

function callErrorHandler(call: HttpCall): void {
  const handling = call.failure?.handling
  step(call, handling?.handler.handle(handling.given, requestOf(call)), convert)
}

/** Says at once that there is no answer in time. It acknowledges nothing, so it waits for no write, least of all for one that is waiting itself; what has not been written by then never is. */
function timeOut(call: HttpCall): void {
  if (call.isDecided) return
  call.isDecided = true
  const { parts, raw, response, endpoint, failure } = call
  const { timeout } = call
  parts.log.error({ requestId: raw.id, endpoint: endpoint?.path.text, method: raw.method, timeout }, `${call.place ?? 'the app'} did not answer within ${timeout} ms`)
  // A handler that never ends must not keep the file of a body open for ever. It has as much time again.
  if (call.lease !== null) parts.deadlines.start(timeout, () => call.handlerEnded())
  discard(call.stream)
  call.withdrawSession()
  const overdue = refusal('handler-timeout')
  call.writes.withdrawal = new TableError('transaction-ended', `nothing more is written for a request that was answered because it took longer than ${timeout} ms`)
  if (failure === null) answer(call, readFailure(parts, raw, overdue))
  else sendError(parts, raw, response, describeError(overdue), { thrown: overdue })
}

/** The request of a call whose code runs. */
function requestOf({ request }: HttpCall): RowhouseRequest {
  if (request === null) throw new Error('the call has not begun')
  return request
}
