import { describeGiven } from '../../../db/errors/describe-value.js'
import type { Endpoint, Handler } from '../../endpoint/endpoint.js'
import { readSettings, type EndpointOptions, type EndpointSettings } from '../../endpoint/options.js'
import type { Parameters, ParameterValue } from '../../endpoint/parameters.js'
import { DeclarationError, withPlace } from '../../errors/declaration-error.js'
import { currentRegistry } from '../../call/current-registry.js'
import { FileRouteRequest } from '../../http/request/file-route-request.js'
import type { DeclarationSettings } from '../../endpoint/registry.js'
import { Middlewares } from './middleware.js'
import { locate, type RouteFile } from './route-file.js'
import { readMethods, type RouteHandler } from './route-methods.js'
import { readRoutePath } from './route-path.js'

/** What a file route may say of its endpoints, exported as `config`. Their methods follow from what the file exports. */
export type FileRouteSettings = Omit<EndpointSettings, 'methods'>

/**
 * The type of a file route's second argument: the parameters that its `config` declares, converted, and whatever else the caller sent, unchecked.
 *
 * @example export const get = (request: FileRouteRequest, { page }: FileRouteArguments<typeof config>) => …
 */
export type FileRouteArguments<Config extends { readonly params: Parameters }> = { readonly [Name in keyof Config['params']]: ParameterValue<Config['params'][Name]> } & {
  readonly [other: string]: unknown
}

/**
 * Registers the endpoints that the files of `pages/` are.
 *
 * @throws DeclarationError with file and line when a path, an export, an option or a middleware is wrong
 */
export function declareFileRoutes(files: readonly RouteFile[]): void {
  const registry = currentRegistry('a file route')
  const middlewares = new Middlewares(files.filter(({ isMiddleware }) => isMiddleware))
  for (const route of files) {
    if (route.isMiddleware) continue
    for (const endpoint of readEndpoints(route, middlewares, registry.settings)) registry.addEndpoint(endpoint)
  }
}

function readEndpoints(route: RouteFile, middlewares: Middlewares, settings: DeclarationSettings): Endpoint[] {
  const path = readRoutePath(route)
  const options = readConfig(route, path.text, settings)
  return readMethods(route).map(({ name, methods, handler }) => ({
    door: 'file',
    path,
    prefix: '',
    methods,
    options,
    handler: toHandler(middlewares.wrap(route.file, handler)),
    source: locate(route, name),
  }))
}

function readConfig(route: RouteFile, path: string, settings: DeclarationSettings): EndpointOptions {
  const name = Object.keys(route.exports).find((key) => key.toLowerCase() === 'config') ?? 'config'
  const source = locate(route, name)
  // One that is not seen would leave open what its author meant to close.
  if (name !== 'config') throw new DeclarationError(`the export "${name}" is not looked at; did you mean "config"?`, source)
  const { config = {} } = route.exports
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    const message = `the export "config" has to be an object of options, got ${describeGiven(config)}`
    throw new DeclarationError(message, source)
  }
  const misplaced = Object.keys(config).find((key) => /^methods?$/i.test(key))
  if (misplaced !== undefined) throw new DeclarationError(`config has no option "${misplaced}": a file answers the methods that it exports functions for`, source)
  return withPlace(source, () => readSettings(path, config, { ...settings, methods: [] }).options)
}

/** Without a name: every file has a `get`, so urlFor() finds file routes only by the option `name`. */
function toHandler(handler: RouteHandler): Handler {
  return (args, request) => handler(new FileRouteRequest(request), args)
}
