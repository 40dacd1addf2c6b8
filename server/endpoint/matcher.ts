import { DeclarationError } from '../errors/declaration-error.js'
import type { Converter } from './converters.js'
import type { Endpoint } from './endpoint.js'
import { usualMethods } from './methods.js'
import type { PathValue } from '../http/request/target.js'
import type { PathSegment } from './path-pattern.js'

/** All endpoints of one path shape, by method. */
export class Resource {
  readonly #endpoints = new Map<string, Endpoint>()
  #allow: string | null = null
  #isPlatform = false
  #beginsWithParameter = false
  #isFastify = true

  /** Whether Rowhouse itself answers here. */
  get isPlatform(): boolean {
    return this.#isPlatform
  }

  /** Whether nobody but the app's own Fastify plugin answers here. */
  get isFastify(): boolean {
    return this.#isFastify
  }

  /** Whether the first segment of its path may be anything. */
  get beginsWithParameter(): boolean {
    return this.#beginsWithParameter
  }

  /** The endpoints that answer here. */
  get endpoints(): Iterable<Endpoint> {
    return this.#endpoints.values()
  }

  /** @throws DeclarationError when another endpoint already answers one of its methods here; both places are named */
  add(endpoint: Endpoint): void {
    this.#isFastify &&= endpoint.door === 'fastify'
    for (const method of endpoint.methods) {
      const present = this.#endpoints.get(method)
      // Which of its own routes is meant is for Fastify to say: they may differ by host or version.
      if (present?.door === 'fastify' && endpoint.door === 'fastify') continue
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
      this.#isPlatform ||= endpoint.door === 'platform'
      this.#beginsWithParameter = endpoint.path.segments[0]?.kind !== 'static'
    }
  }

  /** The endpoint that answers `method`; HEAD is answered by GET unless it has its own (RFC 9110, 9.3.2). */
  endpointFor(method: string): Endpoint | undefined {
    return this.#endpoints.get(method) ?? (method === 'HEAD' ? this.#endpoints.get('GET') : undefined)
  }

  /** The value of an `Allow` header: the registered methods, with HEAD and OPTIONS, which are answered without being registered. */
  get allow(): string {
    return (this.#allow ??= this.methodsOf(() => true, ['OPTIONS']).join(', '))
  }

  /** The methods of some of the endpoints, with HEAD where there is GET, in one order, whatever the order of declaration; rarer ones follow. */
  methodsOf(isMeant: (endpoint: Endpoint) => boolean, more: readonly string[] = []): string[] {
    const methods = new Set(more)
    for (const [method, endpoint] of this.#endpoints) if (isMeant(endpoint)) methods.add(method)
    const head = this.endpointFor('HEAD')
    if (head !== undefined && isMeant(head)) methods.add('HEAD')
    return [...usualMethods.filter((method) => methods.delete(method)), ...methods]
  }
}

/** A resource, and the values of the path's parameters in the order of the pattern; that of an optional catch-all that stands for nothing is left out. */
export interface PathMatch {
  readonly resource: Resource
  readonly values: readonly PathValue[]
}

interface ConverterBranch {
  readonly converter: Converter
  readonly node: Node
}

interface RestBranch {
  readonly start: string
  readonly resource: Resource
}

/** What paths may go on with at one place, in the order in which it is tried. */
class Node {
  /** The path that ends here. */
  resource: Resource | null = null
  readonly children = new Map<string, Node>()
  readonly converters: ConverterBranch[] = []
  parameter: Node | null = null
  catchAll: Resource | null = null
  optionalCatchAll: Resource | null = null
  /** The longest start first. */
  readonly rests: RestBranch[] = []
}

/**
 * Finds the resource of a path. The most specific pattern wins, segment by segment: a fixed text, then a converter,
 * then a parameter, then a catch-all, then an optional one,
 * then a rest.
 * The order of registration does not matter.
 */
export class Matcher {
  readonly #root = new Node()

  /** @throws DeclarationError when two endpoints share a path shape and a method */
  constructor(endpoints: Iterable<Endpoint>) {
    for (const endpoint of endpoints) this.#resourceOf(endpoint.path.segments).add(endpoint)
  }

  #resourceOf(segments: readonly PathSegment[]): Resource {
    let node = this.#root
    for (const segment of segments) {
      if (segment.kind === 'catchAll') return segment.optional ? (node.optionalCatchAll ??= new Resource()) : (node.catchAll ??= new Resource())
      if (segment.kind === 'rest') return restOf(node, segment.start)
      node = childFor(node, segment)
    }
    return (node.resource ??= new Resource())
  }

  /** @param segments the decoded parts of the path between its slashes */
  match(segments: readonly string[]): PathMatch | null {
    const values: PathValue[] = []
    const resource = find(this.#root, segments, 0, values)
    return resource === null ? null : { resource, values }
  }
}

function restOf(node: Node, start: string): Resource {
  const present = node.rests.find((rest) => rest.start === start)
  if (present !== undefined) return present.resource
  const resource = new Resource()
  node.rests.push({ start, resource })
  node.rests.sort((a, b) => b.start.length - a.start.length)
  return resource
}

function childFor(node: Node, segment: Exclude<PathSegment, { kind: 'catchAll' | 'rest' }>): Node {
  if (segment.kind === 'parameter') return (node.parameter ??= new Node())
  if (segment.kind === 'static') {
    let child = node.children.get(segment.text)
    if (child === undefined) node.children.set(segment.text, (child = new Node()))
    return child
  }
  const { converter } = segment
  let branch = node.converters.find((present) => present.converter.text === converter.text)
  if (branch === undefined) {
    branch = { converter, node: new Node() }
    node.converters.push(branch)
    node.converters.sort((a, b) => a.converter.rank - b.converter.rank || (a.converter.text < b.converter.text ? -1 : 1))
  }
  return branch.node
}

/** Depth first, the most specific branch first; a branch that leads nowhere is left again, and its values with it. */
function find(node: Node, segments: readonly string[], depth: number, values: PathValue[]): Resource | null {
  // What stands for nothing at all is the last resort of a path that ends here.
  if (depth === segments.length) return node.resource ?? node.optionalCatchAll
  // The depth is below the length, so this is an element of the list.
  const segment = segments[depth] as string
  const child = node.children.get(segment)
  const exact = child === undefined ? null : find(child, segments, depth + 1, values)
  if (exact !== null) return exact
  const variable = segment === '' ? null : findVariable(node, segments, depth, values)
  return variable !== null || node.rests.length === 0 ? variable : findRest(node, segments, depth, values)
}

/** What stands for a part of a path that is not empty. */
function findVariable(node: Node, segments: readonly string[], depth: number, values: PathValue[]): Resource | null {
  const segment = segments[depth] as string
  for (const { converter, node: next } of node.converters) {
    const value = converter.read(segment)
    const resource = value === undefined ? null : findBehind(value, next, segments, depth, values)
    if (resource !== null) return resource
  }
  if (node.parameter !== null) {
    const resource = findBehind(segment, node.parameter, segments, depth, values)
    if (resource !== null) return resource
  }
  const rest = node.catchAll ?? node.optionalCatchAll
  if (rest !== null) values.push(segments.slice(depth).join('/'))
  return rest
}

function findRest({ rests }: Node, segments: readonly string[], depth: number, values: PathValue[]): Resource | null {
  const left = segments.slice(depth).join('/')
  const rest = rests.find(({ start }) => left.startsWith(start))
  if (rest === undefined) return null
  values.push(left.slice(rest.start.length))
  return rest.resource
}

function findBehind(value: PathValue, node: Node, segments: readonly string[], depth: number, values: PathValue[]): Resource | null {
  values.push(value)
  const resource = find(node, segments, depth + 1, values)
  if (resource === null) values.pop()
  return resource
}
