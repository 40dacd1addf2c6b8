import type { Engine, OpenTransaction, ReadBudget, SqlRow, SqlValue, Statement } from '../engine/engine.js'
import { TableError } from '../errors/errors.js'
import { sqliteDialect } from './dialect.js'
import type { FailureLatch } from './failure-latch.js'
import type { Reads } from './reads.js'
import { isBusy } from './translate-error.js'
import { whileBusy } from './while-busy.js'
import type { Writer } from './writer.js'

interface EngineParts {
  readonly reads: Reads
  readonly writer: Writer
  readonly latch: FailureLatch
  /** Runs what is queued and closes everything. */
  readonly close: () => Promise<void>
}

/** The engine over one database file: one writer, and reads that never wait for it. */
export class SqliteEngine implements Engine {
  readonly dialect = sqliteDialect
  readonly #parts: EngineParts
  #closing: Promise<void> | undefined

  constructor(parts: EngineParts) {
    this.#parts = parts
  }

  read(statement: Statement, values: readonly SqlValue[], budget?: ReadBudget): SqlRow[] | Promise<SqlRow[]> {
    if (this.#closing !== undefined) return Promise.reject(closed())
    try {
      return this.#parts.reads.run(statement, values, budget)
    } catch (error) {
      if (!isBusy(error)) return Promise.reject(this.#parts.latch.translate(error))
      // Another process recovers the file after a crash.
      return this.#readLater(statement, values, budget)
    }
  }

  readSync(statement: Statement, values: readonly SqlValue[]): SqlRow[] {
    if (this.#closing !== undefined) throw closed()
    try {
      return this.#parts.reads.run(statement, values)
    } catch (error) {
      throw this.#parts.latch.translate(error)
    }
  }

  async #readLater(statement: Statement, values: readonly SqlValue[], budget: ReadBudget | undefined): Promise<SqlRow[]> {
    try {
      // Whoever recovers the file has it locked from the first row on.
      return await whileBusy(() => this.#parts.reads.run(statement, values, budget))
    } catch (error) {
      throw this.#parts.latch.translate(error)
    }
  }

  write(statement: Statement, values: readonly SqlValue[]): Promise<SqlRow[]> {
    return this.#parts.writer.write(statement, values)
  }

  writeMany(statement: Statement, lists: readonly (readonly SqlValue[])[]): Promise<SqlRow[]> {
    return this.#parts.writer.writeMany(statement, lists)
  }

  begin(): Promise<OpenTransaction> {
    return this.#parts.writer.begin()
  }

  close(): Promise<void> {
    this.#closing ??= this.#parts.close()
    return this.#closing
  }
}

function closed(): TableError {
  return new TableError('transaction-ended', 'the database has been closed; nothing can be read any more')
}
