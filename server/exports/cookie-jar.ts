import { describeGiven, isPlainObject } from '../../db/errors/describe-value.js'
import type { JsonValue } from '../../db/values/json-value.js'
import { Media } from '../../db/values/media.js'
import { currentCall } from '../call/call.js'
import { CookieError } from '../http/cookies/cookie-error.js'
import type { CallCookies, CookieScope } from '../http/cookies/call-cookies.js'
import { encodeJson, UnsendableValue } from '../http/reply/encode-json.js'
import { open, seal, sealedLength } from '../services/secrets/sealed-text.js'
import type { Secrets } from '../services/secrets/secrets.js'
import { currentApp } from './running-app.js'

/** Where the cookie of a jar counts, and what it is encrypted with. */
export interface JarPlace {
  readonly scope: CookieScope
  readonly secrets: Secrets
}

/** How long what is put into a jar lasts. */
export interface KeepOptions {
  /** More than 0, up to 400, which is as long as browsers keep a cookie; 30 by default. */
  readonly days?: number
}

/** The type of what a jar gives: that of the default. Nobody but the app itself can have put anything else there. */
type Like<Default> = Default extends string ? string : Default extends number ? number : Default extends boolean ? boolean : Default extends null ? JsonValue : Default

interface Entry {
  /** In seconds since 1970. */
  readonly expires: number
  readonly value: JsonValue
}

type Entries = ReadonlyMap<string, Entry>

/** What is in a jar in one call. */
interface Contents {
  /** Whether the browser has sent something under the name of the cookie. */
  readonly wasSent: boolean
  entries: Entries
}

/** How long the encrypted value may be, in characters: what browsers take, less the room for the name. */
const longest = 4000
const daySeconds = 86_400
/** RFC 6265bis, 5.5. */
const mostDays = 400

/**
 * An encrypted cookie that holds values by key, as far as it is of the current call. It is decrypted when somebody asks first, and written back where something has changed.
 */
export class CookieJar {
  readonly #jar: 'local' | 'shared'

  constructor(jar: 'local' | 'shared') {
    this.#jar = jar
    Object.freeze(this)
  }

  /** The value under a key, or null where there is none, such as one that has expired. @throws Error outside of a call */
  get(key: string): JsonValue
  /** The value under a key, or a default where there is none, such as one that has expired. @throws Error outside of a call */
  get<Default>(key: string, fallback: Default): Like<Default>
  get(key: string, fallback: unknown = null): unknown {
    const entry = this.#contents('get').entries.get(key)
    return entry === undefined ? fallback : entry.value
  }

  /** Whether there is a value under a key. @throws Error outside of a call */
  has(key: string): boolean {
    return this.#contents('has').entries.has(key)
  }

  /**
   * Puts a value under a key, or several under theirs, in place of what is there.
   *
   * @param value anything that JSON can say
   * @throws CookieError when the whole cookie would be longer than 4000 characters (`cookie-too-big`), the value has no form in JSON, as no `Media` has (`cookie-not-json`),
   * or the answer has begun to be sent (`cookie-too-late`); then nothing has changed
   * @throws RangeError for days that are none, TypeError for other options
   * @throws Error outside of a call
   */
  set(key: string, value: unknown, options?: KeepOptions): void
  set(values: Readonly<Record<string, unknown>>, options?: KeepOptions): void
  set(keyOrValues: string | Readonly<Record<string, unknown>>, ...rest: readonly unknown[]): void {
    const isOne = typeof keyOrValues === 'string'
    // Its overloads say so.
    const options = (isOne ? rest[1] : rest[0]) as KeepOptions | undefined
    const { days = 30 } = this.#checked(options)
    const expires = Math.ceil(Date.now() / 1000 + days * daySeconds)
    const given = isOne ? [[keyOrValues, rest[0]] as const] : Object.entries(keyOrValues)
    const contents = this.#contents('set')
    const entries = new Map(contents.entries)
    for (const [key, value] of given) entries.set(key, { expires, value: this.#encode(key, value) })
    this.#write('set', contents, entries)
  }

  /** Takes out what is under a key, if anything. @throws CookieError when the answer has begun to be sent; Error outside of a call */
  delete(key: string): void {
    const contents = this.#contents('delete')
    if (!contents.entries.has(key)) return
    this.#write('delete', contents, new Map([...contents.entries].filter(([each]) => each !== key)))
  }

  /** The same as `delete`. */
  del(key: string): void {
    this.delete(key)
  }

  /** Takes out everything. @throws CookieError when the answer has begun to be sent; Error outside of a call */
  clear(): void {
    this.#write('clear', this.#contents('clear'), new Map())
  }

  #called(method: string): string {
    return `cookies.${this.#jar}.${method}()`
  }

  #place(): JarPlace {
    return currentApp(`cookies.${this.#jar}`).jars[this.#jar]
  }

  #cookies(method: string): CallCookies {
    const cookies = currentCall()?.cookies ?? null
    if (cookies === null) throw new Error(`${this.#called(method)} is only available while an endpoint runs`)
    return cookies
  }

  #contents(method: string): Contents {
    const cookies = this.#cookies(method)
    return cookies.keep(this, () => {
      const { scope, secrets } = this.#place()
      const values = cookies.valuesOf(scope)
      const keys = values.length === 0 ? [] : secrets.keysFor(this.#purpose)
      for (const value of values) {
        const text = open(value, keys, cookies.nameOf(scope))
        if (text === null) continue
        const entries = readEntries(text)
        for (const { value: secret } of entries.values()) cookies.secrets.add(secret)
        return { wasSent: true, entries }
      }
      return { wasSent: values.length > 0, entries: new Map() }
    })
  }

  #write(method: string, contents: Contents, entries: Entries): void {
    const cookies = this.#cookies(method)
    if (cookies.isSent && !cookies.isIsolated) {
      throw new CookieError('cookie-too-late', `${this.#called(method)} came when the answer had begun to be sent; cookies are set before the handler returns, and those of a stream before its first piece`)
    }
    const { scope, secrets } = this.#place()
    if (entries.size > 0) {
      const text = JSON.stringify([...entries].map(([key, { expires, value }]) => [key, expires, value]))
      if (sealedLength(text) > longest) throw new CookieError('cookie-too-big', 'Cookie too big')
      const latest = Math.max(...[...entries.values()].map(({ expires }) => expires))
      const [newest] = secrets.keysFor(this.#purpose)
      cookies.set(scope, seal(text, newest, cookies.nameOf(scope)), { maxAge: latest - Math.ceil(Date.now() / 1000) })
    } else if (contents.wasSent) {
      cookies.set(scope, '', { maxAge: 0 })
    } else {
      cookies.unset(scope)
    }
    contents.entries = entries
  }

  #checked(options: unknown = {}): KeepOptions {
    const isKnown = isPlainObject(options) && Object.keys(options).every((name) => name === 'days')
    if (!isKnown) throw new TypeError(`${this.#called('set')} takes how long a value lasts as { days: 30 }, got ${isPlainObject(options) ? `the options ${Object.keys(options).join(', ')}` : describeGiven(options)}`)
    const { days = 30 } = options
    if (typeof days !== 'number' || !(days > 0 && days <= mostDays)) throw new RangeError(`${this.#called('set')} takes more than 0 and at most ${mostDays} days, got ${describeGiven(days)}`)
    return { days }
  }

  get #purpose(): string {
    return `cookies.${this.#jar}`
  }

  /** As it will be when it comes back. */
  #encode(key: string, value: unknown): JsonValue {
    if (value === undefined) throw new CookieError('cookie-not-json', `${this.#called('set')} got no value for ${JSON.stringify(key)}; take it out with delete()`)
    let json: string
    try {
      json = encodeJson(value, key)
    } catch (error) {
      if (!(error instanceof UnsendableValue)) throw error
      throw new CookieError('cookie-not-json', `${this.#called('set')} takes what JSON can say: ${error.message}`, { cause: error })
    }
    // As JSON it would be a description of itself.
    if (holdsMedia(value)) throw new CookieError('cookie-not-json', `${this.#called('set')} cannot keep the Media under ${JSON.stringify(key)}; keep it in a table, and its row's id here`)
    return JSON.parse(json) as JsonValue
  }
}

/** Of a value without cycles. */
function holdsMedia(value: unknown): boolean {
  if (value instanceof Media) return true
  return (Array.isArray(value) || isPlainObject(value)) && Object.values(value).some(holdsMedia)
}

/** What only this app can have written, and what has expired since left out. */
function readEntries(text: string): Entries {
  const now = Date.now() / 1000
  const stored = JSON.parse(text) as readonly (readonly [key: string, expires: number, value: JsonValue])[]
  return new Map(stored.filter(([, expires]) => expires > now).map(([key, expires, value]) => [key, { expires, value }]))
}
