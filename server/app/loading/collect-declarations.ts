import { CallWrites } from '../../call/call-writes.js'
import { runCall, type AppHandle, type Call } from '../../call/call.js'
import { principalOf } from '../../call/principal.js'
import type { Declarations, Registry } from '../../endpoint/registry.js'

/** Nobody waits for what modules do at their top level, so nobody goes away. */
const neverAborted = new AbortController().signal

/**
 * Runs `load`, which declares what an app or the platform has, and resolves to what it has declared. What it starts, such as timers, belongs to the app from then on.
 *
 * @throws whatever `load` throws
 */
export async function collectDeclarations(app: AppHandle, registry: Registry, load: () => unknown): Promise<Declarations> {
  const call: Call = {
    app,
    kind: 'load',
    requestId: null,
    endpoint: null,
    request: null,
    principal: principalOf(null),
    signal: neverAborted,
    deadline: null,
    writes: new CallWrites(),
    declarations: registry,
  }
  try {
    await runCall(call, load, undefined)
    return registry
  } finally {
    registry.close()
  }
}
