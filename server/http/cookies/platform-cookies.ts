import { createHash } from 'node:crypto'

/** What the names of Rowhouse's own cookies begin with, behind what browsers make rules of. */
const platformPrefix = 'rowhouse_'
const ownName = /^(?:__Host-|__Secure-)?rowhouse_/i
/** In characters. With all that stands around it, a name leaves a value its room: browsers take 4096 characters for both. */
const longestName = 40

/**
 * Whether a cookie is one of Rowhouse's own, which nobody else sees or sets. In any letter case, as browsers understand the prefixes that they make rules of (RFC 6265bis, 5.7).
 */
export function isPlatformCookie(name: string): boolean {
  return ownName.test(name)
}

/**
 * The name of one of Rowhouse's own cookies, without what a browser makes rules of.
 *
 * @param app the name of the app it belongs to, since all ports of a host share their cookies; null for one that apps share
 * @param purpose a word of letters
 */
export function platformCookieName(app: string | null, purpose: string): string {
  return app === null ? platformPrefix + purpose : `${platformPrefix}${asToken(app)}_${purpose}`
}

/** A name of an app as part of a token (RFC 9110, 5.6.2), different for different names. */
function asToken(app: string): string {
  const plain = app.replace(/[^A-Za-z0-9.-]+/g, '-').slice(0, longestName)
  return plain === app ? plain : `${plain}-${createHash('sha256').update(app).digest('hex').slice(0, 8)}`
}
