import type { SourceLocation } from '../errors/source-location.js'
import type { PathPattern } from './path-pattern.js'
import type { EndpointOptions } from './options.js'
import type { RowhouseRequest } from '../http/request/request.js'

/** The arguments of a handler: form, query and path parameters merged, the converted ones converted. The object has no prototype. */
export type HandlerArguments = Readonly<Record<string, unknown>>

/** What runs when an endpoint is called. Whatever it returns becomes the reply. */
export type Handler = (args: HandlerArguments, request: RowhouseRequest) => unknown

/** Which way of writing an endpoint produced it. */
export type Door = 'endpoint' | 'route' | 'file' | 'fastify' | 'platform'

/**
 * One (path, methods, options, handler): the record that every door produces and the pipeline serves.
 */
export interface Endpoint {
  readonly door: Door
  /** The whole path at which it is served, prefix included. */
  readonly path: PathPattern
  /** The part at the front of the path that `request.path` leaves out; `''` for none. */
  readonly prefix: string
  /** Upper case, at least one, none twice. */
  readonly methods: readonly string[]
  readonly options: EndpointOptions
  readonly handler: Handler
  readonly source: SourceLocation
  /** That it speaks JSON whatever its options say. */
  readonly speaksJson?: boolean
}
