import type { FastifyReply, FastifyRequest } from 'fastify'
import { DatabaseFailure } from '../../../db/errors/errors.js'
import type { DeclaredErrorHandler } from '../../endpoint/error-handlers.js'
import { HttpError } from '../../http/http-error.js'
import type { RowhouseRequest } from '../../http/request/request.js'
import type { PipelineParts } from '../parts.js'
import { describeError, presentError, presentStatus, unreadable, type ErrorDescription } from './describe-error.js'
import { logError, logFailure } from './log-error.js'
import { sendError } from './send-error.js'
import { wasSent } from './sent.js'
import { isA } from '../../errors/to-error.js'

/** An error that a request has ended in: what its caller is told, by whom. */
export interface Failure {
  readonly thrown: unknown
  readonly description: ErrorDescription
  /** Whether its author has been told of it. */
  readonly isLogged: boolean
  /** The handler of the app that answers it; null where Rowhouse does. */
  readonly handling: Handling | null
}

/** A handler of the app at work on an error. */
export interface Handling {
  /** What the handler is given: for a status, and for `HttpError`, always an error that says its status. */
  readonly given: Error
  readonly handler: DeclaredErrorHandler
  /** For the log: `the error handler at modules/errors.ts:3`. */
  readonly place: string
}

/** Finds out what a thrown value means: the caller learns what can be done about it, the log learns the rest. Never throws. */
export function readFailure(parts: PipelineParts, raw: FastifyRequest, thrown: unknown, request: RowhouseRequest | null = null): Failure {
  const description = describeError(thrown, (given) => wasSent(given, raw, request))
  const isLogged = logError(parts, raw, thrown, description)
  return { thrown, description, isLogged, handling: mayHandle(parts, raw) ? findHandling(parts, raw, thrown, description) : null }
}

/** Whether handlers of the app are asked at all: not for Rowhouse's own endpoints, nor for those who have not shown the key of a private app. */
function mayHandle({ errorHandlers }: PipelineParts, { found, basePath }: FastifyRequest): boolean {
  return !errorHandlers.isEmpty && found?.endpoint.door !== 'platform' && basePath !== null
}

function findHandling({ errorHandlers }: PipelineParts, raw: FastifyRequest, thrown: unknown, description: ErrorDescription): Handling | null {
  const error = presentError(thrown, description)
  const handler = errorHandlers.find(error, description.status, raw.found?.endpoint.source.file ?? null)
  if (handler === null) return null
  const { target, source } = handler
  // What a table has refused is of no class that says its status.
  const given = typeof target === 'number' || target === HttpError ? presentStatus(error, description) : error
  return { given, handler, place: `the error handler at ${source.file}:${source.line}` }
}

/**
 * Answers a request whose error handler has failed. What it says itself, and what the disk says, is the answer; what nobody expected is told in general words,
 * and so are the mistakes that a table finds in it.
 */
export function answerFailedHandler(parts: PipelineParts, raw: FastifyRequest, response: FastifyReply, first: Failure, second: unknown): void {
  const isMeant = isA(HttpError, second) || isA(DatabaseFailure, second)
  if (!isMeant && !first.isLogged) logFailure(parts, raw, first.thrown)
  if (!isA(HttpError, second)) logFailure(parts, raw, second, `in ${first.handling?.place ?? 'an error handler'}`)
  const description = isMeant ? describeError(second) : unreadable
  sendError(parts, raw, response, description, { thrown: second, earlier: first.thrown })
}
