import { nobody, type Principal } from '../call/principal.js'
import type { Access } from '../endpoint/access.js'
import { mayBeAttached } from './cross-site.js'
import type { HttpCall } from './http-call.js'
import type { Finding } from './schemes/scheme.js'

/**
 * Finds out who calls, as far as the endpoint asks for it: each scheme is asked in order, until one knows. Where nobody is asked for, no scheme runs.
 *
 * @throws Unauthorized when the endpoint's access is not met, or something was sent and is wrong
 */
export function authenticate(call: HttpCall): Principal | Promise<Principal> {
  const access = call.endpoint?.options.access ?? 'nobody'
  if (access === 'nobody') return nobody
  if (access !== 'credentials') return ask(call, access, 0)
  if (call.raw.authorization === null) throw call.parts.unauthorized
  return nobody
}

/** Written without async and await, since it runs on every request with credentials, and each promise costs something. */
function ask(call: HttpCall, access: Access, position: number): Principal | Promise<Principal> {
  const scheme = call.parts.schemes[position]
  if (scheme === undefined) return admit(call, access, null)
  const finding = scheme.find(call)
  if (finding instanceof Promise) return finding.then((settled) => (settled === null ? ask(call, access, position + 1) : admit(call, access, settled)))
  return finding === null ? ask(call, access, position + 1) : admit(call, access, finding)
}

function admit(call: HttpCall, access: Access, finding: Finding): Principal {
  const { parts } = call
  if (finding === 'refused' || (finding === null && (access === 'user' || hasUnknownCredentials(call)))) throw parts.unauthorized
  if (finding === null) return nobody
  if (access === 'user' && finding.kind !== 'user') throw parts.unauthorized
  return finding
}

/** Credentials that no scheme knows are wrong, too; those that count for nothing are not. */
function hasUnknownCredentials({ raw, endpoint, parts }: HttpCall): boolean {
  const { authorization } = raw.headers
  return authorization !== undefined && !(/^basic /i.test(authorization) && mayBeAttached(raw, endpoint, parts.isOwnOrigin))
}
