import { HttpError } from '../errors/http-error.js'

/** The longest a part of a path may be once it is decoded, in characters. Long enough for any identifier, short enough to refuse a payload at once. */
const longestSegment = 4096

/** The path of a request, taken apart. */
export interface RequestTarget {
  /** The decoded parts between the slashes. */
  readonly segments: readonly string[]
  /** The decoded path, query left out. */
  readonly path: string
}

/**
 * Reads the path of a request line: `/tasks/%5B1%2C2%5D?x=1`, or the absolute form that proxies send (RFC 9112, 3.2).
 * Each part is decoded exactly once, after the split, so that `%2F` stays inside its parameter.
 *
 * @throws HttpError 400 for malformed percent-encoding or a NUL; 414 for a part of more than 4096 characters
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
  let end = url.indexOf('?')
  const fragment = url.indexOf('#')
  if (fragment !== -1 && (end === -1 || fragment < end)) end = fragment
  const beforeQuery = end === -1 ? url : url.slice(0, end)
  if (beforeQuery.startsWith('/')) return beforeQuery
  const authority = /^[a-z][a-z0-9+.-]*:\/\/[^/]*/i.exec(beforeQuery)
  return authority === null ? beforeQuery : beforeQuery.slice(authority[0].length) || '/'
}

function decodeSegment(segment: string): string {
  let decoded: string
  try {
    decoded = decodeURIComponent(segment)
  } catch {
    throw new HttpError(400, 'the path has a "%" that does not start a UTF-8 percent-encoding; send a literal "%" as %25')
  }
  if (decoded.includes('\0')) throw new HttpError(400, 'the path has a NUL character (%00)')
  return decoded
}

function checkLengths(segments: readonly string[]): void {
  if (segments.some((segment) => segment.length > longestSegment)) {
    throw new HttpError(414, `a part of the path is longer than ${longestSegment} characters`)
  }
}
