import type { Endpoint, Handler } from '../../endpoint/endpoint.js'
import type { PathSegment } from '../../endpoint/path-pattern.js'
import type { Declarations, DeclaredMiddleware } from '../../endpoint/registry.js'
import { DeclarationError } from '../../errors/declaration-error.js'
import { CommonRequest } from '../../http/request/common-request.js'
import { passThrough } from './pass-through.js'

/** Which requests to an endpoint are at or below a path: by its parameters it may be reached at several paths. */
type Reach = 'all' | 'some' | 'none'

/**
 * The endpoints of an app with its middleware around their handlers, the first that was declared outermost. One that no middleware stands around stays what it was.
 *
 * @throws DeclarationError for a middleware that stands around nothing: what it was to close would be open
 */
export function surround({ endpoints, middlewares }: Pick<Declarations, 'endpoints' | 'middlewares'>): readonly Endpoint[] {
  for (const middleware of middlewares) {
    if (middleware.segments.length > 0 && endpoints.every((endpoint) => reachOf(endpoint, middleware) === 'none')) {
      const expected = 'it is for httpEndpoint, route, crudEndpoints and file routes at or below that path; a fastify.ts has hooks'
      throw new DeclarationError(`middleware(${JSON.stringify(middleware.path)}) stands around nothing: no endpoint of the app is there; ${expected}`, middleware.source)
    }
  }
  return middlewares.length === 0 ? endpoints : endpoints.map((endpoint) => middlewares.reduceRight(standAround, endpoint))
}

function standAround(endpoint: Endpoint, middleware: DeclaredMiddleware): Endpoint {
  const reach = reachOf(endpoint, middleware)
  if (reach === 'none') return endpoint
  const { handler } = endpoint
  const { run, source } = middleware
  const place = `the middleware at ${source.file}:${source.line}`
  const surrounded: Handler = (args, request) => passThrough(place, (next) => run(request, next), () => handler(args, request))
  const passesBy: Handler = (args, request) => {
    const { segments } = CommonRequest.stateOf(request).place.target
    return startsOf(endpoint).some((start) => isBelow(segments.slice(start), middleware)) ? surrounded(args, request) : handler(args, request)
  }
  // By its handler's name an endpoint is known to urlFor().
  return { ...endpoint, handler: Object.defineProperty(reach === 'all' ? surrounded : passesBy, 'name', { value: handler.name }) }
}

function reachOf(endpoint: Endpoint, { segments }: DeclaredMiddleware): Reach {
  const reaches = startsOf(endpoint).map((start) => reachAt(endpoint.path.segments.slice(start), segments))
  return reaches.find((reach) => reach === 'all') ?? reaches.find((reach) => reach === 'some') ?? 'none'
}

/** At which segments the path of an endpoint begins: the whole path and, below the API prefix, the path as its author wrote it. */
function startsOf({ prefix }: Endpoint): readonly number[] {
  return prefix === '' ? [0] : [prefix.split('/').length - 1, 0]
}

function reachAt(path: readonly PathSegment[], beginning: readonly string[]): Reach {
  let reach: Reach = 'all'
  for (const [index, text] of beginning.entries()) {
    const segment = path[index]
    if (segment === undefined) return 'none'
    if (segment.kind === 'static' ? segment.text !== text : segment.kind === 'converter' && segment.converter.read(text) === undefined) return 'none'
    if (segment.kind !== 'static') reach = 'some'
    if (segment.kind === 'catchAll' || segment.kind === 'rest') return reach
  }
  return reach
}

function isBelow(path: readonly string[], { segments }: DeclaredMiddleware): boolean {
  return segments.every((text, index) => path[index] === text)
}
