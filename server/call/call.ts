import { AsyncLocalStorage } from 'node:async_hooks'
import type { Commit } from '../../db/engine/engine.js'
import type { App } from '../exports/running-app.js'
import type { Endpoint } from '../endpoint/endpoint.js'
import type { RowhouseRequest } from '../http/request/request.js'

/** One request being served: what the code that it runs may ask about, however many awaits later. */
export interface Call {
  readonly app: App
  /** Null where an error handler answers a request that no endpoint was found for. */
  readonly endpoint: Endpoint | null
  readonly request: RowhouseRequest
  readonly requestId: string
  /** The last commit that holds a write of this call. The answer waits for it; commits reach the disk in order, so the last one covers the others. */
  lastCommit: Commit | null
}

const calls = new AsyncLocalStorage<Call>()

/** Runs `work` as part of `call`. */
export function runCall<Argument, Result>(call: Call, work: (argument: Argument) => Result, argument: Argument): Result {
  return calls.run(call, work, argument)
}

/** The call that the running code belongs to, if any. */
export function currentCall(): Call | undefined {
  return calls.getStore()
}

const openApps = new Set<App>()

/** Makes an app known to code that runs outside of requests, such as timers. */
export function registerApp(app: App): void {
  openApps.add(app)
}

/** Forgets a closed app. */
export function unregisterApp(app: App): void {
  openApps.delete(app)
}

/** Every app of this process that has started and not been closed. */
export function appsOfProcess(): readonly App[] {
  return [...openApps]
}

/**
 * The app that the running code belongs to: that of the current call or, outside of calls, the only one of this process.
 *
 * @param what the name of the export that asks, for the message
 * @throws Error when there is none, or several
 */
export function currentApp(what: string): App {
  const call = calls.getStore()
  if (call !== undefined) return call.app
  const [app, another] = openApps
  if (app === undefined) throw new Error(`${what} was used before the app has started; use it inside an endpoint`)
  if (another !== undefined) throw new Error(`${what} was used outside of an endpoint while several apps run in this process; use it inside an endpoint`)
  return app
}
