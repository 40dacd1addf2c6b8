import type { JsonValue } from '../../db/values/json-value.js'
import type { UserRow } from '../../db/schema/users-table.js'

/**
 * The session of the browser that has caused a call, as the exports of `rowhouse` see it: one that goes on, or none so far. A call that is isolated has one that nobody keeps.
 */
export interface CallSession {
  /** The name of the stored session; null where there is none. */
  readonly handle: string | null
  /** The user who has signed in in it; null for a visitor. */
  readonly user: UserRow | null
  /** What it keeps, what the call has changed included. */
  readonly values: ReadonlyMap<string, JsonValue>
  /** @throws SessionError when it would be too long, or the answer has begun to be sent */
  set(key: string, value: JsonValue): void
  /** @throws SessionError when the answer has begun to be sent */
  delete(key: string): void
  /** @throws SessionError when the answer has begun to be sent */
  clear(): void
  /** Signs a user in, under a new id. The call is this user's from now on. @throws SessionError when the answer has begun to be sent, and in a transaction */
  logIn(user: UserRow): Promise<void>
  /** Goes on under a new id, for the same user with another password; where the session has ended meanwhile, or the browser cannot be told, it does not. */
  renew(user: UserRow): Promise<void>
  /** Ends the session, and has the browser forget it. The call is nobody's from now on. @throws SessionError when the answer has begun to be sent, and in a transaction */
  logOut(): Promise<void>
  /** Ends all sessions of a user, that of the call among them unless it is to stay. @throws SessionError when that is to end in a transaction */
  endAllOf(user: UserRow, exceptThis: boolean): Promise<number>
  /** A text that only pages of this session have, different each time. @throws SessionError when a session would have to begin, and the answer has begun to be sent */
  csrfToken(): string
}
