import { errorCodes as fastifyErrors } from 'fastify'
import { DatabaseFailure, TableError } from '../../../db/errors/errors.js'
import { givenIn, nothingGiven, type Given } from '../../../db/errors/given.js'
import { HashingOverloaded, TooManyFailures, UserError } from '../../services/accounts/errors.js'
import { RateLimited } from '../../services/limits/rate-limited.js'
import { errorCodes, type ErrorCode } from '../../errors/error-codes.js'
import { Unauthorized } from '../schemes/unauthorized.js'
import { HttpError, type ErrorDetails, type ErrorHeaders } from '../../http/http-error.js'
import type { Problem } from '../../http/problems.js'
import { toError } from '../../errors/to-error.js'

/** What the caller is told of an error. An {@link HttpError} says it itself; for others this is made without the cost of another stack. */
export interface ErrorDescription {
  readonly status: number
  readonly code: string
  readonly message: string
  readonly details: ErrorDetails
  readonly headers: ErrorHeaders
}

type Particular = 'message' | 'details' | 'headers'

/** What a caller is told of a thrown value that cannot be looked at. */
export const unreadable: ErrorDescription = describe('internal')

/**
 * Finds out what a thrown value means for the caller. Only errors that were made to be shown keep their message; of anything else the caller learns
 * that it happened, and the log learns the rest. Never throws.
 *
 * @param wasSent whether what a table was given was made from what the caller has sent
 */
export function describeError(thrown: unknown, wasSent: (given: Given) => boolean = () => false): ErrorDescription {
  try {
    return describeKnown(thrown, wasSent)
  } catch {
    // A Proxy may refuse even to be asked what it is.
    return unreadable
  }
}

/** The error that an app's error handler is given: the one that was thrown, unless it is of a class that only Rowhouse knows. */
export function presentError(thrown: unknown, description: ErrorDescription): Error {
  if (description.status === 500) return toError(thrown)
  return thrown instanceof HttpError || thrown instanceof TableError ? thrown : httpErrorOf(description)
}

/**
 * What a handler for a status, or for `HttpError`, is given in the place of `error`, which has that status: an error
 * that says so. That of a table does not, and becomes its cause.
 */
export function presentStatus(error: Error, description: ErrorDescription): Error {
  return description.status === 500 || error instanceof HttpError ? error : httpErrorOf(description, { cause: error })
}

function httpErrorOf(description: ErrorDescription, options: ErrorOptions = {}): HttpError {
  const { status, code, message, details, headers } = description
  return new HttpError(status, message, details, headers, { ...options, code })
}

function describeKnown(thrown: unknown, wasSent: (given: Given) => boolean): ErrorDescription {
  if (thrown instanceof HttpError) {
    const { status, code, message, details, headers } = thrown
    return { status, code, message, details, headers }
  }
  if (thrown instanceof TableError) return describeTableError(thrown, wasSent)
  if (thrown instanceof Unauthorized) {
    return describe(thrown.code, { message: 'Unauthorized', headers: thrown.headers })
  }
  if (thrown instanceof UserError) return describe(thrown.code, { message: thrown.message })
  if (thrown instanceof TooManyFailures || thrown instanceof HashingOverloaded) {
    return describe(thrown.code, { headers: { 'retry-after': String(thrown.retryAfterSeconds) } })
  }
  if (thrown instanceof RateLimited) {
    return describe(thrown.code, { message: thrown.message, headers: { 'retry-after': String(thrown.retryAfterSeconds) } })
  }
  if (thrown instanceof DatabaseFailure) return describe('database-failed')
  // Node.js reads one method that it does not list, for which there is no route at all: PRI, with which HTTP/2 begins (RFC 9113, 3.4).
  if (thrown instanceof fastifyErrors.FST_ERR_NOT_FOUND) {
    const headers = { connection: 'close' }
    return describe('malformed-request', { message: 'the method is not one of HTTP/1.1', headers })
  }
  return describe('internal')
}

/** What caller or operator can mend is told with its message; what only the author can is told to nobody else. */
function describeTableError(error: TableError, wasSent: (given: Given) => boolean): ErrorDescription {
  const { code, message, columns } = error
  if (errorCodes[code].status === 500) return describe('internal')
  const given = givenIn(error) ?? (code === 'bad-query' ? nothingGiven : null)
  // Who has not sent the name or the value cannot send another.
  if (given !== null && !wasSent(given)) return describe('internal')
  const problems: readonly Problem[] = columns.map((path) => ({ code, path, message }))
  return describe(code, { message, details: problems.length === 0 ? {} : { problems } })
}

function describe(code: ErrorCode, particulars: Partial<Pick<ErrorDescription, Particular>> = {}): ErrorDescription {
  const { status, sentence } = errorCodes[code]
  return { status, code, message: sentence, details: {}, headers: {}, ...particulars }
}
