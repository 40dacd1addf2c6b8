import type { Registry } from '../endpoint/registry.js'
import { DeclarationError } from '../errors/declaration-error.js'
import { currentCall } from './call.js'

/**
 * The registry of the app that is being loaded.
 *
 * @param what the export that asks, such as `httpEndpoint()`, for the message
 * @throws DeclarationError when no app is being loaded
 */
export function currentRegistry(what: string): Registry {
  const registry = currentCall()?.declarations ?? null
  if (registry === null || registry.isClosed) {
    throw new DeclarationError(`${what} was called while no app was loading; call it at the top level of a module that \`rowhouse start\` or createApp() loads`)
  }
  return registry
}
