import { refusal } from '../http-error.js'

/** The longest a part of a path may be once it is decoded, in characters. Long enough for any identifier, short enough to refuse a payload at once. */
const longestSegment = 4096

/** The value of a path's parameter: a text, or the number that a converter has made of it. */
export type PathValue = string | number

/** The path of a request, taken apart. */
export interface RequestTarget {
  /** The decoded parts between the slashes. */
  readonly segments: readonly string[]
  /** The decoded path, query left out. */
  readonly path: string
}

/** The path and query of a request line, without the scheme and host that its absolute form has in front (RFC 9112, 3.2). What is in neither of the two forms stays as it is. */
export function originForm(url: string): string {
  if (url.startsWith('/')) return url
  const authority = /^https?:\/\/[^/?]*/i.exec(url)
  if (authority === null) return url
  const rest = url.slice(authority[0].length)
  return rest.startsWith('/') ? rest : `/${rest}`
}

/**
 * Reads the path of a request line: `/tasks/%5B1%2C2%5D?x=1`, or the absolute form that proxies send.
 * Each part is decoded exactly once, after the split, so that `%2F` stays inside its parameter.
 *
 * @throws HttpError 400 for malformed percent-encoding, a NUL, a fragment, or what is no path, such as `*`; 414 for a part of more than 4096 characters
 */
export function readTarget(url: string): RequestTarget {
  const path = rawPath(url)
  if (!path.includes('%')) {
    const segments = path.slice(1).split('/')
    if (path.length > longestSegment) checkLengths(segments)
    return { segments, path }
  }
  const segments = path.slice(1).split('/').map(decodeSegment)
  checkLengths(segments)
  return { segments, path: `/${segments.join('/')}` }
}

function rawPath(url: string): string {
  if (url.includes('#')) {
    throw refusal('malformed-path', 'the request has a "#", which belongs to the client; send a literal one as %23')
  }
  const target = originForm(url)
  // Node.js lets a target through that starts with an asterisk. Read as a path without its first character, it would pass what a proxy in front allows or forbids by path.
  if (!target.startsWith('/')) throw refusal('malformed-path', 'the request is for no path; a path starts with "/"')
  const end = target.indexOf('?')
  return end === -1 ? target : target.slice(0, end)
}

function decodeSegment(segment: string): string {
  let decoded: string
  try {
    decoded = decodeURIComponent(segment)
  } catch {
    const what = 'the path has a "%" that does not start a UTF-8 percent-encoding'
    throw refusal('malformed-path', `${what}; send a literal "%" as %25`)
  }
  if (decoded.includes('\0')) throw refusal('malformed-path', 'the path has a NUL character (%00)')
  return decoded
}

function checkLengths(segments: readonly string[]): void {
  if (segments.some((segment) => segment.length > longestSegment)) {
    throw refusal('path-too-long', `a part of the path is longer than ${longestSegment} characters`)
  }
}
