import type { Endpoint } from './endpoint.js'
import type { PathPattern, PathSegment } from './path-pattern.js'
import { DeclarationError } from '../errors/declaration-error.js'
import { suggestName } from '../errors/nearest-name.js'

/** A value that a link can hold; a list becomes a repeated query parameter. */
type LinkValue = string | number | bigint | boolean | null | undefined

/** The parameters of a link, by name: those of its path, and all others, which go into its query. Null and undefined are left out. */
export type LinkParameters = Readonly<Record<string, LinkValue | readonly LinkValue[]>>

interface NamedPath {
  readonly path: PathPattern
  readonly endpoint: Endpoint
  /** Whether endpoints with other paths are called the same, by the names of their handlers. */
  ambiguous: boolean
}

/** The endpoints of an app by name: the name that an endpoint was given or else that of its handler. */
export class EndpointUrls {
  readonly #paths = new Map<string, NamedPath>()

  /** @throws DeclarationError when two endpoints with different paths were given one name */
  constructor(endpoints: Iterable<Endpoint>) {
    for (const endpoint of endpoints) {
      const name = endpoint.options.name ?? endpoint.handler.name
      if (endpoint.door !== 'platform' && name !== '') this.#add(name, endpoint)
    }
  }

  #add(name: string, endpoint: Endpoint): void {
    const present = this.#paths.get(name)
    if (present === undefined || (present.endpoint.options.name === null && endpoint.options.name !== null)) {
      this.#paths.set(name, { path: endpoint.path, endpoint, ambiguous: false })
    } else if (present.path.text === endpoint.path.text) {
      return
    } else if (endpoint.options.name === null) {
      // A name that was given goes before one that a handler happens to have.
      if (present.endpoint.options.name === null) present.ambiguous = true
    } else {
      const { file, line } = present.endpoint.source
      throw new DeclarationError(`the name "${name}" is given twice: here to ${endpoint.path.text} and at ${file}:${line} to ${present.path.text}; choose another for one of them`, endpoint.source)
    }
  }

  /**
   * The path of the endpoint with this name; see `urlFor`.
   *
   * @throws Error when there is no endpoint of that name or several, a parameter of the path is missing, or a value does not fit
   */
  build(name: string, params: LinkParameters): string {
    const named = this.#find(name)
    if (typeof named === 'string') throw new Error(named)
    const inPath = new Set<string>()
    const segments = named.path.segments.flatMap((segment) => {
      if (segment.kind === 'static') return [encodeURIComponent(segment.text)]
      inPath.add(segment.name)
      return writeParameter(segment, Object.hasOwn(params, segment.name) ? params[segment.name] : undefined, name)
    })
    const path = `/${segments.join('/')}`
    const query = new URLSearchParams()
    for (const [key, value] of Object.entries(params)) {
      if (inPath.has(key)) continue
      for (const each of [value].flat()) {
        if (each !== null && each !== undefined) query.append(key, String(each))
      }
    }
    return query.size === 0 ? path : `${path}?${query.toString()}`
  }

  /** Why no path can be made for this name, as a sentence; null when one can. */
  mistakeIn(name: string): string | null {
    const named = this.#find(name)
    return typeof named === 'string' ? named : null
  }

  #find(name: string): NamedPath | string {
    const named = this.#paths.get(name)
    if (named === undefined) return `urlFor(): there is no endpoint called "${name}"; ${this.#suggest(name)}`
    if (!named.ambiguous) return named
    return (
      `urlFor(): several endpoints are called "${name}" by their handlers; ` +
      'give the one that is meant the option name'
    )
  }

  #suggest(name: string): string {
    if (this.#paths.size > 0) return suggestName(name, [...this.#paths.keys()])
    return 'none has a name, which is given by the option name or by a handler function that has one'
  }
}

function writeParameter(segment: Exclude<PathSegment, { kind: 'static' }>, value: unknown, name: string): string[] {
  if (value === undefined || value === null) {
    if (segment.kind === 'catchAll' && segment.optional) return []
    throw new Error(`urlFor(): the path of "${name}" needs the parameter "${segment.name}"`)
  }
  const text = segment.kind === 'converter' ? segment.converter.write(value) : textOf(value)
  const parts = segment.kind === 'catchAll' ? text?.split('/') : text === undefined ? undefined : [text]
  // An empty part matches no parameter, and clients resolve dots before they send a path.
  if (parts === undefined || parts[0] === '' || parts.some((part) => part === '.' || part === '..')) {
    const expected = segment.kind === 'converter' ? segment.converter.text : segment.kind === 'catchAll' ? 'parts of a path' : 'a text'
    throw new Error(`urlFor(): the parameter "${segment.name}" of "${name}" takes ${expected}, got ${typeof value === 'object' ? 'an object' : JSON.stringify(String(value))}`)
  }
  return parts.map(encodeURIComponent)
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean' ? String(value) : undefined
}
