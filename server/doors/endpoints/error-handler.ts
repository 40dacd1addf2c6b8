import { describeGiven } from '../../../db/errors/describe-value.js'
import { currentRegistry } from '../../call/current-registry.js'
import type { RowhouseRequest } from '../../http/request/request.js'
import { DeclarationError } from '../../errors/declaration-error.js'
import type { DeclaredErrorHandler, ErrorClass } from '../../endpoint/error-handlers.js'
import type { HttpError } from '../../http/http-error.js'
import type { Sendable } from '../../http/reply/sendable.js'
import { suggestName } from '../../errors/nearest-name.js'

/** What a handler for `Target` is given: an instance of the class; for 500 whatever was thrown; for another status always an {@link HttpError}. */
export type HandledError<Target extends number | ErrorClass> = Target extends ErrorClass<infer Thrown> ? Thrown : 500 extends Target ? Error : HttpError

/** What an author may say of an error handler. */
export interface ErrorHandlerOptions {
  /** `'app'` (the default): for the whole app, requests without an endpoint included. `'module'`: only for the endpoints that the same file declares. */
  readonly scope?: 'app' | 'module'
}

/**
 * Replaces the answer to an error, by its status or its class. `docs/errors.md` says which handler an error gets when there are several.
 *
 * @param target a status from 400 to 599, or a class of errors
 * @param handler what it returns becomes the reply, with the error's status unless it says another
 * @throws DeclarationError when an argument is wrong, or there is a handler for the same errors already; it stops the start
 *
 * @example errorHandler(404, (error, request) => ({ status: 404, message: `Not Found: ${request.url}` }))
 * @example errorHandler(SeatTaken, (error) => new HttpResponse(409, { seat: error.seat }))
 */
export function errorHandler<const Target extends number | ErrorClass, Reply>(
  target: Target,
  handler: (error: HandledError<Target>, request: RowhouseRequest) => Reply & Sendable<Reply>,
): void
export function errorHandler<const Target extends number | ErrorClass, Reply>(
  target: Target,
  options: ErrorHandlerOptions,
  handler: (error: HandledError<Target>, request: RowhouseRequest) => Reply & Sendable<Reply>,
): void
export function errorHandler(target: unknown, optionsOrHandler: unknown, optionalHandler?: unknown): void {
  const [options, handler] = typeof optionsOrHandler === 'function' && optionalHandler === undefined ? [{}, optionsOrHandler] : [optionsOrHandler, optionalHandler]
  const registry = currentRegistry('errorHandler()')
  const source = registry.callSite()
  if (!isTarget(target)) {
    throw new DeclarationError(`errorHandler() takes a status from 400 to 599 or a class of errors as its first argument, got ${describeGiven(target)}`, source)
  }
  if (typeof handler !== 'function') throw new DeclarationError(`errorHandler(target, options, handler) takes a function as its last argument, got ${describeGiven(handler)}`, source)
  // The overloads above hold the author to this type; the lookup hands each handler only errors of its target.
  registry.addErrorHandler({ target, scope: readScope(options, source), handle: handler as DeclaredErrorHandler['handle'], source })
}

function isTarget(value: unknown): value is number | ErrorClass {
  if (typeof value === 'number') return Number.isInteger(value) && value >= 400 && value <= 599
  return typeof value === 'function' && (value === Error || value.prototype instanceof Error)
}

function readScope(options: unknown, source: DeclaredErrorHandler['source']): 'app' | 'module' {
  if (typeof options !== 'object' || options === null) throw new DeclarationError(`errorHandler() takes its options as an object, such as { scope: 'module' }, got ${describeGiven(options)}`, source)
  const unknown = Object.keys(options).find((name) => name !== 'scope')
  if (unknown !== undefined) throw new DeclarationError(`errorHandler() has no option "${unknown}"; ${suggestName(unknown, ['scope'])}`, source)
  const scope = 'scope' in options ? options.scope : undefined
  if (scope === undefined || scope === 'app' || scope === 'module') return scope ?? 'app'
  throw new DeclarationError(`errorHandler() takes 'app' or 'module' as scope, got ${describeGiven(scope)}`, source)
}
