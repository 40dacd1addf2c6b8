import type { FastifyReply, FastifyRequest } from 'fastify'
import { cookieHeaderOf, cookiesIn } from './cookie-header.js'
import { writeCookie, type CookieAttributes } from './set-cookie.js'

/** Under which a request has its cookies. */
export const cookiesOf = Symbol("Rowhouse's own cookies of the request")

declare module 'fastify' {
  interface FastifyRequest {
    /** Rowhouse's own cookies, once somebody has asked for them. */
    [cookiesOf]?: CallCookies | null
  }
}

/** What has to be known of the call in which a request is answered. */
interface AnsweringCall {
  readonly response: FastifyReply
  readonly isIsolated: boolean
  readonly isByHttps: boolean
}

/** Where a cookie counts. */
export interface CookieScope {
  /** As `platformCookieName` gives it. */
  readonly name: string
  /** A domain that the host of the request may belong to; null for the host alone. */
  readonly domain: string | null
}

/**
 * Rowhouse's own cookies in one request and its answer, whoever makes that: what is set is in every answer, also where it tells of an error, since what has happened before that has happened.
 * A request that is isolated has none, and sets none.
 */
export class CallCookies {
  /** Whether the browser reaches the app by https. */
  readonly isSecure: boolean
  /** Whether the request comes from another site: it brings nothing, and takes nothing away. */
  readonly isIsolated: boolean
  /** What nobody else must get to see, as far as somebody has looked: what stands in the cookies that came, and what is kept for the browser elsewhere. */
  readonly secrets = new Set<unknown>()
  readonly #request: FastifyRequest
  readonly #response: FastifyReply
  #received: ReadonlyMap<string, readonly string[]> | null = null
  readonly #lines = new Map<string, string>()
  readonly #kept = new Map<object, unknown>()
  #isSent = false

  private constructor(request: FastifyRequest, { response, isIsolated, isByHttps }: AnsweringCall) {
    this.#request = request
    this.#response = response
    this.isIsolated = isIsolated
    this.isSecure = isByHttps
  }

  /** Those of a request, made when somebody asks first. */
  static of(request: FastifyRequest, call: AnsweringCall): CallCookies {
    return (request[cookiesOf] ??= new CallCookies(request, call))
  }

  /**
   * Puts the lines that were set for a request on its answer, beside those that are there. To be called when nothing else can be set; what is there already is not added again.
   */
  static addTo(response: FastifyReply): void {
    const cookies = response.request[cookiesOf] ?? null
    if (cookies === null) return
    cookies.#isSent = true
    if (cookies.#lines.size === 0) return
    const present = [response.getHeader('set-cookie') ?? []].flat()
    const missing = [...cookies.#lines.values()].filter((line) => !present.includes(line))
    // In a list of their own: Fastify adds to the one that is there, which may be an author's and serve other answers, too.
    response.removeHeader('set-cookie').header('set-cookie', [...present, ...missing])
    // A cache between several people would give all of them the same cookie, whatever the author has thought of the rest.
    if (!isForOne(response.getHeader('cache-control'))) response.header('cache-control', 'no-store')
  }

  /** The lines that were set for a request. */
  static linesOf(request: FastifyRequest): readonly string[] {
    const cookies = request[cookiesOf] ?? null
    return cookies === null ? [] : [...cookies.#lines.values()]
  }

  /** Whether the answer has been sent as far as its headers: nothing more can be set. */
  get isSent(): boolean {
    return this.#isSent || this.#response.raw.headersSent
  }

  /** The values that came under the name that a cookie has here, in the order of the header: several where a stranger has planted one for a parent domain. */
  valuesOf(scope: CookieScope): readonly string[] {
    if (this.isIsolated) return []
    this.#received ??= receive(cookieHeaderOf(this.#request.raw))
    return this.#received.get(this.nameOf(scope)) ?? []
  }

  /**
   * The name that a cookie has here: over https with the prefix by which browsers keep other hosts from setting one of the same name (RFC 6265bis, 4.1.3).
   */
  nameOf(scope: CookieScope): string {
    if (!this.isSecure) return scope.name
    return (this.#domainOf(scope) === undefined ? '__Host-' : '__Secure-') + scope.name
  }

  /**
   * Sets a cookie, in place of what was set for it before. It is for the whole app, not for scripts, and not sent by other sites; over https it is sent by nothing else. In an isolated request nothing happens.
   *
   * @param value made of characters that a cookie may have
   * @param maxAge how long it lasts, in seconds; 0 deletes it, and without one it lasts as long as the browser is open
   */
  set(scope: CookieScope, value: string, { maxAge, sameSite }: Pick<CookieAttributes, 'maxAge' | 'sameSite'> = {}): void {
    if (this.isIsolated) return
    const name = this.nameOf(scope)
    const domain = this.#domainOf(scope)
    const attributes = { secure: this.isSecure, ...(domain !== undefined && { domain }), ...(sameSite !== undefined && { sameSite }), ...(maxAge !== undefined && { maxAge }) }
    this.#lines.set(name, writeCookie(name, value, attributes))
  }

  /** Takes back what was set for a cookie, so that the answer says nothing about it. */
  unset(scope: CookieScope): void {
    this.#lines.delete(this.nameOf(scope))
  }

  /** What somebody keeps as long as the request lasts, made when it is asked for first. */
  keep<Value>(owner: object, make: () => Value): Value {
    if (!this.#kept.has(owner)) this.#kept.set(owner, make())
    // Only what `make` has made for this owner is under it.
    return this.#kept.get(owner) as Value
  }

  /** A browser does not take a cookie for a domain that the host does not belong to. */
  #domainOf({ domain }: CookieScope): string | undefined {
    if (domain === null) return undefined
    const host = this.#request.host.replace(/:\d+$/, '').toLowerCase()
    return host === domain || host.endsWith(`.${domain}`) ? domain : undefined
  }
}

/** Whether a `Cache-Control` keeps the whole answer out of shared caches (RFC 9111, 5.2.2.5 and 5.2.2.7). */
function isForOne(header: unknown): boolean {
  return typeof header === 'string' && header.split(',').some((directive) => /^\s*(?:no-store|private)\s*$/i.test(directive))
}

function receive(header: string | undefined): ReadonlyMap<string, readonly string[]> {
  const received = new Map<string, string[]>()
  for (const [name, value] of header === undefined ? [] : cookiesIn(header)) {
    const values = received.get(name)
    if (values === undefined) received.set(name, [value])
    else values.push(value)
  }
  return received
}
