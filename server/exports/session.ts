import type { JsonValue } from '../../db/values/json-value.js'
import { Media } from '../../db/values/media.js'
import type { CallSession } from '../call/call-session.js'
import { currentCall } from '../call/call.js'
import { encodeJson, UnsendableValue } from '../http/reply/encode-json.js'
import { SessionError } from '../services/sessions/errors.js'

/** The type of what a session gives: that of the default. Nobody but the app itself can have put anything else there. */
type Like<Default> = Default extends string ? string : Default extends number ? number : Default extends boolean ? boolean : Default extends null ? JsonValue : Default

/**
 * Values that the server keeps for the browser of the caller, by key, before somebody signs in, too. They last as long as the session: until the log-out, 30 minutes without a request, or 30 days after the log-in.
 * Changes are written down with the answer; calls that change different keys at the same time do not undo one another. In a request from another site nothing is kept.
 *
 * @example session.set('cart', [...session.get('cart', []), productId])
 */
export const session = {
  /** The value under a key, or `fallback` where there is none. @throws Error outside of a call */
  get,

  /** Whether there is a value under a key. @throws Error outside of a call */
  has(key: string): boolean {
    return sessionOf('session.has()').values.has(key)
  },

  /**
   * Puts a value under a key, in place of what is there.
   *
   * @param value anything that JSON can say
   * @throws SessionError when the session would keep more than 64 KiB (`session-too-large`), the value has no form in JSON, as no `Media` has (`session-not-json`),
   * or the answer has begun to be sent (`session-too-late`); then nothing has changed
   * @throws Error outside of a call
   */
  set(key: string, value: unknown): void {
    sessionOf('session.set()').set(key, encode(key, value))
  },

  /** Takes out what is under a key, if anything. @throws SessionError when the answer has begun to be sent; Error outside of a call */
  delete(key: string): void {
    sessionOf('session.delete()').delete(key)
  },

  /** Takes out everything; who has signed in stays so. @throws SessionError when the answer has begun to be sent; Error outside of a call */
  clear(): void {
    sessionOf('session.clear()').clear()
  },
} as const

/**
 * A token for a page that an endpoint renders: whoever sends it back, in a field `_csrf` or a header `x-csrf-token`, has the page from this app. It is good as long as the session is; a visitor gets one for it.
 *
 * @throws SessionError when the answer has begun to be sent; Error outside of a call
 * @example `<input type="hidden" name="_csrf" value="${csrfToken()}">`
 */
export function csrfToken(): string {
  return kept(sessionOf('csrfToken()').csrfToken())
}

/**
 * The session of the current call.
 *
 * @param what the export that asks, for the message
 * @throws Error outside of a call
 */
export function sessionOf(what: string): CallSession {
  const current = currentCall()?.session ?? null
  if (current === null) throw new Error(`${what} is only available while an endpoint runs`)
  return current
}

/** Has something hidden from whoever is told of an error. */
function kept<Value>(value: Value): Value {
  currentCall()?.cookies?.secrets.add(value)
  return value
}

function get(key: string): JsonValue
function get<const Default>(key: string, fallback: Default): Like<Default>
function get(key: string, fallback: unknown = null): unknown {
  const { values } = sessionOf('session.get()')
  return values.has(key) ? kept(values.get(key)) : fallback
}

/** As it will be when it comes back. */
function encode(key: string, value: unknown): JsonValue {
  const name = JSON.stringify(key)
  if (value instanceof Media) throw new SessionError('session-not-json', `session.set() cannot keep the Media under ${name}; keep it in a table, and its row's id here`)
  if (value === undefined) throw new SessionError('session-not-json', `session.set() got no value for ${name}; take it out with delete()`)
  try {
    return JSON.parse(encodeJson(value, key)) as JsonValue
  } catch (error) {
    if (!(error instanceof UnsendableValue)) throw error
    throw new SessionError('session-not-json', `session.set() takes what JSON can say: ${error.message}`, { cause: error })
  }
}
