import type { JsonValue } from '../../../db/values/json-value.js'
import type { AuthenticateUsers, EndpointSettings } from '../../endpoint/options.js'
import type { Parameters } from '../../endpoint/parameters.js'
import type { EndpointArguments } from '../../endpoint/path-parameters.js'
import type { RowhouseRequest } from '../../http/request/request.js'
import type { Sendable } from '../../http/reply/sendable.js'
import { declareEndpoint, type ModuleDoor, type RequestOf } from './declare-endpoint.js'

/** How `httpEndpoint` declares. */
export const endpoints: ModuleDoor = { door: 'endpoint', call: 'httpEndpoint', methods: ['GET', 'POST'], prefix: ({ apiPrefix }) => apiPrefix }

/**
 * Declares an endpoint of the app's API, served at the API prefix (`/_/api`) and `path`, in which `:name` and `<int:name>` stand for one segment. It answers GET and POST unless `methods` says otherwise.
 *
 * @param handler gets the request's parameters and the request; what it returns is the reply
 * @throws DeclarationError when the path or an option is wrong; it stops the start
 *
 * @example httpEndpoint('/users/:id', ({ id }) => `You requested user ${id}`)
 * @example httpEndpoint('/tasks', { methods: ['POST'], params: { title: text() } }, ({ title }) => …)
 */
export function httpEndpoint<const Path extends string, Reply>(
  path: Path,
  handler: (args: EndpointArguments<Path, Record<never, never>>, request: RowhouseRequest) => Reply & Sendable<Reply>,
): void
export function httpEndpoint<
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
export function httpEndpoint(path: string, optionsOrHandler: unknown, optionalHandler?: unknown): void {
  declareEndpoint(endpoints, path, optionsOrHandler, optionalHandler)
}
