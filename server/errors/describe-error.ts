import { DatabaseFailure, TableError, type TableErrorCode } from '../../db/errors.js'
import { Unauthorized } from '../../plugins/basic-auth.js'
import { HashingOverloaded, TooManyFailures } from '../users/errors.js'
import { HttpError, type ErrorDetails, type ErrorHeaders } from './http-error.js'

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

/**
 * Finds out what a thrown value means for the caller. Only errors that were made to be shown keep their message; of anything else the caller learns
 * that it happened, and the log learns the rest.
 */
export function describeError(thrown: unknown): ErrorDescription {
  if (thrown instanceof HttpError) return thrown
  if (thrown instanceof TableError) return describeTableError(thrown)
  if (thrown instanceof Unauthorized) return describe(401, 'Unauthorized', thrown.headers)
  if (thrown instanceof TooManyFailures) {
    return describe(429, 'Too many failed attempts; wait before the next one.', { 'retry-after': String(thrown.retryAfterSeconds) })
  }
  if (thrown instanceof HashingOverloaded) {
    return describe(503, 'Too many people are signing in at this moment; try again.', { 'retry-after': String(thrown.retryAfterSeconds) })
  }
  if (thrown instanceof DatabaseFailure) return describe(503, 'The server cannot write at the moment.')
  return describe(500, unexpected)
}

function describeTableError(error: TableError): ErrorDescription {
  const status = tableErrorStatus[error.code]
  return describe(status, status === 500 ? unexpected : error.message)
}

function describe(status: number, message: string, headers: ErrorHeaders = {}): ErrorDescription {
  return { status, message, details: {}, headers }
}
