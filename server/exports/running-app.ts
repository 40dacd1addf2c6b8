import type { Logger } from 'pino'
import type { Database } from '../../db/database.js'
import type { CallWrites } from '../call/call-writes.js'
import { currentCall, type AppHandle } from '../call/call.js'
import type { EndpointUrls } from '../endpoint/endpoint-urls.js'
import type { AddressSettings } from '../http/base-path.js'
import type { RowhouseRequest } from '../http/request/request.js'
import type { Users } from '../services/accounts/users.js'
import type { Origins } from '../services/origins/origins.js'
import type { Sessions } from '../services/sessions/sessions.js'
import type { JarPlace } from './cookie-jar.js'

/** The parts of a running app that its own code reaches through the exports of `rowhouse`. */
export interface RunningApp {
  readonly addresses: AddressSettings
  readonly database: Database
  readonly users: Users
  readonly sessions: Sessions
  /** What is written outside of all calls. */
  readonly writes: CallWrites
  readonly origins: Origins
  readonly urls: EndpointUrls
  /** The encrypted cookies. */
  readonly jars: Readonly<Record<'local' | 'shared', JarPlace>>
  /** How a 401 that says nothing else tells whoever has sent this request to authenticate: lines of `WWW-Authenticate`. */
  readonly challengesFor: (request: RowhouseRequest | null) => readonly string[]
  /** Aborts when the server begins to stop. */
  readonly stopping: AbortSignal
}

interface Entry {
  /** The log, for the lines of the app's own code. */
  readonly log: Logger
  /** Null until the app has started. */
  running: RunningApp | null
}

/**
 * The apps of this process. It is the one place that knows of all of them, for the one reason that some code is reached by no call: the program that has made an app,
 * and listeners of the process, such as those of its end.
 */
class RunningApps {
  readonly #entries = new WeakMap<AppHandle, Entry>()
  readonly #open = new Set<AppHandle>()
  /** That of the app which was opened last, for what still runs when it has been closed. */
  #latestLog: Logger | null = null

  /** Told before an app's modules are loaded, which may log. */
  open(app: AppHandle, log: Logger): void {
    this.#entries.set(app, { log, running: null })
    this.#open.add(app)
    this.#latestLog = log
  }

  /** Told when its parts are there. */
  started(app: AppHandle, running: RunningApp): void {
    const entry = this.#entries.get(app)
    if (entry !== undefined) entry.running = running
  }

  /** Told when it is closed, or could not be started. Its own calls still find it: some run on. */
  close(app: AppHandle): void {
    this.#open.delete(app)
  }

  /** The app that the running code belongs to: that of the current call or, outside of calls, the only one that is open. Null where there is none, several, or it has not started. */
  current(): RunningApp | null {
    return this.#current()?.running ?? null
  }

  /** Why there is no {@link current} app. */
  get absence(): 'none' | 'several' {
    return currentCall() === null && this.#open.size > 1 ? 'several' : 'none'
  }

  /** The log of the app that the running code belongs to; null where nobody can know which one that is. */
  currentLog(): Logger | null {
    return this.#current()?.log ?? (this.#open.size === 0 ? this.#latestLog : null)
  }

  #current(): Entry | undefined {
    const call = currentCall()
    if (call !== null) return this.#entries.get(call.app)
    const [only, another] = this.#open
    return only === undefined || another !== undefined ? undefined : this.#entries.get(only)
  }
}

export const runningApps = new RunningApps()

/**
 * The app that the running code belongs to.
 *
 * @param what the name of the export that asks, for the message
 * @throws Error when there is none, or several
 */
export function currentApp(what: string): RunningApp {
  const app = runningApps.current()
  if (app !== null) return app
  if (runningApps.absence === 'several') throw new Error(`${what} was used outside of an endpoint while several apps run in this process; use it inside an endpoint`)
  throw new Error(`${what} was used before the app has started; use it inside an endpoint`)
}
