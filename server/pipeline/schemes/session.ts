import { cookieHeaderOf } from '../../http/cookies/cookie-header.js'
import type { UserPrincipal } from '../../call/principal.js'
import type { HttpCall } from '../http-call.js'

/**
 * Whoever has signed in in the browser, where that has sent the cookie of a session. It is the first of the schemes, and the only one that counts where nobody is asked for. Nothing is refused for a session that there is not: that says nothing about anybody.
 */
export function findSession(call: HttpCall): UserPrincipal | null | Promise<UserPrincipal | null> {
  const cookie = cookieHeaderOf(call.raw.raw)
  if (cookie === undefined || !cookie.includes(call.parts.sessions.scope.name) || call.hasSession || call.isIsolated) return null
  return call.session.find()
}
