import type { Logger } from 'pino'
import { openDatabase, type Database, type OpenDatabaseOptions } from '../../db/database.js'
import { assertInnerFolder } from '../../db/files/folder-rights.js'
import { platformMigrations } from '../../migrations/index.js'
import { CallWrites } from '../call/call-writes.js'
import { CallScope, currentCall, runOutside } from '../call/call.js'
import { Deadlines } from '../call/deadlines.js'
import type { BodyRooms } from '../http/body/read-body.js'
import { recordAppSettings } from '../services/accounts/app-settings.js'
import { Users } from '../services/accounts/users.js'
import { Limiter } from '../services/limits/limiter.js'
import { Origins } from '../services/origins/origins.js'
import { Sessions } from '../services/sessions/sessions.js'
import { assertUsableSecret, openSecrets, type AppSecrets } from '../services/secrets/app-secrets.js'
import { bodiesFolder, openBodyRooms } from './body-rooms.js'
import type { Configuration } from './configuration/settings.js'

/** What the services of an app are made from. */
export interface ServicesOptions {
  readonly configuration: Configuration
  readonly tables: OpenDatabaseOptions['tables']
  readonly log: Logger
  readonly openEngine: OpenDatabaseOptions['openEngine']
  readonly onFailure: (failure: Error) => void
  readonly acceptDataLoss: boolean
}

/** The services of an app: what its endpoints and the platform's work with. */
export interface Services {
  readonly database: Database
  /** What is written outside of all calls. */
  readonly writes: CallWrites
  readonly users: Users
  readonly sessions: Sessions
  readonly origins: Origins
  readonly limiter: Limiter
  readonly secrets: AppSecrets
  readonly deadlines: Deadlines
  readonly bodies: BodyRooms
  /** Whether the database can no longer be trusted. */
  hasFailed(): boolean
  /** Finishes what they have been asked for, and closes them. */
  close(): Promise<void>
}

/**
 * Opens the services of an app.
 *
 * @throws SchemaError, DatabaseFailure, SecretError
 */
export async function openServices({ configuration, tables, log, openEngine, onFailure, acceptDataLoss }: ServicesOptions): Promise<Services> {
  // A start that is refused for it has changed nothing, such as the tables of an older version.
  await assertInnerFolder(bodiesFolder(configuration.data))
  assertUsableSecret({ settings: configuration, data: configuration.data })
  const writes = new CallWrites()
  const writesOfCaller = (): CallWrites => currentCall()?.writes ?? writes
  let hasFailed = false
  const database = await openDatabase({
    directory: configuration.data,
    tables,
    searchLimit: configuration.searchLimit,
    migrations: platformMigrations,
    exclusive: true,
    acceptDataLoss,
    undeclared: 'refuse',
    log,
    scope: new CallScope(),
    openEngine,
    onWrite: (commit) => writesOfCaller().add(commit),
    refusals: {
      refused: (error) => writesOfCaller().refused(error),
      isUncaught: (error) => writesOfCaller().isUncaught(error),
      overtaken: (error) => writesOfCaller().overtaken(error),
    },
    onFailure: (failure) => {
      hasFailed = true
      onFailure(failure)
    },
  })
  const { name, passwordHashing: hashing } = configuration
  let secrets: AppSecrets
  try {
    await recordAppSettings(database, { name, hashing })
    secrets = await openSecrets({ settings: configuration, data: configuration.data, warn: (message) => log.warn(message) })
  } catch (error) {
    await database.close()
    throw error
  }
  const deadlines = new Deadlines()
  const bodies = openBodyRooms(configuration, log)
  const users = new Users({ database, name, hashing })
  // What is not written down this time is next time.
  const aside = (work: () => Promise<unknown>): void => void runOutside(work).catch(() => undefined)
  const limiter = new Limiter({ database, log, inBackground: runOutside })
  return {
    database,
    writes,
    users,
    sessions: new Sessions({ database, settings: configuration, currentUser: (id) => users.current(id), aside }),
    origins: new Origins(configuration),
    limiter,
    secrets,
    deadlines,
    bodies,
    hasFailed: () => hasFailed,
    close: async () => {
      deadlines.close()
      bodies.files.close()
      await limiter.close()
      await database.close()
    },
  }
}
