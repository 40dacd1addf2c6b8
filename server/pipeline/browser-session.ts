import type { UserRow } from '../../db/schema/users-table.js'
import type { JsonValue } from '../../db/values/json-value.js'
import type { CallSession } from '../call/call-session.js'
import { nobody, type UserPrincipal } from '../call/principal.js'
import type { CallCookies, CookieScope } from '../http/cookies/call-cookies.js'
import { csrfTokenOf, isCsrfTokenOf } from '../services/sessions/csrf-token.js'
import { SessionError } from '../services/sessions/errors.js'
import { generateSessionId } from '../services/sessions/session-id.js'
import type { StoredSession } from '../services/sessions/session-statements.js'
import { decodeValues, encodeValues, SessionChanges, type SessionValues } from '../services/sessions/session-values.js'
import type { LiveSession, Sessions } from '../services/sessions/sessions.js'
import type { HttpCall } from './http-call.js'

/** Where the sessions of an app are. */
export interface SessionPlace {
  readonly sessions: Sessions
  /** The cookie with the id. */
  readonly scope: CookieScope
}

/** How many cookies of one name are looked at: on plain http a neighbour may have planted others in front of the real one. */
const mostCookies = 4

const noValues: SessionValues = new Map()

/** A session that the database knows. */
interface Kept {
  readonly id: string
  readonly stored: StoredSession
}

/** The session of one request, whichever of its calls asks. */
export class BrowserSession implements CallSession {
  readonly #call: HttpCall
  readonly #cookies: CallCookies
  readonly #place: SessionPlace
  #kept: Kept | null = null
  /** The id of a session that begins with the answer of this call. */
  #newId: string | null = null
  /** Whether a page has been given a token of the new session, so that it has to begin, whatever it keeps. */
  #isShown = false
  #changes = new SessionChanges()
  /** What it keeps, what has changed included; null as long as nobody has asked. */
  #values: SessionValues | null = null
  #user: UserRow | null = null

  constructor(call: HttpCall) {
    this.#call = call
    this.#cookies = call.cookies
    this.#place = call.parts.sessions
  }

  get handle(): string | null {
    return this.#kept?.stored.handle ?? null
  }

  /** What the database finds it by; null where there is none. */
  get hash(): string | null {
    return this.#kept?.stored.hash ?? null
  }

  get user(): UserRow | null {
    return this.#user
  }

  get values(): SessionValues {
    this.#keepFromCaches()
    return (this.#values ??= this.#changes.appliedTo(this.#kept === null ? noValues : decodeValues(this.#kept.stored.data)))
  }

  /** Looks for the session whose id the browser has sent, and gives its user. One that is damaged, unknown or has ended is none. */
  find(): UserPrincipal | null | Promise<UserPrincipal | null> {
    return this.#findAmong(this.#sentIds, 0)
  }

  set(key: string, value: JsonValue): void {
    this.#change((changes) => changes.set(key, value))
  }

  delete(key: string): void {
    if (this.values.has(key)) this.#change((changes) => changes.delete(key))
  }

  clear(): void {
    if (this.values.size > 0) this.#change((changes) => changes.clear())
  }

  async logIn(user: UserRow): Promise<void> {
    this.#refuseIfSent('a log-in')
    this.#refuseInTransaction('a log-in')
    if (!this.#cookies.isIsolated) {
      // What was put into the session of somebody else belongs to that.
      if (this.#user !== null && !this.#user.equals(user)) this.#takeChanges()
      const { id, stored } = await this.#place.sessions.logIn(user, this.#userAgent, this.#kept?.stored ?? null)
      this.#take({ id, stored }, user)
    }
    this.#user = user
    this.#call.identify({ kind: 'user', user })
  }

  async renew(user: UserRow): Promise<void> {
    // Neither could the browser be told.
    if (this.#kept === null || this.#cookies.isSent || this.#place.sessions.isInTransaction) return
    const renewed = await this.#place.sessions.renew(user, this.#userAgent, this.#kept.stored)
    if (renewed === null) {
      this.#forget()
      return
    }
    this.#take(renewed, user)
    this.#call.identify({ kind: 'user', user })
  }

  async logOut(): Promise<void> {
    this.#refuseIfSent('a log-out')
    this.#refuseInTransaction('a log-out')
    const kept = this.#kept
    if (kept !== null) await this.#place.sessions.end(kept.stored.hash)
    this.#forget()
  }

  async endAllOf(user: UserRow, exceptThis: boolean): Promise<number> {
    const isOwn = this.#user?.equals(user) === true
    if (isOwn && !exceptThis) this.#refuseInTransaction('the end of all sessions')
    const except = isOwn && exceptThis ? (this.#kept?.stored ?? null) : null
    const count = await this.#place.sessions.endAllOf(user, except)
    if (isOwn && !exceptThis && !this.#cookies.isSent) this.#forget()
    return count
  }

  csrfToken(): string {
    this.#keepFromCaches()
    if (this.#kept !== null) return csrfTokenOf(this.#kept.id)
    if (this.#newId === null) this.#refuseIfSent('the token of a new session')
    this.#isShown = true
    return csrfTokenOf(this.#begin())
  }

  /** Whether a text is a token of this session, as it was when the request came. */
  hasToken(text: string): boolean {
    return this.#kept !== null && isCsrfTokenOf(this.#kept.id, text)
  }

  /** Writes down what has changed; null where nothing has. To be called before the answer is sent. */
  store(): Promise<void> | null {
    if (this.#cookies.isIsolated || (this.#newId === null && (this.#kept === null || this.#changes.isEmpty))) return null
    return this.#store()
  }

  /** Forgets what has changed and was not written down. */
  withdraw(): void {
    if (this.#newId !== null) this.#cookies.unset(this.#place.scope)
    this.#newId = null
    this.#takeChanges()
    this.#values = null
  }

  #findAmong(ids: readonly string[], position: number): UserPrincipal | null | Promise<UserPrincipal | null> {
    const id = position < mostCookies ? ids[position] : undefined
    if (id === undefined) return null
    const found = this.#place.sessions.find(id)
    const take = (live: LiveSession | null): UserPrincipal | null | Promise<UserPrincipal | null> => (live === null ? this.#findAmong(ids, position + 1) : this.#found(id, live))
    return found instanceof Promise ? found.then(take) : take(found)
  }

  #found(id: string, { stored, user }: LiveSession): UserPrincipal | null {
    this.#keep({ id, stored }, user)
    return user === null ? null : { kind: 'user', user }
  }

  /** Goes on in a session with a new id. */
  #take({ id, stored }: Kept, user: UserRow): void {
    this.#newId = null
    this.#keep({ id, stored }, user)
    this.#setCookie(id)
  }

  async #store(): Promise<void> {
    const { sessions } = this.#place
    const [id, changes] = [this.#newId, this.#takeChanges()]
    this.#newId = null
    if (id !== null) this.#kept = { id, stored: await sessions.begin(id, this.#userAgent, changes) }
    else if (this.#kept !== null) {
      const stored = await sessions.store(this.#kept.stored, changes)
      // Whoever has ended it meanwhile wanted nothing of it to be left.
      this.#kept = stored === null ? null : { ...this.#kept, stored }
    }
  }

  #takeChanges(): SessionChanges {
    const changes = this.#changes
    this.#changes = new SessionChanges()
    return changes
  }

  #change(make: (changes: SessionChanges) => void): void {
    this.#refuseIfSent('a change of the session')
    const change = new SessionChanges()
    make(change)
    const values = change.appliedTo(this.values)
    encodeValues(values)
    make(this.#changes)
    this.#values = values
    if (this.#kept !== null) return
    if (values.size > 0) this.#begin()
    else if (!this.#isShown) {
      this.#newId = null
      this.#cookies.unset(this.#place.scope)
    }
  }

  #begin(): string {
    if (this.#newId === null) {
      this.#newId = generateSessionId()
      this.#setCookie(this.#newId)
    }
    return this.#newId
  }

  #keep(kept: Kept, user: UserRow | null): void {
    this.#kept = kept
    this.#user = user
    this.#values = null
  }

  #forget(): void {
    const hadCookie = this.#kept !== null || this.#sentIds.length > 0
    this.#kept = null
    this.#newId = null
    this.#isShown = false
    this.#takeChanges()
    this.#values = null
    this.#user = null
    if (hadCookie) this.#cookies.set(this.#place.scope, '', { maxAge: 0 })
    else this.#cookies.unset(this.#place.scope)
    this.#call.identify(nobody)
  }

  #setCookie(id: string): void {
    this.#cookies.set(this.#place.scope, id, { maxAge: this.#place.sessions.maxAge })
  }

  /** An answer that depends on the session stays in no cache, unless its author says otherwise. */
  #keepFromCaches(): void {
    const { response } = this.#call
    if (!response.hasHeader('cache-control')) response.header('cache-control', 'no-store')
  }

  get #sentIds(): readonly string[] {
    return this.#cookies.valuesOf(this.#place.scope)
  }

  get #userAgent(): string {
    return this.#call.raw.headers['user-agent'] ?? ''
  }

  /** What is told to the browser cannot be rolled back. */
  #refuseInTransaction(what: string): void {
    if (!this.#cookies.isIsolated && this.#place.sessions.isInTransaction) throw new SessionError('session-in-transaction', `${what} came inside of a transaction, which may be rolled back, and the browser would have been told; it is made before or behind that`)
  }

  #refuseIfSent(what: string): void {
    if (this.#cookies.isSent && !this.#cookies.isIsolated) throw new SessionError('session-too-late', `${what} came when the answer had begun to be sent; it is made before the handler returns, and that of a stream before its first piece`)
  }
}
