import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Commit, OpenTransaction, ReadBudget, SqlRow, SqlValue, Statement, WriteOwner } from '../engine/engine.js'
import { TableError } from '../errors/errors.js'
import type { SqliteConnection } from './connection.js'
import type { FailureLatch } from './failure-latch.js'
import { ManyWrites, sliceLists } from './many-writes.js'
import type { PendingCommit } from './wal-sync.js'

/** What a transaction needs from the writer that it owns. */
interface TransactionParts {
  readonly connection: SqliteConnection
  readonly latch: FailureLatch
  /** The commit that was told when the transaction was asked for. */
  readonly commit: PendingCommit
  /** Who has asked for it, where that has been told. */
  readonly owner: WriteOwner | undefined
  /** Called once at the end, with whether something was committed that has to reach the disk: the writer is free again. */
  readonly onEnd: (committed: boolean) => void
}

/** A transaction on the writer's connection, already begun. */
export class SqliteTransaction implements OpenTransaction {
  readonly #parts: TransactionParts
  #state: 'open' | 'ended' | 'rolled back by SQLite' = 'open'
  #wrote = false
  /** While a long `writeMany` runs in slices: resolves when the connection is free for the next statement of this transaction. */
  #slicing: Promise<void> | undefined

  constructor(parts: TransactionParts) {
    this.#parts = parts
  }

  async read(statement: Statement, values: readonly SqlValue[], budget?: ReadBudget): Promise<SqlRow[]> {
    while (this.#slicing !== undefined) await this.#slicing
    return this.#attempt(() => this.#parts.connection.runReadOnly(statement, values, budget))
  }

  /** Between two slices no statement is running, so that it need not wait for them. */
  readSync(statement: Statement, values: readonly SqlValue[]): SqlRow[] {
    return this.#attempt(() => this.#parts.connection.runReadOnly(statement, values))
  }

  async write(statement: Statement, values: readonly SqlValue[]): Promise<SqlRow[]> {
    while (this.#slicing !== undefined) await this.#slicing
    this.#wrote = true
    return this.#attempt(() => this.#parts.connection.run(statement, values))
  }

  async writeMany(statement: Statement, lists: readonly (readonly SqlValue[])[]): Promise<SqlRow[]> {
    while (this.#slicing !== undefined) await this.#slicing
    this.#wrote = true
    const writes = this.#attempt(() => new ManyWrites(this.#parts.connection, statement, lists))
    return lists.length <= sliceLists ? this.#attempt(() => writes.finish()) : this.#inSlices(writes)
  }

  async commit(): Promise<Commit> {
    while (this.#slicing !== undefined) await this.#slicing
    try {
      this.#attempt(() => this.#parts.connection.execute('COMMIT'))
    } catch (error) {
      this.#rollback()
      throw error
    }
    this.#state = 'ended'
    this.#parts.onEnd(this.#wrote)
    return this.#parts.commit
  }

  async rollback(): Promise<void> {
    while (this.#slicing !== undefined) await this.#slicing
    this.#rollback()
  }

  async #inSlices(writes: ManyWrites): Promise<SqlRow[]> {
    let free = (): void => undefined
    this.#slicing = new Promise((resolve) => (free = resolve))
    try {
      while (!this.#attempt(() => writes.slice())) await nextTurn()
      return writes.rows
    } finally {
      this.#slicing = undefined
      free()
    }
  }

  #rollback(): void {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    this.#parts.commit.hasRefusals = true
    try {
      if (this.#parts.connection.inTransaction) this.#parts.connection.execute('ROLLBACK')
    } catch (error) {
      throw this.#parts.latch.translate(error)
    } finally {
      this.#parts.onEnd(false)
    }
  }

  #attempt<T>(run: () => T): T {
    if (this.#state !== 'open') throw ended(this.#state)
    const { latch, owner } = this.#parts
    if (latch.failure !== undefined) throw latch.failure
    if (owner !== undefined && owner.withdrawal !== null) throw owner.withdrawal
    try {
      return run()
    } catch (error) {
      if (!this.#parts.connection.inTransaction) this.#state = 'rolled back by SQLite'
      throw this.#parts.latch.translate(error)
    }
  }
}

function ended(state: 'ended' | 'rolled back by SQLite'): TableError {
  const reason = state === 'ended' ? 'it has been committed or rolled back' : 'the database rolled it back after an earlier error'
  return new TableError('transaction-ended', `this transaction takes no more statements: ${reason}`)
}
