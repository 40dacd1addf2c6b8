import { runCall, type AppHandle } from '../../call/call.js'
import { loadCall } from '../../call/load-call.js'
import type { Declarations, Registry } from '../../endpoint/registry.js'

/**
 * Runs `load`, which declares what an app or the platform has, and resolves to what it has declared. What it starts, such as timers, belongs to the app from then on.
 *
 * @throws whatever `load` throws
 */
export async function collectDeclarations(
  app: AppHandle,
  registry: Registry,
  load: () => unknown,
): Promise<Declarations> {
  try {
    await runCall(loadCall(app, registry), load, undefined)
    return registry
  } finally {
    registry.close()
  }
}
