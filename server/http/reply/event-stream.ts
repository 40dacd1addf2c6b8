import { discard } from './discard.js'
import { encodeJson } from './encode-json.js'

/** One event of an event stream. */
export interface ServerSentEvent {
  /** A text as it is, anything else as JSON. */
  readonly data?: unknown
  /** The name under which a browser dispatches it; `message` when there is none. */
  readonly event?: string
  /** What a browser that was cut off sends back as `Last-Event-ID` when it connects again. */
  readonly id?: string
  /** How long a browser that was cut off waits before it connects again, in milliseconds. */
  readonly retry?: number
}

const fields: ReadonlySet<string> = new Set(['data', 'event', 'id', 'retry'])
const heartbeatComment = ':\n\n'

/** What came of asking the source for an event. */
type Arrival = { readonly result: IteratorResult<string | ServerSentEvent> } | { readonly thrown: unknown }

const over: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined })

/**
 * The events as they are sent. It is no generator, which would hold on to its source until the next event or comment after the client has gone, and it waits for the next event, for
 * silence and for the stop of the server in one promise that is made anew each time: racing against one that lives as long as the stream would keep every event until its end.
 */
export class EventPieces implements AsyncIterableIterator<string> {
  readonly #source: AsyncIterable<string | ServerSentEvent>
  readonly #heartbeat: number
  readonly #stopping: AbortSignal | null
  readonly #onStop = (): void => void this.return()
  /** null until the first piece is asked for. */
  #events: AsyncIterator<string | ServerSentEvent> | null = null
  #isOver = false
  #isAsked = false
  #arrival: Arrival | null = null
  #wake: (() => void) | null = null

  /**
   * @param heartbeat how long nothing may be sent before a comment is, in milliseconds
   * @param stopping ends the stream when it aborts
   */
  constructor(source: AsyncIterable<string | ServerSentEvent>, heartbeat: number, stopping: AbortSignal | null) {
    this.#source = source
    this.#heartbeat = heartbeat
    this.#stopping = stopping
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** @throws TypeError for an event that has no form, and whatever the source throws */
  async next(): Promise<IteratorResult<string>> {
    if (this.#stopping?.aborted === true) await this.return()
    if (this.#isOver) return over
    if (this.#events === null) {
      this.#events = this.#source[Symbol.asyncIterator]()
      this.#stopping?.addEventListener('abort', this.#onStop)
      // The headers leave with the first piece, and a browser waits for them to know that it is connected.
      return { done: false, value: heartbeatComment }
    }
    if (this.#arrival === null) {
      this.#ask(this.#events)
      await this.#moment()
    }
    if (this.#isOver) return over
    const arrival = this.#arrival
    if (arrival === null) return { done: false, value: heartbeatComment }
    this.#arrival = null
    return this.#encode(arrival)
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    if (this.#isOver) return over
    this.#end()
    this.#wake?.()
    const events = this.#events
    // Not awaited: a source that waits for something that never comes would hold the answer open.
    if (events === null) discard(this.#source)
    else void Promise.resolve().then(() => events.return?.()).catch(() => undefined)
    return over
  }

  #ask(events: AsyncIterator<string | ServerSentEvent>): void {
    if (this.#isAsked) return
    this.#isAsked = true
    const arrive = (arrival: Arrival): void => {
      this.#isAsked = false
      this.#arrival = arrival
      this.#wake?.()
    }
    const next = async (): Promise<IteratorResult<string | ServerSentEvent>> => events.next()
    next().then(
      (result) => arrive({ result }),
      (thrown: unknown) => arrive({ thrown }),
    )
  }

  /** Waits until there is something to send, or to end, or nothing has been for too long. */
  async #moment(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.#heartbeat).unref()
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#wake = null
  }

  #encode(arrival: Arrival): IteratorResult<string> {
    if ('thrown' in arrival) {
      this.#end()
      throw arrival.thrown
    }
    if (arrival.result.done === true) {
      this.#end()
      return over
    }
    try {
      return { done: false, value: encodeEvent(arrival.result.value) }
    } catch (thrown) {
      void this.return()
      throw thrown
    }
  }

  #end(): void {
    this.#isOver = true
    this.#stopping?.removeEventListener('abort', this.#onStop)
  }
}

function encodeEvent(event: string | ServerSentEvent): string {
  if (typeof event === 'string') return encodeData(event)
  for (const name of Object.keys(event)) {
    if (!fields.has(name)) throw new TypeError(`an event of an event stream has the fields data, event, id and retry, got "${name}"; send other data as { data: … }`)
  }
  const { data, event: name, id, retry } = event
  const lines = [
    name === undefined ? '' : `event: ${oneLine('event', name)}\n`,
    id === undefined ? '' : `id: ${oneLine('id', id)}\n`,
    retry === undefined ? '' : `retry: ${wholeNumber(retry)}\n`,
  ]
  return lines.join('') + (data === undefined ? '\n' : encodeData(typeof data === 'string' ? data : encodeJson(data)))
}

/** Each line of the data is a field of its own; the browser puts them together again. */
function encodeData(text: string): string {
  return `${text.split(/\r\n|\r|\n/).map((line) => `data: ${line}\n`).join('')}\n`
}

function oneLine(field: string, text: string): string {
  if (/[\0\r\n]/.test(text)) throw new TypeError(`the ${field} of an event is one line without NUL, got ${JSON.stringify(text.slice(0, 100))}`)
  return text
}

function wholeNumber(value: number): number {
  if (!Number.isSafeInteger(value) || value < 0) throw new TypeError(`the retry of an event is a whole number of milliseconds, got ${value}`)
  return value
}
