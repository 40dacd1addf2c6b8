import type { Commit, Connection, OpenTransaction, ReadBudget, SqlRow, SqlValue, Statement } from '../engine/engine.js'
import { TableError } from '../errors/errors.js'
import type { Refusals } from './refusals.js'

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
  /** What consists of several statements and has not come to its end. */
  readonly #parts = new Set<Promise<unknown>>()
  /** How to make each renewed row what it was before; a row that nobody holds any more needs nothing back. */
  readonly #undo = new WeakMap<object, () => void>()
  readonly #renewed: WeakRef<object>[] = []
  #ended: string | undefined
  #idleSince = performance.now()
  #idleTimer: NodeJS.Timeout | undefined
  #returned = false
  #rolledBack = false
  readonly #watch: Refusals
  /** The errors of writes in it that were refused. */
  #refusals: Set<unknown> | undefined
  /** The error of an inner transaction, or of a part that nobody awaited. */
  #innerError: { readonly error: unknown } | undefined

  /** @param idleLimit for how many milliseconds it may do nothing */
  constructor(open: OpenTransaction, idleLimit: number, watch: Refusals) {
    this.#open = open
    this.#idleLimit = idleLimit
    this.#watch = watch
  }

  read(statement: Statement, values: readonly SqlValue[], budget?: ReadBudget): Promise<SqlRow[]> {
    return this.#run(async () => this.#open.read(statement, values, budget))
  }

  readSync(statement: Statement, values: readonly SqlValue[]): SqlRow[] {
    this.assertOpen()
    this.#idleSince = performance.now()
    return this.#open.readSync(statement, values)
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
      const result = await this.#whileBusy(async () => {
        const done = await work()
        await this.#finishParts()
        return done
      })
      await this.#finishStatements()
      if (this.#refusals !== undefined) await this.#assertCaught(this.#refusals)
      return { result, commit: await this.#open.commit() }
    } catch (error) {
      this.#ended ??= 'it was rolled back after an error'
      this.#rolledBack = true
      for (const row of this.#renewed) this.#undoRenewal(row.deref())
      await this.#open.rollback()
      for (const refusal of this.#refusals ?? []) this.#watch.overtaken(refusal)
      throw error
    } finally {
      clearTimeout(this.#idleTimer)
    }
  }

  /** Does the work as a part of this transaction. When it fails the whole transaction does, even if somebody catches the error. */
  join<T>(work: () => Promise<T>): Promise<T> {
    return this.#runPart(work, () => true)
  }

  /** Does the work as a part of this transaction, which does not end before it. The work may fail without harm if somebody awaits it. */
  include<T>(work: () => Promise<T>): Promise<T> {
    return this.#runPart(work, () => this.#returned)
  }

  /**
   * To be called when a row is added, or gets values that this transaction has read or written; `undo` makes it what it was before.
   * @throws TableError with code `transaction-ended` when the transaction has been rolled back, and with it the values
   */
  renews(row: object, undo: () => void): void {
    if (this.#rolledBack) this.assertOpen()
    if (this.#undo.has(row)) return
    this.#undo.set(row, undo)
    this.#renewed.push(new WeakRef(row))
  }

  /** Takes note of a write in it that was refused: unless somebody catches the error, the transaction fails. */
  refused(error: unknown): void {
    this.#refusals ??= new Set()
    this.#refusals.add(error)
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

  async #runPart<T>(work: () => Promise<T>, fails: () => boolean): Promise<T> {
    this.assertOpen()
    const running = work()
    this.#parts.add(running)
    try {
      return await running
    } catch (error) {
      if (fails()) this.#innerError ??= { error }
      throw error
    } finally {
      this.#parts.delete(running)
    }
  }

  /** The function has returned; what it did not await still belongs to the transaction, and half of it is never committed. */
  async #finishParts(): Promise<void> {
    this.#returned = true
    while (this.#parts.size > 0) await Promise.allSettled(this.#parts)
  }

  #undoRenewal(row: object | undefined): void {
    if (row !== undefined) this.#undo.get(row)?.()
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
    throw failedInside(this.#innerError.error)
  }

  async #assertCaught(refusals: ReadonlySet<unknown>): Promise<void> {
    for (const error of refusals) if (await this.#watch.isUncaught(error)) throw failedInside(error)
  }
}

function failedInside(error: unknown): unknown {
  // A conflict has to be seen as one, so that everything is tried again.
  if (error instanceof TableError && error.code === 'busy') return error
  return new TableError('transaction-ended', 'the transaction was rolled back because a transaction() inside of it, or something that it did not await, failed', { cause: error })
}
