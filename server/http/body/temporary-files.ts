import { randomUUID } from 'node:crypto'
import { mkdirSync, openSync, readdirSync, statfsSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { refusal, type HttpError } from '../http-error.js'
import { BodyRoom, overloaded, type BodyRoomOptions, type BodySource } from './body-room.js'
import { TemporaryFile } from './temporary-file.js'

const extension = '.body'
/** How much of what is free on the disk bodies may take together: the rest is for what stays, such as the database. */
const shareOfDisk = 3 / 4
/** How long a look at the disk is good for, in milliseconds. */
const lookInterval = 100

/** Where temporary files are, and how much of the disk they may take. */
export interface TemporaryFilesOptions {
  /** Made when it is first needed; files in it that a killed process has left are removed then. */
  readonly folder: string
  /** How much all files together may take, in bytes, where the disk has that much. */
  readonly limit: number
  readonly networkOf: BodyRoomOptions['networkOf']
  /** Called each time there was no room on the disk. */
  readonly onDiskFull: () => void
  /** Called each time all files together had taken what they may. */
  readonly onRefusal: () => void
}

/** Makes the files that hold what is too large for memory, in a folder of its own that nobody else may look into. */
export class TemporaryFiles {
  readonly #options: TemporaryFilesOptions
  readonly #room: BodyRoom
  readonly #open = new Set<TemporaryFile>()
  #isReady = false
  #size = 0
  #lookedAt = -Infinity

  constructor(options: TemporaryFilesOptions) {
    this.#options = options
    this.#room = new BodyRoom({ size: () => this.#sizeOfRoom(), networkOf: options.networkOf, refuse: () => this.#refuse() })
  }

  /**
   * An empty file for the body of this client, which has no name any more when this returns: however the process ends, nothing of it stays.
   *
   * @throws HttpError 507 when there is no room for it, and whatever else keeps it from being made
   */
  create(source: BodySource): TemporaryFile {
    try {
      return this.#create(source)
    } catch (error) {
      throw this.describeFailure(error)
    }
  }

  #create(source: BodySource): TemporaryFile {
    const { folder } = this.#options
    // Each time, since somebody may have tidied up.
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    if (!this.#isReady) removeLeftOvers(folder)
    this.#isReady = true
    const path = join(folder, `${randomUUID()}${extension}`)
    const descriptor = openSync(path, 'wx+', 0o600)
    const file = new TemporaryFile(descriptor, this.#room.hold(source), () => this.#open.delete(file))
    this.#open.add(file)
    unlinkSync(path)
    return file
  }

  /** What the caller is told when a file cannot be made or written: that there is no room where that is the reason, and otherwise nothing but the error itself. */
  describeFailure(error: unknown): unknown {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code !== 'ENOSPC' && code !== 'EDQUOT') return error
    return this.#diskFull()
  }

  /** What is on the disk is counted as free by it no more, so it is added. */
  #sizeOfRoom(): number {
    const now = performance.now()
    if (now - this.#lookedAt < lookInterval) return this.#size
    const { limit, folder } = this.#options
    const { bavail, bsize } = statfsSync(folder)
    this.#lookedAt = now
    this.#size = Math.min(limit, (bavail * bsize + this.#room.taken) * shareOfDisk)
    return this.#size
  }

  #refuse(): HttpError {
    if (this.#size < this.#options.limit) return this.#diskFull()
    this.#options.onRefusal()
    return overloaded()
  }

  #diskFull(): HttpError {
    this.#options.onDiskFull()
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
