import type { SqlRow, SqlValue, Statement, WriteOwner } from '../engine/engine.js'
import type { SqliteConnection } from './connection.js'
import type { FailureLatch } from './failure-latch.js'
import { ManyWrites } from './many-writes.js'
import { PendingCommit } from './wal-sync.js'

/** How many statements one transaction takes at most, so that a flood of writes leaves the event loop in pieces. */
const batchStatements = 250

/** One call of `write` or `writeMany` that waits for its turn. */
export class QueuedWrite {
  rows: SqlRow[] = []
  error: Error | undefined
  owner: WriteOwner | undefined
  /** What its caller waits for. */
  readonly outcome: Promise<SqlRow[]>
  readonly resolve: (rows: SqlRow[]) => void
  readonly reject: (error: Error) => void

  constructor(
    readonly statement: Statement,
    /** The values of a `write`, or `undefined` for a `writeMany`. */
    readonly values: readonly SqlValue[] | undefined,
    /** The lists of a `writeMany`. */
    readonly lists: readonly (readonly SqlValue[])[],
  ) {
    const { promise, resolve, reject } = Promise.withResolvers<SqlRow[]>()
    this.outcome = promise
    this.resolve = resolve
    this.reject = reject
  }

  run(connection: SqliteConnection): SqlRow[] {
    if (this.owner !== undefined && this.owner.withdrawal !== null) throw this.owner.withdrawal
    if (this.values !== undefined) return connection.run(this.statement, this.values)
    return new ManyWrites(connection, this.statement, this.lists).finish()
  }
}

/** Writes that share one transaction and one sync. A failing one takes no other with it, unless SQLite rolled back the transaction. */
export class WriteBatch {
  readonly commit = new PendingCommit()
  readonly queuedAt = performance.now()
  readonly #writes: QueuedWrite[] = []
  #statements = 0

  get isFull(): boolean {
    return this.#statements >= batchStatements
  }

  add(write: QueuedWrite): void {
    this.#writes.push(write)
    this.#statements += 1 + write.lists.length
  }

  /**
   * Runs all writes in one transaction and leaves on each its rows or its error, which `settle` hands out.
   * Returns whether anything was committed. Throws only when nothing has happened: BEGIN found the database locked.
   */
  run(connection: SqliteConnection, latch: FailureLatch): boolean {
    connection.execute('BEGIN IMMEDIATE')
    return runOpened(this.#writes, connection, latch)
  }

  /** To be called before anybody is told that the commit is durable, who would not know of what was refused. */
  settle(): void {
    for (const write of this.#writes) {
      if (write.error === undefined) {
        write.resolve(write.rows)
      } else {
        this.commit.hasRefusals = true
        write.reject(write.error)
      }
    }
  }

  /** Rejects every write, none of which has left a trace. */
  reject(error: Error): void {
    this.commit.hasRefusals = true
    for (const write of this.#writes) write.reject(error)
  }
}

function runOpened(writes: readonly QueuedWrite[], connection: SqliteConnection, latch: FailureLatch): boolean {
  let succeeded = false
  for (const write of writes) {
    try {
      write.rows = write.run(connection)
      succeeded = true
    } catch (error) {
      write.error = latch.translate(error)
      // A single statement undoes itself when it fails, without a savepoint. A full or failing disk undoes the transaction.
      if (!connection.inTransaction) return failAll(writes, write.error)
    }
  }
  try {
    connection.execute(succeeded ? 'COMMIT' : 'ROLLBACK')
    return succeeded
  } catch (error) {
    return commitFailed(writes, connection, latch, error)
  }
}

/** A deferred constraint makes COMMIT itself fail. Each write then runs in a transaction of its own, so that only the guilty one is refused. */
function commitFailed(writes: readonly QueuedWrite[], connection: SqliteConnection, latch: FailureLatch, cause: unknown): boolean {
  const error = latch.translate(cause)
  if (!connection.inTransaction) return failAll(writes, error)
  try {
    connection.execute('ROLLBACK')
  } catch (failure) {
    return failAll(writes, latch.translate(failure))
  }
  if (writes.length === 1) return failAll(writes, error)
  let committed = false
  for (const write of writes) {
    if (write.error === undefined && runAlone(write, connection, latch)) committed = true
  }
  return committed
}

function runAlone(write: QueuedWrite, connection: SqliteConnection, latch: FailureLatch): boolean {
  try {
    connection.execute('BEGIN IMMEDIATE')
  } catch (error) {
    return failAll([write], latch.translate(error))
  }
  return runOpened([write], connection, latch)
}

function failAll(writes: readonly QueuedWrite[], error: Error): false {
  for (const write of writes) write.error ??= error
  return false
}
