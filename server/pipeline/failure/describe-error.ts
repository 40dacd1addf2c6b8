import { errorCodes } from 'fastify'
import { DatabaseFailure, TableError, type TableErrorCode } from '../../../db/errors/errors.js'
import { Unauthorized } from '../../../plugins/basic-auth.js'
import { HashingOverloaded, TooManyFailures } from '../../services/accounts/errors.js'
import { HttpError, type ErrorDetails, type ErrorHeaders } from '../../http/http-error.js'
import { toError } from '../../errors/to-error.js'

/** The status of each error of the tables: what the caller can mend is a 4xx, what the operator has to mend is a 5xx. */
const tableErrorStatus: Readonly<Record<TableErrorCode, number>> = {
  'unknown-column': 400,
  'wrong-type': 400,
  'missing-value': 400,
  'read-only': 400,
  'bad-cursor': 400,
  'not-unique': 409,
  'broken-link': 409,
  'row-deleted': 404,
  'several-rows': 500,
  'bad-query': 500,
  'transaction-ended': 500,
  busy: 503,
  'disk-full': 507,
}

/** What the caller is told of an error. An {@link HttpError} says it itself; for others this is made without the cost of another stack. */
export interface ErrorDescription {
  readonly status: number
  readonly message: string
  readonly details: ErrorDetails
  readonly headers: ErrorHeaders
}

/** What a caller is told of an error that nobody expected. */
export const unexpected = 'An exception was raised. Check the application logs for details.'

/** What a caller is told of a thrown value that cannot be looked at. */
export const unreadable: ErrorDescription = describe(500, unexpected)

/**
 * Finds out what a thrown value means for the caller. Only errors that were made to be shown keep their message; of anything else the caller learns
 * that it happened, and the log learns the rest. Never throws.
 */
export function describeError(thrown: unknown): ErrorDescription {
  try {
    return describeKnown(thrown)
  } catch {
    // A Proxy may refuse even to be asked what it is.
    return unreadable
  }
}

/** The error that an app's error handler is given: the one that was thrown, unless it is of a class that only Rowhouse knows. */
export function presentError(thrown: unknown, { status, message, details, headers }: ErrorDescription): Error {
  if (status === 500) return toError(thrown)
  return thrown instanceof HttpError || thrown instanceof TableError ? thrown : new HttpError(status, message, details, headers)
}

/** What a handler for a status is given in the place of `error`, which has that status: an error that says so. That of a table does not, and becomes its cause. */
export function presentStatus(error: Error, { status, message, details, headers }: ErrorDescription): Error {
  return status === 500 || error instanceof HttpError ? error : new HttpError(status, message, details, headers, { cause: error })
}

function describeKnown(thrown: unknown): ErrorDescription {
  if (thrown instanceof HttpError) {
    const { status, message, details, headers } = thrown
    return { status, message, details, headers }
  }
  if (thrown instanceof TableError) return describeTableError(thrown)
  if (thrown instanceof Unauthorized) return describe(401, 'Unauthorized', thrown.headers)
  if (thrown instanceof TooManyFailures) {
    return describe(429, 'Too many failed attempts; wait before the next one.', { 'retry-after': String(thrown.retryAfterSeconds) })
  }
  if (thrown instanceof HashingOverloaded) {
    return describe(503, 'Too many people are signing in at this moment; try again.', { 'retry-after': String(thrown.retryAfterSeconds) })
  }
  if (thrown instanceof DatabaseFailure) return describe(503, 'The server cannot write at the moment.')
  // Node.js reads one method that it does not list, for which there is no route at all: PRI, with which HTTP/2 begins (RFC 9113, 3.4).
  if (thrown instanceof errorCodes.FST_ERR_NOT_FOUND) return describe(400, 'the method is not one of HTTP/1.1', { connection: 'close' })
  return describe(500, unexpected)
}

function describeTableError(error: TableError): ErrorDescription {
  const status = tableErrorStatus[error.code]
  return describe(status, status === 500 ? unexpected : error.message)
}

function describe(status: number, message: string, headers: ErrorHeaders = {}): ErrorDescription {
  return { status, message, details: {}, headers }
}
