import { currentCall } from '../context.js'
import { encodeJson } from './encode-json.js'
import { HttpResponse } from './http-response.js'

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

/** Settings of an event stream. */
export interface EventStreamOptions {
  /** How long nothing may be sent before a comment is, in milliseconds: proxies cut connections on which nothing moves for about a minute. 15,000 by default. */
  readonly heartbeat?: number
}

const fields: ReadonlySet<string> = new Set(['data', 'event', 'id', 'retry'])
const silence = 15_000
const heartbeatComment = ':\n\n'

/**
 * A reply that sends events as they happen (WHATWG HTML, 9.2, `text/event-stream`), for `EventSource` in browsers.
 * It ends when the source does, and when the server begins to stop, whereupon a browser connects again; the source is ended (`return()`) then, and when the client goes away.
 *
 * @param source gives texts, which are sent as the data of an event, or events
 * @throws TypeError, while it is sent, for an event that has no form: a line break in `event` or `id`, an unknown field
 *
 * @example route('/clock', () => eventStream(ticks()))
 */
export function eventStream(source: AsyncIterable<string | ServerSentEvent>, { heartbeat = silence }: EventStreamOptions = {}): HttpResponse {
  return new HttpResponse(200, encodeEvents(source, heartbeat, currentCall()?.app.stopping ?? null), {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    // nginx holds an answer back until it has a buffer full of it, unless it is told not to.
    'x-accel-buffering': 'no',
  })
}

async function* encodeEvents(source: AsyncIterable<string | ServerSentEvent>, heartbeat: number, stopping: AbortSignal | null): AsyncGenerator<string, void, undefined> {
  const events = source[Symbol.asyncIterator]()
  const bell = new Bell()
  const isStopping = (): boolean => stopping?.aborted === true
  const onStop = (): void => bell.ring()
  stopping?.addEventListener('abort', onStop)
  try {
    // The headers leave with the first piece, and a browser waits for them to know that it is connected.
    yield heartbeatComment
    while (!isStopping()) {
      const next = new Arrival(events.next(), bell)
      while (next.outcome === null && !isStopping()) if (await bell.wait(heartbeat)) yield heartbeatComment
      if (next.outcome === null) return
      const { done, value } = next.outcome()
      if (done === true) return
      yield encodeEvent(value)
    }
  } finally {
    stopping?.removeEventListener('abort', onStop)
    // Not awaited: a source that waits for something that never comes would hold the answer open.
    void events.return?.()?.catch(() => undefined)
  }
}

/** The result of a promise, once it is there. It is listened to once, however often somebody looks: `Promise.race` would leave a listener behind, and with it the event, each time. */
class Arrival<Value> {
  /** Returns the value or throws what the promise was rejected with; null until it is settled. */
  outcome: (() => Value) | null = null

  constructor(promise: Promise<Value>, bell: Bell) {
    const settle = (outcome: () => Value): void => {
      this.outcome = outcome
      bell.ring()
    }
    Promise.resolve(promise).then(
      (value) => settle(() => value),
      (thrown: unknown) =>
        settle(() => {
          throw thrown
        }),
    )
  }
}

/** Wakes the one who waits for it. */
class Bell {
  #wake: (isSilent: boolean) => void = () => undefined

  ring(): void {
    this.#wake(false)
  }

  /** Resolves when it rings, or with true when it has been silent for so long. */
  async wait(milliseconds: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined
    try {
      return await new Promise<boolean>((resolve) => {
        this.#wake = resolve
        timer = setTimeout(() => resolve(true), milliseconds).unref()
      })
    } finally {
      clearTimeout(timer)
    }
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
