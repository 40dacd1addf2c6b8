import { AsyncLocalStorage } from 'node:async_hooks'
import { format } from 'node:util'
import { destination, type Logger } from 'pino'
import { appsOfProcess, currentCall, type Call } from '../call/call.js'
import { CommonRequest } from '../http/request/common-request.js'
import { request } from './request.js'
import { loggerTo } from '../logging/open-log.js'

/** Writes one event to the log. */
export interface WriteLog {
  /**
   * @param message may have the placeholders of `console.log`, such as `%s`
   * @param values those of the placeholders; after them, an error or an object with fields
   */
  (message: string, ...values: readonly unknown[]): void
  /** @param about an error, whose stack is written, or an object, whose members become fields of the line */
  (about: unknown, message?: string, ...values: readonly unknown[]): void
}

/** The log of an app; see {@link log}. */
export interface AppLogger {
  readonly debug: WriteLog
  readonly info: WriteLog
  readonly warn: WriteLog
  /** The same as `warn`. */
  readonly warning: WriteLog
  readonly error: WriteLog
}

type Level = 'debug' | 'info' | 'warn' | 'error'

/**
 * The log of the app that the running code belongs to. Inside a call every line has the id of the request and the path of the endpoint. It works everywhere:
 * at the top level of modules, in timers, after the answer; and it never throws.
 *
 * @example log.info({ orderId }, 'paid')
 * @example log.error(error, 'could not pay')
 */
export const log: AppLogger = Object.freeze({ debug: writerOf('debug'), info: writerOf('info'), warn: writerOf('warn'), warning: writerOf('warn'), error: writerOf('error') })

/** The log of the app whose modules are being loaded, for what they do at their top level and all that they start there. */
const loading = new AsyncLocalStorage<Logger>()

/** That of the app which was loaded last, for what still runs when it has been closed, such as listeners of the process's end. */
let latest: Logger | null = null

/** Runs `load`, which runs an app's modules, so that what they log goes to `logger`, whenever it is that they do. */
export function loadWithLog<Result>(logger: Logger, load: () => Result): Result {
  latest = logger
  return loading.run(logger, load)
}

let outside: Logger | null = null

/**
 * The log of code that runs outside of calls. Where no app is, as for modules that are only looked at, or nobody can know which one it is, that is standard error: standard output
 * may be somebody's data.
 */
function loggerOutsideOfCalls(): Logger {
  const [app, another] = appsOfProcess()
  const own = loading.getStore() ?? (another === undefined ? (app?.ownLog ?? latest) : null)
  return own ?? (outside ??= loggerTo(destination({ fd: 2, sync: true }), 'info'))
}

function writerOf(level: Level): WriteLog {
  return (...given: readonly unknown[]) => {
    const call = currentCall()
    const logger = call?.app.ownLog ?? loggerOutsideOfCalls()
    if (!logger.isLevelEnabled(level)) return
    try {
      const { about, message } = readArguments(given)
      logger[level]({ ...fieldsOf(about, message), ...placeOf(call) }, message)
    } catch (error) {
      // An object may throw when it is looked at, which must not become the failure of whoever wanted to tell something.
      const text = given.find((each) => typeof each === 'string')
      const err = error instanceof Error ? error : new Error('looking at an object of the line threw a value that is no Error')
      logger[level]({ ...placeOf(call), err }, `a log line could not be written as it was given${text === undefined ? '' : `: ${text}`}`)
    }
  }
}

/** What a line is about, and what it says. */
interface Event {
  readonly about: object | null
  readonly message: string | undefined
}

function readArguments([first, ...rest]: readonly unknown[]): Event {
  const [message] = rest
  if (isAbout(first) || ((first === undefined || first === null) && rest.length > 0)) {
    return { about: first ?? null, message: message === undefined ? undefined : format(...rest) }
  }
  const values = typeof first === 'string' ? countPlaceholders(first) : 0
  const last = rest[values]
  if (rest.length === values + 1 && isAbout(last)) return { about: last, message: format(first, ...rest.slice(0, values)) }
  return { about: null, message: format(first, ...rest) }
}

function isAbout(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** As `util.format` counts them. */
function countPlaceholders(text: string): number {
  return [...text.matchAll(/%[sdifjoOc%]/g)].filter(([placeholder]) => placeholder !== '%%').length
}

/** Names that the log gives a meaning of its own. */
const ownNames: ReadonlySet<string> = new Set(['level', 'time', 'requestId', 'endpoint'])

/** The fields of a line. What has a name that is the log's own is called `name_`: an object that came from a client must not pass for another level or another request. */
function fieldsOf(about: object | null, message: string | undefined): Record<string, unknown> {
  if (about === null) return {}
  if (about instanceof Error) return { err: about }
  const shown: unknown = isRequest(about) ? { request: about } : 'toJSON' in about && typeof about.toJSON === 'function' ? about.toJSON() : about
  if (!isAbout(shown)) return { value: shown }
  const fields = Object.entries(shown).map(([name, value]): [string, unknown] => [
    ownNames.has(name) || (name === 'message' && message !== undefined) ? `${name}_` : name,
    isRequest(value) ? { method: value.method, path: value.path } : value,
  ])
  return Object.fromEntries(fields)
}

/** Requests are told by method and path: their headers and attributes hold passwords. */
function isRequest(value: unknown): value is CommonRequest {
  return value instanceof CommonRequest || value === request
}

function placeOf(call: Call | undefined): { readonly requestId?: string; readonly endpoint?: string } {
  return call === undefined ? {} : { requestId: call.requestId, ...(call.endpoint !== null && { endpoint: call.endpoint.path.text }) }
}
