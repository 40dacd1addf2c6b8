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
  readonly #connection: SqliteConnection

  private constructor(connection: SqliteConnection) {
    this.#connection = connection
  }

  /** Throws a `DatabaseFailure` when another process, or another part of this one, has the lock. */
  static async acquire(directory: string): Promise<ServerLock> {
    const file = join(directory, 'server.lock')
    // SQLite would fall back to reading a file that it must not write, and reading takes no exclusive lock.
    await access(file, constants.R_OK | constants.W_OK).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw unusable(file, error.code, error)
    })
    await createPrivateFile(file)
    let connection: SqliteConnection | undefined
    try {
      connection = new SqliteConnection(file)
      // Nothing is ever written, so there is nothing to keep in a journal beside the file.
      connection.execute('PRAGMA journal_mode = MEMORY')
      connection.execute('BEGIN EXCLUSIVE')
      return new ServerLock(connection)
    } catch (error) {
      connection?.close()
      if (isBusy(error)) {
        throw new DatabaseFailure(`another Rowhouse server is running on the data folder ${directory}; stop it, or give this one a folder of its own`)
      }
      throw unusable(file, driverCode(error), error)
    }
  }

  release(): void {
    this.#connection.close()
  }
}

function unusable(file: string, code: string | undefined, cause: unknown): DatabaseFailure {
  return new DatabaseFailure(`the lock file ${file} cannot be used (${code ?? 'unknown error'}); delete it while no server runs, and start again`, { cause })
}
