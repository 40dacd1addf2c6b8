import BetterSqlite3 from 'better-sqlite3'
import type { ReadBudget, SqlRow, SqlValue, Statement } from '../engine/engine.js'
import { plainPlaceholders } from './placeholders.js'

/** How many prepared statements one generation of the cache holds; two generations exist. */
const generationSize = 250

/** One connection to a database file, with its prepared statements. It throws the driver's own errors; see `translateError`. */
export class SqliteConnection {
  readonly #database: BetterSqlite3.Database
  #young = new Map<string, PreparedStatement>()
  #old = new Map<string, PreparedStatement>()

  /** Opens the file, or creates it unless it must exist or is only read. Without a busy timeout, in milliseconds, it never waits for a lock: SQLITE_BUSY comes at once, because waiting would stop the event loop. */
  constructor(file: string, { busyTimeout = 0, mustExist = false, readOnly = false }: { readonly busyTimeout?: number; readonly mustExist?: boolean; readonly readOnly?: boolean } = {}) {
    this.#database = new BetterSqlite3(file, { timeout: busyTimeout, fileMustExist: mustExist, readonly: readOnly })
  }

  /** Whether a transaction is open; SQLite rolls one back by itself after some errors. */
  get inTransaction(): boolean {
    return this.#database.inTransaction
  }

  /** Runs one statement to its end and returns its rows. */
  run({ text, givesId }: Statement, values: readonly SqlValue[]): SqlRow[] {
    const prepared = this.#prepare(text)
    return givesId === true ? [[prepared.insert(values)]] : prepared.run(values)
  }

  /** Like {@link run}, and refuses a statement that writes before it does so. */
  runReadOnly(statement: Statement, values: readonly SqlValue[], budget?: ReadBudget): SqlRow[] {
    const prepared = this.#prepare(statement.text)
    if (!prepared.readOnly) throw new TypeError('read() takes statements that change nothing; use write()')
    return budget === undefined ? prepared.run(values) : prepared.runWithin(budget, values)
  }

  /** Runs a text without values, such as BEGIN or a pragma. */
  execute(text: string): SqlRow[] {
    return this.#prepare(text).run([])
  }

  /** The first value of the first row of a text without values. */
  scalar(text: string): SqlValue | undefined {
    return this.execute(text)[0]?.[0]
  }

  close(): void {
    this.#young.clear()
    this.#old.clear()
    this.#database.close()
  }

  /**
   * Two generations stand in for a list by last use: a statement used again moves to the young one, and a full young generation becomes the old one.
   * It costs one look-up where an exact list would delete and insert on each use.
   */
  #prepare(text: string): PreparedStatement {
    let prepared = this.#young.get(text)
    if (prepared !== undefined) return prepared
    prepared = this.#old.get(text) ?? new PreparedStatement(this.#database, text)
    if (this.#young.size >= generationSize) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(text, prepared)
    return prepared
  }
}

class PreparedStatement {
  readonly readOnly: boolean
  readonly #driver: BetterSqlite3.Statement<unknown[]>
  readonly #order: readonly number[] | undefined
  readonly #returnsRows: boolean

  constructor(database: BetterSqlite3.Database, numbered: string) {
    const { text, order } = plainPlaceholders(numbered)
    this.#driver = database.prepare<unknown[]>(text)
    this.#order = order
    this.#returnsRows = this.#driver.reader
    this.readOnly = this.#driver.readonly
    if (this.#returnsRows) this.#driver.raw(true)
  }

  run(values: readonly SqlValue[]): SqlRow[] {
    const ordered = this.#ordered(values)
    if (this.#returnsRows) {
      // In raw mode each row is an array, and without safe integers its values are those that SqlValue lists.
      return this.#driver.all(ordered) as SqlRow[]
    }
    this.#driver.run(ordered)
    return []
  }

  /** Takes row after row, which costs twice as much as taking all of them, until the budget is used up. */
  runWithin(budget: ReadBudget, values: readonly SqlValue[]): SqlRow[] {
    const rows: SqlRow[] = []
    // The rows are as in `run`. To leave the loop ends the statement.
    for (const row of this.#driver.iterate(this.#ordered(values)) as IterableIterator<SqlRow>) {
      budget.left -= sizeOf(row)
      if (budget.left < 0 && budget.isBegun) {
        budget.isExceeded = true
        break
      }
      budget.isBegun = true
      rows.push(row)
    }
    return rows
  }

  /**
   * Runs an INSERT of one row and gives its id. SQLite carries a RETURNING clause out as a trigger, and a statement with
   * a trigger may fail half-way: it keeps a journal of its own, and inside a savepoint, whose pages lie in the same
   * journal in memory, the end of each such statement walks through all of it.
   */
  insert(values: readonly SqlValue[]): number {
    // Without safe integers it is a number, like every integer that the driver gives.
    return this.#driver.run(this.#ordered(values)).lastInsertRowid as number
  }

  #ordered(values: readonly SqlValue[]): readonly SqlValue[] {
    return this.#order === undefined ? values : this.#inOrder(this.#order, values)
  }

  #inOrder(order: readonly number[], values: readonly SqlValue[]): SqlValue[] {
    return order.map((index) => {
      const value = values[index]
      if (value === undefined) throw new RangeError(`the statement has a placeholder ?${index + 1}, but ${values.length} values were given`)
      return value
    })
  }
}

/** About what a row and each of its values take in memory beside texts and bytes. */
const rowOverhead = 64
const valueOverhead = 16

function sizeOf(row: SqlRow): number {
  let size = rowOverhead
  for (const value of row) {
    size += valueOverhead
    if (typeof value === 'string' || value instanceof Uint8Array) size += value.length
  }
  return size
}
