import { nobody, type Principal, type UserPrincipal } from '../call/principal.js'
import type { Access } from '../endpoint/access.js'
import { mayBeAttached } from './cross-site.js'
import type { HttpCall } from './http-call.js'
import type { Finding } from './schemes/scheme.js'
import { findSession } from './schemes/session.js'

/**
 * Finds out who calls. The session of the browser says it, on every endpoint, where its cookie was sent. Without one each scheme is asked in order, until one knows, as far as the endpoint asks for somebody; where it does not, no scheme runs.
 * Credentials that are sent beside a session have to be right all the same, and the session stays.
 *
 * @throws Unauthorized when the endpoint's access is not met, or something was sent and is wrong
 */
export function authenticate(call: HttpCall): Principal | Promise<Principal> {
  const session = findSession(call)
  return session instanceof Promise ? session.then((principal) => authenticateBeside(call, principal)) : authenticateBeside(call, session)
}

function authenticateBeside(call: HttpCall, session: UserPrincipal | null): Principal | Promise<Principal> {
  const access = call.endpoint?.options.access ?? 'nobody'
  if (access === 'credentials' && call.raw.authorization === null) throw unauthorized(call)
  if (access === 'nobody' || access === 'credentials') return session ?? nobody
  return session === null || call.raw.headers.authorization !== undefined ? ask(call, access, session, 0) : session
}

/** Written without async and await, since it runs on every request with credentials, and each promise costs something. */
function ask(call: HttpCall, access: Access, session: UserPrincipal | null, position: number): Principal | Promise<Principal> {
  const scheme = call.parts.schemes[position]
  if (scheme === undefined) return admit(call, access, session, null)
  const finding = scheme.find(call)
  if (finding instanceof Promise) return finding.then((settled) => (settled === null ? ask(call, access, session, position + 1) : admit(call, access, session, settled)))
  return finding === null ? ask(call, access, session, position + 1) : admit(call, access, session, finding)
}

function admit(call: HttpCall, access: Access, session: UserPrincipal | null, finding: Finding): Principal {
  if (finding === 'refused' || (finding === null && hasUnknownCredentials(call))) throw unauthorized(call)
  const principal = session ?? finding ?? nobody
  if (access === 'user' && principal.kind !== 'user') throw unauthorized(call)
  return principal
}

/** Credentials that no scheme knows are wrong, too; those that count for nothing are not. */
function hasUnknownCredentials({ raw, endpoint, parts }: HttpCall): boolean {
  const { authorization } = raw.headers
  return authorization !== undefined && !(/^basic /i.test(authorization) && mayBeAttached(raw, endpoint, parts.isOwnOrigin))
}

function unauthorized({ parts, raw }: HttpCall): Error {
  return parts.challenges.unauthorizedFor(raw.headers)
}
