import type { JsonValue } from '../../../db/values/json-value.js'
import { SessionError } from './errors.js'

/** What a session keeps, by key. */
export type SessionValues = ReadonlyMap<string, JsonValue>

/** How long the values of a session may be together, as JSON in bytes: every request with the session reads them. */
const longest = 64 * 1024

/** What one call has changed in the values of a session. Only that is written, on top of what is there by then, so that calls which change different keys at the same time do not undo one another. */
export class SessionChanges {
  #isCleared = false
  /** Undefined for what was taken out. */
  readonly #values = new Map<string, JsonValue | undefined>()

  get isEmpty(): boolean {
    return !this.#isCleared && this.#values.size === 0
  }

  set(key: string, value: JsonValue): void {
    this.#values.set(key, value)
  }

  delete(key: string): void {
    this.#values.set(key, undefined)
  }

  clear(): void {
    this.#isCleared = true
    this.#values.clear()
  }

  /** The values with these changes. */
  appliedTo(values: SessionValues): SessionValues {
    const changed = new Map(this.#isCleared ? [] : values)
    for (const [key, value] of this.#values) {
      if (value === undefined) changed.delete(key)
      else changed.set(key, value)
    }
    return changed
  }
}

/** @throws SessionError when they are too long */
export function encodeValues(values: SessionValues): string {
  const text = JSON.stringify(Object.fromEntries(values))
  const length = Buffer.byteLength(text)
  if (length > longest) throw new SessionError('session-too-large', `a session keeps values of at most ${longest} bytes of JSON together, and these are ${length}; keep what is longer in a table, and its row's id here`)
  return text
}

/** Decodes what {@link encodeValues} has made. */
export function decodeValues(text: string): SessionValues {
  return new Map(Object.entries(JSON.parse(text) as Readonly<Record<string, JsonValue>>))
}
