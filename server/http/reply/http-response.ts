import type { OutgoingHttpHeaders } from 'node:http'
import { inspect } from 'node:util'
import { assertOwnLine, clearCookieLine, setCookieLine, type CookieAttributes } from '../cookies/set-cookie.js'
import { token } from '../token.js'
import type { SendableBody } from './sendable.js'

/** What the constructor of {@link HttpResponse} takes for headers: a plain object, pairs, or another response's headers. */
export type HeadersInput = Readonly<Record<string, string | number | readonly string[]>> | Iterable<readonly [string, string]>

/** Visible characters, spaces and tabs of Latin-1 (RFC 9110, 5.5); a line break would start another header. */
const fieldValue = /^[\t\x20-\x7e\x80-\xff]*$/

/**
 * The headers of a response. Names are case-insensitive; `set` replaces, `append` adds a line of its own, which is never merged with another.
 */
export class ResponseHeaders implements Iterable<[string, string]> {
  readonly #lines = new Map<string, string[]>()

  constructor(input: HeadersInput = {}) {
    const pairs = isIterable(input) ? input : Object.entries(input)
    for (const [name, value] of pairs) {
      for (const line of Array.isArray(value) ? value : [value]) this.append(name, String(line))
    }
    // headers['location'] = url would set a property that nobody reads; it throws instead.
    Object.preventExtensions(this)
  }

  /** The first line of that name, or null. */
  get(name: string): string | null {
    return this.#lines.get(name.toLowerCase())?.[0] ?? null
  }

  /** All lines of that name. */
  getAll(name: string): string[] {
    return [...(this.#lines.get(name.toLowerCase()) ?? [])]
  }

  has(name: string): boolean {
    return this.#lines.has(name.toLowerCase())
  }

  /** @throws TypeError when the name or the value cannot stand in a header */
  set(name: string, value: string): void {
    this.#lines.set(checkedName(name), [checkedValue(name, value)])
  }

  /** @throws TypeError when the name or the value cannot stand in a header */
  append(name: string, value: string): void {
    const key = checkedName(name)
    const lines = this.#lines.get(key)
    if (lines === undefined) this.#lines.set(key, [checkedValue(name, value)])
    else lines.push(checkedValue(name, value))
  }

  delete(name: string): void {
    this.#lines.delete(name.toLowerCase())
  }

  clear(): void {
    this.#lines.clear()
  }

  *[Symbol.iterator](): Iterator<[string, string]> {
    for (const [name, lines] of this.#lines) {
      for (const line of lines) yield [name, line]
    }
  }

  /** The form in which Node.js writes them. */
  toNode(): OutgoingHttpHeaders {
    return Object.fromEntries([...this.#lines].map(([name, lines]) => [name, lines.length === 1 ? lines[0] : lines]))
  }

  [inspect.custom](): unknown {
    return this.toNode()
  }
}

function isIterable(input: HeadersInput): input is Iterable<readonly [string, string]> {
  return typeof (input as Partial<Iterable<unknown>>)[Symbol.iterator] === 'function'
}

function checkedName(name: string): string {
  if (!token.test(name)) throw new TypeError(`${JSON.stringify(name)} is not a header name (RFC 9110, 5.1)`)
  return name.toLowerCase()
}

function checkedValue(name: string, value: string): string {
  if (!fieldValue.test(value)) {
    throw new TypeError(`the header ${name} was given a value with a line break or a character beyond Latin-1; encode it (encodeURIComponent, or RFC 8187)`)
  }
  if (name.length === 10 && name.toLowerCase() === 'set-cookie') assertOwnLine(value)
  return value
}

type Digit = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9

/** What stands in an error of the compiler where a status is none. Exists in types only. */
interface Expected<What extends string> {
  readonly [expected]: What
}

declare const expected: unique symbol

/**
 * Refuses literal statuses that are none, in a parameter of type `Status & HttpStatus<Status>`. A `number` is looked at
 * when the response is made.
 */
export type HttpStatus<Status extends number> = number extends Status
  ? unknown
  : `${Status}` extends `${2 | 3 | 4 | 5}${Digit}${Digit}`
    ? unknown
    : Expected<'a status from 200 to 599'>

/** The parts of an {@link HttpResponse}, by name. */
export interface HttpResponseParts<Status = number, Body = unknown> {
  readonly status?: Status
  readonly body?: Body
  readonly headers?: HeadersInput
}

/** A reply of which the handler decides status, headers and body. */
export interface HttpResponse {
  status: number
  /** Everything that a handler may return, but for promises and other responses. */
  body: unknown
  /** Changed by its methods; it cannot be replaced. */
  readonly headers: ResponseHeaders

  /**
   * Sets a cookie of the app's own, in plain text; what nobody may read or change belongs in `cookies.local`. Returns this reply.
   *
   * @param value any text; what cannot stand in a cookie is percent-encoded, which `request.cookies` undoes
   * @throws TypeError when a browser would not take it, or its name is one of Rowhouse's own
   */
  setCookie(name: string, value: string, attributes?: CookieAttributes): this

  /**
   * Lets the browser delete a cookie. Returns this reply.
   *
   * @param attributes those with which it was set: path and domain say which cookie is meant
   * @throws TypeError as `setCookie` does
   */
  clearCookie(name: string, attributes?: CookieAttributes): this
}

interface HttpResponseConstructor {
  readonly prototype: HttpResponse
  new <const Status extends number = number, Body = unknown>(
    status?: Status & HttpStatus<Status>,
    body?: Body & SendableBody<Body>,
    headers?: HeadersInput,
  ): HttpResponse
  new <const Status extends number = number, Body = unknown>(
    parts: HttpResponseParts<Status & HttpStatus<Status>, Body & SendableBody<Body>>,
  ): HttpResponse
}

/**
 * Makes a reply of which the handler decides status, headers and body. The body takes everything that a handler may
 * return.
 *
 * @example new HttpResponse(201, { id }, { location: `/tasks/${id}` })
 * @example new HttpResponse({ status: 404 })
 * @throws RangeError when the status is not an integer from 200 to 599
 */
// The type of a class has one list of type parameters for all of it, so what its constructor looks at is said apart.
export const HttpResponse: HttpResponseConstructor = class {
  status: number
  body: unknown
  readonly #headers: ResponseHeaders

  constructor(statusOrParts: number | HttpResponseParts = 200, body: unknown = '', headers?: HeadersInput) {
    const parts = typeof statusOrParts === 'object' ? statusOrParts : { status: statusOrParts, body, headers }
    this.status = parts.status ?? 200
    this.body = parts.body === undefined ? '' : parts.body
    this.#headers = new ResponseHeaders(parts.headers)
    if (!Number.isInteger(this.status) || this.status < 200 || this.status > 599) {
      throw new RangeError(`an HttpResponse takes a status from 200 to 599, got ${String(this.status)}`)
    }
  }

  get headers(): ResponseHeaders {
    return this.#headers
  }

  setCookie(name: string, value: string, attributes?: CookieAttributes): this {
    this.#headers.append('set-cookie', setCookieLine(name, value, attributes))
    return this
  }

  clearCookie(name: string, attributes?: CookieAttributes): this {
    this.#headers.append('set-cookie', clearCookieLine(name, attributes))
    return this
  }
}

const redirections = [301, 302, 303, 307, 308]

/**
 * A reply that sends the client elsewhere.
 *
 * @param url absolute, or relative to the URL of the request; characters beyond ASCII are percent-encoded
 * @param status 301, 302 (the default), 303, 307 or 308
 * @throws RangeError for any other status
 */
export function redirect(url: string, status: 301 | 302 | 303 | 307 | 308 = 302): HttpResponse {
  if (!redirections.includes(status)) throw new RangeError(`redirect() takes one of the statuses ${redirections.join(', ')}, got ${String(status)}`)
  // What a URI may hold stays as it is, percent-encodings and brackets too (RFC 3986, 2).
  return new HttpResponse(status, '', { location: url.toWellFormed().replace(/[^\x21-\x7e]|["<>\\^`{|}]/gu, encodeURIComponent) })
}

/** A JSON reply with a status and headers of its own. */
export function jsonify<Value, const Status extends number>(
  value: Value & SendableBody<Value>,
  status?: Status & HttpStatus<Status>,
  headers?: HeadersInput,
): HttpResponse
export function jsonify(value: unknown, status = 200, headers: HeadersInput = {}): HttpResponse {
  return new HttpResponse(status, new Json(value), headers)
}

/** A value whose JSON is there already. */
export class JsonText {
  constructor(readonly text: string) {}
}

/** Marks a value that is sent as JSON even where its type would choose another form, such as a string. */
export class Json {
  constructor(readonly value: unknown) {}
}
