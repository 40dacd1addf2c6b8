import { closeSync, fsyncSync, openSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseFailure } from '../errors/errors.js'
import type { SqliteConnection } from './connection.js'

/** What the mark says. */
interface Mark {
  /** The database has to have this generation, or a later one. */
  readonly generation: number
  /** Whether a server is, or was when it ended, at work with the log. */
  readonly isInUse: boolean
}

const form = /^generation (\d{1,10}), (in use|closed)\n/

/** The file beside a database that tells whether its log, or the database itself, has been lost. */
function markOf(file: string): string {
  return `${file}-mark`
}

/**
 * Begins a new generation of the database, and says so in the mark: from now on the database without its log is older than the mark, until the log has been moved
 * into it, by whomever. SQLite takes a log that is gone for one that was empty.
 *
 * It costs some syncs, and is done when the log begins: at each start, and when a checkpoint has emptied it. The generation is a number in the database
 * (https://sqlite.org/pragma.html#pragma_user_version) that only grows. It is on the disk before the mark is, so that no power cut leaves the mark ahead.
 *
 * @throws what SQLite throws, SQLITE_BUSY among it when somebody else is writing, and what the system says
 */
export function beginGeneration(connection: SqliteConnection, file: string): void {
  const generation = advance(connection, readMark(file)?.generation ?? 0)
  // SQLite holds no locks on the log, so closing a second descriptor is safe.
  syncFile(`${realpathSync(file)}-wal`)
  writeMark(file, { generation, isInUse: true })
}

/** Says that the log has been moved into the database: a backup that is put in its place is no loss then. */
export function closeGeneration(file: string): void {
  const mark = readMark(file)
  try {
    if (mark?.isInUse === true) writeMark(file, { ...mark, isInUse: false })
  } catch {
    // On a full disk the old one stays, which is true as well.
  }
}

/**
 * To be asked before the database is opened, because SQLite takes an empty file for a new database.
 *
 * @throws DatabaseFailure when there was a database, and the file is missing or empty
 */
export function assertNotEmptied(file: string, size: number | undefined): void {
  if ((size ?? 0) > 0 || readMark(file) === null) return
  const what = size === undefined ? 'missing' : 'empty'
  throw new DatabaseFailure(
    `the database file ${file} is ${what}, and it was not when it was used last; restore a backup, or start with --accept-data-loss to begin with an empty database`,
  )
}

/** @throws DatabaseFailure when the database is older than the log which was in use with it */
export function assertNothingLost(connection: SqliteConnection, file: string): void {
  const mark = readMark(file)
  if (mark === null || !mark.isInUse || generationOf(connection) >= mark.generation) return
  throw new DatabaseFailure(
    `the database file ${file} lacks what was written to its log ${file}-wal, which is missing or not the one that was in use; ` +
      'put it back, or start with --accept-data-loss to go on with what is there, as after restoring a backup',
  )
}

function advance(connection: SqliteConnection, marked: number): number {
  connection.execute('BEGIN IMMEDIATE')
  try {
    const generation = Math.max(generationOf(connection), marked) + 1
    connection.execute(`PRAGMA user_version = ${generation}`)
    connection.execute('COMMIT')
    return generation
  } catch (error) {
    if (connection.inTransaction) connection.execute('ROLLBACK')
    throw error
  }
}

function generationOf(connection: SqliteConnection): number {
  return Number(connection.scalar('PRAGMA user_version'))
}

/** Null when there is none that can be read: a mark that was damaged says nothing. */
function readMark(file: string): Mark | null {
  let text: string
  try {
    text = readFileSync(markOf(file), 'latin1')
  } catch {
    return null
  }
  const [, generation, state] = form.exec(text) ?? []
  return generation === undefined ? null : { generation: Number(generation), isInUse: state === 'in use' }
}

/** Whole or not at all, whatever happens meanwhile. */
function writeMark(file: string, { generation, isInUse }: Mark): void {
  const path = markOf(file)
  const next = `${path}.new`
  const text = `generation ${generation}, ${isInUse ? 'in use' : 'closed'}\nBy this Rowhouse notices that the database or its log has been lost.\n`
  try {
    writeFileSync(next, text, { mode: 0o600, flush: true })
    renameSync(next, path)
  } catch (error) {
    rmSync(next, { force: true })
    throw error
  }
  // Windows cannot open a folder for this, and NTFS keeps its entries in a journal.
  if (process.platform !== 'win32') syncFile(dirname(path))
}

function syncFile(path: string): void {
  const descriptor = openSync(path, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
