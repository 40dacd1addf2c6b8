import type { CommitListener, OpenTransaction, SqlRow, SqlValue, Statement, WriteOwner } from '../engine/engine.js'
import { TableError } from '../errors/errors.js'
import type { SqliteConnection } from './connection.js'
import type { FailureLatch } from './failure-latch.js'
import { sliceLists } from './many-writes.js'
import type { Reads } from './reads.js'
import { SqliteTransaction } from './transaction.js'
import { isBusy } from './translate-error.js'
import { PendingCommit, type WalSync } from './wal-sync.js'
import { busyPause } from './while-busy.js'
import { QueuedWrite, WriteBatch } from './write-batch.js'

/** How long the writer goes on in one turn of the event loop before it lets others run, in milliseconds. */
const turnBudget = 5

interface WriterParts {
  readonly connection: SqliteConnection
  /** What reads on the same connection. */
  readonly reads: Reads
  readonly sync: WalSync
  readonly latch: FailureLatch
  readonly onWrite: CommitListener
  /** How long a lock of another process is waited for, in milliseconds. */
  readonly busyLimit: number
  /** Told after each COMMIT that changed something. */
  readonly onCommitted: () => void
}

/** Somebody who wants the writer alone, until `release` is called. */
interface TurnRequest {
  readonly queuedAt: number
  /** What has been told of, if the turn is for a transaction. */
  readonly commit: PendingCommit | undefined
  /** Who has asked for it, where that has been told. */
  owner: WriteOwner | undefined
  /** Takes the turn; throws SQLITE_BUSY to be asked again later. */
  start(): void
  reject(error: Error): void
}

/**
 * The one place that writes. Whatever arrives is queued in order; at the end of the turn of the event loop the writes at the front
 * run in one transaction (group commit), up to the next one who wants the writer alone.
 */
export class Writer {
  readonly #connection: SqliteConnection
  readonly #reads: Reads
  readonly #sync: WalSync
  readonly #latch: FailureLatch
  readonly #onWrite: CommitListener
  readonly #busyLimit: number
  readonly #onCommitted: () => void
  readonly #queue: (WriteBatch | TurnRequest)[] = []
  /** The batch at the end of the queue that still takes writes. */
  #openBatch: WriteBatch | undefined
  #owned = false
  #scheduled = false
  #turnBegan = 0
  #busySince: number | undefined
  #closed = false
  #whenIdle: (() => void) | undefined

  constructor(parts: WriterParts) {
    this.#connection = parts.connection
    this.#reads = parts.reads
    this.#sync = parts.sync
    this.#latch = parts.latch
    this.#onWrite = parts.onWrite
    this.#busyLimit = parts.busyLimit
    this.#onCommitted = parts.onCommitted
  }

  write(statement: Statement, values: readonly SqlValue[]): Promise<SqlRow[]> {
    return this.#enqueue(new QueuedWrite(statement, values, []))
  }

  writeMany(statement: Statement, lists: readonly (readonly SqlValue[])[]): Promise<SqlRow[]> {
    if (lists.length > sliceLists) return this.#writeAlone(statement, lists)
    return this.#enqueue(new QueuedWrite(statement, undefined, lists))
  }

  /** Opens a transaction when its turn comes. It owns the writer until it ends. */
  begin(): Promise<OpenTransaction> {
    const commit = new PendingCommit()
    return this.#takeTurn((owner) => {
      this.#connection.execute('BEGIN IMMEDIATE')
      return new SqliteTransaction({
        connection: this.#connection,
        latch: this.#latch,
        commit,
        owner,
        onEnd: (committed) => {
          if (committed) this.#cover(commit)
          else this.#sync.follow(commit)
          this.#release()
        },
      })
    }, commit)
  }

  /** Waits for the writer's turn without opening a transaction, and resolves to the function that gives it back. */
  pause(): Promise<() => void> {
    return this.#takeTurn(() => () => this.#release())
  }

  /** Refuses new work and resolves once everything queued before has run. */
  async close(): Promise<void> {
    this.#closed = true
    if (this.#queue.length > 0 || this.#owned) await new Promise<void>((resolve) => (this.#whenIdle = resolve))
  }

  /** A long list is a transaction of its own, because it leaves the event loop free in between. */
  async #writeAlone(statement: Statement, lists: readonly (readonly SqlValue[])[]): Promise<SqlRow[]> {
    const transaction = await this.begin()
    try {
      const rows = await transaction.writeMany(statement, lists)
      await transaction.commit()
      return rows
    } finally {
      await transaction.rollback()
    }
  }

  #refusal(): Error | undefined {
    if (this.#latch.failure !== undefined) return this.#latch.failure
    return this.#closed ? new TableError('transaction-ended', 'the database has been closed; nothing can be written any more') : undefined
  }

  #enqueue(write: QueuedWrite): Promise<SqlRow[]> {
    const refusal = this.#refusal()
    if (refusal !== undefined) {
      write.reject(refusal)
      return write.outcome
    }
    let batch = this.#openBatch
    if (batch === undefined || batch.isFull) {
      batch = new WriteBatch()
      this.#openBatch = batch
      this.#queue.push(batch)
      this.#schedule()
    }
    batch.add(write)
    write.owner = this.#onWrite(batch.commit)
    return write.outcome
  }

  #takeTurn<T>(start: (owner: WriteOwner | undefined) => T, commit?: PendingCommit): Promise<T> {
    return new Promise((resolve, reject) => {
      const refusal = this.#refusal()
      if (refusal !== undefined) {
        reject(refusal)
        return
      }
      this.#openBatch = undefined
      const request: TurnRequest = { queuedAt: performance.now(), commit, owner: undefined, start: () => resolve(start(request.owner)), reject }
      this.#queue.push(request)
      this.#schedule()
      if (commit !== undefined) request.owner = this.#onWrite(commit)
    })
  }

  #schedule(): void {
    if (this.#scheduled || this.#owned) return
    this.#scheduled = true
    setImmediate(this.#runTurn)
  }

  readonly #runTurn = (): void => {
    this.#scheduled = false
    this.#turnBegan = performance.now()
    this.#drain()
  }

  /** Back-to-back transactions follow each other at once, until the turn of the event loop has lasted long enough. */
  #release(): void {
    this.#owned = false
    if (!this.#scheduled) this.#drain()
  }

  #drain(): void {
    while (!this.#owned) {
      const head = this.#queue[0]
      if (head === undefined) {
        this.#whenIdle?.()
        return
      }
      if (performance.now() - this.#turnBegan > turnBudget) {
        this.#schedule()
        return
      }
      if (this.#latch.failure === undefined) {
        if (!this.#run(head)) return
      } else {
        head.reject(this.#latch.failure)
        head.commit?.reject(this.#latch.failure)
      }
      this.#queue.shift()
    }
  }

  /** Runs what is at the head of the queue. Returns false when it has to be tried again later. */
  #run(head: WriteBatch | TurnRequest): boolean {
    if (head === this.#openBatch) this.#openBatch = undefined
    try {
      this.#reads.end()
      if (head instanceof WriteBatch) this.#runBatch(head)
      else {
        const withdrawal = head.owner?.withdrawal ?? null
        if (withdrawal !== null) throw withdrawal
        head.start()
        this.#owned = true
      }
      this.#busySince = undefined
    } catch (error) {
      if (isBusy(error) && this.#mayRetry(head)) return false
      if (head.commit !== undefined) head.commit.hasRefusals = true
      head.reject(this.#latch.translate(error))
      if (head.commit !== undefined) this.#sync.follow(head.commit)
    }
    return true
  }

  #runBatch(batch: WriteBatch): void {
    const committed = batch.run(this.#connection, this.#latch)
    batch.settle()
    if (committed) this.#cover(batch.commit)
    else this.#sync.follow(batch.commit)
  }

  #cover(commit: PendingCommit): void {
    this.#sync.cover(commit)
    this.#onCommitted()
  }

  /** Another process holds the write lock: tries again after a pause in which the event loop is free. */
  #mayRetry(head: WriteBatch | TurnRequest): boolean {
    const now = performance.now()
    this.#busySince ??= now
    if (now - Math.max(this.#busySince, head.queuedAt) > this.#busyLimit) return false
    this.#scheduled = true
    setTimeout(this.#runTurn, busyPause)
    return true
  }
}
