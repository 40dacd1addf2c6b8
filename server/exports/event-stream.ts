import { EventPieces, type ServerSentEvent } from '../http/reply/event-stream.js'
import { HttpResponse } from '../http/reply/http-response.js'
import { runningApps } from './running-app.js'

/** Settings of an event stream. */
export interface EventStreamOptions {
  /** How long nothing may be sent before a comment is, in milliseconds, up to 2^31 - 1: proxies cut connections on which nothing moves for about a minute. 15,000 by default. */
  readonly heartbeat?: number
}

const silence = 15_000
/** Timers count in 31 bits, and take what is longer for one millisecond. */
const longestHeartbeat = 2 ** 31 - 1

/**
 * A reply that sends events as they happen (WHATWG HTML, 9.2, `text/event-stream`), for `EventSource` in browsers.
 * It ends when the source does, and when the server begins to stop, whereupon a browser connects again; the source is ended (`return()`) then, and when the client goes away.
 *
 * @param source gives texts, which are sent as the data of an event, or events
 * @throws RangeError for a heartbeat that is no time; TypeError, while it is sent, for an event that has no form: a line break in `event` or `id`, an unknown field
 *
 * @example route('/clock', () => eventStream(ticks()))
 */
export function eventStream(source: AsyncIterable<string | ServerSentEvent>, { heartbeat = silence }: EventStreamOptions = {}): HttpResponse {
  return new HttpResponse(200, new EventPieces(source, checkHeartbeat(heartbeat), runningApps.current()?.stopping ?? null), {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    // nginx holds an answer back until it has a buffer full of it, unless it is told not to.
    'x-accel-buffering': 'no',
  })
}

function checkHeartbeat(milliseconds: number): number {
  if (milliseconds >= 1 && milliseconds <= longestHeartbeat) return milliseconds
  throw new RangeError(`the heartbeat of an event stream takes 1 to ${longestHeartbeat} milliseconds, got ${String(milliseconds)}`)
}
