import { closeSync, fsyncSync, openSync, readFileSync, readSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseFailure } from '../errors/errors.js'
import type { SqliteConnection } from './connection.js'

/** What the mark says. */
interface Mark {
  /** The database has to have this generation, or a later one. */
  readonly generation: number
  /** The database file without its log had this generation, and can only get later ones: an older one is not what the log was written for. */
  readonly base: number
  /** Whether a server is, or was when it ended, at work with the log. */
  readonly isInUse: boolean
}

const form = /^generation (\d{1,10}) on (\d{1,10}), (in use|closed)\n/

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
 * @param base the generation of the database file without its log, or an earlier one; null where the log has just been moved into it
 * @throws what SQLite throws, SQLITE_BUSY among it when somebody else is writing, and what the system says
 */
export function beginGeneration(connection: SqliteConnection, file: string, base: number | null): void {
  const present = generationOf(connection)
  const generation = advance(connection, readMark(file)?.generation ?? 0)
  // SQLite holds no locks on the log, so closing a second descriptor is safe.
  syncFile(`${realpathSync(file)}-wal`)
  writeMark(file, { generation, base: base ?? present, isInUse: true })
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

/** Where the header of a database file has its generation, in bytes (https://sqlite.org/fileformat2.html#user_version_number). */
const generationOffset = 60

/**
 * The generation of the database file by itself, whatever its log says; 0 where there is none. To be asked before the file is opened by SQLite: a descriptor that is closed takes
 * this process's locks on the file with it (https://sqlite.org/howtocorrupt.html, section 2.2).
 *
 * @param isAlone whether nothing else in this process can have the file open; else the descriptor stays open until the process ends
 */
export function generationInFile(file: string, isAlone: boolean): number {
  const header = Buffer.alloc(4)
  let descriptor: number
  try {
    descriptor = openSync(file, 'r')
  } catch {
    // What is wrong with it is told where it is opened.
    return 0
  }
  try {
    readSync(descriptor, header, 0, header.length, generationOffset)
  } finally {
    if (isAlone) closeSync(descriptor)
  }
  return header.readUInt32BE()
}

/**
 * To be asked before the database is opened, because SQLite would write the log of another file into a backup that was put in the place of the database, and so damage it.
 *
 * @param generation that of the file by itself
 * @throws DatabaseFailure when the log is not that of the file
 */
export function assertLogFits(file: string, generation: number): void {
  if (logFits(file, generation)) return
  throw new DatabaseFailure(
    `the database file ${file} is older than its log ${file}-wal was written for, as a backup is that was put in its place; move the log and ${file}-shm away to go on with the backup, ` +
      'or start with --accept-data-loss, which does so',
  )
}

/** Puts a log aside that is not that of the database file. What it holds is lost to the database, and kept beside it. */
export function putStaleLogAside(file: string, generation: number): void {
  if (logFits(file, generation)) return
  renameSync(`${file}-wal`, `${file}-wal.${Date.now()}.lost`)
  rmSync(`${file}-shm`, { force: true })
}

function logFits(file: string, generation: number): boolean {
  const log = statSync(`${file}-wal`, { throwIfNoEntry: false })
  if (log === undefined || log.size === 0) return true
  const mark = readMark(file)
  return mark === null || !mark.isInUse || generation >= mark.base
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

/** Null when there is none, or one that was damaged, which says nothing. @throws DatabaseFailure when there is one that cannot be read */
function readMark(file: string): Mark | null {
  const path = markOf(file)
  let text: string
  try {
    text = readFileSync(path, 'latin1')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    if (code === 'ENOENT') return null
    throw new DatabaseFailure(`the file ${path} cannot be read (${code}); give this user the right to read and write it`, { cause: error })
  }
  const [, generation, base, state] = form.exec(text) ?? []
  return generation === undefined ? null : { generation: Number(generation), base: Number(base), isInUse: state === 'in use' }
}

/** Whole or not at all, whatever happens meanwhile. */
function writeMark(file: string, { generation, base, isInUse }: Mark): void {
  const path = markOf(file)
  const next = `${path}.new`
  const text = `generation ${generation} on ${base}, ${isInUse ? 'in use' : 'closed'}\nBy this Rowhouse notices that the database or its log has been lost.\n`
  try {
    // One that is left of an attempt may be another user's.
    rmSync(next, { force: true })
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
