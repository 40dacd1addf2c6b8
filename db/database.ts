import type { CommitListener, Connection, Engine, ReadBudget, SqlRow, SqlValue, Statement } from './engine/engine.js'
import { SchemaError, type DatabaseFailure } from './errors/errors.js'
import { migrate, type Migration } from './migrate.js'
import { updateSchema } from './schema/schema-changes.js'
import { readStoredTables } from './schema/schema-definition.js'
import { checkSqlite } from './sqlite/check-database.js'
import { openSqlite } from './sqlite/open.js'
import { Statements } from './rows/statements.js'
import type { TableLayout } from './rows/table-layout.js'
import { DataTable } from './rows/table.js'
import type { Refusals } from './transactions/refusals.js'
import type { CommitCallback } from './transactions/transaction.js'
import type { TransactionScope } from './transactions/transaction-scope.js'
import { Transactions, type TransactionOptions } from './transactions/transactions.js'
import type { UsersTable } from './schema/users-table.js'

/** Where the database tells what it does; a pino logger is one. */
interface DatabaseLog {
  info(message: string): void
  warn(message: string): void
  error(message: string): void
}

/** What an engine is opened with. */
export interface EngineOptions {
  /** The data folder; made when it is not there. */
  readonly directory: string
  /** True for the server, which keeps a second one away; false for a command that works beside it. */
  readonly exclusive: boolean
  /** Opens a database, too, that has lost something. */
  readonly acceptDataLoss?: boolean
  readonly log: DatabaseLog
  /** Told of each write's commit, see {@link CommitListener}. */
  readonly onWrite?: CommitListener
  /** Told once when the database can no longer be trusted. */
  readonly onFailure?: (failure: DatabaseFailure) => void
}

/** How to open a database. */
export interface OpenDatabaseOptions extends EngineOptions {
  /** What `defineTables` returned. Its tables work until the database is closed, and for this database only. */
  readonly tables: Readonly<Record<string, { readonly name: string }>>
  /** The steps of the platform's own tables, the registry of tables among them. */
  readonly migrations: readonly Migration[]
  /** What to do about tables, columns and indexes that only the database has: stop, or leave them alone. */
  readonly undeclared: 'refuse' | 'ignore'
  /** Keeps which transaction the running code is in; one for this database alone. */
  readonly scope: TransactionScope
  /** Opens another engine than SQLite's. */
  readonly openEngine?: ((options: EngineOptions) => Promise<Engine>) | undefined
  /** How many bytes the rows of one search may take in memory together; default 64 MiB. */
  readonly searchLimit?: number
  /** Watches for refused writes that nobody awaits. */
  readonly refusals?: Refusals
  /** For how many milliseconds a transaction may do nothing before it is rolled back; default 10,000. */
  readonly transactionIdleLimit?: number
}

const defaultIdleLimit = 10_000

const defaultSearchLimit = 64 * 1024 * 1024

/**
 * Opens a database, brings its schema up to date and lets the tables work on it.
 *
 * @throws DatabaseFailure when it cannot be opened, SchemaError when the declared tables do not fit it
 */
export async function openDatabase(options: OpenDatabaseOptions): Promise<Database> {
  const layouts = layoutsOf(options.tables)
  for (const layout of layouts) layout.assertFree()
  const { directory, exclusive, acceptDataLoss = false, log, onWrite, onFailure } = options
  const { openEngine = openSqlite } = options
  const engine = await openEngine({ directory, exclusive, acceptDataLoss, log, ...(onWrite && { onWrite }), ...(onFailure && { onFailure }) })
  try {
    for (const { number, name } of await migrate(engine, options.migrations)) log.info(`database: ran migration ${number} (${name})`)
    for (const change of await updateSchema(engine, layouts, options.undeclared)) log.info(`database: ${change}`)
    const transactions = new Transactions({
      engine,
      scope: options.scope,
      idleLimit: options.transactionIdleLimit ?? defaultIdleLimit,
      refusals: options.refusals,
      onCallbackError: (error) => log.error(`a function given to onCommit() failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`),
    })
    await attach(engine, transactions, layouts, options.searchLimit ?? defaultSearchLimit)
    return new Database(engine, transactions, options.tables, layouts)
  } catch (error) {
    await engine.close()
    throw error
  }
}

/**
 * Looks for damage in the database of a data folder, beside a server or without one, and changes nothing.
 *
 * @throws DatabaseFailure with what it has found
 */
export function checkDatabase(directory: string): Promise<void> {
  return checkSqlite(directory)
}

/** An open database: what the tables work on, and the platform's services with statements of their own. */
export class Database implements Connection {
  /** The `users` table with its built-in columns; the same table as the app's own `tables.users`. */
  readonly users: UsersTable
  readonly #engine: Engine
  readonly #transactions: Transactions
  readonly #layouts: readonly TableLayout[]

  /** Made by {@link openDatabase}. */
  constructor(engine: Engine, transactions: Transactions, tables: OpenDatabaseOptions['tables'], layouts: readonly TableLayout[]) {
    this.#engine = engine
    this.#transactions = transactions
    this.#layouts = layouts
    // Every set of tables has users, and the columns of an app's own do not take the built-in ones away.
    this.users = tables['users'] as UsersTable
  }

  /** How the engine spells SQL, for services that have statements of their own. */
  get dialect(): Engine['dialect'] {
    return this.#engine.dialect
  }

  /** Whether the running code is in a transaction of this database, which may still be rolled back. */
  get isInTransaction(): boolean {
    return this.#transactions.isOpen
  }

  /** Runs a statement that changes nothing; in the current transaction, if there is one. */
  read(statement: Statement, values: readonly SqlValue[], budget?: ReadBudget): SqlRow[] | Promise<SqlRow[]> {
    return this.#transactions.connection().read(statement, values, budget)
  }

  /** The same for a getter, which cannot wait. */
  readSync(statement: Statement, values: readonly SqlValue[]): SqlRow[] {
    return this.#transactions.connection().readSync(statement, values)
  }

  /** Runs a statement that writes; in the current transaction, if there is one. */
  write(statement: Statement, values: readonly SqlValue[]): Promise<SqlRow[]> {
    return this.#transactions.connection().write(statement, values)
  }

  /** Runs a statement once for each list of values, all or none; in the current transaction, if there is one. */
  writeMany(statement: Statement, lists: readonly (readonly SqlValue[])[]): Promise<SqlRow[]> {
    return this.#transactions.connection().writeMany(statement, lists)
  }

  /**
   * Runs the function so that all of its writes are carried out or none, and nobody else writes in between, whatever it awaits. Others read on.
   * Inside of another transaction of this database it becomes a part of that one.
   * It may run several times, so what reaches the world outside belongs into {@link onCommit}.
   *
   * @throws what the function throws, after everything has been rolled back; TableError `transaction-ended` when it did nothing for 10 s
   */
  transaction<T>(fn: () => T | Promise<T>, options?: TransactionOptions): Promise<T> {
    return this.#transactions.run(async () => fn(), options)
  }

  /** Calls the function once the current transaction is on the disk, never when it is rolled back; at once outside of transactions. What it throws is logged. */
  onCommit(fn: CommitCallback): void {
    this.#transactions.onCommit(fn)
  }

  /** Finishes what has been asked for, waits for the disk and closes. The tables can then be opened again. */
  async close(): Promise<void> {
    // Callbacks may still want to use the database.
    await this.#transactions.settled()
    await this.#engine.close()
    await this.#transactions.settled()
    for (const layout of this.#layouts) layout.detach()
  }
}

function layoutsOf(tables: OpenDatabaseOptions['tables']): TableLayout[] {
  return Object.values(tables).map((table) => {
    if (!(table instanceof DataTable)) throw new SchemaError(`openDatabase takes what defineTables returned; ${String(table.name)} is no such table`)
    return DataTable.layoutOf(table)
  })
}

async function attach(engine: Engine, transactions: Transactions, layouts: readonly TableLayout[], searchLimit: number): Promise<void> {
  const stored = await readStoredTables(engine)
  for (const layout of layouts) {
    const tableNumber = stored.find(({ name }) => name === layout.name)?.number
    if (tableNumber === undefined) throw new SchemaError(`table ${layout.name} is missing in the database's registry of tables`)
    layout.attach({
      tableNumber,
      statements: new Statements(engine.dialect, tableNumber, layout.name, layout.columns),
      searchLimit,
      transactions,
    })
  }
}
