import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readSync, renameSync, rmSync, statSync, writeSync, type BigIntStats } from 'node:fs'
import { dirname } from 'node:path'

/** Which file, and when it is put aside. */
export interface RotatingFileOptions {
  /** Absolute. */
  readonly path: string
  /** In bytes. */
  readonly maxSize: number
  /** How many files that were put aside are kept. */
  readonly keep: number
}

interface OpenFile {
  readonly descriptor: number
  readonly device: bigint
  readonly inode: bigint
}

const newline = 0x0a

/**
 * A file that is appended to, under its own name as long as it is the current one, as `name.1` when it was put aside last, and so on up to `name.<keep>`.
 * What it does takes some system calls that never wait for data to reach a disk; they throw what the system says.
 */
export class RotatingFile {
  readonly path: string
  readonly #maxSize: number
  readonly #keep: number
  #open: OpenFile | null = null
  #size = 0
  /** Readable by its owner alone, like all that Rowhouse makes, unless the file that is there grants more. */
  #mode = 0o600

  constructor({ path, maxSize, keep }: RotatingFileOptions) {
    this.path = path
    this.#maxSize = maxSize
    this.#keep = keep
  }

  /**
   * Makes the file that has the path now the open one: a program that rotates logs may have moved, deleted or emptied it since the last time.
   *
   * @returns whether another file than before is open
   */
  follow(): boolean {
    const found = statSync(this.path, { throwIfNoEntry: false, bigint: true })
    if (found !== undefined && found.ino === this.#open?.inode && found.dev === this.#open.device) {
      this.#size = Number(found.size)
      return false
    }
    this.close()
    this.#openFile(found)
    return true
  }

  /** To write to, after {@link follow}. */
  get descriptor(): number {
    if (this.#open === null) throw new Error('the log file is not open')
    return this.#open.descriptor
  }

  /** In bytes. */
  get size(): number {
    return this.#size
  }

  /** How many more bytes belong into the current file. */
  get room(): number {
    return this.#maxSize - this.#size
  }

  /** How many bytes the file has by now, whoever has written them. */
  measure(): number {
    return fstatSync(this.descriptor).size
  }

  /** Puts the current file aside and begins a new one. */
  rotate(): void {
    if (this.#keep === 0) {
      rmSync(this.path)
    } else {
      // Only up to the first gap, so that a rotation that fails half-way, again and again, does not push all old files out.
      let last = 1
      while (last < this.#keep && existsSync(this.#aside(last))) last++
      for (let number = last; number > 1; number--) renameSync(this.#aside(number - 1), this.#aside(number))
      renameSync(this.path, this.#aside(1))
    }
    this.follow()
  }

  close(): void {
    if (this.#open !== null) closeSync(this.#open.descriptor)
    this.#open = null
  }

  #aside(number: number): string {
    return `${this.path}.${number}`
  }

  #openFile(found: BigIntStats | undefined): void {
    // A rename would take a device away from everybody, and opening a pipe may wait for ever.
    if (found !== undefined && !found.isFile()) throw new Error('it is a folder, a pipe or a device')
    if (found === undefined) mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 })
    else this.#mode = Number(found.mode) & 0o777
    const descriptor = openSync(this.path, 'a+', this.#mode)
    const { ino: inode, dev: device, size } = fstatSync(descriptor, { bigint: true })
    this.#open = { descriptor, device, inode }
    this.#size = Number(size)
    // A process that was killed, or a power cut, may have left half a line.
    const last = Buffer.alloc(1)
    if (this.#size > 0 && readSync(descriptor, last, 0, 1, this.#size - 1) === 1 && last[0] !== newline) this.#size += writeSync(descriptor, '\n')
  }
}
