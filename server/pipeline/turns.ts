import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Endpoint } from '../endpoint/endpoint.js'
import { EventLoopShare } from '../http/event-loop-share.js'
import type { Reply } from '../http/reply/reply.js'
import { WatchedStream } from '../http/reply/watched-stream.js'

/** From which length on a body waits for a turn, in bytes: what is shorter is decoded in a moment. */
const longBody = 64 * 1024
/** From which length on an answer, or the first piece of one, is long, in bytes or units of a string: what is shorter is made in a moment. */
const longAnswer = 64 * 1024

/**
 * Lets one request of those that take long go on in each turn of the event loop, and all others in between: many that
 * arrive at once would hold up everything else for as long as they take together, and their answers, none of which is
 * sent before the turn ends, would all be held at once.
 */
export class Turns {
  /** What the others have of a turn: many that arrive in it together may be long without anybody having known. As many as usually do are done in it: what waits is kept, and moved, by the garbage collector. */
  readonly #share = new EventLoopShare(10, 8)
  #last: Promise<unknown> = Promise.resolve()
  /** Those whose last answer was long, and so probably the next one. */
  readonly #long = new Set<Endpoint>()

  /**
   * Resolves when it is the turn of a request.
   *
   * @param bodyLength in bytes
   * @returns null where nobody has to wait, which is nearly always
   */
  next(endpoint: Endpoint | null, bodyLength: number): Promise<unknown> | null {
    const isLong = bodyLength >= longBody || (this.#long.size > 0 && endpoint !== null && this.#long.has(endpoint))
    return isLong ? (this.#last = this.#last.then(() => nextTurn())) : this.#share.next()
  }

  /** Told what an endpoint answers. */
  answered(endpoint: Endpoint | null, body: Reply['body']): void {
    if (endpoint === null) return
    if (lengthAtOnce(body) >= longAnswer) this.#long.add(endpoint)
    else if (this.#long.size > 0) this.#long.delete(endpoint)
  }
}

function lengthAtOnce(body: Reply['body']): number {
  if (typeof body === 'string' || Buffer.isBuffer(body)) return body.length
  return body instanceof WatchedStream ? body.firstLength : 0
}
