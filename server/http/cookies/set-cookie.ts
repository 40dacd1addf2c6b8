import { describeGiven, describeValue } from '../../../db/errors/describe-value.js'
import { token } from '../token.js'
import { isPlatformCookie } from './platform-cookies.js'

/** What a cookie is set with; see RFC 6265bis, 5.6 for what browsers make of it. */
export interface CookieAttributes {
  /** How long it lasts, in seconds; 0 deletes it. Without this and `expires` it lasts as long as the browser is open. */
  readonly maxAge?: number
  /** Until when it lasts. Where both are there, `maxAge` counts. */
  readonly expires?: Date
  /** The paths that it is sent to: this one and those below; `/` unless told otherwise. */
  readonly path?: string
  /** The host that it is sent to, and those below that; only the host that set it unless told otherwise. */
  readonly domain?: string
  /** Whether it is only sent over https; not unless told otherwise, but for names that demand it. */
  readonly secure?: boolean
  /** Whether scripts of a page are kept from seeing it; they are unless told otherwise. */
  readonly httpOnly?: boolean
  /** Whether requests from other sites bring it: `'Lax'` (unless told otherwise) only those that open a page, `'None'` all, `'Strict'` none. */
  readonly sameSite?: 'Strict' | 'Lax' | 'None'
  /** Whether each site in which this one is embedded has a jar of its own (CHIPS). */
  readonly partitioned?: boolean
}

const known = ['maxAge', 'expires', 'path', 'domain', 'secure', 'httpOnly', 'sameSite', 'partitioned']
const attributeText = /^[\x20-\x3a\x3c-\x7e]*$/
const label = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i
/** What browsers take for one cookie, name and value together, in bytes (RFC 6265bis, 5.6). */
const longestCookie = 4096

/**
 * A `Set-Cookie` line of an app's own.
 *
 * @param value any text; what cannot stand in a cookie is percent-encoded, which `request.cookies` undoes
 * @throws TypeError when a browser would not take it, or its name is reserved
 */
export function setCookieLine(name: string, value: string, attributes: CookieAttributes = {}): string {
  if (typeof name === 'string') assertOwnName(name)
  if (typeof name !== 'string' || !token.test(name)) throw new TypeError(`${JSON.stringify(name)} is not the name of a cookie: expected letters, digits and any of !#$%&'*+-.^_\`|~ (RFC 6265, 4.1.1)`)
  if (typeof value !== 'string') throw new TypeError(`the cookie ${name} takes a text, got ${describeValue(value)}; write other values with JSON.stringify`)
  return writeCookie(name, encodeURIComponent(value.toWellFormed()), checked(name, attributes))
}

/**
 * A `Set-Cookie` line with which a browser deletes a cookie.
 *
 * @param attributes those with which it was set: path and domain say which cookie is meant
 * @throws TypeError as {@link setCookieLine} does
 */
export function clearCookieLine(name: string, attributes: CookieAttributes = {}): string {
  return setCookieLine(name, '', { ...attributes, expires: new Date(0), maxAge: 0 })
}

/** Refuses the names that are Rowhouse's own. @throws TypeError */
export function assertOwnName(name: string): void {
  if (isPlatformCookie(name)) throw new TypeError(`the cookie name ${name} is reserved: names that start with rowhouse_ are Rowhouse's own; choose another`)
}

/** Refuses a `Set-Cookie` line, written by hand, of a cookie with a name that is Rowhouse's own. @throws TypeError */
export function assertOwnLine(line: string): void {
  const [pair = ''] = line.split(';', 1)
  // Without a name in front of it, a value with an equals sign in it comes back as a name and a value (RFC 6265bis, 5.6 and 5.8.3).
  assertOwnName((pair.replace(/^[\s=]+/, '').split('=', 1)[0] ?? '').trim())
}

/** A `Set-Cookie` line. Nothing is checked but that it is not too long for browsers. @throws TypeError */
export function writeCookie(name: string, value: string, attributes: CookieAttributes): string {
  const { maxAge, expires, path = '/', domain, secure = false, httpOnly = true, sameSite = 'Lax', partitioned = false } = attributes
  if (name.length + value.length > longestCookie) throw new TypeError(`the cookie ${name} is ${name.length + value.length} characters long, name and encoded value together, and browsers take ${longestCookie}; keep what is longer in a table`)
  return [
    `${name}=${value}`,
    ...(maxAge === undefined ? [] : [`Max-Age=${maxAge}`]),
    ...(expires === undefined ? [] : [`Expires=${expires.toUTCString()}`]),
    ...(domain === undefined ? [] : [`Domain=${domain}`]),
    `Path=${path}`,
    ...(secure ? ['Secure'] : []),
    ...(httpOnly ? ['HttpOnly'] : []),
    `SameSite=${sameSite}`,
    ...(partitioned ? ['Partitioned'] : []),
  ].join('; ')
}

/** Browsers quietly drop a cookie that breaks one of these rules. */
function checked(name: string, attributes: CookieAttributes): CookieAttributes {
  const refuse = (what: string): never => {
    throw new TypeError(`the cookie ${name} ${what}`)
  }
  const unknown = Object.keys(attributes).find((each) => !known.includes(each))
  if (unknown !== undefined) refuse(`has no attribute "${unknown}"; expected any of ${known.join(', ')}`)
  const isHost = /^__host-/i.test(name)
  const { maxAge, expires, path = '/', domain, sameSite = 'Lax', partitioned = false, httpOnly = true } = attributes
  const { secure = isHost || /^__secure-/i.test(name) } = attributes
  if (maxAge !== undefined && !Number.isSafeInteger(maxAge)) refuse(`takes a whole number of seconds as maxAge, got ${describeGiven(maxAge)}`)
  if (expires !== undefined && !(expires instanceof Date && !Number.isNaN(expires.getTime()))) refuse(`takes a Date as expires, got ${describeGiven(expires)}`)
  if (typeof path !== 'string' || !path.startsWith('/') || !attributeText.test(path)) refuse(`takes a path that starts with a slash, without semicolons, got ${describeGiven(path)}`)
  if (domain !== undefined && !(typeof domain === 'string' && domain.split('.').every((part) => label.test(part)))) refuse(`takes the name of a host as domain, such as example.com, got ${describeGiven(domain)}`)
  if (!['Strict', 'Lax', 'None'].includes(sameSite)) refuse(`takes 'Strict', 'Lax' or 'None' as sameSite, got ${describeGiven(sameSite)}`)
  for (const [option, value] of Object.entries({ secure, httpOnly, partitioned })) if (typeof value !== 'boolean') refuse(`takes true or false as ${option}, got ${describeGiven(value)}`)
  if (!secure && (isHost || /^__secure-/i.test(name))) refuse('has to be secure: its name says so')
  if (isHost && (domain !== undefined || path !== '/')) refuse('has the path / and no domain: its name says so')
  if (!secure && sameSite === 'None') refuse("has to be secure where sameSite is 'None'")
  if (!secure && partitioned) refuse('has to be secure where it is partitioned')
  return { ...attributes, secure }
}
