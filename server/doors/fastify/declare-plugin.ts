import { describeGiven } from '../../../db/errors/describe-value.js'
import { currentRegistry } from '../../call/current-registry.js'
import type { DeclaredPlugin } from '../../endpoint/registry.js'
import { DeclarationError } from '../../errors/declaration-error.js'
import type { SourceLocation } from '../../errors/source-location.js'

/**
 * Takes the Fastify plugin of the app that is being loaded.
 *
 * @param given the default export of `fastify.ts`; undefined where it has none
 * @throws DeclarationError when it is no function
 */
export function declarePlugin(given: unknown, source: SourceLocation): void {
  const registry = currentRegistry('a Fastify plugin')
  if (typeof given !== 'function') {
    const example = "export default async (app) => { app.get('/hello', () => 'Hello') }"
    const got = given === undefined ? 'there is none' : `got ${describeGiven(given)}`
    const message = `the default export has to be a Fastify plugin, such as ${example}; ${got}`
    throw new DeclarationError(message, source)
  }
  // What else it has to be is for Fastify to find out, which calls it.
  registry.setPlugin({ plugin: given as DeclaredPlugin['plugin'], source })
}
