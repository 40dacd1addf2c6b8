import { openDatabase, type Database, type OpenDatabaseOptions } from '../../dist/db/database.js'
import { platformMigrations } from '../../dist/migrations/index.js'
import { transactionScope } from './transaction-scope.js'

/** A database with its tables, opened on a real file. */
export interface OpenTables<T> {
  readonly tables: T
  readonly database: Database
  /** The lines that were logged. */
  readonly log: readonly string[]
  readonly directory: string
}

/** The part of a test that this needs: a folder of its own and something that happens at its end. */
interface Test {
  testdir(): string
  teardown(work: () => Promise<void>): void
}

/** Opens a database for the tables, in a new folder unless one is given, and closes it when the test ends. */
export async function openTables<T extends OpenDatabaseOptions['tables']>(
  t: Test,
  tables: T,
  options: Partial<Omit<OpenDatabaseOptions, 'tables' | 'log'>> = {},
): Promise<OpenTables<T>> {
  const directory = options.directory ?? t.testdir()
  const log: string[] = []
  const add = (message: string): number => log.push(message)
  const database = await openDatabase({
    migrations: platformMigrations,
    scope: transactionScope(),
    exclusive: true,
    undeclared: 'refuse',
    ...options,
    directory,
    tables,
    log: { info: add, warn: add, error: add },
  })
  t.teardown(() => database.close())
  return { tables, database, log, directory }
}
