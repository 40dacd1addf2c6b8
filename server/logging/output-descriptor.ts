import { constants, fstatSync, openSync, write, writeSync } from 'node:fs'
import { isatty } from 'node:tty'

/** How long the end of the process waits for a thread that is writing, in milliseconds. */
const longestWait = 1000
/** What the system says when there is no room for a byte at the moment. */
const busy = /^(?:EAGAIN|EWOULDBLOCK|EBUSY|EINTR)$/

/** Whether a write was refused only because the reader is slow. */
export function isBusy(error: unknown): boolean {
  return error instanceof Error && 'code' in error && busy.test(String(error.code))
}

/** Lets some time pass, with everything that this thread has to do. */
export function sleep(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)
}

/** The descriptor of standard output, as far as it matters how long a write to it takes. */
export class OutputDescriptor {
  /** Whether a write takes as much as there is room for and returns at once, so that no thread is needed. */
  readonly isImmediate: boolean
  readonly #descriptor: number
  readonly #isFile: boolean
  /** The size that a file has once the write that is under way has ended. */
  #expectedSize = 0

  constructor() {
    const own = openForItself()
    this.isImmediate = own !== null
    this.#descriptor = own ?? 1
    this.#isFile = fstatSync(this.#descriptor).isFile()
  }

  /** Returns how many bytes were written. @throws what the system says */
  writeNow(bytes: Buffer, offset: number): number {
    return writeSync(this.#descriptor, bytes, offset)
  }

  /** Leaves a write that may take long to a thread of libuv's. */
  writeByThread(bytes: Buffer, offset: number, done: (error: Error | null, written: number) => void): void {
    if (this.#isFile) this.#expectedSize = this.#size() + bytes.length - offset
    write(this.#descriptor, bytes, offset, done)
  }

  /** Waits until a thread has written, which the event loop will not be told any more: a file grows by it. Of anything else it can only be believed. */
  awaitThread(): void {
    const deadline = Date.now() + longestWait
    while (this.#isFile && this.#size() < this.#expectedSize && Date.now() < deadline) sleep(1)
  }

  #size(): number {
    return fstatSync(this.#descriptor).size
  }
}

/**
 * Opens the pipe or terminal that standard output is once more, so that writes to it never wait: whether they do is a property of what was opened, which is shared with every process that has
 * inherited it, and one that an app starts makes them wait. Null for anything else, and where the system has no such way.
 */
function openForItself(): number | null {
  try {
    if (!fstatSync(1).isFIFO() && !isatty(1)) return null
    return openSync('/proc/self/fd/1', constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
  } catch {
    return null
  }
}
