import type { PathValue } from '../http/request/target.js'
import { DeclarationError } from '../errors/declaration-error.js'
import { makeConverter, type Converter } from './converters.js'

/**
 * One part of a path between two slashes. The kinds are matched in the order in which they stand here, the most specific first.
 * A `catchAll` stands for this segment and all that follow, and for none at all if it is `optional`; it is always the last.
 * So is a `rest`, which stands for all that is left of a path behind a slash and `start`: for nothing, too, and for
 * empty parts.
 */
export type PathSegment =
  | { readonly kind: 'static'; readonly text: string }
  | { readonly kind: 'converter'; readonly name: string; readonly converter: Converter }
  | { readonly kind: 'parameter'; readonly name: string }
  | { readonly kind: 'catchAll'; readonly name: string; readonly optional: boolean }
  | { readonly kind: 'rest'; readonly name: string; readonly start: string }

/** The value of a path parameter: text, or the number that a converter made of it. */

/** A path as an endpoint declares it, taken apart. */
export interface PathPattern {
  /** As it was written, prefix included. */
  readonly text: string
  /** A trailing slash is a last segment with an empty text, which is why `/tasks/` and `/tasks` differ. */
  readonly segments: readonly PathSegment[]
}

const parameterName = /^[A-Za-z_][A-Za-z0-9_]*$/
/** `<name>`, `<int:name>`, `<int(min=1):name>`. */
const typedParameter = /^<(?:([A-Za-z_]\w*)(?:\((.*)\))?:)?([^<>:]*)>$/
/** What a URL may hold in a segment (RFC 3986, pchar), and letters beyond ASCII, which are compared decoded. */
const staticText = /^(?:[A-Za-z0-9\-._~!$&'()+,;=:@]|%[0-9A-Fa-f]{2}|[^\0-\x7f])*$/u

/**
 * Reads the paths of endpoints and routes: `:name` and `<name>` stand for one non-empty segment, `<int:name>` for one that the converter takes, `<path:name>` at the end for one or more.
 *
 * @throws DeclarationError when the path does not start with a slash, holds a character that no request can send, or names a parameter wrongly or twice
 */
export function parsePath(text: string): PathPattern {
  if (!text.startsWith('/')) throw new DeclarationError(`a path starts with "/", got ${JSON.stringify(text)}`)
  return makePattern(text, text.slice(1).split('/').map((segment) => parseSegment(text, segment)))
}

/**
 * Puts a path together from its segments, for doors that write paths in another way.
 *
 * @param text as its author wrote it, for messages and listings
 * @throws DeclarationError when two parameters share a name or a catch-all is not the last
 */
export function makePattern(text: string, segments: readonly PathSegment[]): PathPattern {
  const names = new Set<string>()
  for (const [index, segment] of segments.entries()) {
    if (segment.kind === 'static') continue
    if (names.has(segment.name)) throw new DeclarationError(`the path ${text} has two parameters called "${segment.name}"`)
    names.add(segment.name)
    if ((segment.kind === 'catchAll' || segment.kind === 'rest') && index < segments.length - 1) {
      throw new DeclarationError(`the path ${text} goes on behind "${segment.name}", which stands for all the rest of a path; put it last`)
    }
  }
  return { text, segments }
}

/** Assigns the values of a path's parameters, in their order, to members of `target` with the parameters' names. */
export function nameValues(target: Record<string, unknown>, segments: readonly PathSegment[], values: readonly PathValue[]): void {
  let position = 0
  for (const segment of segments) {
    // An optional catch-all that stands for nothing has no value; being the last, it shifts no other.
    if (segment.kind !== 'static' && position < values.length) target[segment.name] = values[position++]
  }
}

function parseSegment(path: string, segment: string): PathSegment {
  if (segment.startsWith(':')) return { kind: 'parameter', name: checkedName(path, segment, segment.slice(1)) }
  if (!segment.includes('<')) return { kind: 'static', text: readStaticText(path, segment) }
  const match = typedParameter.exec(segment)
  const name = checkedName(path, segment, match?.[3] ?? '')
  const [, converter = 'string', args = ''] = match ?? []
  if (converter === 'path') {
    if (args.trim() !== '') throw new DeclarationError(`the path ${path} gives arguments to the converter path, which takes none`)
    return { kind: 'catchAll', name, optional: false }
  }
  if (converter === 'string' && args.trim() === '') return { kind: 'parameter', name }
  return { kind: 'converter', name, converter: makeConverter(converter, args) }
}

function checkedName(path: string, segment: string, name: string): string {
  if (!parameterName.test(name)) {
    throw new DeclarationError(
      `the path ${path} has a parameter ${JSON.stringify(segment)}; a parameter is ":name", "<name>" or "<int:name>", alone between slashes, and its name letters, digits and "_"`,
    )
  }
  return name
}

function readStaticText(path: string, segment: string): string {
  if (!staticText.test(segment)) {
    throw new DeclarationError(`the path ${path} has ${JSON.stringify(segment)}, which no request can match as it stands; use letters, digits, -._~!$&'()+,;=:@ and ":name" for parameters`)
  }
  let text: string
  try {
    text = decodeURIComponent(segment)
  } catch {
    throw new DeclarationError(`the path ${path} has ${JSON.stringify(segment)}, whose percent-encoding is not UTF-8`)
  }
  // Clients resolve dots before they send a path, and a NUL is refused before a path is looked for.
  if (text === '.' || text === '..' || text.includes('\0')) throw new DeclarationError(`the path ${path} has the part ${JSON.stringify(segment)}, which no client can send`)
  return text
}
