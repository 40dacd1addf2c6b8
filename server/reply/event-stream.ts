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

const silent = Symbol('silent')
const stopped = Symbol('stopped')

async function* encodeEvents(source: AsyncIterable<string | ServerSentEvent>, heartbeat: number, stopping: AbortSignal | null): AsyncGenerator<string, void, undefined> {
  const events = source[Symbol.asyncIterator]()
  let stop: (() => void) | undefined
  const end = new Promise<typeof stopped>((resolve) => {
    stop = () => resolve(stopped)
    if (stopping?.aborted === true) stop()
    else stopping?.addEventListener('abort', stop)
  })
  try {
    // The headers leave with the first piece, and a browser waits for them to know that it is connected.
    yield heartbeatComment
    for (;;) {
      const next = Promise.race([events.next(), end])
      let outcome = await within(next, heartbeat)
      while (outcome === silent) {
        yield heartbeatComment
        outcome = await within(next, heartbeat)
      }
      if (outcome === stopped || outcome.done === true) return
      yield encodeEvent(outcome.value)
    }
  } finally {
    if (stop !== undefined) stopping?.removeEventListener('abort', stop)
    // Not awaited: a source that waits for something that never comes would hold the answer open.
    void events.return?.()?.catch(() => undefined)
  }
}

/** What the promise resolves to, or `silent` when that takes longer. */
async function within<Value>(promise: Promise<Value>, milliseconds: number): Promise<Value | typeof silent> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<typeof silent>((resolve) => {
    timer = setTimeout(() => resolve(silent), milliseconds).unref()
  })
  try {
    return await Promise.race([promise, timeout])
  } finally {
    clearTimeout(timer)
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
