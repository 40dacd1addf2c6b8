import { describeGiven } from '../../db/errors/describe-value.js'
import { RowIdentity } from '../../db/rows/row-identity.js'
import type { UserRow } from '../../db/schema/users-table.js'
import { currentCall } from '../call/call.js'
import { refusal } from '../http/http-error.js'
import { UserError } from '../services/accounts/errors.js'
import { currentApp } from './running-app.js'
import { sessionOf } from './session.js'

/** A browser in which a user has signed in. */
export interface UserSession {
  /** What `users.endSession()` takes. It opens nothing. */
  readonly handle: string
  /** When the user signed in. */
  readonly created: Date
  /** When the last request came, give or take a minute. */
  readonly lastSeen: Date
  /** What the browser calls itself, its `User-Agent`; `''` where it does not say. */
  readonly userAgent: string
  /** Whether it is that of the current call. */
  readonly isCurrent: boolean
}

/** Which of the sessions of a user are to end. */
export interface EndSessionsOptions {
  /** Whether the session of the current call stays. It does not by default. */
  readonly exceptCurrent?: boolean
}

/** The users of the app, as its modules see them. */
export const users = {
  /**
   * The user of the current call: whoever has signed in in the browser, or whose credentials were verified; null where nobody is signed in.
   *
   * @throws Error outside of a call
   */
  getUser(): UserRow | null {
    const call = currentCall()
    if (call === null || call.kind === 'load') throw new Error('users.getUser() is only available while an endpoint runs')
    return call.principal.kind === 'user' ? call.principal.user : null
  },

  /**
   * The same, where there has to be one: never null.
   *
   * @throws HttpError 401 where nobody is signed in
   * @throws Error outside of a call
   */
  requireUser(): UserRow {
    const user = users.getUser()
    if (user !== null) return user
    const challenges = currentApp('users.requireUser()').challengesFor(currentCall()?.request ?? null)
    throw refusal('unauthorized', 'Unauthorized', { headers: { 'www-authenticate': challenges } })
  },

  /** The user with this e-mail address, whatever its letter case, disabled ones included; null where there is none. */
  byEmail(email: string): Promise<UserRow | null> {
    return currentApp('users.byEmail()').users.byEmail(email)
  },

  /**
   * The user with this e-mail address and password or, whatever the reason, null. It signs nobody in: that is what {@link logIn} is for. Failures are counted per account and network of the caller.
   *
   * @throws errors of the codes `too-many-failures`, a 429, while that network has to wait, and `hashing-overloaded`, a 503, when too many passwords wait to be hashed
   * @throws Error outside of a call
   */
  verify(email: string, password: string): Promise<UserRow | null> {
    const app = currentApp('users.verify()')
    const request = currentCall()?.request ?? null
    if (request === null) throw new Error('users.verify() is only available while an endpoint runs: failures are counted for the network of its caller')
    return app.users.verify(email, password, request.remoteAddress)
  },

  /**
   * Adds a user, enabled. The address is stored without the spaces around it.
   *
   * @param columns values for columns of the app's own
   * @throws errors of the codes `not-an-email`, `email-taken` and `weak-password`, which say what is wrong and answer the
   * request with 400 or 409; `hashing-overloaded`, a 503, when too many passwords wait to be hashed
   * @throws TableError when a column of the app's own lacks a value, or refuses the one it gets
   */
  add(email: string, password: string, columns: Readonly<Record<string, unknown>> = {}): Promise<UserRow> {
    return currentApp('users.add()').users.add(email, password, columns)
  },

  /**
   * Replaces the password of a user and ends what was granted to the old one, all sessions of the user included. Where the user has signed in in the browser of the current call, that goes on, in a new session, unless the answer has begun to be sent or a transaction is open.
   *
   * @throws errors of the codes `no-such-user` and `weak-password`; `hashing-overloaded` as {@link add} does
   */
  async setPassword(email: string, password: string): Promise<void> {
    const app = currentApp('users.setPassword()')
    const session = currentCall()?.session ?? null
    await app.users.setPassword(email, password)
    if (session === null || session.user === null) return
    const user = await app.users.byEmail(email)
    if (user?.equals(session.user) === true) await session.renew(user)
  },

  /**
   * Signs a user in, in the browser of the current call, in a session with a new id: what the browser kept before stays, unless it was another user's. From now on the call is this user's, and so is every request of this browser
   * until the session ends. In a request from another site the browser gets nothing, and only the call is the user's.
   *
   * @param user who has shown who it is, such as by {@link verify}: it is not asked for again
   * @throws an error of the code `no-such-user` for a user who is gone or disabled
   * @throws SessionError when the answer has begun to be sent, and inside of a transaction; Error outside of a call
   */
  async logIn(user: UserRow): Promise<UserRow> {
    const session = sessionOf('users.logIn()')
    const current = await currentUser('users.logIn()', user)
    await session.logIn(current)
    return current
  },

  /** The same as {@link logIn}; with null, as {@link logOut}. */
  async forceLogin(user: UserRow | null): Promise<UserRow | null> {
    if (user !== null) return users.logIn(user)
    await users.logOut()
    return null
  },

  /**
   * Ends the session of the current call, everywhere and at once, and has the browser forget it, with all that was kept in it. Where there is none, or it has ended already, that is no mistake. From now on the call is nobody's.
   *
   * @throws SessionError when the answer has begun to be sent, and inside of a transaction; Error outside of a call
   */
  async logOut(): Promise<void> {
    await sessionOf('users.logOut()').logOut()
  },

  /**
   * The browsers in which a user has signed in, the last used first.
   *
   * @param user whoever is signed in in the current call by default
   * @throws HttpError 401 where that is nobody
   */
  async sessions(user?: UserRow): Promise<readonly UserSession[]> {
    const app = currentApp('users.sessions()')
    const current = await app.users.current(idOf('users.sessions()', user ?? users.requireUser()))
    const handleOfCall = currentCall()?.session?.handle ?? null
    const stored = current === null ? [] : await app.sessions.listOf(current)
    return stored.map(({ handle, created, lastSeen, userAgent }) => ({ handle, created: new Date(created), lastSeen: new Date(lastSeen), userAgent, isCurrent: handle === handleOfCall }))
  },

  /** Ends a session that {@link sessions} has told of, everywhere and at once; false where it has ended already. The user whose it is may do so, and whoever else the endpoint lets. */
  async endSession(handle: string): Promise<boolean> {
    const app = currentApp('users.endSession()')
    const session = currentCall()?.session ?? null
    if (session !== null && session.handle === handle) {
      await session.logOut()
      return true
    }
    return app.sessions.endByHandle(handle)
  },

  /**
   * Ends all sessions of a user, everywhere and at once, and resolves to how many there were. Credentials that are sent with each request stay good.
   *
   * @throws TypeError for what is no row
   */
  async endSessions(user: UserRow, { exceptCurrent = false }: EndSessionsOptions = {}): Promise<number> {
    idOf('users.endSessions()', user)
    const session = currentCall()?.session ?? null
    return session === null ? currentApp('users.endSessions()').sessions.endAllOf(user, null) : session.endAllOf(user, exceptCurrent)
  },

  /** The same as {@link getUser}. */
  get_user(): UserRow | null {
    return users.getUser()
  },
  /** The same as {@link logOut}. */
  logout(): Promise<void> {
    return users.logOut()
  },
  /** The same as {@link forceLogin}. */
  force_login(user: UserRow | null): Promise<UserRow | null> {
    return users.forceLogin(user)
  },
} as const

function idOf(what: string, user: UserRow): string {
  if (!(user instanceof RowIdentity)) throw new TypeError(`${what} takes a row of users, got ${describeGiven(user)}`)
  return user.getId()
}

async function currentUser(what: string, user: UserRow): Promise<UserRow> {
  const current = await currentApp(what).users.current(idOf(what, user))
  if (current === null) throw new UserError('no-such-user', `${what} got a user who is gone or disabled`)
  return current
}
