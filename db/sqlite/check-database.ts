import { join } from 'node:path'
import { DatabaseFailure } from '../errors/errors.js'
import { SqliteConnection } from './connection.js'
import { fileSize } from './data-directory.js'
import { assertLogFits, assertNotEmptied, assertNothingLost, generationInFile } from './log-mark.js'
import { driverCode } from './translate-error.js'

/** How long it waits for who recovers the database at this moment, in milliseconds. */
const busyTimeout = 5000

/**
 * Reads all of the database in a data folder and looks for damage, beside a server or without one, and changes nothing (https://sqlite.org/pragma.html#pragma_quick_check).
 *
 * @throws {DatabaseFailure} with what it has found; the message is one sentence that says what to do
 */
export async function checkSqlite(directory: string): Promise<void> {
  const file = join(directory, 'rowhouse.db')
  const size = await fileSize(file)
  assertNotEmptied(file, size)
  if (size === undefined) throw new DatabaseFailure(`there is no database in ${directory}; name the data folder with --data, or start the app once, which makes its database`)
  assertLogFits(file, generationInFile(file, false))
  const findings = findDamage(file)
  if (findings.length === 0) return
  throw new DatabaseFailure(`the database file ${file} is damaged; restore a backup, or move the file away (${findings.join('; ')})`)
}

function findDamage(file: string): string[] {
  let connection: SqliteConnection | undefined
  try {
    connection = new SqliteConnection(file, { busyTimeout, readOnly: true })
    assertNothingLost(connection, file)
    return connection.execute('PRAGMA quick_check(3)').flatMap(([finding]) => (finding === 'ok' ? [] : [String(finding).replaceAll('\n', ' ')]))
  } catch (error) {
    const code = driverCode(error)
    if (code === undefined) throw error
    if (/^SQLITE_(CORRUPT|NOTADB|IOERR)/.test(code)) return [code]
    throw new DatabaseFailure(`the database file ${file} cannot be read (${code}); check the data folder and its permissions, and try again`, { cause: error })
  } finally {
    connection?.close()
  }
}
