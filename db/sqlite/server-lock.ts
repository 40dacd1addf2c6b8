import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseFailure } from '../errors/errors.js'
import { SqliteConnection } from './connection.js'
import { createPrivateFile } from './data-directory.js'
import { driverCode, isBusy } from './translate-error.js'

/**
 * Keeps a second server away from a data folder: an exclusive transaction, open for the server's lifetime, on an empty SQLite file of its own.
 * The lock is the kernel's, so it ends with the process however that ends, and a file left behind means nothing.
 */
export class ServerLock {
  /** Its path. */
  readonly file: string
  /** Whether there was none: then a server may be running whose lock was deleted. */
  readonly isNew: boolean
  readonly #connection: SqliteConnection

  private constructor(file: string, isNew: boolean, connection: SqliteConnection) {
    this.file = file
    this.isNew = isNew
    this.#connection = connection
  }

  /** @throws DatabaseFailure when another process, or another part of this one, has the lock */
  static async acquire(directory: string): Promise<ServerLock> {
    const file = join(directory, 'server.lock')
    // SQLite would fall back to reading a file that it must not write, and reading takes no exclusive lock.
    await access(file, constants.R_OK | constants.W_OK).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw unusable(file, error.code, error)
    })
    const isNew = await createPrivateFile(file)
    let connection: SqliteConnection | undefined
    try {
      connection = new SqliteConnection(file)
      // Nothing is ever written, so there is nothing to keep in a journal beside the file.
      connection.execute('PRAGMA journal_mode = MEMORY')
      connection.execute('BEGIN EXCLUSIVE')
      return new ServerLock(file, isNew, connection)
    } catch (error) {
      connection?.close()
      if (isBusy(error)) throw anotherServer(directory)
      throw unusable(file, driverCode(error), error)
    }
  }

  release(): void {
    this.#connection.close()
  }
}

/** What a second server is told. */
export function anotherServer(directory: string): DatabaseFailure {
  return new DatabaseFailure(`another Rowhouse server is running on the data folder ${directory}; stop it, or give this one a folder of its own`)
}

function unusable(file: string, code: string | undefined, cause: unknown): DatabaseFailure {
  return new DatabaseFailure(`the lock file ${file} cannot be used (${code ?? 'unknown error'}); delete it while no server runs, and start again`, { cause })
}
