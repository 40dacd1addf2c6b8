import type { Database } from '../../../db/database.js'
import { TableError } from '../../../db/errors/errors.js'
import type { HashingCost } from './password-hashing.js'

/** What a new password is checked against and hashed with. */
export interface AppSettings {
  /** The name of the app. */
  readonly name: string
  readonly hashing: HashingCost
}

const name = 'accounts'

/**
 * Writes down, in the database, what commands have to know that run elsewhere than in the app's folder. Without room on the
 * disk what was written down last stays.
 */
export async function recordAppSettings(database: Database, { name: app, hashing }: AppSettings): Promise<void> {
  const { memoryKiB, iterations } = hashing
  const value = JSON.stringify({ name: app, hashing: { memoryKiB, iterations } } satisfies AppSettings)
  if ((await read(database)) === value) return
  const [first, second] = [1, 2].map((position) => database.dialect.placeholder(position))
  const text = `INSERT INTO rowhouse_settings (name, value) VALUES (${first}, ${second})
    ON CONFLICT (name) DO UPDATE SET value = excluded.value`
  try {
    await database.write({ text }, [name, value])
  } catch (error) {
    if (!(error instanceof TableError) || error.code !== 'disk-full') throw error
  }
}

/** What the app wrote down when it started last; null where none has. */
export async function recordedAppSettings(database: Database): Promise<AppSettings | null> {
  const value = await read(database)
  // Only the function above writes it.
  return value === null ? null : (JSON.parse(value) as AppSettings)
}

async function read(database: Database): Promise<string | null> {
  const text = `SELECT value FROM rowhouse_settings WHERE name = ${database.dialect.placeholder(1)}`
  const [row] = await database.read({ text }, [name])
  return row === undefined ? null : String(row[0])
}
