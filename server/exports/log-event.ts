import { format } from 'node:util'
import { CommonRequest } from '../http/request/common-request.js'
import { request } from './request.js'

/** What one line of the log says. */
export interface LogEvent {
  readonly fields: Readonly<Record<string, unknown>>
  readonly message: string | undefined
}

/** What a line is about, and its text. */
interface Told {
  readonly about: object | null
  readonly message: string | undefined
}

/** Makes a line of what was handed to a method of `log`. @throws what an object throws when it is looked at */
export function readLogEvent(given: readonly unknown[]): LogEvent {
  const { about, message } = readArguments(given)
  return { fields: fieldsOf(about, message), message }
}

function readArguments([first, ...rest]: readonly unknown[]): Told {
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
