import { Readable } from 'node:stream'
import { HttpResponse } from './http-response.js'

/** Lets go of a value that will not be sent after all: a stream in it holds a file or a connection open until it is closed. */
export function discard(value: unknown): void {
  if (value instanceof HttpResponse) {
    discard(value.body)
  } else if (value instanceof Readable) {
    // Nobody reads it any more, so nobody wants to hear how it ended.
    value.on('error', () => undefined).destroy()
  } else if (value instanceof Response) {
    discard(value.body)
  } else if (value instanceof ReadableStream) {
    value.cancel().catch(() => undefined)
  } else if (typeof value === 'object' && value !== null && 'return' in value && typeof value.return === 'function' && Symbol.asyncIterator in value) {
    Promise.resolve(value.return()).catch(() => undefined)
  }
}
