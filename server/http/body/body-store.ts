import { FileSlice, type TemporaryFile } from './temporary-file.js'
import type { TemporaryFiles } from './temporary-files.js'

/** A body that has arrived: in memory or, where it is large, on disk. */
export type BodyContent = Buffer | FileSlice

/** The longest body that is held in memory, in bytes: enough for nearly all, and a thousand at once do not exhaust it. */
export const longestInMemory = 1024 * 1024
/** How much may wait to be written, in bytes, before the client has to wait. */
const mostWaiting = 512 * 1024

/** Takes a body in as it arrives. It stays in memory up to 1 MiB; beyond that all of it goes to a temporary file. */
export class BodyStore {
  readonly #files: TemporaryFiles
  readonly #onRoom: () => void
  readonly #onFailure: (error: unknown) => void
  #waiting: Buffer[] = []
  #waitingLength = 0
  #length = 0
  #file: TemporaryFile | null = null
  #isWriting = false
  #onWritten: (() => void) | null = null

  /**
   * @param onRoom called after `add` has returned false, once there is room for more
   * @param onFailure called when the file cannot be written
   */
  constructor(files: TemporaryFiles, onRoom: () => void, onFailure: (error: unknown) => void) {
    this.#files = files
    this.#onRoom = onRoom
    this.#onFailure = onFailure
  }

  /**
   * @returns whether there is room for more at once
   * @throws HttpError 507 when there is no room for a file, and whatever keeps it from being made
   */
  add(chunk: Buffer): boolean {
    this.#waiting.push(chunk)
    this.#waitingLength += chunk.length
    this.#length += chunk.length
    if (this.#length <= longestInMemory) return true
    this.#file ??= this.#files.create()
    if (!this.#isWriting) void this.#write(this.#file)
    return this.#waitingLength < mostWaiting
  }

  /** What has arrived, once all of it is where it belongs; null when nothing has. */
  finish(): BodyContent | null | Promise<BodyContent> {
    const file = this.#file
    if (file === null) return this.#length === 0 ? null : joined(this.#takeWaiting(), this.#length)
    const content = new FileSlice(file, 0, this.#length)
    if (!this.#isWriting) return content
    return new Promise((resolve) => (this.#onWritten = () => resolve(content)))
  }

  /** Gives up what has arrived. */
  abandon(): void {
    this.#file?.close()
    this.#waiting = []
  }

  async #write(file: TemporaryFile): Promise<void> {
    this.#isWriting = true
    try {
      while (this.#waiting.length > 0) {
        const wasFull = this.#waitingLength >= mostWaiting
        const batch = this.#takeWaiting()
        if (wasFull) this.#onRoom()
        await file.append(batch)
      }
      this.#isWriting = false
      this.#onWritten?.()
    } catch (error) {
      // Once it has been given up, nobody wants to hear of it.
      if (file.isOpen) this.#onFailure(this.#files.describeFailure(error))
    }
  }

  #takeWaiting(): readonly Buffer[] {
    const waiting = this.#waiting
    this.#waiting = []
    this.#waitingLength = 0
    return waiting
  }
}

function joined(chunks: readonly Buffer[], length: number): Buffer {
  const [first] = chunks
  return chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks, length)
}
