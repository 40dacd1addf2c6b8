import { statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Database, OpenDatabaseOptions } from '../db/database.js'
import type { Configuration } from '../server/app/configuration/settings.js'
import type { AppSettings } from '../server/services/accounts/app-settings.js'
import type { Users } from '../server/services/accounts/users.js'
import { readColumnValues } from './column-values.js'
import { say } from './output.js'

/** Which users a command works on. */
export interface UsersServiceOptions {
  /** The data folder; without it, that of the app in the current folder. */
  readonly data?: string | undefined
  /** Whether a database is made where there is none. */
  readonly create?: boolean
  /** Texts for columns that the app has added to `users`. */
  readonly set?: ReadonlyMap<string, string> | undefined
}

/** There is nothing to work on where the command was told to look. */
class NoDatabase extends Error {
  override readonly name = 'NoDatabase'
}

/**
 * Opens the users service on a data folder, beside a server or not, lets `work` use it, and closes it.
 *
 * @param work also gets the values of `set`, in the types of their columns
 * @throws NoDatabase, ColumnValueError, ConfigurationError, DatabaseFailure, and whatever `work` throws
 */
export async function withUsers(
  { data, create = false, set = new Map() }: UsersServiceOptions,
  work: (users: Users, values: Readonly<Record<string, unknown>>) => Promise<unknown>,
): Promise<void> {
  const configuration = data === undefined ? await currentConfiguration() : null
  const directory = configuration?.data ?? resolve(data ?? '')
  const isNew = !mayHaveDatabase(directory)
  if (isNew) await assertMayMake(directory, configuration, create && set.size === 0)
  // Loaded here, so that a help text does not wait for it.
  const [{ defineTables }, { usersTable }, { recordedAppSettings }, { Users }] = await Promise.all([
    import('../db/schema/define-tables.js'),
    import('../db/schema/users-table.js'),
    import('../server/services/accounts/app-settings.js'),
    import('../server/services/accounts/users.js'),
  ])
  // The app's own tables are not known here, and left alone; so are its own columns, but for those that are set.
  const withTables = (tables: OpenDatabaseOptions['tables'], use: (database: Database) => Promise<unknown>) => withDatabase(directory, tables, use)
  let given: Awaited<ReturnType<typeof readColumnValues>> = { columns: {}, values: {} }
  if (set.size > 0) {
    await withTables(defineTables({}), async (database) => {
      given = await readColumnValues(database, set)
    })
  }
  await withTables(defineTables({ users: usersTable(given.columns) }), async (database) => {
    if (isNew) say(`made a new database in ${directory}`)
    const settings = configuration === null ? await recordedAppSettings(database) : settingsOf(configuration)
    await work(new Users({ database, ...settings }), given.values)
  })
}

function settingsOf({ name, passwordHashing }: Configuration): AppSettings {
  return { name, hashing: passwordHashing }
}

async function currentConfiguration(): Promise<Configuration> {
  const { loadConfiguration } = await import('../server/app/configuration/configuration.js')
  return loadConfiguration(process.cwd())
}

/** False only when it is certain; whatever else is wrong with the folder is told by who opens it, and makes nothing. */
function mayHaveDatabase(directory: string): boolean {
  try {
    statSync(join(directory, 'rowhouse.db'))
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT'
  }
}

async function assertMayMake(directory: string, configuration: Configuration | null, create: boolean): Promise<void> {
  if (!create) {
    throw new NoDatabase(`there is no database in ${directory}; name the data folder of the app with --data, or start the app once, which makes its database`)
  }
  if (configuration === null) return
  const { findModules } = await import('../server/app/loading/find-modules.js')
  // An app's own columns, which may be required, cannot be added to users who are there before them.
  if ((await findModules(configuration.directory)).length > 0) {
    throw new NoDatabase(`there is no database in ${directory} yet; start the app once with "rowhouse start", which makes its tables, and then add users`)
  }
}

async function withDatabase(directory: string, tables: OpenDatabaseOptions['tables'], use: (database: Database) => Promise<unknown>): Promise<void> {
  const [{ openDatabase }, { platformMigrations }, { CallScope }] = await Promise.all([import('../db/database.js'), import('../migrations/index.js'), import('../server/call/call.js')])
  const database = await openDatabase({
    directory,
    tables,
    migrations: platformMigrations,
    scope: new CallScope(),
    exclusive: false,
    undeclared: 'ignore',
    log,
    // The log has told why. Nothing may be written any more, not even by closing.
    onFailure: () => process.exit(1),
  })
  try {
    await use(database)
  } finally {
    await database.close()
  }
}

const log = {
  info: () => undefined,
  warn: (message: string) => process.stderr.write(`${message}\n`),
  error: (message: string) => process.stderr.write(`${message}\n`),
}
