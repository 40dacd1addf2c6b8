import type { Registry } from '../endpoint/registry.js'
import { CallWrites } from './call-writes.js'
import type { AppHandle, Call } from './call.js'
import { nobody } from './principal.js'

/** Nobody waits for what an app does while it starts, so nobody goes away. */
const neverAborted = new AbortController().signal

/**
 * The call in which an app's code runs while the app starts or stops. What that code begins, such as timers, belongs to
 * the app from then on.
 *
 * @param declarations where the code may declare endpoints and the like; null where it may not
 */
export function loadCall(app: AppHandle, declarations: Registry | null): Call {
  return {
    app,
    kind: 'load',
    requestId: null,
    endpoint: null,
    place: null,
    request: null,
    principal: nobody,
    cookies: null,
    session: null,
    signal: neverAborted,
    deadline: null,
    writes: new CallWrites(),
    values: null,
    declarations,
  }
}
