import { setTimeout as pause } from 'node:timers/promises'
import { describeValue } from '../errors/describe-value.js'
import type { Commit, Connection, Engine, OpenTransaction } from '../engine/engine.js'
import { TableError } from '../errors/errors.js'
import { Transaction, type CommitCallback } from './transaction.js'
import { unwatched, type Refusals } from './refusals.js'
import type { TransactionScope } from './transaction-scope.js'

/** How a transaction is carried out. */
export interface TransactionOptions {
  /** How often the function runs again after a conflict with another transaction; default 18. */
  readonly retries?: number
}

const defaultRetries = 18
/** Milliseconds; doubled with each try. */
const shortestPause = 1
const longestPause = 500

/** What the transactions of a database work on. */
export interface TransactionsParts {
  readonly engine: Engine
  /** Keeps which of them the running code is in. */
  readonly scope: TransactionScope
  /** For how many milliseconds a transaction may do nothing before it is rolled back. */
  readonly idleLimit: number
  /** Told of what a function given to {@link Transactions.onCommit} throws. */
  readonly onCallbackError: (error: unknown) => void
  /** Watches for refused writes that nobody awaits. */
  readonly refusals: Refusals | undefined
}

/** The transactions of one database. */
export class Transactions {
  readonly #engine: Engine
  readonly #idleLimit: number
  readonly #onCallbackError: (error: unknown) => void
  readonly #scope: TransactionScope
  readonly #refusals: Refusals
  readonly #callbacks = new Set<Promise<void>>()

  constructor({ engine, scope, idleLimit, onCallbackError, refusals = unwatched }: TransactionsParts) {
    this.#refusals = refusals
    this.#engine = engine
    this.#scope = scope
    this.#idleLimit = idleLimit
    this.#onCallbackError = onCallbackError
  }

  /** Whether the running code belongs to a transaction. */
  get isOpen(): boolean {
    return this.#scope.current() !== undefined
  }

  /** The transaction that the running code belongs to, or the engine. */
  connection(): Connection {
    return this.#scope.current() ?? this.#engine
  }

  /** Runs the work in a transaction of its own, again after a conflict; or as a part of the transaction that the running code belongs to. */
  async run<T>(work: () => Promise<T>, { retries = defaultRetries }: TransactionOptions = {}): Promise<T> {
    try {
      if (typeof retries !== 'number' || !Number.isSafeInteger(retries) || retries < 0) {
        throw new TableError('bad-query', `transaction: retries has to be a whole number from 0, got ${describeValue(retries)}`)
      }
      const outer = this.#scope.current()
      if (outer !== undefined) return await outer.join(work)
      for (let tries = 0; ; tries++) {
        let open: OpenTransaction | undefined
        try {
          open = await this.#engine.begin()
          return await this.#perform(open, work)
        } catch (error) {
          if (!isConflict(error) || tries >= retries) throw error
        }
        // Random, so that those who met do not meet again. What could not begin has waited long enough, and asks anew at once, so that an answer knows of it.
        if (open !== undefined) await pause(Math.random() * Math.min(longestPause, shortestPause * 2 ** tries))
      }
    } catch (error) {
      this.refused(error)
      throw error
    }
  }

  async #perform<T>(open: OpenTransaction, work: () => Promise<T>): Promise<T> {
    const transaction = new Transaction(open, this.#idleLimit, this.#refusals)
    const { result, commit } = await this.#scope.run(transaction, () => transaction.perform(work))
    this.#whenDurable(commit, transaction.callbacks)
    return result
  }

  /** Runs several statements that belong together: in the current transaction, which may go on when they fail, or in one of their own. */
  together<T>(work: () => Promise<T>): Promise<T> {
    const outer = this.#scope.current()
    return outer === undefined ? this.run(work) : outer.include(work)
  }

  /** To be called with the error of a write, in the context of whoever asked for it, before its promise is rejected with it. */
  refused(error: unknown): void {
    this.#scope.current()?.refused(error)
    this.#refusals.refused(error)
  }

  /** To be called when a row gets values that the current transaction, if there is one, has read or written: `undo` is called if it is rolled back; see {@link Transaction.renews}. */
  renews(row: object, undo: () => void): void {
    this.#scope.current()?.renews(row, undo)
  }

  /** Calls back once the current transaction is on the disk; at once when there is none. What the callback throws is logged. */
  onCommit(callback: CommitCallback): void {
    const transaction = this.#scope.current()
    if (transaction === undefined) {
      this.#track(this.#call(callback))
      return
    }
    transaction.assertOpen()
    transaction.callbacks.push(callback)
  }

  /** Resolves when no callback is running or waiting for the disk. */
  async settled(): Promise<void> {
    while (this.#callbacks.size > 0) await Promise.all(this.#callbacks)
  }

  #whenDurable(commit: Commit, callbacks: readonly CommitCallback[]): void {
    if (callbacks.length === 0) return
    // When the disk refuses the commit, the engine says so to everybody, and nothing has been committed that could be told to the world.
    this.#track(commit.durable.then(() => Promise.all(callbacks.map((callback) => this.#call(callback))), () => undefined))
  }

  async #call(callback: CommitCallback): Promise<void> {
    try {
      await this.#scope.run(undefined, callback)
    } catch (error) {
      this.#onCallbackError(error)
    }
  }

  #track(work: Promise<unknown>): void {
    const tracked = work.then(() => {
      this.#callbacks.delete(tracked)
    })
    this.#callbacks.add(tracked)
  }
}

function isConflict(error: unknown): boolean {
  return error instanceof TableError && error.code === 'busy'
}
