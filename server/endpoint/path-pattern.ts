import { DeclarationError } from '../errors/declaration-error.js'

/** One part of a path between two slashes. The kinds are matched in the order in which they stand here: a fixed text is more specific than a parameter. */
export type PathSegment = { readonly kind: 'static'; readonly text: string } | { readonly kind: 'parameter'; readonly name: string }

/** A path as an endpoint declares it, taken apart. */
export interface PathPattern {
  /** As it was written, prefix included. */
  readonly text: string
  /** A trailing slash is a last segment with an empty text, which is why `/tasks/` and `/tasks` differ. */
  readonly segments: readonly PathSegment[]
}

const parameterName = /^[A-Za-z_][A-Za-z0-9_]*$/
/** What a URL may hold in a segment (RFC 3986, pchar), and letters beyond ASCII, which are compared decoded. */
const staticText = /^(?:[A-Za-z0-9\-._~!$&'()+,;=:@]|%[0-9A-Fa-f]{2}|[^\0-\x7f])*$/u

/**
 * Reads the paths of endpoints, where `:name` stands for one non-empty segment: `/users/:id/history`.
 *
 * @throws DeclarationError when the path does not start with a slash, holds a character that no request can send, or names a parameter wrongly or twice
 */
export function parsePath(text: string): PathPattern {
  if (!text.startsWith('/')) throw new DeclarationError(`a path starts with "/", got ${JSON.stringify(text)}`)
  const names = new Set<string>()
  const segments = text
    .slice(1)
    .split('/')
    .map((segment): PathSegment => {
      if (!segment.startsWith(':')) return { kind: 'static', text: readStaticText(text, segment) }
      const name = segment.slice(1)
      if (!parameterName.test(name)) {
        throw new DeclarationError(`the path ${text} has a parameter ${JSON.stringify(segment)}; a parameter is ":" and a name of letters, digits and "_", alone between slashes`)
      }
      if (names.has(name)) throw new DeclarationError(`the path ${text} names the parameter :${name} twice`)
      names.add(name)
      return { kind: 'parameter', name }
    })
  return { text, segments }
}

function readStaticText(path: string, segment: string): string {
  if (!staticText.test(segment)) {
    throw new DeclarationError(`the path ${path} has ${JSON.stringify(segment)}, which no request can match as it stands; use letters, digits, -._~!$&'()+,;=:@ and ":name" for parameters`)
  }
  try {
    const text = decodeURIComponent(segment)
    // Clients resolve dots before they send a path, and a NUL is refused before a path is looked for.
    if (text === '.' || text === '..' || text.includes('\0')) throw new DeclarationError(`the path ${path} has the part ${JSON.stringify(segment)}, which no client can send`)
    return text
  } catch (error) {
    if (error instanceof DeclarationError) throw error
    throw new DeclarationError(`the path ${path} has ${JSON.stringify(segment)}, whose percent-encoding is not UTF-8`)
  }
}
