import { describeGiven, describeValue } from '../../../db/errors/describe-value.js'
import type { Authorization } from '../../http/request/authorization.js'
import { currentCall } from '../../call/call.js'
import { currentApp } from '../../exports/running-app.js'
import { HttpError, refusal } from '../../http/http-error.js'
import { HttpResponse } from '../../http/reply/http-response.js'
import type { RowhouseRequest } from '../../http/request/request.js'

/** Judges the credentials of a request: true lets it in. `authorization` is that of any scheme; `username` and `password` are there for Basic, `token` for others. */
export type AuthorizationCheck = (authorization: Authorization, request: RowhouseRequest) => boolean | Promise<boolean>

/** What a refused caller is told. */
export interface RequiresAuthOptions {
  /** The value of `WWW-Authenticate`; a list is sent as several lines. HTTP Basic with the app's realm by default. */
  readonly challenge?: string | readonly string[]
  /** The reply, or a function that makes it: anything a handler may return. Its status is 401 unless it says another. The app's usual 401 by default. */
  readonly refusal?: unknown
}

/** Wraps a handler, of whichever door; what it returns has the handler's type. */
export type RequireAuth = <Handler extends (...args: never[]) => unknown>(handler: Handler) => Handler

/**
 * Makes a wrapper that lets only those requests through to a handler whose credentials pass a check of your own. A request without an `Authorization` header, or with a malformed
 * one, is refused without asking it. Unlike `authenticateUsers` it runs as a part of the handler, when the body has been read and the parameters are checked.
 *
 * @example
 * const secret = requiresAuth(({ username, password }) => isRight(username, password))
 * httpEndpoint('/secrets', secret(() => 'Shhh'))
 *
 * @throws TypeError when an argument is wrong
 */
export function requiresAuth(check: AuthorizationCheck, options: RequiresAuthOptions = {}): RequireAuth {
  if (typeof check !== 'function') {
    throw new TypeError(`requiresAuth() takes a function as its first argument, got ${describeGiven(check)}`)
  }
  const refuse = readRefusal(options)
  const wrap = (handler: (...args: unknown[]) => unknown): typeof handler => {
    if (typeof handler !== 'function') {
      const expected = 'what requiresAuth() returns takes a handler, which is a function'
      throw new TypeError(`${expected}, got ${describeGiven(handler)}`)
    }
    const guarded = function (this: unknown, ...args: unknown[]): unknown {
      const request = currentCall()?.request ?? null
      if (request === null) throw new Error('a handler of requiresAuth() was called outside of a request')
      const { authorization } = request
      if (authorization === null) return refuse(request)
      const decide = (passes: unknown): unknown => (isPass(passes) ? handler.apply(this, args) : refuse(request))
      const passes = check(authorization, request)
      return passes instanceof Promise ? passes.then(decide) : decide(passes)
    }
    // By its handler's name an endpoint is known to urlFor().
    return Object.defineProperty(guarded, 'name', { value: handler.name })
  }
  // It passes on whatever arguments come, so it keeps the type of any handler.
  return wrap as RequireAuth
}

/** A check that answers with something else, such as a row or a count, may mean either. */
function isPass(passes: unknown): boolean {
  if (typeof passes === 'boolean' || passes === undefined || passes === null) return passes === true
  throw new TypeError(`the check of requiresAuth() has to return true or false, got ${describeValue(passes)}`)
}

type Refuse = (request: RowhouseRequest) => unknown

function readRefusal({ challenge, refusal: own }: RequiresAuthOptions): Refuse {
  const lines = challenge === undefined ? null : [challenge].flat()
  if (lines?.length === 0) throw new TypeError('requiresAuth() takes at least one challenge: a 401 says how to authenticate (RFC 9110, 15.5.2)')
  // A wrong one is found here, and not by the first caller who is refused.
  if (lines !== null) void new HttpError(401, undefined, {}, { 'www-authenticate': lines })
  if (own instanceof Response) {
    throw new TypeError('requiresAuth() takes a function that makes a Response, since one can be sent only once')
  }
  const linesOr = (request: RowhouseRequest): readonly string[] => lines ?? currentApp('requiresAuth()').challengesFor(request)
  if (own === undefined) {
    return (request) => {
      throw refusal('unauthorized', 'Unauthorized', { headers: { 'www-authenticate': linesOr(request) } })
    }
  }
  return (request) => {
    const value: unknown = typeof own === 'function' ? own(request) : own
    return value instanceof Promise ? value.then((settled: unknown) => asRefusal(settled, linesOr(request))) : asRefusal(value, linesOr(request))
  }
}

/** A response says its own status and headers; only the challenge, which a 401 needs, is added where it has none. */
function asRefusal(value: unknown, challenges: readonly string[]): unknown {
  if (value instanceof Response) return value
  if (!(value instanceof HttpResponse)) return new HttpResponse(401, value, { 'www-authenticate': challenges })
  if (value.status === 401 && !value.headers.has('www-authenticate')) for (const line of challenges) value.headers.append('www-authenticate', line)
  return value
}
