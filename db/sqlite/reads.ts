import type { ReadBudget, SqlRow, SqlValue, Statement } from '../engine/engine.js'
import type { SqliteConnection } from './connection.js'

interface ReadsParts {
  /** The writer's connection. */
  readonly connection: SqliteConnection
  /** Where reads run while a transaction is open there. */
  readonly reader: SqliteConnection
}

/**
 * How many reads run by themselves after one that had nobody to share with: the first time, and at most. Small numbers
 * divide these, so that, should it have been the last of some reads in its turn, the next try comes with a first one.
 */
const fewestAlone = 6
const mostAlone = 60

/**
 * All reads outside of transactions.
 *
 * They run on the writer's own connection while no transaction is open there, because another connection would lose its
 * whole page cache at each commit and read every page again; during a transaction they run on the reader's.
 *
 * On the writer's connection those of one turn of the event loop share a read transaction: a statement that runs by
 * itself takes SQLite's locks and gives them back, each by a system call. A server that reads once in a turn would only
 * pay for it, so each time that there was nobody to share with, twice as many reads as before run by themselves.
 */
export class Reads {
  readonly #connection: SqliteConnection
  readonly #reader: SqliteConnection
  /** Whether the transaction that is open on the writer's connection is that of this turn's reads. */
  #sharing = false
  /** How many have shared it. */
  #shared = 0
  /** How many reads are to run by themselves before sharing is tried again, and how many of these are left. */
  #alone = 0
  #aloneLeft = 0

  constructor(parts: ReadsParts) {
    this.#connection = parts.connection
    this.#reader = parts.reader
  }

  /**
   * Runs a statement that changes nothing. It sees all that this engine has committed, and of other processes at least
   * what they had committed when the turn began.
   */
  run(statement: Statement, values: readonly SqlValue[], budget?: ReadBudget): SqlRow[] {
    if (!this.#sharing) {
      if (this.#connection.inTransaction) return this.#reader.runReadOnly(statement, values, budget)
      if (this.#aloneLeft > 0) {
        this.#aloneLeft--
        return this.#connection.runReadOnly(statement, values, budget)
      }
      this.#share()
    }
    this.#shared++
    return this.#connection.runReadOnly(statement, values, budget)
  }

  /** Ends what the reads of this turn share, before a write begins on the connection: the next read has to see it. */
  end(): void {
    if (!this.#sharing) return
    this.#alone = this.#shared > 1 ? 0 : Math.min(Math.max(2 * this.#alone, fewestAlone), mostAlone)
    this.#aloneLeft = this.#alone
    this.#sharing = false
    this.#shared = 0
    // After some errors SQLite has ended it already. After others, such as a damaged page, it refuses to commit even
    // what has only read; a rollback it never refuses.
    if (this.#connection.inTransaction) this.#connection.execute('ROLLBACK')
  }

  /**
   * Does the work while each read runs by itself, so that between two of them nothing here has the log in use, however
   * long a turn lasts.
   */
  async apart<T>(work: () => Promise<T>): Promise<T> {
    this.end()
    this.#aloneLeft = Infinity
    try {
      return await work()
    } finally {
      this.#aloneLeft = 0
    }
  }

  #share(): void {
    this.#connection.execute('BEGIN')
    this.#sharing = true
    // It holds the process for this turn, and has to: without that, an immediate waits until something else wakes the
    // event loop.
    setImmediate(this.#endTurn)
  }

  readonly #endTurn = (): void => this.end()
}
