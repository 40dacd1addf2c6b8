import type { FastifyReply, FastifyRequest } from 'fastify'
import type { App } from '../app.js'
import { runCall, type Call } from '../context.js'
import { HttpError } from '../errors/http-error.js'
import { sendError } from '../errors/send-error.js'
import { toReply, type Reply } from '../reply/reply.js'
import { sendReply } from '../reply/send-reply.js'
import { readBody } from '../request/body.js'
import { RowhouseRequest } from '../request/request.js'
import { readArguments } from './arguments.js'
import type { Deadline } from './deadlines.js'
import type { HandlerArguments } from './endpoint.js'
import type { FoundEndpoint } from './find-endpoint.js'

/** One request on its way through the pipeline. */
interface Exchange {
  readonly app: App
  readonly raw: FastifyRequest
  readonly response: FastifyReply
  readonly found: FoundEndpoint
  /** null until the body is there. */
  call: Call | null
  /** Set while a handler is being waited for. */
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
  step({ app, raw, response, found, call: null, deadline: null, decided: false }, undefined, receive)
}

/**
 * Takes the next step with a value, at once or, where it is a promise, when it is there; whatever fails ends in an error reply.
 * Awaiting would do the same with a promise for each step, which costs more than the step.
 */
function step<Value>(exchange: Exchange, value: Value | PromiseLike<Value>, next: (exchange: Exchange, value: Value) => void): void {
  if (isPromiseLike(value)) {
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
  step(exchange, readBody(exchange.raw.raw, exchange.found.endpoint.options.bodyLimit), enterCall)
}

function enterCall(exchange: Exchange, bytes: Buffer | null): void {
  const { app, raw, response, found } = exchange
  const { endpoint, target } = found
  const request = new RowhouseRequest(raw, response.raw, { target, prefix: endpoint.prefix }, bytes)
  exchange.call = { app, endpoint, request, lastCommit: null }
  runCall(exchange.call, prepare, exchange)
}

function prepare(exchange: Exchange): void {
  step(exchange, readArguments(exchange.found, requestOf(exchange)), handle)
}

function handle(exchange: Exchange, args: HandlerArguments): void {
  const { app, found } = exchange
  const { handler, options } = found.endpoint
  const returned = handler(args, requestOf(exchange))
  if (isPromiseLike(returned)) exchange.deadline = app.deadlines.start(options.timeout, () => timeOut(exchange))
  step(exchange, returned, convert)
}

function convert(exchange: Exchange, value: unknown): void {
  exchange.deadline?.stop()
  if (!exchange.decided) step(exchange, toReply(value), reachDisk)
}

/** What was written has to survive a power cut before anybody is told of it. */
function reachDisk(exchange: Exchange, reply: Reply): void {
  step(exchange, exchange.call?.lastCommit?.durable, () => send(exchange, reply))
}

function send(exchange: Exchange, reply: Reply): void {
  sendReply(exchange.response, reply, exchange.app.configuration.responseLimit)
  exchange.decided = true
}

/** What was written before a failure stays written, so the answer that tells of the failure waits for the disk too; and if the disk fails, that is the news. */
function fail(exchange: Exchange, thrown: unknown): void {
  exchange.deadline?.stop()
  if (exchange.decided) return
  exchange.decided = true
  const { app, raw, response, call } = exchange
  const tell = (failure: unknown): void => void sendError(app, raw, response, failure)
  if (call === null || call.lastCommit === null) tell(thrown)
  else call.lastCommit.durable.then(() => tell(thrown), tell)
}

function timeOut(exchange: Exchange): void {
  const { app, raw, found } = exchange
  const { path, source, options } = found.endpoint
  app.log.error(
    { requestId: raw.id, endpoint: path.text, method: raw.method, timeout: options.timeout },
    `the handler at ${source.file}:${source.line} did not answer within ${options.timeout} ms`,
  )
  fail(exchange, new HttpError(503, 'The server took too long to answer.'))
}

/** The request of an exchange that has entered its call. */
function requestOf({ call }: Exchange): RowhouseRequest {
  if (call === null) throw new Error('the exchange has not entered its call')
  return call.request
}

function isPromiseLike<Value>(value: Value | PromiseLike<Value>): value is PromiseLike<Value> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
