import type { FastifyReply, FastifyRequest } from 'fastify'
import { DatabaseFailure } from '../../../db/errors/errors.js'
import type { App } from '../../exports/running-app.js'
import type { Call } from '../../call/call.js'
import { describeError, presentError, presentStatus, unexpected, type ErrorDescription } from './describe-error.js'
import { EarlyReply } from '../../http/early-reply.js'
import type { DeclaredErrorHandler } from '../../endpoint/error-handlers.js'
import { HttpError } from '../../http/http-error.js'
import { logError, logFailure } from './log-error.js'
import { replyInCall, type ReplyTask } from './reply-in-call.js'
import { sendError } from './send-error.js'
import { isA } from '../../errors/to-error.js'

/** A request that ends in an error. */
interface FailedRequest {
  readonly app: App
  readonly raw: FastifyRequest
  readonly response: FastifyReply
  /** Null where it did not get as far as its endpoint's handler. */
  readonly call: Call | null
}

/**
 * The one way from a thrown value to an answer: the caller learns what he can act on, the log learns the rest. The app's own error handler makes the answer where it has one for
 * the error, and Rowhouse does otherwise. It never throws, and never fails to answer.
 */
export function answerError(app: App, raw: FastifyRequest, response: FastifyReply, thrown: unknown, call: Call | null): void {
  const failed = { app, raw, response, call }
  if (isA(EarlyReply, thrown)) sendEarlyReply(failed, thrown)
  else tellError(failed, thrown)
}

/** A response of `abort()` is no error. If it cannot be sent, that is one. */
function sendEarlyReply(failed: FailedRequest, { response }: EarlyReply): void {
  run(failed, {
    make: () => response,
    place: 'the response of abort()',
    error: null,
    onFailure: (thrown) => tellError(failed, thrown),
  })
}

function tellError(failed: FailedRequest, thrown: unknown): void {
  const { app, raw, response } = failed
  const description = describeError(thrown)
  const isLogged = logError(app, raw, thrown, description)
  const error = mayHandle(app, raw) ? presentError(thrown, description) : null
  const handler = error === null ? null : app.errorHandlers.find(error, description.status, raw.found?.endpoint.source.file ?? null)
  if (error === null || handler === null) sendError(app, raw, response, description, { thrown })
  else runHandler(failed, handler, { thrown, error, description, isLogged })
}

/** Whether handlers of the app are asked at all: not for Rowhouse's own endpoints, nor for those who have not shown the key of a private app. */
function mayHandle({ errorHandlers }: App, { found, basePath }: FastifyRequest): boolean {
  return !errorHandlers.isEmpty && found?.endpoint.door !== 'platform' && basePath !== null
}

/** An error that a handler of the app answers. */
interface HandledFailure {
  readonly thrown: unknown
  /** What a handler for its class is given. */
  readonly error: Error
  readonly description: ErrorDescription
  readonly isLogged: boolean
}

function runHandler(failed: FailedRequest, { target, handle, source }: DeclaredErrorHandler, { thrown, error, description, isLogged }: HandledFailure): void {
  const { app, raw, response } = failed
  const place = `the error handler at ${source.file}:${source.line}`
  const given = typeof target === 'number' ? presentStatus(error, description) : error
  run(failed, {
    make: (request) => handle(given, request),
    place,
    error: description,
    onFailure: (second) => {
      // What it says itself, and what the disk says, is its answer; what nobody expected is answered in general words, and so are the mistakes that a table finds in it.
      const isMeant = isA(HttpError, second) || isA(DatabaseFailure, second)
      if (!isMeant && !isLogged) logFailure(app, raw, thrown)
      if (!isA(HttpError, second)) logFailure(app, raw, second, `in ${place}`)
      sendError(app, raw, response, isMeant ? describeError(second) : { status: 500, message: unexpected, details: {}, headers: {} }, { thrown: second, earlier: thrown })
    },
  })
}

function run({ app, raw, response, call }: FailedRequest, task: ReplyTask): void {
  void replyInCall(app, raw, response, call, task)
}
