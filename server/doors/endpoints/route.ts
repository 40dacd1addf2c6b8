import type { JsonValue } from '../../../db/values/json-value.js'
import type { AuthenticateUsers, EndpointSettings } from '../../endpoint/options.js'
import type { Parameters } from '../../endpoint/parameters.js'
import type { EndpointArguments } from '../../endpoint/path-parameters.js'
import type { RowhouseRequest } from '../../http/request/request.js'
import type { Sendable } from '../../http/reply/sendable.js'
import { declareEndpoint, type ModuleDoor, type RequestOf } from './declare-endpoint.js'

const routes: ModuleDoor = { door: 'route', call: 'route', methods: ['GET'], prefix: () => '' }

/**
 * Declares a route, served at `path` as it stands, without a prefix. It answers GET unless `methods` says otherwise.
 * In the path, `<name>` and `:name` stand for one segment, `<int:name>` and the like for one that the converter takes, `<path:name>` at the end for all the rest.
 *
 * @param handler gets the request's parameters and the request; what it returns is the reply. `urlFor` knows the route by the handler's name, or by the option `name`
 * @throws DeclarationError when the path or an option is wrong; it stops the start
 *
 * @example route('/articles/<int:id>', ({ id }) => `You are reading ${id}`)
 * @example route('/echo', { methods: ['PUT', 'PATCH'] }, (_, request) => request.method)
 */
export function route<const Path extends string, Reply>(
  path: Path,
  handler: (args: EndpointArguments<Path, Record<never, never>>, request: RowhouseRequest) => Reply & Sendable<Reply>,
): void
export function route<
  const Path extends string,
  Reply,
  const Params extends Parameters = Record<never, never>,
  Body = JsonValue | null,
  SignedIn extends AuthenticateUsers = false,
>(
  path: Path,
  options: EndpointSettings<Params, Body, SignedIn>,
  handler: (args: EndpointArguments<Path, Params>, request: RequestOf<Body, SignedIn>) => Reply & Sendable<Reply>,
): void
export function route(path: string, optionsOrHandler: unknown, optionalHandler?: unknown): void {
  declareEndpoint(routes, path, optionsOrHandler, optionalHandler)
}
