import type { Database } from '../../../db/database.js'
import type { SqlRow, SqlValue } from '../../../db/engine/engine.js'
import type { UserRow } from '../../../db/schema/users-table.js'
import { second } from '../../settings/checks.js'
import type { SessionsSettings } from './sessions-settings.js'
import { generateHandle, generateSessionId, hashOfId, isSessionId } from './session-id.js'
import { readSession, sessionStatements, type SessionStatements, type StoredSession } from './session-statements.js'
import { decodeValues, encodeValues, type SessionChanges } from './session-values.js'

/** How long the last request of a session may be ago before the next one is written down, in milliseconds; a tenth of a shorter idle timeout. */
const touchInterval = 60 * second
/** Longer ones are cut, in characters. */
const longestUserAgent = 200

/** What the service of sessions works with. */
export interface SessionsOptions {
  readonly database: Database
  readonly settings: SessionsSettings
  /** Reads a user anew; null for one who is gone or disabled. */
  readonly currentUser: (id: string) => Promise<UserRow | null>
  /** Does what nobody waits for, and on nobody's behalf; what it throws is not told. */
  readonly aside: (work: () => Promise<unknown>) => void
  /** Milliseconds since 1970, the same for all processes of an app. Default: the system's clock. */
  readonly now?: () => number
}

/** A session that goes on. */
export interface LiveSession {
  readonly stored: StoredSession
  /** Whoever has signed in, as the table has it now; null for a visitor. */
  readonly user: UserRow | null
}

/** A session that has just got its id, which is told to nobody but its browser. */
export interface NewSession extends LiveSession {
  readonly id: string
}

/**
 * What browsers keep for an app: who has signed in, and a few values. Each is known by a random id, of which the database has a hash. All processes and the next start know of them.
 *
 * A session ends when it was idle for too long, when it is too old, when its user is gone, disabled or has another password, and when somebody ends it.
 */
export class Sessions {
  readonly #database: Database
  readonly #statements: SessionStatements
  readonly #idleTimeout: number
  readonly #lifetime: number
  readonly #touchInterval: number
  readonly #currentUser: SessionsOptions['currentUser']
  readonly #aside: SessionsOptions['aside']
  readonly #now: () => number
  /** The sessions of which it is being written down that there was a request. */
  readonly #touching = new Set<string>()

  constructor({ database, settings, currentUser, aside, now = Date.now }: SessionsOptions) {
    this.#database = database
    this.#statements = sessionStatements(database.dialect)
    this.#idleTimeout = settings.sessionIdleTimeout
    this.#lifetime = settings.sessionLifetime
    this.#touchInterval = Math.min(touchInterval, this.#idleTimeout / 10)
    this.#currentUser = currentUser
    this.#aside = aside
    this.#now = now
  }

  /** How long a browser keeps the id of a new session, in seconds. */
  get maxAge(): number {
    return Math.floor(this.#lifetime / 1000)
  }

  /**
   * The session with this id, or null: there is none, or it has ended; at once where the engine and the session allow it. Written without async and await, since it runs on every request of a session, and each promise costs something. That there was a request is written down aside, at most once a minute: so a session may end up to a minute too early, or a tenth of a shorter idle timeout, and never too late.
   */
  find(id: string): LiveSession | null | Promise<LiveSession | null> {
    if (!isSessionId(id)) return null
    return this.#find(hashOfId(id), true)
  }

  /** Whether a session goes on that {@link find} has found. Asking is no request. */
  async isLive(hash: string): Promise<boolean> {
    return (await this.#find(hash, false)) !== null
  }

  /** Begins a session with an id that {@link generateSessionId} has made, for a visitor, with what was changed in it so far. */
  async begin(id: string, userAgent: string, changes: SessionChanges): Promise<StoredSession> {
    return this.#insert(id, null, userAgent, encodeValues(changes.appliedTo(new Map())))
  }

  /**
   * Signs a user in: the session gets a new id, so that nobody who knew the one before is signed in, too, and a whole lifetime. What it keeps stays, unless that is another user's.
   *
   * @param previous the session of the browser so far, which has ended then; null where it has none
   */
  async logIn(user: UserRow, userAgent: string, previous: StoredSession | null): Promise<NewSession> {
    const id = generateSessionId()
    const stored = (previous === null ? null : await this.#replace(previous, id, user, userAgent)) ?? (await this.#insert(id, user, userAgent, '{}'))
    return { id, stored, user }
  }

  /** Whether what is written now may still be rolled back. */
  get isInTransaction(): boolean {
    return this.#database.isInTransaction
  }

  /** Gives the session of a user a new id, and what the user has now: null where it has ended meanwhile, and then stays so. */
  async renew(user: UserRow, userAgent: string, previous: StoredSession): Promise<NewSession | null> {
    const id = generateSessionId()
    const stored = await this.#replace(previous, id, user, userAgent)
    return stored === null ? null : { id, stored, user }
  }

  /**
   * Writes down what was changed in a session, on top of what others have changed meanwhile. Of one that has ended nothing is left to be changed.
   *
   * @throws SessionError when it is too long, together with what others have added
   */
  async store(session: StoredSession, changes: SessionChanges): Promise<StoredSession | null> {
    for (let present: StoredSession | null = session; present !== null; present = await this.#readAgain(session.hash)) {
      const data = encodeValues(changes.appliedTo(decodeValues(present.data)))
      if (data === present.data) return present
      const [stored] = await this.#database.write(this.#statements.store, [present.hash, present.version, data])
      if (stored !== undefined) return { ...present, data, version: Number(stored[0]) }
    }
    return null
  }

  /** Ends a session, everywhere and at once. */
  async end(hash: string): Promise<void> {
    await this.#database.write(this.#statements.end, [hash])
  }

  /** Ends the session of this name; false where there is none. */
  async endByHandle(handle: string): Promise<boolean> {
    return (await this.#database.write(this.#statements.endByHandle, [handle])).length > 0
  }

  /** Ends all sessions of a user but one, and resolves to how many there were. */
  async endAllOf(user: UserRow, except: StoredSession | null): Promise<number> {
    return (await this.#database.write(this.#statements.endOfUser, [user.getId(), except?.hash ?? ''])).length
  }

  /** The sessions of a user that go on, the last used first. */
  async listOf(user: UserRow): Promise<readonly StoredSession[]> {
    const rows = await this.#database.read(this.#statements.list, [user.getId(), user.sessionEpoch])
    return rows.map(readSession).filter((session) => this.#isInTime(session))
  }

  /** @param isRequest whether this is to be written down */
  #find(hash: string, isRequest: boolean): LiveSession | null | Promise<LiveSession | null> {
    const rows = this.#database.read(this.#statements.find, [hash])
    return rows instanceof Promise ? rows.then((settled) => this.#liveOf(settled, isRequest)) : this.#liveOf(rows, isRequest)
  }

  #liveOf([row]: readonly SqlRow[], isRequest: boolean): LiveSession | null | Promise<LiveSession | null> {
    const stored = row === undefined ? null : readSession(row)
    if (stored === null || !this.#isInTime(stored)) return null
    if (stored.userId !== null) return this.#currentUser(stored.userId).then((user) => this.#ofUser(stored, user, isRequest))
    if (isRequest) this.#touch(stored)
    return { stored, user: null }
  }

  #ofUser(stored: StoredSession, user: UserRow | null, isRequest: boolean): LiveSession | null {
    // It does not come back to life with a user who is let in again: that counts as another epoch. It is left to be swept away, since the one whose password has changed may go on with it.
    if (user?.sessionEpoch !== stored.epoch) return null
    if (isRequest) this.#touch(stored)
    return { stored, user }
  }

  #touch({ hash, lastSeen }: StoredSession): void {
    const now = this.#now()
    if (now - lastSeen < this.#touchInterval || this.#touching.has(hash)) return
    this.#touching.add(hash)
    this.#aside(() => this.#database.write(this.#statements.touch, [hash, now]).finally(() => this.#touching.delete(hash)))
  }

  async #readAgain(hash: string): Promise<StoredSession | null> {
    const [row] = await this.#database.read(this.#statements.find, [hash])
    return row === undefined ? null : readSession(row)
  }

  #isInTime({ lastSeen, expires }: StoredSession): boolean {
    const now = this.#now()
    return now < expires && now - lastSeen < this.#idleTimeout
  }

  async #insert(id: string, user: UserRow | null, userAgent: string, data: string): Promise<StoredSession> {
    const now = this.#now()
    const session = this.#new(id, user, userAgent, { version: 0, data })
    const { hash, handle, userId, epoch, created, lastSeen, expires, version } = session
    const values: readonly SqlValue[] = [hash, handle, userId, epoch, created, lastSeen, expires, session.userAgent, version, data]
    await this.#database.write(this.#statements.insert, values)
    this.#aside(() => this.#database.write(this.#statements.sweep, [now - this.#idleTimeout]))
    return session
  }

  async #replace(previous: StoredSession, id: string, user: UserRow, userAgent: string): Promise<StoredSession | null> {
    const session = this.#new(id, user, userAgent, previous)
    const { hash, handle, userId, epoch, created, expires } = session
    const [row] = await this.#database.write(this.#statements.replace, [previous.hash, hash, handle, userId, epoch, created, expires, session.userAgent])
    return row === undefined ? null : { ...session, version: Number(row[0]), data: String(row[1]) }
  }

  #new(id: string, user: UserRow | null, userAgent: string, { version, data }: Pick<StoredSession, 'version' | 'data'>): StoredSession {
    const now = this.#now()
    return {
      hash: hashOfId(id),
      handle: generateHandle(),
      userId: user?.getId() ?? null,
      epoch: user?.sessionEpoch ?? 0,
      created: now,
      lastSeen: now,
      expires: now + this.#lifetime,
      userAgent: userAgent.toWellFormed().replaceAll('\0', '').slice(0, longestUserAgent).toWellFormed(),
      version,
      data,
    }
  }
}
