import { describeGiven, isClass } from '../../../db/errors/describe-value.js'
import { currentRegistry } from '../../call/current-registry.js'
import { parsePath } from '../../endpoint/path-pattern.js'
import { DeclarationError, withPlace } from '../../errors/declaration-error.js'
import type { CannotSend, Sendable } from '../../http/reply/sendable.js'
import type { RowhouseRequest } from '../../http/request/request.js'
import type { Middleware, Next } from './pass-through.js'

/** What a middleware may return, as {@link Sendable} is for a handler: something has to come of it. */
type Answer<Reply> = unknown extends Reply
  ? unknown
  : undefined extends Awaited<Reply>
    ? CannotSend<'response is nothing: return the response of "await next()", or one of its own'>
    : Sendable<Reply>

/**
 * Puts a function around the endpoints of the app: those of modules and the file routes, as far as a request is at or below `path`, by whole segments; without a path, all.
 * It runs where the handler would, in the same call and time; `next()` runs the handler. Errors that the handler throws reject `next()`, and what it returns is what is sent.
 *
 * The one that is declared first is the outermost, in the order in which modules are loaded, and all of them stand around those of file routes.
 * None stands around the routes of a `fastify.ts`, which has hooks, or around Rowhouse's own endpoints; unknown paths and methods are answered without it.
 *
 * @param path as in `request.path`, or whole, with the API prefix; fixed texts only
 * @throws DeclarationError when an argument is wrong, or no endpoint is at or below the path; it stops the start
 *
 * @example middleware('/reports', async (request, next) => (isStaff(request) ? await next() : new HttpResponse(403)))
 */
export function middleware<Reply>(run: (request: RowhouseRequest, next: Next) => Reply & Answer<Reply>): void
export function middleware<Reply>(
  path: string,
  run: (request: RowhouseRequest, next: Next) => Reply & Answer<Reply>,
): void
export function middleware(pathOrRun: unknown, optionalRun?: unknown): void {
  const [path, run] = typeof pathOrRun === 'function' && optionalRun === undefined ? ['/', pathOrRun] : [pathOrRun, optionalRun]
  const registry = currentRegistry('middleware()')
  const source = registry.callSite()
  withPlace(source, () => {
    if (typeof path !== 'string') throw new DeclarationError(`middleware() takes a path such as "/reports", or only a function, as its first argument, got ${describeGiven(path)}`)
    if (typeof run !== 'function' || isClass(run)) {
      throw new DeclarationError(`middleware(path, run) takes a function as its last argument, such as async (request, next) => await next(), got ${describeGiven(run)}`)
    }
    // The overloads above hold the author to this type.
    registry.addMiddleware({ path, segments: readBeginning(path), run: run as Middleware<RowhouseRequest>, source })
  })
}

/** The decoded segments of a path; a slash at its end says nothing. */
function readBeginning(path: string): readonly string[] {
  const texts = parsePath(path).segments.map((segment) => {
    if (segment.kind === 'static') return segment.text
    throw new DeclarationError(`middleware(${JSON.stringify(path)}): the path has the parameter "${segment.name}"; a middleware stands around a fixed beginning of paths, so leave out the parameter and what is behind it`)
  })
  return texts.at(-1) === '' ? texts.slice(0, -1) : texts
}
