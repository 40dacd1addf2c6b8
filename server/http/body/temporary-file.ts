import { close, read, readSync, writev } from 'node:fs'
import { promisify } from 'node:util'
import { StoredContent } from '../../../db/values/stored-content.js'
import type { BodyHolding } from './body-room.js'

const readFile = promisify(read)
const writeFile = promisify(writev)

/** The most that is asked of the system at once, in bytes; it counts in 32 bits. */
const largestRead = 2 ** 30

/** An open file without a name: it is gone once it is closed. */
export class TemporaryFile {
  #descriptor: number | null
  readonly #room: BodyHolding
  readonly #onClose: () => void
  #length = 0
  /** How many reads and writes are under way. The number of a closed file may be given to the next one that is opened, so it is not closed under them. */
  #underWay = 0
  #isOpen = true

  /** @param room what it takes of the room that the files of all bodies have; given back when it is closed */
  constructor(descriptor: number, room: BodyHolding, onClose: () => void) {
    this.#descriptor = descriptor
    this.#room = room
    this.#onClose = onClose
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  /**
   * Writes at the end. One at a time: wait for it before the next.
   *
   * @throws HttpError 503 when all bodies together have taken the room on disk
   */
  async append(chunks: readonly Buffer[]): Promise<void> {
    this.#room.add(chunks.reduce((sum, { length }) => sum + length, 0))
    await this.#use(async (descriptor) => {
      for (let rest = chunks; rest.length > 0; ) {
        const { bytesWritten } = await writeFile(descriptor, rest, this.#length)
        this.#length += bytesWritten
        rest = without(rest, bytesWritten)
      }
    })
  }

  /** Reads `length` bytes from `position` on. */
  async read(position: number, length: number): Promise<Buffer> {
    return await this.#use(async (descriptor) => {
      const bytes = Buffer.allocUnsafeSlow(length)
      for (let done = 0; done < length; ) {
        const { bytesRead } = await readFile(descriptor, bytes, done, Math.min(length - done, largestRead), position + done)
        done += expectSome(bytesRead)
      }
      return bytes
    })
  }

  /** The same at once. */
  readSync(position: number, length: number): Buffer {
    const descriptor = this.#openDescriptor()
    const bytes = Buffer.allocUnsafeSlow(length)
    for (let done = 0; done < length; ) done += expectSome(readSync(descriptor, bytes, done, Math.min(length - done, largestRead), position + done))
    return bytes
  }

  /** Closes it, once the reads and writes under way have ended. */
  close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#closeDescriptor()
  }

  async #use<Result>(work: (descriptor: number) => Promise<Result>): Promise<Result> {
    const descriptor = this.#openDescriptor()
    this.#underWay++
    try {
      return await work(descriptor)
    } finally {
      this.#underWay--
      this.#closeDescriptor()
    }
  }

  #openDescriptor(): number {
    if (!this.#isOpen || this.#descriptor === null) {
      throw new Error('this body is gone, because its request has been answered and the handler has ended; read it before, or keep a copy: new Media(media.bytes)')
    }
    return this.#descriptor
  }

  #closeDescriptor(): void {
    if (this.#isOpen || this.#underWay > 0 || this.#descriptor === null) return
    // Giving up a large file takes a while, so it is not done at once; and nothing can be done about a failure.
    close(this.#descriptor, () => undefined)
    this.#descriptor = null
    this.#room.release()
    this.#onClose()
  }
}

/** Chunks without their first bytes. */
function without(chunks: readonly Buffer[], length: number): readonly Buffer[] {
  let whole = 0
  let cut = length
  for (; whole < chunks.length && cut >= (chunks[whole]?.length ?? 0); whole++) cut -= chunks[whole]?.length ?? 0
  return chunks.slice(whole).map((chunk, index) => (index === 0 ? chunk.subarray(cut) : chunk))
}

/** A read of what was written finds something. */
function expectSome(bytesRead: number): number {
  if (bytesRead === 0) throw new Error('the temporary file of a body is shorter than what was written to it')
  return bytesRead
}

/** A part of a temporary file. */
export class FileSlice extends StoredContent {
  override readonly hasCheapParts = true

  constructor(
    readonly file: TemporaryFile,
    readonly start: number,
    readonly length: number,
  ) {
    super()
  }

  get isOpen(): boolean {
    return this.file.isOpen
  }

  override readSync(): Buffer {
    return this.file.readSync(this.start, this.length)
  }

  override async read(position: number, length: number): Promise<Buffer> {
    return await this.file.read(this.start + position, Math.min(length, this.length - position))
  }

  /** A part of this part. */
  slice(start: number, end: number): FileSlice {
    return new FileSlice(this.file, this.start + start, end - start)
  }
}
