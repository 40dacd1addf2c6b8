import type { Dialect } from '../../../db/engine/dialect.js'
import type { SqlRow, Statement } from '../../../db/engine/engine.js'

/** More than one session begins, so that the table shrinks again after a flood, and few, so that no visitor pays for it. */
const sweptAtOnce = 4

const members = 'hash, handle, user_id, epoch, created, last_seen, expires, user_agent, version, data'

/** A session as it is stored. Times are in milliseconds since 1970. */
export interface StoredSession {
  /** What it is found by. */
  readonly hash: string
  /** What it is called by those who may know of it. */
  readonly handle: string
  /** The id of the row of whoever has signed in; null for a visitor. */
  readonly userId: string | null
  /** The user's `sessionEpoch` at that time. */
  readonly epoch: number
  readonly created: number
  readonly lastSeen: number
  readonly expires: number
  /** What the browser calls itself; `''` where it does not say. */
  readonly userAgent: string
  /** Counted up with each change of the values. */
  readonly version: number
  /** Its values, as JSON. */
  readonly data: string
}

/** The statements over `rowhouse_sessions`, in one spelling for every engine. */
export interface SessionStatements {
  /** Hash → the session. */
  readonly find: Statement
  /** All members in their order. */
  readonly insert: Statement
  /** Old hash; new hash, handle, user's id, epoch, created, expires, user agent → the version and values, or no row where the session has ended. What it kept of another user is dropped. */
  readonly replace: Statement
  /** Hash, now. */
  readonly touch: Statement
  /** Hash, version, values → the new version, or no row where there is no such version any more. */
  readonly store: Statement
  /** Hash. */
  readonly end: Statement
  /** Handle → the hash, or no row where there is none. */
  readonly endByHandle: Statement
  /** User's id, hash of the one that stays → the hashes. */
  readonly endOfUser: Statement
  /** User's id, epoch → the sessions, the last used first. */
  readonly list: Statement
  /** The latest time of sessions that are swept: deletes a few. */
  readonly sweep: Statement
}

/** Spells the statements for an engine. */
export function sessionStatements(dialect: Dialect): SessionStatements {
  const places = Array.from({ length: 10 }, (_each, index) => dialect.placeholder(index + 1))
  const [first, second, third, fourth, fifth, sixth, seventh, eighth] = places
  return {
    find: { text: `SELECT ${members} FROM rowhouse_sessions WHERE hash = ${first}` },
    insert: { text: `INSERT INTO rowhouse_sessions (${members}) VALUES (${places.join(', ')})` },
    replace: {
      text: `UPDATE rowhouse_sessions SET hash = ${second}, handle = ${third}, user_id = ${fourth}, epoch = ${fifth}, created = ${sixth}, last_seen = ${sixth}, expires = ${seventh}, user_agent = ${eighth},
          version = version + 1, data = CASE WHEN user_id IS NULL OR user_id = ${fourth} THEN data ELSE '{}' END
        WHERE hash = ${first} RETURNING version, data`,
    },
    touch: { text: `UPDATE rowhouse_sessions SET last_seen = ${second} WHERE hash = ${first} AND last_seen < ${second}` },
    store: { text: `UPDATE rowhouse_sessions SET version = version + 1, data = ${third} WHERE hash = ${first} AND version = ${second} RETURNING version` },
    end: { text: `DELETE FROM rowhouse_sessions WHERE hash = ${first}` },
    endByHandle: { text: `DELETE FROM rowhouse_sessions WHERE handle = ${first} RETURNING hash` },
    endOfUser: { text: `DELETE FROM rowhouse_sessions WHERE user_id = ${first} AND hash <> ${second} RETURNING hash` },
    list: { text: `SELECT ${members} FROM rowhouse_sessions WHERE user_id = ${first} AND epoch = ${second} ORDER BY last_seen DESC, created DESC` },
    sweep: {
      text: `DELETE FROM rowhouse_sessions WHERE hash IN (
        SELECT hash FROM rowhouse_sessions WHERE last_seen <= ${first} ORDER BY last_seen LIMIT ${sweptAtOnce}
      )`,
    },
  }
}

/** A row of {@link SessionStatements.find} or {@link SessionStatements.list}. */
export function readSession(row: SqlRow): StoredSession {
  // The members of the statements in their order, as the table declares them.
  const [hash, handle, userId, epoch, created, lastSeen, expires, userAgent, version, data] = row as [string, string, string | null, number, number, number, number, string, number, string]
  return { hash, handle, userId, epoch, created, lastSeen, expires, userAgent, version, data }
}
