import type { Dialect } from '../../../db/engine/dialect.js'
import type { Statement } from '../../../db/engine/engine.js'

/** More than one write adds, so that the table shrinks again after a flood, and few, so that no write pays for it. */
const prunedAtOnce = 4

/** The statements over `rowhouse_rate_limits`, in one spelling for every engine. */
export interface RateLimitStatements {
  /** Key → when its quota is whole again; no row where nothing is known of it. */
  readonly read: Statement
  /**
   * Key, what is known here, what the requests that nobody else knows of take, and the latest that can be true → when
   * its quota is whole again, after these requests and those of all others.
   */
  readonly add: Statement
  /** Now: deletes a few of the rows that say nothing any more. */
  readonly prune: Statement
  /** Now: deletes all of them. */
  readonly pruneAll: Statement
}

/** Spells the statements for an engine. */
export function rateLimitStatements(dialect: Dialect): RateLimitStatements {
  const [first, second, third, fourth] = [1, 2, 3, 4].map((position) => dialect.placeholder(position))
  // PostgreSQL takes the type of a placeholder from what stands beside it, which may be nothing.
  const time = (placeholder: string | undefined) => `CAST(${placeholder} AS ${dialect.columnType('real')})`
  const isOver = `whole_at <= ${time(first)}`
  const added = `r.whole_at + ${time(third)}`
  return {
    read: { text: `SELECT whole_at FROM rowhouse_rate_limits WHERE key = ${first}` },
    add: {
      text: `INSERT INTO rowhouse_rate_limits AS r (key, whole_at) VALUES (${first}, ${time(second)})
        ON CONFLICT (key) DO UPDATE SET whole_at = CASE
          WHEN r.whole_at > ${time(fourth)} OR ${added} < ${time(second)} THEN ${time(second)}
          ELSE ${added}
        END
        RETURNING whole_at`,
    },
    prune: {
      text: `DELETE FROM rowhouse_rate_limits WHERE key IN (
        SELECT key FROM rowhouse_rate_limits WHERE ${isOver} ORDER BY whole_at LIMIT ${prunedAtOnce}
      )`,
    },
    pruneAll: { text: `DELETE FROM rowhouse_rate_limits WHERE ${isOver}` },
  }
}
