import type { StorageClass } from '../engine/dialect.js'
import type { SqlValue } from '../engine/engine.js'

/** How the values of a column go into the database and come out. Null never gets here. */
export interface Codec {
  readonly storage: StorageClass
  /** Checks a value that came from outside and encodes it. @throws Refusal */
  encode(value: unknown): SqlValue
  /** What the row gives; left out where that is what the database holds. */
  readonly decode?: (stored: Exclude<SqlValue, null>) => unknown
}

/** A value that a column does not take. Whoever knows table and column turns it into a `TableError`. */
export class Refusal extends Error {
  override readonly name = 'Refusal'

  constructor(
    /** What the column takes, in words that follow "expected". */
    readonly expected: string,
    /** What came, where its type alone does not say it. */
    readonly got?: string,
  ) {
    super(expected)
  }
}
