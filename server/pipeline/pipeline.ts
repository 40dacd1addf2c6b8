import type { FastifyReply, FastifyRequest } from 'fastify'
import type { App } from '../exports/running-app.js'
import { runCall, type Call } from '../call/call.js'
import { answerError } from './failure/answer-error.js'
import { EarlyReply } from '../http/early-reply.js'
import { HttpError, tooSlow } from '../http/http-error.js'
import { logFailure } from './failure/log-error.js'
import { isA } from '../errors/to-error.js'
import { discard } from '../http/reply/discard.js'
import { isStream, toReply, type Reply } from '../http/reply/reply.js'
import { sendReply } from '../http/reply/send-reply.js'
import { watchStreamOf } from '../http/reply/watch-stream.js'
import { readBody, type ReceivedBody } from '../http/body/read-body.js'
import { leaseBody, type BodyLease } from '../http/body/body-lease.js'
import { RequestState } from '../http/request/request-state.js'
import { RowhouseRequest } from '../http/request/request.js'
import { readArguments } from './arguments.js'
import type { Deadline } from '../call/deadlines.js'
import type { HandlerArguments } from '../endpoint/endpoint.js'
import type { FoundEndpoint } from './find-endpoint.js'

/** One request on its way through the pipeline. */
interface Exchange {
  readonly app: App
  readonly raw: FastifyRequest
  readonly response: FastifyReply
  readonly found: FoundEndpoint
  /** null until the body is there. */
  call: Call | null
  /** What keeps a body on disk open; null where there is none. */
  lease: BodyLease | null
  /** Set once something had to be waited for. */
  deadline: Deadline | null
  /** Whether the reply, good or bad, has been decided; what comes after that is dropped. */
  decided: boolean
}

/**
 * Serves a request whose endpoint is found and whose credentials are checked: body, arguments, handler, reply, disk. The one way for every door.
 */
export function serve(app: App, raw: FastifyRequest, response: FastifyReply): void {
  // The hook that finds endpoints ends every request for which there is none.
  const found = raw.found as FoundEndpoint
  step({ app, raw, response, found, call: null, lease: null, deadline: null, decided: false }, undefined, receive)
}

/**
 * Takes the next step with a value, at once or, where it is a promise, when it is there; whatever fails ends in an error reply.
 * Awaiting would do the same with a promise for each step, which costs more than the step.
 */
function step<Value>(exchange: Exchange, value: Value | PromiseLike<Value>, next: (exchange: Exchange, value: Value) => void): void {
  if (isPromiseLike(value)) {
    if (exchange.call !== null) exchange.deadline ??= startDeadline(exchange)
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
  const { app, raw, found } = exchange
  step(exchange, readBody(raw.raw, found.endpoint.options.bodyLimit, app.temporaryFiles), enterCall)
}

function enterCall(exchange: Exchange, body: ReceivedBody | null): void {
  const { app, raw, response, found } = exchange
  const request = new RowhouseRequest(new RequestState(raw, response.raw, found, body))
  exchange.lease = body === null ? null : leaseBody(body, response.raw)
  exchange.call = { app, endpoint: found.endpoint, request, requestId: raw.id, lastCommit: null }
  runCall(exchange.call, prepare, exchange)
}

function prepare(exchange: Exchange): void {
  step(exchange, readArguments(exchange.found, requestOf(exchange)), handle)
}

function handle(exchange: Exchange, args: HandlerArguments): void {
  if (exchange.decided) exchange.lease?.handlerEnded()
  else step(exchange, exchange.found.endpoint.handler(args, requestOf(exchange)), convert)
}

function convert(exchange: Exchange, value: unknown): void {
  exchange.lease?.handlerEnded()
  if (exchange.decided) discard(value)
  else step(exchange, toReply(value), reachDisk)
}

/** What was written has to survive a power cut before anybody is told of it. */
function reachDisk(exchange: Exchange, reply: Reply): void {
  step(exchange, exchange.call?.lastCommit?.durable, () => send(exchange, reply))
}

function send(exchange: Exchange, reply: Reply): void {
  exchange.deadline?.stop()
  if (exchange.decided) {
    discard(reply.body)
    return
  }
  const { app, raw, response, call } = exchange
  const { body } = reply
  // To HEAD nothing of a stream is sent, and what is not sent is let go of, which a watch that has not begun does not hand on to its source.
  if (isStream(body) && call !== null && raw.method !== 'HEAD') {
    streaming.set(raw, call)
    const pieces = watchStreamOf(call, body, (thrown) => logFailure(app, raw, thrown, 'after a part of the answer had been sent'))
    sendReply(response, { ...reply, body: pieces }, app.configuration)
  } else {
    sendReply(response, reply, app.configuration)
  }
  exchange.decided = true
}

/** The calls whose answer is a stream: if it fails before its first piece, Fastify asks for an error reply, and knows no calls. */
const streaming = new WeakMap<FastifyRequest, Call>()

/** Answers a request that failed outside of the pipeline: in a hook before it, or in the stream that it has handed over. */
export function refuse(app: App, raw: FastifyRequest, response: FastifyReply, thrown: unknown): void {
  answer(app, raw, response, thrown, streaming.get(raw) ?? null)
}

function fail(exchange: Exchange, thrown: unknown): void {
  const { app, raw, response, call } = exchange
  exchange.lease?.handlerEnded()
  exchange.deadline?.stop()
  if (!exchange.decided) {
    exchange.decided = true
    answer(app, raw, response, thrown, call)
  } else if (isA(EarlyReply, thrown)) {
    discard(thrown.response)
  } else {
    logFailure(app, raw, thrown, 'after the request had been answered')
  }
}

/** What was written before a failure stays written, so the answer that tells of the failure waits for the disk too; and if the disk fails, that is the news. */
function answer(app: App, raw: FastifyRequest, response: FastifyReply, thrown: unknown, call: Call | null): void {
  const tell = (failure: unknown): void => answerError(app, raw, response, failure, call)
  if (call === null || call.lastCommit === null) tell(thrown)
  else call.lastCommit.durable.then(() => tell(thrown), tell)
}

function startDeadline(exchange: Exchange): Deadline {
  const { app, found } = exchange
  return app.deadlines.start(found.endpoint.options.timeout, () => timeOut(exchange))
}

/** Says at once that there is no answer in time. It acknowledges nothing, so it waits for no write, least of all for one that is waiting itself. */
function timeOut(exchange: Exchange): void {
  if (exchange.decided) return
  exchange.decided = true
  const { app, raw, response, found, call } = exchange
  const { path, source, options } = found.endpoint
  app.log.error(
    { requestId: raw.id, endpoint: path.text, method: raw.method, timeout: options.timeout },
    `the handler at ${source.file}:${source.line} did not answer within ${options.timeout} ms`,
  )
  // A handler that never ends must not keep the file of a body open for ever. It has as much time again.
  if (exchange.lease !== null) app.deadlines.start(options.timeout, () => exchange.lease?.handlerEnded())
  answerError(app, raw, response, new HttpError(503, tooSlow), call)
}

/** The request of an exchange that has entered its call. */
function requestOf({ call }: Exchange): RowhouseRequest {
  if (call === null) throw new Error('the exchange has not entered its call')
  return call.request
}

function isPromiseLike<Value>(value: Value | PromiseLike<Value>): value is PromiseLike<Value> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
