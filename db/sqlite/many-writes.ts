import type { SqlRow, SqlValue, Statement } from '../engine/engine.js'
import type { SqliteConnection } from './connection.js'

/** Up to this many lists run in one go; more of them run in slices, between which the event loop is free. */
export const sliceLists = 250

/** How long a slice lasts, in milliseconds, and after how many lists it looks at the clock. */
const sliceTime = 4
const clockLists = 25

/** One statement for many lists of values inside an open transaction: all of them, or none. */
export class ManyWrites {
  readonly rows: SqlRow[] = []
  readonly #connection: SqliteConnection
  readonly #statement: Statement
  readonly #lists: readonly (readonly SqlValue[])[]
  #next = 0

  /** Opens the savepoint to which a failure goes back. */
  constructor(connection: SqliteConnection, statement: Statement, lists: readonly (readonly SqlValue[])[]) {
    this.#connection = connection
    this.#statement = statement
    this.#lists = lists
    connection.execute('SAVEPOINT rowhouse_many')
  }

  /** Runs all lists that are left. */
  finish(): SqlRow[] {
    while (!this.#advance(Infinity));
    return this.rows
  }

  /** Runs lists for some milliseconds. Returns whether all of them have run; until then nothing else must use the connection. */
  slice(): boolean {
    return this.#advance(performance.now() + sliceTime)
  }

  #advance(until: number): boolean {
    try {
      while (this.#next < this.#lists.length) {
        if (this.#next % clockLists === clockLists - 1 && performance.now() > until) return false
        const values = this.#lists[this.#next++] ?? []
        for (const row of this.#connection.run(this.#statement, values)) this.rows.push(row)
      }
      this.#connection.execute('RELEASE rowhouse_many')
      return true
    } catch (error) {
      // After some errors SQLite has already rolled back the whole transaction, and the savepoint with it.
      if (this.#connection.inTransaction) {
        this.#connection.execute('ROLLBACK TO rowhouse_many')
        this.#connection.execute('RELEASE rowhouse_many')
      }
      throw error
    }
  }
}
