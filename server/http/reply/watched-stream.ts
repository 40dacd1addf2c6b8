import { Readable } from 'node:stream'
import { describeValue } from '../../../db/errors/describe-value.js'
import { EventLoopShare } from '../event-loop-share.js'
import { discard } from './discard.js'
import { UnsendableValue } from './encode-json.js'

/** What is done about a stream while it is sent. */
interface StreamWatch {
  /** Awaited before each piece leaves and before the end does; returns null when there is nothing to wait for. */
  readonly beforePiece: () => Promise<unknown> | null
  /** Runs what the source does: as the call that the stream belongs to, whoever asks for the next piece. */
  readonly run: <Result>(work: () => Result) => Result
  /** Told of what a source throws while it is let go of, which changes nothing. */
  readonly onReleaseFailure: (thrown: unknown) => void
  /** Told of a failure after the first piece, of which the client can no longer be told: the stream ends as if it were whole, so whoever is told has to cut the answer before the promise resolves. */
  readonly onLateFailure: (thrown: unknown) => Promise<void>
}

/** A source that has been asked for its first piece. */
interface OpenSource {
  readonly next: () => PromiseLike<IteratorResult<unknown>> | IteratorResult<unknown>
  /** Lets go of it, at once, even while a piece is waited for. */
  readonly release: () => unknown
}

/** What all streams have of a turn: a source that always has a piece, and a client that always takes it, would go on until the stream is at its end. */
const share = new EventLoopShare(4)

const over: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined })

/**
 * Passes the pieces of a streamed reply on, checked: texts and bytes are sent, anything else ends the stream as a failure.
 *
 * It is no generator, since one would hold its source open while it waits for a piece that may never come, and would not even pass on that nobody wants any before it was asked for the first.
 */
export class WatchedStream implements AsyncIterableIterator<string | Uint8Array> {
  readonly #source: AsyncIterable<unknown>
  readonly #watch: StreamWatch
  #open: OpenSource | null = null
  /** The first piece, which has been waited for and not been asked for. */
  #first: IteratorResult<string | Uint8Array> | null = null
  #sent = 0
  #isOver = false
  #onRelease: (() => void) | null = null

  constructor(source: AsyncIterable<unknown>, watch: StreamWatch) {
    this.#source = source
    this.#watch = watch
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /**
   * Waits for the first piece, so that a failure before it can still be answered in another way.
   *
   * @throws UnsendableValue for a piece that is neither a text nor bytes, and whatever the source throws
   */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      // Nobody waits any longer for a piece that may never come.
      this.#onRelease = resolve
      this.#next().then((first) => {
        this.#first = first
        resolve()
      }, reject)
    })
  }

  /** How long the piece is that waits to be sent first, in bytes or units of a string. */
  get firstLength(): number {
    return this.#first?.done === false ? this.#first.value.length : 0
  }

  async next(): Promise<IteratorResult<string | Uint8Array>> {
    const first = this.#first
    if (first === null) return this.#next()
    this.#first = null
    return first
  }

  async #next(): Promise<IteratorResult<string | Uint8Array>> {
    if (this.#isOver) return over
    try {
      const { done, value } = await this.#ask()
      if (this.#isOver) return over
      if (done !== true) checkPiece(value, this.#sent)
      const written = this.#watch.beforePiece()
      if (written !== null) await written
      const turn = share.next()
      if (turn !== null) await turn
      if (done !== true) {
        this.#sent++
        // It has been checked.
        return { done: false, value: value as string | Uint8Array }
      }
      this.#isOver = true
      return over
    } catch (thrown) {
      // Whoever let go of it does not want to hear how it ended.
      if (this.#isOver) return over
      this.#release()
      if (this.#sent === 0) throw thrown
      await this.#watch.onLateFailure(thrown)
      return over
    }
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    if (this.#isOver) return over
    this.#release()
    this.#onRelease?.()
    return over
  }

  /** Asks for the next piece. A source that ends or fails by itself is not let go of. */
  async #ask(): Promise<IteratorResult<unknown>> {
    const { run } = this.#watch
    const open = (this.#open ??= run(() => openSource(this.#source)))
    try {
      const result = await run(open.next)
      if (result.done === true) this.#open = null
      return result
    } catch (thrown) {
      this.#open = null
      throw thrown
    }
  }

  #release(): void {
    this.#isOver = true
    const open = this.#open
    this.#open = null
    const { run, onReleaseFailure } = this.#watch
    if (open === null) discard(this.#source)
    // What a generator does at its end may fail, too.
    else void Promise.resolve().then(() => run(open.release)).catch(onReleaseFailure)
  }
}

function checkPiece(piece: unknown, index: number): void {
  if (typeof piece === 'string' || piece instanceof Uint8Array) return
  const what = `cannot send ${describeValue(piece)} as response[${index}]`
  throw new UnsendableValue(`${what}: a stream consists of texts and bytes`)
}

function openSource(source: AsyncIterable<unknown>): OpenSource {
  if (source instanceof ReadableStream) {
    // Its iterator can be ended only when the piece that is waited for has come.
    const reader = source.getReader() as ReadableStreamDefaultReader<unknown>
    const next = async (): Promise<IteratorResult<unknown>> => {
      const { done, value } = await reader.read()
      return done ? over : { done, value }
    }
    return { next, release: () => reader.cancel() }
  }
  const pieces = source[Symbol.asyncIterator]()
  return { next: () => pieces.next(), release: source instanceof Readable ? () => discard(source) : () => pieces.return?.() }
}
