import { isUtf8 } from 'node:buffer'

/** HTTP Basic credentials. The password is as it was sent, down to the letter. */
interface BasicAuthorization {
  readonly scheme: 'basic'
  readonly username: string
  readonly password: string
  readonly token?: undefined
}

/** Credentials of any other scheme: what follows its name, untouched. */
interface OtherAuthorization {
  /** In lower case. */
  readonly scheme: string
  readonly token: string
  readonly username?: undefined
  readonly password?: undefined
}

/** An `Authorization` header, taken apart. */
export type Authorization = BasicAuthorization | OtherAuthorization

// RFC 9110 section 11.4: auth-scheme is a token, one or more spaces follow it.
const schemeAndRest = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) +(.*)$/
// RFC 4648 section 4, padding included.
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
const controlCharacter = /\p{Cc}/u

/** RFC 7617 section 2: base64 of UTF-8 text, the password after the first colon, no control characters in either. */
function parseBasic(encoded: string): BasicAuthorization | null {
  if (!base64.test(encoded)) return null
  const bytes = Buffer.from(encoded, 'base64')
  if (!isUtf8(bytes)) return null
  const text = bytes.toString('utf8')
  if (controlCharacter.test(text)) return null
  const colon = text.indexOf(':')
  if (colon === -1) return { scheme: 'basic', username: text, password: '' }
  return { scheme: 'basic', username: text.slice(0, colon), password: text.slice(colon + 1) }
}

/**
 * Takes an `Authorization` header apart (RFC 9110 section 11.6.2, RFC 7617). Without a colon the password of Basic credentials is empty.
 * Returns null for whatever is malformed, and never throws.
 */
export function parseAuthorization(header: string | undefined): Authorization | null {
  const [, name, rest] = schemeAndRest.exec(header ?? '') ?? []
  if (name === undefined || rest === undefined) return null
  const scheme = name.toLowerCase()
  const token = rest.trim()
  if (token === '') return null
  return scheme === 'basic' ? parseBasic(token) : { scheme, token }
}
