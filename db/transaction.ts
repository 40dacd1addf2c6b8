import type { Commit, Connection, OpenTransaction, SqlRow, SqlValue, Statement } from './engine.js'
import { TableError } from './errors.js'

/** Something to be done in the world outside once a transaction is on the disk. */
export type CommitCallback = () => unknown

/**
 * The writer of a database while one `transaction()` owns it. Statements run in it as long as it is open; once it has ended,
 * code that still belongs to it is told so and never writes outside of it unnoticed.
 */
export class Transaction implements Connection {
  readonly callbacks: CommitCallback[] = []
  readonly #open: OpenTransaction
  readonly #idleLimit: number
  readonly #pending = new Set<Promise<unknown>>()
  #ended: string | undefined
  #idleSince = performance.now()
  #idleTimer: NodeJS.Timeout | undefined
  /** The error of an inner transaction. */
  #innerError: { readonly error: unknown } | undefined

  /** @param idleLimit for how many milliseconds it may do nothing */
  constructor(open: OpenTransaction, idleLimit: number) {
    this.#open = open
    this.#idleLimit = idleLimit
  }

  read(statement: Statement, values: readonly SqlValue[]): Promise<SqlRow[]> {
    return this.#run(async () => this.#open.read(statement, values))
  }

  write(statement: Statement, values: readonly SqlValue[]): Promise<SqlRow[]> {
    return this.#run(() => this.#open.write(statement, values))
  }

  writeMany(statement: Statement, lists: readonly (readonly SqlValue[])[]): Promise<SqlRow[]> {
    return this.#run(() => this.#open.writeMany(statement, lists))
  }

  /** Does the work and commits, or rolls back and rejects with the error of the work. */
  async perform<T>(work: () => Promise<T>): Promise<{ result: T; commit: Commit }> {
    try {
      const result = await this.#whileBusy(work)
      await this.#finishStatements()
      return { result, commit: await this.#open.commit() }
    } catch (error) {
      this.#ended ??= 'it was rolled back after an error'
      await this.#open.rollback()
      throw error
    } finally {
      clearTimeout(this.#idleTimer)
    }
  }

  /** Does the work as a part of this transaction. When it fails the whole transaction does, even if somebody catches the error. */
  async join<T>(work: () => Promise<T>): Promise<T> {
    this.assertOpen()
    try {
      return await work()
    } catch (error) {
      this.#innerError ??= { error }
      throw error
    }
  }

  /** @throws TableError with code `transaction-ended` */
  assertOpen(): void {
    if (this.#ended === undefined) return
    throw new TableError('transaction-ended', `this code belongs to a transaction that has ended: ${this.#ended}; await all that is done inside of transaction()`)
  }

  async #run<T>(start: () => Promise<T>): Promise<T> {
    this.assertOpen()
    const running = start()
    this.#pending.add(running)
    try {
      return await running
    } finally {
      this.#pending.delete(running)
      this.#idleSince = performance.now()
    }
  }

  /** The work, cut off when nothing is asked of the database for too long: all other writes are waiting. */
  #whileBusy<T>(work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const check = (): void => {
        const left = this.#pending.size > 0 ? this.#idleLimit : this.#idleSince + this.#idleLimit - performance.now()
        if (left > 0) {
          this.#idleTimer = setTimeout(check, left)
          return
        }
        this.#ended = `it was rolled back because it did nothing for ${this.#idleLimit / 1000} s while others waited to write`
        reject(new TableError('transaction-ended', `the transaction has ended: ${this.#ended}; do slow things before or after transaction()`))
      }
      check()
      work().then(resolve, reject)
    })
  }

  /** Statements that are still running belong to the transaction: nobody can have caught their error, so they must succeed before it does. */
  async #finishStatements(): Promise<void> {
    this.assertOpen()
    this.#ended = 'its function has returned'
    await Promise.all(this.#pending)
    if (this.#innerError === undefined) return
    const { error } = this.#innerError
    // A conflict has to be seen as one, so that everything is tried again.
    if (error instanceof TableError && error.code === 'busy') throw error
    throw new TableError('transaction-ended', 'the transaction was rolled back because a transaction() inside of it failed', { cause: error })
  }
}
