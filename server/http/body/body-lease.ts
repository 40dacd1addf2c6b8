import type { ServerResponse } from 'node:http'
import type { ReceivedBody } from './read-body.js'

/** Keeps the file of a body open, and its memory counted, as long as somebody may read it: until the handler has ended and the answer, which may be the body itself, is out. */
export class BodyLease {
  readonly #body: ReceivedBody
  #isAnswered = false
  #hasHandlerEnded = false

  constructor(body: ReceivedBody, response: ServerResponse) {
    this.#body = body
    if (response.closed) this.#answered()
    else response.once('close', () => this.#answered())
  }

  /** Told when the handler has returned or thrown, or will not be called; more often is no harm. It may run long after the answer, where that told of a timeout or the client went away. */
  handlerEnded(): void {
    this.#hasHandlerEnded = true
    this.#letGo()
  }

  #answered(): void {
    this.#isAnswered = true
    this.#letGo()
  }

  #letGo(): void {
    if (!this.#hasHandlerEnded || !this.#isAnswered) return
    const { content, memory } = this.#body
    if (!Buffer.isBuffer(content)) content.file.close()
    memory.release()
  }
}

/** A lease of a body; null for one that is too small for anybody to count. */
export function leaseBody(body: ReceivedBody, response: ServerResponse): BodyLease | null {
  return Buffer.isBuffer(body.content) && !body.memory.isCounted ? null : new BodyLease(body, response)
}
