import type { BodyHolding, BodySource } from './body-room.js'
import { FileSlice, type TemporaryFile } from './temporary-file.js'
import type { TemporaryFiles } from './temporary-files.js'

/** A body that has arrived: in memory or, where it is large, on disk. */
export type BodyContent = Buffer | FileSlice

/** The longest body that is held in memory, in bytes: enough for nearly all, and a thousand at once do not exhaust it. */
export const longestInMemory = 1024 * 1024
/** How much may wait to be written, in bytes, before the client has to wait. */
const mostWaiting = 512 * 1024
/** What a chunk takes in memory beside its bytes, in bytes. */
const chunkOverhead = 256

/** Where a body is put. */
export interface BodyStoreOptions {
  readonly files: TemporaryFiles
  /** What the body takes of the memory of all bodies. */
  readonly memory: BodyHolding
  readonly source: BodySource
  /** Whether nobody else has the chunks that are added: those of a connection, but not what was injected. */
  readonly areChunksOurs: boolean
  /** Called after `add` has returned false, once there is room for more. */
  readonly onRoom: () => void
  /** Called when the file cannot be written. */
  readonly onFailure: (error: unknown) => void
}

/** Takes a body in as it arrives. It stays in memory up to 1 MiB; beyond that all of it goes to a temporary file. */
export class BodyStore {
  readonly #options: BodyStoreOptions
  #waiting: Buffer[] = []
  #waitingLength = 0
  #length = 0
  #file: TemporaryFile | null = null
  #isWriting = false
  #onWritten: (() => void) | null = null

  constructor(options: BodyStoreOptions) {
    this.#options = options
  }

  /**
   * @returns whether there is room for more at once
   * @throws HttpError 503 when all bodies together have taken the memory, 507 when there is no room for a file, and whatever keeps it from being made
   */
  add(chunk: Buffer): boolean {
    const { files, memory, source } = this.#options
    memory.add(chunk.length + chunkOverhead)
    this.#waiting.push(chunk)
    this.#waitingLength += chunk.length
    this.#length += chunk.length
    if (this.#length <= longestInMemory) return true
    this.#file ??= files.create(source)
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
    this.#free(this.#takeWaiting())
    this.#options.memory.release()
  }

  async #write(file: TemporaryFile): Promise<void> {
    const { files, memory, onRoom, onFailure } = this.#options
    this.#isWriting = true
    try {
      while (this.#waiting.length > 0) {
        const length = this.#waitingLength
        const batch = this.#takeWaiting()
        if (length >= mostWaiting) onRoom()
        await file.append(batch)
        this.#free(batch)
        memory.remove(length + batch.length * chunkOverhead)
      }
      this.#isWriting = false
      this.#onWritten?.()
    } catch (error) {
      // Once it has been given up, nobody wants to hear of it.
      if (file.isOpen) onFailure(files.describeFailure(error))
    }
  }

  /**
   * Gives the memory of chunks back at once. They would be garbage otherwise, and a process that has been attacked and
   * is idle then collects none for a long time.
   */
  #free(chunks: readonly Buffer[]): void {
    if (!this.#options.areChunksOurs) return
    for (const { buffer, byteLength } of chunks) {
      // A short one shares its memory with others.
      if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0)
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
