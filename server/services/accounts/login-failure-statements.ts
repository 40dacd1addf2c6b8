import type { Dialect } from '../../../db/engine/dialect.js'
import type { Statement } from '../../../db/engine/engine.js'

const second = 1000
const minute = 60 * second

/**
 * Failures that cost no waiting, of a network and of the wider ones around it. A wider one has more: there are people
 * in it who know nothing of one another.
 */
const freeFailures = [10, 30, 100] as const
/** A count is forgotten this long after the last failure or, when that is later, the end of the wait. Milliseconds. */
const memory = 15 * minute
const firstWait = second
/** Milliseconds. */
export const longestWait = 15 * minute
/** More than one attempt adds, so that the table shrinks again after a flood, and few, so that no attempt pays for it. */
const prunedAtOnce = 4

/** The statements over `rowhouse_login_failures`, in one spelling for every engine. */
export interface LoginFailureStatements {
  /**
   * By the width of the network, the narrowest first. Account, network, now → the number of failures so far. Counts the
   * attempt as failed before it is made, in one statement, so that attempts made at the same time count each other.
   * Returns no row, and changes nothing, while the network has to wait.
   */
  readonly counts: readonly Statement[]
  /** Account, network, now → until when the network has to wait; no row when it does not. */
  readonly wait: Statement
  /** Account, network: there has been no failure. */
  readonly clear: Statement
  /** Now: deletes a few of the counts that are forgotten anyway. */
  readonly prune: Statement
}

/** Spells the statements for an engine. */
export function loginFailureStatements(dialect: Dialect): LoginFailureStatements {
  const [first, second, third] = [1, 2, 3].map((position) => dialect.placeholder(position))
  // PostgreSQL would take a placeholder beside a small number for a small number itself.
  const instant = (placeholder: string | undefined) => `CAST(${placeholder} AS ${dialect.columnType('instant')})`
  const now = instant(third)
  const isForgotten = `(f.last_failure + ${memory} <= ${now} AND f.blocked_until + ${memory} <= ${now})`
  // A wait that is longer than any there can be comes from a clock that has since been set back.
  const waits = `f.blocked_until > ${now} AND f.blocked_until <= ${now} + ${longestWait}`
  return {
    counts: freeFailures.map((free) => ({
      text: `INSERT INTO rowhouse_login_failures AS f (account, network, failures, last_failure, blocked_until)
        VALUES (${first}, ${second}, 1, ${now}, 0)
        ON CONFLICT (account, network) DO UPDATE SET
          failures = CASE WHEN ${isForgotten} THEN 1 ELSE f.failures + 1 END,
          last_failure = ${now},
          blocked_until = CASE
            WHEN ${isForgotten} OR f.failures + 1 < ${free} THEN 0
            WHEN f.failures + 1 = ${free} THEN ${now} + ${firstWait}
            WHEN 2 * (f.blocked_until - f.last_failure) > ${longestWait} THEN ${now} + ${longestWait}
            ELSE ${now} + 2 * (f.blocked_until - f.last_failure)
          END
        WHERE NOT (${waits})
        RETURNING failures`,
    })),
    wait: { text: `SELECT f.blocked_until FROM rowhouse_login_failures AS f WHERE f.account = ${first} AND f.network = ${second} AND ${waits}` },
    clear: { text: `DELETE FROM rowhouse_login_failures WHERE account = ${first} AND network = ${second}` },
    prune: {
      text: `DELETE FROM rowhouse_login_failures WHERE (account, network) IN (
        SELECT account, network FROM rowhouse_login_failures
        WHERE last_failure <= ${instant(first)} - ${memory + longestWait} ORDER BY last_failure LIMIT ${prunedAtOnce}
      )`,
    },
  }
}
