import type { EndpointSettings, Method } from '../endpoint/options.js'
import { readSettings } from '../endpoint/options.js'
import type { Parameters, ParameterValue } from '../endpoint/parameters.js'
import { parsePath } from '../endpoint/path-pattern.js'
import type { Handler } from '../endpoint/endpoint.js'
import { DeclarationError } from '../errors/declaration-error.js'
import { currentRegistry } from '../loading/registry.js'
import type { JsonValue } from '../../db/json-value.js'
import type { RowhouseRequest } from '../request/request.js'

/** The names of the parameters in a path: `'id' | 'item'` for `/users/:id/items/:item`. */
export type PathParameters<Path extends string> = Path extends `${infer Segment}/${infer Rest}` ? SegmentParameter<Segment> | PathParameters<Rest> : SegmentParameter<Path>

type SegmentParameter<Segment extends string> = Segment extends `:${infer Name}` ? Name : never

/**
 * What a handler is called with: the path's parameters as text (or as `params` converts them), the declared parameters converted, and whatever else the caller sent, unchecked.
 */
export type EndpointArguments<Path extends string, Params extends Parameters> = {
  readonly [Name in Exclude<PathParameters<Path>, keyof Params>]: string
} & { readonly [Name in keyof Params]: ParameterValue<Params[Name]> } & { readonly [other: string]: unknown }

const defaultMethods: readonly Method[] = ['GET', 'POST']

/**
 * Declares an endpoint of the app's API, served at the API prefix (`/_/api`) and `path`, in which `:name` stands for one segment.
 *
 * @param handler gets the request's parameters and the request; what it returns is the reply
 * @throws DeclarationError when the path or an option is wrong; it stops the start
 *
 * @example httpEndpoint('/users/:id', ({ id }) => `You requested user ${id}`)
 * @example httpEndpoint('/tasks', { methods: ['POST'], params: { title: text() } }, ({ title }) => …)
 */
export function httpEndpoint<const Path extends string>(path: Path, handler: (args: EndpointArguments<Path, Record<never, never>>, request: RowhouseRequest) => unknown): void
export function httpEndpoint<const Path extends string, const Params extends Parameters = Record<never, never>, Body = JsonValue | null>(
  path: Path,
  options: EndpointSettings<Params, Body>,
  handler: (args: EndpointArguments<Path, Params>, request: RowhouseRequest<Body>) => unknown,
): void
export function httpEndpoint(path: string, optionsOrHandler: unknown, optionalHandler?: unknown): void {
  const [settings, handler] = typeof optionsOrHandler === 'function' && optionalHandler === undefined ? [{}, optionsOrHandler] : [optionsOrHandler, optionalHandler]
  const registry = currentRegistry('httpEndpoint()')
  const source = registry.callSite()
  const { apiPrefix, bodyLimit, handlerTimeout } = registry.configuration
  try {
    if (typeof path !== 'string') throw new DeclarationError(`httpEndpoint() takes a path such as "/tasks" as its first argument, got ${path === null ? 'null' : typeof path}`)
    if (typeof handler !== 'function') throw new DeclarationError(`the endpoint ${path} has no handler: httpEndpoint(path, options, handler) takes a function as its last argument, got ${typeof handler}`)
    parsePath(path)
    registry.addEndpoint({
      door: 'endpoint',
      path: parsePath(apiPrefix + path),
      prefix: apiPrefix,
      ...readSettings(path, settings, { methods: defaultMethods, bodyLimit, timeout: handlerTimeout }),
      // The overloads above hold the author to this type.
      handler: handler as Handler,
      source,
    })
  } catch (error) {
    throw error instanceof DeclarationError ? error.at(source) : error
  }
}
