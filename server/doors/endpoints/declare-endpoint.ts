import { describeGiven } from '../../../db/errors/describe-value.js'
import type { JsonValue } from '../../../db/values/json-value.js'
import type { Door, Handler } from '../../endpoint/endpoint.js'
import type { Method } from '../../endpoint/methods.js'
import { readSettings, type AuthenticateUsers } from '../../endpoint/options.js'
import type { Given } from '../../endpoint/path-parameters.js'
import { parsePath } from '../../endpoint/path-pattern.js'
import { DeclarationError, withPlace } from '../../errors/declaration-error.js'
import { currentRegistry } from '../../call/current-registry.js'
import type { DeclarationSettings } from '../../endpoint/registry.js'
import type { RowhouseRequest, SignedInRequest } from '../../http/request/request.js'

/** The request as the handler of an endpoint gets it: by its options `body` and `authenticateUsers`. */
export type RequestOf<Body, SignedIn extends AuthenticateUsers> = [Given<SignedIn, false>] extends [true]
  ? SignedInRequest<Given<Body, JsonValue | null>>
  : RowhouseRequest<Given<Body, JsonValue | null>>

/** What sets one way of declaring endpoints in a module apart from another. */
export interface ModuleDoor {
  readonly door: Door
  /** The name of the function that modules call, for messages. */
  readonly call: string
  /** The methods of an endpoint that names none. */
  readonly methods: readonly Method[]
  /** That its endpoints speak JSON whatever their options say. */
  readonly speaksJson?: boolean
  /** What stands before the paths. */
  prefix(settings: DeclarationSettings): string
}

/**
 * Takes what a module hands to one of these doors, `(path, handler)` or `(path, options, handler)`, and registers the endpoint.
 *
 * @throws DeclarationError with the place of the call when something is wrong
 */
export function declareEndpoint({ door, call, methods, prefix: prefixOf, speaksJson = false }: ModuleDoor, path: unknown, optionsOrHandler: unknown, optionalHandler: unknown): void {
  const [settings, handler] = typeof optionsOrHandler === 'function' && optionalHandler === undefined ? [{}, optionsOrHandler] : [optionsOrHandler, optionalHandler]
  const registry = currentRegistry(`${call}()`)
  const source = registry.callSite()
  const { settings: defaults } = registry
  const prefix = prefixOf(defaults)
  withPlace(source, () => {
    if (typeof path !== 'string') throw new DeclarationError(`${call}() takes a path such as "/tasks" as its first argument, got ${describeGiven(path)}`)
    if (typeof handler !== 'function') throw new DeclarationError(`the endpoint ${path} has no handler: ${call}(path, options, handler) takes a function as its last argument, got ${describeGiven(handler)}`)
    // By itself first, so that a message shows the path as it was written.
    parsePath(path)
    registry.addEndpoint({
      door,
      path: parsePath(prefix + path),
      prefix,
      ...readSettings(path, settings, { ...defaults, methods }),
      // The overloads of the door hold the author to this type.
      handler: handler as Handler,
      source,
      speaksJson,
    })
  })
}
