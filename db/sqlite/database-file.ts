import { dirname } from 'node:path'
import { DatabaseFailure } from '../errors/errors.js'
import { SqliteConnection } from './connection.js'
import { fileSize } from './data-directory.js'
import { anotherServer } from './server-lock.js'
import { driverCode, isBusy } from './translate-error.js'
import { whileBusy } from './while-busy.js'

/** Marks a database file as Rowhouse's: "RHse" in ASCII (https://sqlite.org/pragma.html#pragma_application_id). */
export const applicationId = 0x52487365

/** The first SQLite in which a write-ahead log that is reset while another process commits cannot damage the file. */
const oldestSqlite = '3.51.3'

/** Files up to this size, in bytes, are checked whole at each start; it takes some ten milliseconds. Larger ones show their damage when it is read. */
const checkedSize = 16 * 1024 * 1024

/** How long a command may have the database open before it is taken for a server, in milliseconds. */
const commandTime = 3000

/**
 * Makes sure that no other process has the database open: each that has keeps a shared lock on its file (https://sqlite.org/wal.html,
 * section 8), so that an exclusive one can be had only when there is none. Where that works the log is moved into the file.
 *
 * @throws DatabaseFailure when one has
 */
export async function assertUnused(file: string): Promise<void> {
  if (((await fileSize(file)) ?? 0) === 0) return
  const look = (): void => {
    const connection = new SqliteConnection(file, { mustExist: true })
    try {
      connection.execute('PRAGMA locking_mode = EXCLUSIVE')
      connection.execute('SELECT count(*) FROM sqlite_schema')
    } finally {
      connection.close()
    }
  }
  try {
    await whileBusy(look, commandTime)
  } catch (error) {
    // What else is wrong with it is told where it is opened.
    if (isBusy(error)) throw anotherServer(dirname(file))
  }
}

/** Opens the database file for the writer: recognises it as Rowhouse's or makes it so, and throws a `DatabaseFailure` if it is neither or damaged. */
export async function openDatabaseFile(file: string): Promise<SqliteConnection> {
  const size = (await fileSize(file)) ?? 0
  return openConnection(file, (connection) => {
    assertVersion(connection)
    recognise(connection, file)
    if (size <= checkedSize) assertUndamaged(connection, file)
    configure(connection)
  })
}

/** Opens a further connection, which only reads, to a file that {@link openDatabaseFile} has opened. */
export function openReader(file: string): Promise<SqliteConnection> {
  return openConnection(file, (connection) => {
    configure(connection)
    connection.execute('PRAGMA query_only = ON')
  })
}

/** Another process may have the file locked for a moment, while it makes it or closes it; then all of it is done again. */
async function openConnection(file: string, setUp: (connection: SqliteConnection) => void): Promise<SqliteConnection> {
  try {
    return await whileBusy(() => {
      const connection = new SqliteConnection(file)
      try {
        setUp(connection)
        return connection
      } catch (error) {
        connection.close()
        throw error
      }
    })
  } catch (error) {
    throw openFailure(file, error)
  }
}

function configure(connection: SqliteConnection): void {
  // A COMMIT does not wait for the disk; the engine's own sync, which an answer waits for, makes it durable.
  connection.execute('PRAGMA synchronous = NORMAL')
  connection.execute('PRAGMA foreign_keys = ON')
  // Checkpoints sync, so they are left to the worker.
  connection.execute('PRAGMA wal_autocheckpoint = 0')
  // Large sorts stay in memory: a container may have no folder for temporary files, and rows leave the data folder for none.
  connection.execute('PRAGMA temp_store = MEMORY')
  // A memory-mapped page that the disk cannot read ends the process by a signal; a read one is an error.
  connection.execute('PRAGMA mmap_size = 0')
}

function assertVersion(connection: SqliteConnection): void {
  const version = String(connection.scalar('SELECT sqlite_version()'))
  if (version.localeCompare(oldestSqlite, 'en', { numeric: true }) >= 0) return
  throw new DatabaseFailure(
    `SQLite ${version} may damage a database that two processes write; install better-sqlite3 with SQLite ${oldestSqlite} or later`,
  )
}

/** A new file becomes ours; a file of another program is left as it is. */
function recognise(connection: SqliteConnection, file: string): void {
  // One statement, and so one state of the file, which another process may be making its own at this moment.
  const [[id, tables] = []] = connection.execute('SELECT application_id, (SELECT count(*) FROM sqlite_schema) FROM pragma_application_id')
  if (id !== applicationId && (id !== 0 || tables !== 0)) {
    throw new DatabaseFailure(`${file} is a database of another program; choose another data folder, or move the file away`)
  }
  if (connection.scalar('PRAGMA journal_mode = WAL') !== 'wal') {
    throw new DatabaseFailure(`the file system of ${file} has no shared memory, which SQLite's log needs; choose a folder on a local disk`)
  }
  if (id !== applicationId) connection.execute(`PRAGMA application_id = ${applicationId}`)
}

function assertUndamaged(connection: SqliteConnection, file: string): void {
  if (connection.scalar('PRAGMA quick_check(1)') !== 'ok') throw damaged(file, undefined)
}

function openFailure(file: string, error: unknown): unknown {
  if (error instanceof DatabaseFailure) return error
  const code = driverCode(error)
  if (code === undefined) return error
  if (code === 'SQLITE_NOTADB') {
    return new DatabaseFailure(`${file} is not an SQLite database, or its first page is damaged; restore a backup, or move the file away`, { cause: error })
  }
  if (code.startsWith('SQLITE_CORRUPT')) return damaged(file, error)
  if (code.startsWith('SQLITE_BUSY')) {
    return new DatabaseFailure(`another process has kept ${file} locked for seconds; end it, and start again`, { cause: error })
  }
  // The shared index is a file beside the database, of 32 KiB at first.
  if (code === 'SQLITE_FULL' || code === 'SQLITE_IOERR_SHMSIZE') return new DatabaseFailure(`the disk that holds ${file} is full; make room, and start again`, { cause: error })
  return new DatabaseFailure(`the database ${file} cannot be opened (${code}); check the disk, the data folder and its permissions`, { cause: error })
}

function damaged(file: string, cause: unknown): DatabaseFailure {
  return new DatabaseFailure(`the database file ${file} is damaged; restore a backup, or move the file away`, { cause })
}
