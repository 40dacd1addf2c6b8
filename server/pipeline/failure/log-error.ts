import type { FastifyRequest } from 'fastify'
import { TableError } from '../../../db/errors/errors.js'
import { UnawaitedWrite } from '../../call/call-writes.js'
import type { PipelineParts } from '../parts.js'
import { unreadable, type ErrorDescription } from './describe-error.js'
import { hideInError } from '../../http/hide-secrets.js'
import { HttpError } from '../../http/http-error.js'
import { broughtBy } from '../../http/request/brought.js'
import { plainError } from '../../logging/plain-error.js'
import { isA, toError } from '../../errors/to-error.js'

/**
 * Logs what the author of an app has to know of an error that a request ended in: an unexpected one with its stack, and what a table refused.
 *
 * @returns whether there was anything to log
 */
export function logError(parts: Pick<PipelineParts, 'log'>, request: FastifyRequest, thrown: unknown, description: ErrorDescription): boolean {
  if (isA(HttpError, thrown) && description !== unreadable) return false
  if (description.status >= 500) {
    logFailure(parts, request, thrown)
    return true
  }
  // Which of the two has made the mistake, the author or the caller, cannot be known here, so the author gets to see it too.
  const isOfTable = thrown instanceof TableError
  if (isOfTable) parts.log.warn({ requestId: request.id, err: shownIn(request, thrown) }, `A table refused ${pathOf(request)} [${request.method}]`)
  return isOfTable
}

/** An error with what it must not tell hidden: a message may repeat what the request or the environment has brought. */
function shownIn(request: FastifyRequest, error: Error): object {
  return plainError(error, hideInError(broughtBy(request)))
}

/** Logs what nobody expected, with its stack. Of a write that nobody awaited, the log has been told when it was refused. */
export function logFailure({ log }: Pick<PipelineParts, 'log'>, request: FastifyRequest, thrown: unknown, when = ''): void {
  if (isA(UnawaitedWrite, thrown)) return
  const message = `Exception on ${pathOf(request)} [${request.method}]${when === '' ? '' : ` ${when}`}`
  const error = toError(thrown)
  try {
    log.error({ requestId: request.id, err: shownIn(request, error) }, message)
  } catch {
    // The log marks an error while it looks at it, which a frozen one does not allow, and reads each of its members, any of which may throw.
    log.error({ requestId: request.id, err: shownIn(request, copyOf(error)) }, message)
  }
}

/** The path that a request asked for, as it is told. */
export function pathOf(request: FastifyRequest): string {
  return request.found?.target.path ?? request.originalUrl.split('?')[0] ?? ''
}

function copyOf(error: Error): Error {
  const copy = new Error('an error cannot be looked at')
  try {
    copy.message = String(error.message)
    copy.name = String(error.name)
    copy.stack = String(error.stack)
  } catch {
    // What could be read has been.
  }
  return copy
}
