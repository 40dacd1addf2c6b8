import { DatabaseFailure } from '../errors/errors.js'
import type { FailureLatch } from './failure-latch.js'
import { FileIdentity } from './file-identity.js'

/** How often the files are looked at while nothing is written, in milliseconds. */
const interval = 1000

/** What is used of a data folder, as absolute paths. */
export interface FolderWatchOptions {
  readonly directory: string
  readonly database: string
  /** The write-ahead log. */
  readonly log: string
  /** Null for a command, which has no lock. */
  readonly lock: string | null
  readonly latch: FailureLatch
}

interface Watched {
  readonly identity: FileIdentity
  readonly problem: string
}

const lost = 'was deleted, moved or replaced while it was in use; nothing more is accepted'

/**
 * Notices that the data folder, or a file of it, was deleted or replaced under the running engine: what is written then is
 * gone with the process, and what is read is not what others see.
 */
export class FolderWatch {
  readonly #latch: FailureLatch
  readonly #directory: Watched
  readonly #files: readonly Watched[]
  readonly #timer: NodeJS.Timeout

  /** Remembers what is there now, and begins to look at it once a second. */
  constructor({ directory, database, log, lock, latch }: FolderWatchOptions) {
    const watch = (path: string, problem: string): Watched => ({ identity: new FileIdentity(path), problem })
    this.#latch = latch
    this.#directory = watch(directory, `the data folder ${directory} ${lost}; put it back, or restore a backup, and restart`)
    this.#files = [
      watch(database, `the database file ${lost}; move away the log beside it, which belongs to the file that is gone, restore a backup and restart`),
      watch(log, `the log beside the database file ${lost}; restore a backup and restart`),
      ...(lock === null ? [] : [watch(lock, `the lock file ${lock} ${lost}; see to it that no second server runs on the data folder, and restart`)]),
    ]
    this.#timer = setInterval(() => this.#examine(), interval).unref()
  }

  /** Why nothing that is written now can be relied on, or null. */
  problem(): string | null {
    for (const { identity, problem } of this.#files) {
      if (!identity.isThere()) return this.#directory.identity.isThere() ? problem : this.#directory.problem
    }
    return null
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #examine(): void {
    const problem = this.problem()
    if (problem === null) return
    this.stop()
    this.#latch.report(new DatabaseFailure(problem))
  }
}
