import { mkdirSync, openSync, rmSync, unlinkSync } from 'node:fs'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { HttpError } from '../errors/http-error.js'
import { TemporaryFile } from './temporary-file.js'

/** Makes the files that hold what is too large for memory, in a folder of its own that nobody else may look into. */
export class TemporaryFiles {
  readonly #folder: string
  readonly #onDiskFull: () => void
  readonly #open = new Set<TemporaryFile>()
  #isReady = false

  /**
   * @param folder made when it is first needed; whatever is in it then was left there by a process that was killed, and is removed
   * @param onDiskFull called each time there was no room
   */
  constructor(folder: string, onDiskFull: () => void) {
    this.#folder = folder
    this.#onDiskFull = onDiskFull
  }

  /**
   * An empty file, which has no name any more when this returns: however the process ends, nothing of it stays.
   *
   * @throws HttpError 507 when there is no room for it, and whatever else keeps it from being made
   */
  create(): TemporaryFile {
    try {
      return this.#create()
    } catch (error) {
      throw this.describeFailure(error)
    }
  }

  #create(): TemporaryFile {
    if (!this.#isReady) rmSync(this.#folder, { recursive: true, force: true })
    // Each time, since some machines remove what lies in folders of this name.
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 })
    this.#isReady = true
    const path = join(this.#folder, randomUUID())
    const file = new TemporaryFile(openSync(path, 'wx+', 0o600), () => this.#open.delete(file))
    this.#open.add(file)
    unlinkSync(path)
    return file
  }

  /** What the caller is told when a file cannot be made or written: that there is no room where that is the reason, and otherwise nothing but the error itself. */
  describeFailure(error: unknown): unknown {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code !== 'ENOSPC' && code !== 'EDQUOT') return error
    this.#onDiskFull()
    return new HttpError(507, 'there is no room for the body at the moment')
  }

  /** Closes those that are still open. */
  close(): void {
    for (const file of this.#open) file.close()
  }
}
