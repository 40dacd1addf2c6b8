import { setImmediate as nextTurn } from 'node:timers/promises'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { isPromiseLike } from '../../db/values/promise-like.js'
import { runCall, type Call } from '../call/call.js'
import { principalOf } from '../call/principal.js'
import type { HandlerArguments } from '../endpoint/endpoint.js'
import { isA } from '../errors/to-error.js'
import { leaseBody } from '../http/body/body-lease.js'
import { readBody, type ReceivedBody } from '../http/body/read-body.js'
import { EarlyReply } from '../http/early-reply.js'
import { HttpError, tooSlow } from '../http/http-error.js'
import { discard } from '../http/reply/discard.js'
import { HttpResponse } from '../http/reply/http-response.js'
import { isStream, toReply, type Reply } from '../http/reply/reply.js'
import { sendReply } from '../http/reply/send-reply.js'
import { WatchedStream } from '../http/reply/watched-stream.js'
import { RequestState } from '../http/request/request-state.js'
import { RowhouseRequest } from '../http/request/request.js'
import { readArguments } from './arguments.js'
import { Exchange } from './exchange.js'
import { answerFailedHandler, readFailure, type Failure } from './failure/failure.js'
import { describeError } from './failure/describe-error.js'
import { logFailure } from './failure/log-error.js'
import { sendError, setFailureHeaders } from './failure/send-error.js'
import type { FoundEndpoint } from './find-endpoint.js'
import { HttpCall } from './http-call.js'
import type { PipelineParts } from './parts.js'
import { placeOf } from './place.js'

/**
 * Serves a request whose endpoint is found and whose credentials are checked: body, arguments, handler, reply, disk. The one way for every door.
 */
export function serve(parts: PipelineParts, raw: FastifyRequest, response: FastifyReply): void {
  // The hook that finds endpoints ends every request for which there is none.
  const { endpoint } = raw.found as FoundEndpoint
  step(new Exchange(parts, raw, response, endpoint, null), undefined, receive)
}

/** Answers a request that failed outside of the pipeline: in a hook before it. */
export function refuse(parts: PipelineParts, raw: FastifyRequest, response: FastifyReply, thrown: unknown): void {
  fail(new Exchange(parts, raw, response, raw.found?.endpoint ?? null, null), thrown)
}

/**
 * Takes the next step with a value, at once or, where it is a promise, when it is there; whatever fails is answered as an error.
 * Awaiting would do the same with a promise for each step, which costs more than the step.
 */
function step<Value>(exchange: Exchange, value: Value | PromiseLike<Value>, next: (exchange: Exchange, value: Value) => void): void {
  if (isPromiseLike(value)) {
    startTime(exchange)
    value.then(
      (settled) => step(exchange, settled, next),
      (thrown: unknown) => fail(exchange, thrown),
    )
    return
  }
  try {
    next(exchange, value)
  } catch (thrown) {
    fail(exchange, thrown)
  }
}

function receive(exchange: Exchange): void {
  const { parts, raw, endpoint } = exchange
  step(exchange, readBody(raw.raw, endpoint?.options.bodyLimit ?? 0, parts.temporaryFiles), enterCall)
}

function enterCall(exchange: Exchange, body: ReceivedBody | null): void {
  const { raw, response } = exchange
  exchange.lease = body === null ? null : leaseBody(body, response.raw)
  const request = new RowhouseRequest(new RequestState(raw, response.raw, raw.found as FoundEndpoint, body))
  exchange.call = callFor(exchange, request)
  runCall(exchange.call, prepare, exchange)
}

function callFor({ parts, raw, endpoint }: Exchange, request: RowhouseRequest): Call {
  return new HttpCall(parts.app, raw.id, endpoint, request, principalOf(raw.user))
}

function prepare(exchange: Exchange): void {
  step(exchange, readArguments(exchange.raw.found as FoundEndpoint, requestOf(exchange)), handle)
}

function handle(exchange: Exchange, args: HandlerArguments): void {
  if (exchange.isDecided) exchange.handlerEnded()
  else step(exchange, exchange.endpoint?.handler(args, requestOf(exchange)), convert)
}

function convert(exchange: Exchange, value: unknown): void {
  exchange.handlerEnded()
  if (exchange.isDecided) discard(value)
  else if (exchange.failure === null || value instanceof HttpResponse || value instanceof Response) step(exchange, toReply(value), begin)
  else step(exchange, toReply(value), beginAsError)
}

/** What an error handler returns has the error's status, unless it says another. */
function beginAsError(exchange: Exchange, reply: Reply): void {
  begin(exchange, { ...reply, status: exchange.failure?.description.status ?? reply.status })
}

/** A stream that fails before its first piece can still be answered in another way. To HEAD nothing of it is sent. */
function begin(exchange: Exchange, reply: Reply): void {
  const { body } = reply
  if (!isStream(body) || exchange.raw.method === 'HEAD') {
    exchange.reply = reply
    reachDisk(exchange)
  } else if (exchange.isDecided) {
    discard(body)
  } else {
    // A stream may have nothing to send for longer than a handler may take; that of an error handler has to begin in time.
    if (exchange.failure === null) exchange.stopTime()
    const stream = watch(exchange, body)
    exchange.reply = { ...reply, body: stream }
    exchange.stream = stream
    step(exchange, stream.start(), reachDisk)
  }
}

/** Each piece waits for the disk as a whole answer does: a stream may write while it is sent. */
function watch(exchange: Exchange, body: AsyncIterable<unknown>): WatchedStream {
  const { parts, raw, response, call, failure } = exchange
  const place = failure?.handling === null || failure === null ? '' : `in ${failure.handling.place}, `
  return new WatchedStream(body, {
    beforePiece: () => call?.writes.durable() ?? null,
    onLateFailure: async (thrown) => {
      logFailure(parts, raw, thrown, `${place}after a part of the answer had been sent`)
      // What has been sent leaves at the end of the turn. Then the answer is cut, or the client would take the part for the whole.
      await nextTurn()
      response.raw.destroy()
    },
  })
}

/** What was written has to survive a power cut before anybody is told of it. */
function reachDisk(exchange: Exchange): void {
  step(exchange, exchange.call?.writes.durable() ?? undefined, send)
}

function send(exchange: Exchange): void {
  const { parts, response, reply, failure } = exchange
  if (reply === null) return
  exchange.stopTime()
  if (exchange.isDecided) {
    discard(reply.body)
    return
  }
  if (failure !== null) setFailureHeaders(parts, response, reply.status, failure.description)
  sendReply(response, reply, parts.settings)
  exchange.isDecided = true
}

/** Where everything that is thrown arrives. */
function fail(exchange: Exchange, thrown: unknown): void {
  const { parts, raw, response, failure, call } = exchange
  exchange.handlerEnded()
  discard(exchange.reply?.body)
  if (isA(EarlyReply, thrown)) {
    // The way of a finished reply out of whatever was running: no mistake.
    step(exchange, thrown.response, convert)
  } else if (exchange.isDecided) {
    logFailure(parts, raw, thrown, 'after the request had been answered')
  } else {
    exchange.stopTime()
    exchange.isDecided = true
    if (failure !== null) answerFailedHandler(parts, raw, response, failure, thrown)
    else whenDurable(call, thrown, (failed) => answer(exchange, readFailure(parts, raw, failed)))
  }
}

/** What was written before a failure stays written, so the answer that tells of the failure waits for the disk too; and if the disk fails, that is the news. */
function whenDurable(call: Call | null, thrown: unknown, tell: (failed: unknown) => void): void {
  const durable = call?.writes.durable() ?? null
  if (durable === null) tell(thrown)
  else durable.then(() => tell(thrown), tell)
}

/** The app's own error handler makes the answer where it has one for the error: an exchange like any other. Otherwise Rowhouse does. */
function answer({ parts, raw, response, endpoint, call }: Exchange, failure: Failure): void {
  if (failure.handling === null) {
    sendError(parts, raw, response, failure.description, failure)
    return
  }
  const exchange = new Exchange(parts, raw, response, endpoint, failure)
  const request = call?.request ?? new RowhouseRequest(new RequestState(raw, response.raw, placeOf(raw), null))
  // A call of its own: what the failed one still writes is not what this answer acknowledges.
  exchange.call = callFor(exchange, request)
  runCall(exchange.call, handleError, exchange)
}

function handleError(exchange: Exchange): void {
  step(exchange, undefined, callErrorHandler)
}

function callErrorHandler(exchange: Exchange): void {
  const handling = exchange.failure?.handling
  step(exchange, handling?.handler.handle(handling.given, requestOf(exchange)), convert)
}

/** Time runs from where something has to be waited for; a body is waited for under limits of its own. */
function startTime(exchange: Exchange): void {
  const { call, isTimed, parts } = exchange
  if (call !== null && isTimed) call.deadline ??= parts.deadlines.start(timeoutOf(exchange), () => timeOut(exchange))
}

function timeoutOf({ endpoint, parts }: Exchange): number {
  return endpoint?.options.timeout ?? parts.settings.handlerTimeout
}

/** Says at once that there is no answer in time. It acknowledges nothing, so it waits for no write, least of all for one that is waiting itself. */
function timeOut(exchange: Exchange): void {
  if (exchange.isDecided) return
  exchange.isDecided = true
  const { parts, raw, response, endpoint, failure } = exchange
  const timeout = timeoutOf(exchange)
  const place = failure?.handling?.place ?? `the handler at ${endpoint?.source.file ?? ''}:${endpoint?.source.line ?? 0}`
  parts.log.error({ requestId: raw.id, endpoint: endpoint?.path.text, method: raw.method, timeout }, `${place} did not answer within ${timeout} ms`)
  // A handler that never ends must not keep the file of a body open for ever. It has as much time again.
  if (exchange.lease !== null) parts.deadlines.start(timeout, () => exchange.handlerEnded())
  discard(exchange.stream)
  const refusal = new HttpError(503, tooSlow)
  if (failure === null) answer(exchange, readFailure(parts, raw, refusal))
  else sendError(parts, raw, response, describeError(refusal), { thrown: refusal })
}

/** The request of an exchange that has entered its call. */
function requestOf({ call }: Exchange): RowhouseRequest {
  if (call?.request == null) throw new Error('the exchange has not entered its call')
  return call.request
}
