import type { Dialect } from './dialect.js'

/** What a driver can bind and return, the same on every engine: booleans, dates and JSON are encoded by their column before they come here. */
export type SqlValue = null | number | string | Uint8Array

/** One row as a driver returns it: its values in the order of the statement's columns. */
export type SqlRow = SqlValue[]

/**
 * One SQL text with its placeholders. Made once per query shape and kept: engines hold the prepared form under this object's text.
 */
export interface Statement {
  readonly text: string
  /**
   * Of an INSERT of one row that has no RETURNING clause: it gives the id of that row, as the only value of its only
   * row, in whatever way costs the engine least.
   */
  readonly givesId?: boolean
}

/**
 * A group of writes that reach the disk together, or one transaction. Whoever wrote must not be told so before `durable` has resolved.
 */
export interface Commit {
  /**
   * Resolves when this commit would survive a power cut, or when nothing came of it, because its writes failed, or its transaction was rolled back or only read;
   * rejects with a `DatabaseFailure` when the disk refused it. Of other commits it says nothing.
   */
  readonly durable: Promise<void>
  /** Whether `durable` has resolved. */
  readonly isDurable: boolean
  /** Whether one of its writes was refused, or its transaction rolled back; known before `durable` resolves. */
  readonly hasRefusals?: boolean
}

/**
 * How many bytes of rows may still be read, shared by reads that belong together. A read stops before the row that would
 * exceed it, and says so; the first row of all is given whatever its size.
 */
export interface ReadBudget {
  left: number
  /** Whether a row has been given. */
  isBegun: boolean
  /** Whether a read has stopped before its end. */
  isExceeded: boolean
}

/** The statements that can be run, inside a transaction or outside of one. */
export interface Connection {
  /** Runs a statement that changes nothing, and gives its rows: at once where the engine has them at once, which spares every reader a promise. What fails is a rejected promise. With a budget no more than that is held in memory. */
  read(statement: Statement, values: readonly SqlValue[], budget?: ReadBudget): SqlRow[] | Promise<SqlRow[]>
  /** The same for a getter, which cannot wait: holds up everything else meanwhile. */
  readSync(statement: Statement, values: readonly SqlValue[]): SqlRow[]
  /**
   * Runs a statement that writes, atomically, and resolves to the rows that it gives once they are visible to every reader.
   * It does not wait for the disk; see {@link Commit.durable}.
   */
  write(statement: Statement, values: readonly SqlValue[]): Promise<SqlRow[]>
  /** Runs one writing statement for each list of values, all or none of them, and resolves to all returned rows in order. */
  writeMany(statement: Statement, lists: readonly (readonly SqlValue[])[]): Promise<SqlRow[]>
}

/** The writer, owned from `begin` until `commit` or `rollback`: nobody else's statement runs in between. */
export interface OpenTransaction extends Connection {
  /** Ends the transaction and resolves once its rows are visible to every reader, with the commit that was told when it was asked for. */
  commit(): Promise<Commit>
  /** Ends the transaction without a trace; safe to call on one that the engine has already rolled back. */
  rollback(): Promise<void>
}

/**
 * A database as the tables see it. `db/sqlite` implements it; another engine implements the same and nothing above changes.
 *
 * Outside a transaction each read sees all that was committed through this engine, and all that other processes had
 * committed when the turn of the event loop began; those of one turn may share that state.
 * Each write is a transaction of its own (which an engine may group with others, as long as a failing one takes no
 * other with it).
 * Failures of the database come as `TableError` (a constraint, the disk being full) or `DatabaseFailure` (it can no longer be trusted).
 */
export interface Engine extends Connection {
  readonly dialect: Dialect
  /** Waits for its turn at the writer and opens a transaction on it. */
  begin(): Promise<OpenTransaction>
  /** Finishes what is queued, makes it durable and closes every connection. */
  close(): Promise<void>
}

/**
 * Told of a commit when a write or a transaction is asked for: before that call returns, and in the asynchronous context of the caller,
 * so that the caller's answer can wait for its own writes, also for those that nobody has awaited: for each of them, since commits may become durable in any order.
 */
export type CommitListener = (commit: Commit) => WriteOwner | undefined

/** Whoever has asked for a write. */
export interface WriteOwner {
  /**
   * Why nothing more may be written in its name, null as long as it may: whoever waits for its outcome has been told that it failed.
   * What still waits for its turn is refused with this error, and its open transaction rolled back.
   */
  readonly withdrawal: Error | null
}
