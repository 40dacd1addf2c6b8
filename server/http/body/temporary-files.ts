import { mkdirSync, openSync, readdirSync, unlinkSync } from 'node:fs'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { refusal } from '../http-error.js'
import { TemporaryFile } from './temporary-file.js'

const extension = '.body'

/** Makes the files that hold what is too large for memory, in a folder of its own that nobody else may look into. */
export class TemporaryFiles {
  readonly #folder: string
  readonly #onDiskFull: () => void
  readonly #open = new Set<TemporaryFile>()
  #isReady = false

  /**
   * @param folder made when it is first needed; files in it that a killed process has left are removed then
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
    // Each time, since somebody may have tidied up.
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 })
    if (!this.#isReady) removeLeftOvers(this.#folder)
    this.#isReady = true
    const path = join(this.#folder, `${randomUUID()}${extension}`)
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
    return refusal('disk-full', 'there is no room for the body at the moment')
  }

  /** Closes those that are still open. */
  close(): void {
    for (const file of this.#open) file.close()
  }
}

/** Removes files by our own names only: the folder is where somebody else has said. */
function removeLeftOvers(folder: string): void {
  for (const name of readdirSync(folder)) if (name.endsWith(extension)) unlinkSync(join(folder, name))
}
