import { destination, type DestinationStream, type Logger } from 'pino'
import { currentCall, type Call } from '../call/call.js'
import { hideInError } from '../http/hide-secrets.js'
import { broughtBy, nothingBrought } from '../http/request/brought.js'
import { CommonRequest } from '../http/request/common-request.js'
import { loggerTo } from '../logging/open-log.js'
import { plainError } from '../logging/plain-error.js'
import { readLogEvent, type LogEvent } from './log-event.js'
import { runningApps } from './running-app.js'

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

/** What cannot be written there can be told nowhere. */
function standardError(): DestinationStream {
  return destination({ fd: 2, sync: true }).on('error', () => undefined)
}

let outside: Logger | null = null

/** The log of code that belongs to no app, or to nobody knows which one: standard error, since standard output may be somebody's data. */
function logOutsideOfApps(): Logger {
  return (outside ??= loggerTo(standardError(), 'info'))
}

function writerOf(level: Level): WriteLog {
  return (...given: readonly unknown[]) => {
    const call = currentCall()
    const logger = runningApps.currentLog() ?? logOutsideOfApps()
    if (!logger.isLevelEnabled(level)) return
    try {
      const { fields, message } = withoutSecrets(readLogEvent(given), call)
      logger[level]({ ...fields, ...placeOf(call) }, message)
    } catch (error) {
      // An object may throw when it is looked at, which must not become the failure of whoever wanted to tell something.
      const text = given.find((each) => typeof each === 'string')
      const err = error instanceof Error ? error : new Error('looking at an object of the line threw a value that is no Error')
      logger[level]({ ...placeOf(call), err }, `a log line could not be written as it was given${text === undefined ? '' : `: ${text}`}`)
    }
  }
}

/** Errors say what others have put into them; what is secret in that is hidden. Everything else is the author's own word. */
function withoutSecrets(event: LogEvent, call: Call | null): LogEvent {
  const { fields, message } = event
  const errors = Object.entries(fields).filter((field): field is [string, Error] => field[1] instanceof Error)
  if (errors.length === 0) return event
  const request = call?.request ?? null
  const hide = hideInError(request === null ? nothingBrought : broughtBy(CommonRequest.stateOf(request).raw))
  const { err } = fields
  return {
    fields: { ...fields, ...Object.fromEntries(errors.map(([name, error]) => [name, plainError(error, hide)])) },
    message: message ?? (err instanceof Error ? hide(err.message) : undefined),
  }
}

function placeOf(call: Call | null): { readonly requestId?: string; readonly endpoint?: string } {
  if (call === null || call.requestId === null) return {}
  return { requestId: call.requestId, ...(call.endpoint !== null && { endpoint: call.endpoint.path.text }) }
}
