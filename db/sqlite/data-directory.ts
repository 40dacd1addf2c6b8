import { constants, type Stats } from 'node:fs'
import { access, open, readlink, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { DatabaseFailure } from '../errors/errors.js'
import { assertClosed, closeIfEmpty } from '../files/folder-rights.js'
import { describeObstacle, makeFolder } from '../files/folders.js'
import { fileSystemKind } from './network-file-system.js'

/**
 * Makes the data folder if it is not there, for its owner alone, and checks that a database can live in it.
 * Throws a `DatabaseFailure` when it cannot; resolves to warnings about what is for the operator to know, or to judge.
 */
export async function prepareDataDirectory(directory: string): Promise<string[]> {
  await makeDirectory(directory)
  await assertAccess(directory, constants.R_OK | constants.W_OK | constants.X_OK, 'the data folder')
  const { kind, name } = await fileSystemKind(directory)
  if (kind === 'network') {
    throw new DatabaseFailure(
      `the data folder ${directory} is on a network file system (${name}), where SQLite's locks do not work; choose a folder on a local disk`,
    )
  }
  const closed = await closeIfEmpty(directory)
  await assertClosed(directory)
  const overFuse = kind === 'fuse' ? `the data folder ${directory} is on a FUSE file system (${name}); use it only if it is a disk of this machine` : null
  return [closed, overFuse].filter((warning) => warning !== null)
}

/** Checks, without opening any of them, that the files of the database are files that can be read and written. */
export async function assertDatabaseFiles(file: string): Promise<void> {
  const log = `${file}-wal`
  // The log before the file: another process that makes the database at this moment makes the file first.
  const logSize = await fileSize(log)
  const size = await fileSize(file)
  for (const path of [file, log, `${file}-shm`]) await assertAccess(path, constants.R_OK | constants.W_OK, 'the database file')
  // SQLite takes an empty file for a new database and deletes the log beside it, and with it the rows in the log.
  if ((size ?? 0) === 0 && (logSize ?? 0) > 0) {
    throw new DatabaseFailure(
      `the database file ${file} is ${size === undefined ? 'missing' : 'empty'}, but its log ${log} is there; ` +
        'restore the file, or move the log away to start with an empty database',
    )
  }
}

/**
 * Makes an empty file for its owner alone, unless there is one: SQLite would let everybody read it. The log gets the permissions of its database. A link may lead to a file that is not there yet.
 * A file that is there is not opened, because closing it again would drop the locks that this process may have on it.
 *
 * @returns whether it was made
 */
export async function createPrivateFile(file: string): Promise<boolean> {
  try {
    await (await open(file, 'wx', 0o600)).close()
    return true
  } catch (error) {
    const code = errorCode(error)
    if (code === 'EEXIST') return makeLinkedFile(file)
    throw new DatabaseFailure(`the file ${file} cannot be made (${code}); check the disk, the data folder and its permissions`, { cause: error })
  }
}

async function makeLinkedFile(file: string): Promise<boolean> {
  const isThere = await stat(file).then(() => true, (error: unknown) => errorCode(error) !== 'ENOENT')
  const target = isThere ? null : await readlink(file).catch(() => null)
  return target !== null && createPrivateFile(resolve(dirname(file), target))
}

/** A warning for the operator when the permissions of the database file let others read it; it is not for us to change them. */
export async function readableByOthers(file: string): Promise<string | undefined> {
  // Windows has access lists instead, and Node makes up a mode.
  if (process.platform === 'win32') return undefined
  const mode = ((await statFile(file))?.mode ?? 0) & 0o777
  if ((mode & 0o044) === 0) return undefined
  return `the permissions of ${file} (${mode.toString(8)}) let other users of this machine read it; run chmod 600 on it and on the files beside it that begin with its name`
}

/** The size in bytes, or `undefined` when there is no such file. */
export async function fileSize(file: string): Promise<number | undefined> {
  return (await statFile(file))?.size
}

async function statFile(file: string): Promise<Stats | undefined> {
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw new DatabaseFailure(`the file ${file} cannot be examined (${error.code}); check the data folder and its permissions`, { cause: error })
  })
  if (found !== undefined && !found.isFile()) {
    throw new DatabaseFailure(`the database file ${file} is not a file but a ${found.isDirectory() ? 'folder' : 'device'}; move it away`)
  }
  return found
}

async function makeDirectory(directory: string): Promise<void> {
  try {
    await makeFolder(directory)
  } catch (error) {
    const code = errorCode(error)
    const another = 'choose another data folder with --data'
    const obstacle = describeObstacle(directory, "the app's data")
    if (obstacle !== null) throw new DatabaseFailure(`${obstacle}, or ${another}`, { cause: error })
    const remedy = isFullDisk(code) ? 'the disk is full: make room' : 'give this user the right to write there'
    throw new DatabaseFailure(`the folder ${directory} cannot be written (${code}); ${remedy}, or ${another}`, {
      cause: error,
    })
  }
}

/** Whether the code of an error of the system's tells that no room is left, on the disk or of what this user may fill. */
function isFullDisk(code: string): boolean {
  return code === 'ENOSPC' || code === 'EDQUOT'
}

/** What is not there will be made. */
async function assertAccess(path: string, mode: number, what: string): Promise<void> {
  try {
    await access(path, mode)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return
    throw new DatabaseFailure(`${what} ${path} cannot be read and written by this user (${errorCode(error)}); change its owner or permissions`, {
      cause: error,
    })
  }
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
}
