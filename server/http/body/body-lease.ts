import type { ServerResponse } from 'node:http'
import type { ReceivedBody } from './read-body.js'
import type { TemporaryFile } from './temporary-file.js'

/** Keeps the file of a body open as long as somebody may read it: until the handler has ended and the answer, which may be the body itself, is out. */
export class BodyLease {
  readonly #file: TemporaryFile
  #isAnswered = false
  #hasHandlerEnded = false

  constructor(file: TemporaryFile, response: ServerResponse) {
    this.#file = file
    if (response.closed) this.#answered()
    else response.once('close', () => this.#answered())
  }

  /** Told when the handler has returned or thrown, or will not be called; more often is no harm. It may run long after the answer, where that told of a timeout or the client went away. */
  handlerEnded(): void {
    this.#hasHandlerEnded = true
    this.#closeFile()
  }

  #answered(): void {
    this.#isAnswered = true
    this.#closeFile()
  }

  #closeFile(): void {
    if (this.#hasHandlerEnded && this.#isAnswered) this.#file.close()
  }
}

/** A lease of a body's file; null for a body in memory. */
export function leaseBody({ content }: ReceivedBody, response: ServerResponse): BodyLease | null {
  return Buffer.isBuffer(content) ? null : new BodyLease(content.file, response)
}
