import { DeclarationError } from '../errors/declaration-error.js'
import type { Endpoint } from './endpoint.js'

/** All endpoints of one path shape, by method. */
export class Resource {
  readonly #endpoints = new Map<string, Endpoint>()
  #allow: string | null = null

  /** @throws DeclarationError when another endpoint already answers one of its methods here; both places are named */
  add(endpoint: Endpoint): void {
    for (const method of endpoint.methods) {
      const present = this.#endpoints.get(method)
      if (present !== undefined) {
        if (present.door === 'platform' || endpoint.door === 'platform') {
          const own = present.door === 'platform' ? endpoint : present
          throw new DeclarationError(`${method} ${own.path.text} is served by Rowhouse itself; choose another path`, own.source)
        }
        throw new DeclarationError(
          `${method} ${endpoint.path.text} is declared twice: here and at ${present.source.file}:${present.source.line} (${present.path.text}); drop one, or give them different methods`,
          endpoint.source,
        )
      }
      this.#endpoints.set(method, endpoint)
    }
  }

  /** The endpoint that answers `method`; HEAD is answered by GET unless it has its own (RFC 9110, 9.3.2). */
  endpointFor(method: string): Endpoint | undefined {
    return this.#endpoints.get(method) ?? (method === 'HEAD' ? this.#endpoints.get('GET') : undefined)
  }

  /** The value of an `Allow` header: the registered methods, with HEAD and OPTIONS, which are answered without being registered. */
  get allow(): string {
    return (this.#allow ??= this.#listMethods())
  }

  #listMethods(): string {
    const methods = new Set(this.#endpoints.keys())
    if (methods.has('GET')) methods.add('HEAD')
    return [...methods.add('OPTIONS')].join(', ')
  }
}

/** A resource, and the values of the path's parameters in the order of the pattern. */
export interface PathMatch {
  readonly resource: Resource
  readonly values: readonly string[]
}

class Node {
  readonly children = new Map<string, Node>()
  parameter: Node | null = null
  resource: Resource | null = null
}

/**
 * Finds the resource of a path. The most specific pattern wins, segment by segment: a fixed text before a parameter; the order of registration does not matter.
 */
export class Matcher {
  readonly #root = new Node()

  /** @throws DeclarationError when two endpoints share a path shape and a method */
  constructor(endpoints: Iterable<Endpoint>) {
    for (const endpoint of endpoints) this.#add(endpoint)
  }

  #add(endpoint: Endpoint): void {
    let node = this.#root
    for (const segment of endpoint.path.segments) {
      if (segment.kind === 'static') {
        let child = node.children.get(segment.text)
        if (child === undefined) node.children.set(segment.text, (child = new Node()))
        node = child
      } else {
        node = node.parameter ??= new Node()
      }
    }
    node.resource ??= new Resource()
    node.resource.add(endpoint)
  }

  /** @param segments the decoded parts of the path between its slashes */
  match(segments: readonly string[]): PathMatch | null {
    const values: string[] = []
    const resource = find(this.#root, segments, 0, values)
    return resource === null ? null : { resource, values }
  }
}

/** Depth first, the most specific branch first; a branch that leads nowhere is left again, and its values with it. */
function find(node: Node, segments: readonly string[], depth: number, values: string[]): Resource | null {
  if (depth === segments.length) return node.resource
  // The loop bound above makes this an element of the list.
  const segment = segments[depth] as string
  const child = node.children.get(segment)
  if (child !== undefined) {
    const resource = find(child, segments, depth + 1, values)
    if (resource !== null) return resource
  }
  if (node.parameter === null || segment === '') return null
  values.push(segment)
  const resource = find(node.parameter, segments, depth + 1, values)
  if (resource === null) values.pop()
  return resource
}
