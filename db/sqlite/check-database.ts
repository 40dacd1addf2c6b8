import { constants } from 'node:fs'
import { access, copyFile, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { DatabaseFailure } from '../errors/errors.js'
import { SqliteConnection } from './connection.js'
import { fileSize } from './data-directory.js'
import { assertLogFits, assertNotEmptied, assertNothingLost, generationInFile } from './log-mark.js'
import { driverCode } from './translate-error.js'

/** How long it waits for who recovers the database at this moment, in milliseconds. */
const busyTimeout = 5000

/**
 * Reads all of the database in a data folder and looks for damage, beside a server or without one (https://sqlite.org/pragma.html#pragma_quick_check). It changes nothing in the folder
 * and leaves nothing there; one that this user may only read will do.
 *
 * @throws {DatabaseFailure} with what it has found; the message is one sentence that says what to do
 */
export async function checkSqlite(directory: string): Promise<void> {
  const file = join(directory, 'rowhouse.db')
  const size = await fileSize(file)
  assertNotEmptied(file, size)
  if (size === undefined) throw new DatabaseFailure(`there is no database in ${directory}; name the data folder with --data, or start the app once, which makes its database`)
  assertLogFits(file, generationInFile(file, false))
  const findings = await findDamage(file)
  if (findings.length === 0) return
  throw new DatabaseFailure(`the database file ${file} is damaged; restore a backup, or move the file away (${findings.join('; ')})`)
}

/**
 * SQLite reads such a database by way of a log and a shared index, which it makes where there are none. Where both are there, because a server runs or was killed, a connection that only
 * reads leaves them where they are. Where there is neither, one that may write takes both away again when it closes, and has nothing to move into the file. What is left, a folder
 * that cannot be written or a log without its index, is read in a copy.
 */
async function findDamage(file: string): Promise<string[]> {
  // SQLite puts them beside the file that a link points to.
  const target = await realpath(file)
  const beside = await filesBeside(target)
  if (beside.includes('-wal') && beside.includes('-shm')) return findDamageIn(file, { named: file, readOnly: true })
  if (beside.length === 0 && (await isWritable(target))) return findDamageIn(file, { named: file, readOnly: false })
  const needed = ['', ...beside.filter((suffix) => suffix !== '-shm')]
  return inCopy(target, needed, (copy) => findDamageIn(copy, { named: file, readOnly: false }))
}

/** What SQLite may have put beside a database file. */
async function filesBeside(file: string): Promise<string[]> {
  const found: string[] = []
  for (const suffix of ['-wal', '-shm', '-journal']) if ((await fileSize(`${file}${suffix}`)) !== undefined) found.push(suffix)
  return found
}

async function isWritable(file: string): Promise<boolean> {
  const { R_OK, W_OK, X_OK } = constants
  return Promise.all([access(file, R_OK | W_OK), access(dirname(file), R_OK | W_OK | X_OK)]).then(() => true, () => false)
}

/** Copies a database file and what is beside it, by suffix, into a folder for this user alone, which is there as long as the work takes. */
async function inCopy<Result>(file: string, suffixes: readonly string[], work: (copy: string) => Result): Promise<Result> {
  const above = tmpdir()
  let folder: string | undefined
  try {
    folder = await mkdtemp(join(above, 'rowhouse-check-'))
    const copy = join(folder, basename(file))
    for (const suffix of suffixes) await copyFile(`${file}${suffix}`, `${copy}${suffix}`, constants.COPYFILE_FICLONE)
    return work(copy)
  } catch (error) {
    if (error instanceof DatabaseFailure) throw error
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    throw new DatabaseFailure(
      `${file} can only be read in a copy without changing anything beside it, and could not be copied to ${above} (${code}); make room there, name another folder in TMPDIR, or give this user the right to read the database`,
      { cause: error },
    )
  } finally {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true })
  }
}

interface Look {
  /** The database file that this is about, of which another may be a copy. */
  readonly named: string
  readonly readOnly: boolean
}

function findDamageIn(file: string, { named, readOnly }: Look): string[] {
  let connection: SqliteConnection | undefined
  try {
    connection = new SqliteConnection(file, { busyTimeout, mustExist: true, readOnly })
    assertNothingLost(connection, named)
    return connection.execute('PRAGMA quick_check(3)').flatMap(([finding]) => (finding === 'ok' ? [] : [String(finding).replaceAll('\n', ' ')]))
  } catch (error) {
    const code = driverCode(error)
    if (code === undefined) throw error
    if (/^SQLITE_(CORRUPT|NOTADB|IOERR)/.test(code)) return [code]
    throw new DatabaseFailure(`the database file ${named} cannot be read (${code}); check the data folder and its permissions, and try again`, { cause: error })
  } finally {
    connection?.close()
  }
}
