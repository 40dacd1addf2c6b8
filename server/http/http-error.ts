import { STATUS_CODES } from 'node:http'
import { HttpResponse, ResponseHeaders } from './reply/http-response.js'
import { EarlyReply } from './early-reply.js'

/** Members that an error reply carries beside `status`, `error` and `message`; they are shown to the caller. */
export type ErrorDetails = Readonly<Record<string, unknown>>

/** Header lines of an error reply; a list is sent as several lines. */
export type ErrorHeaders = Readonly<Record<string, string | readonly string[]>>

/** What the caller is told of a handler that did not answer in time. */
export const tooSlow = 'The server took too long to answer.'

/**
 * An error that the caller is told about: throw it from anywhere in a request. Its `cause`, which the last argument may give, is not told.
 *
 * @example throw new HttpError(409, 'this seat has been taken')
 * @throws RangeError when `status` is not an integer from 400 to 599
 * @throws TypeError when a header cannot be sent
 */
export class HttpError extends Error {
  override readonly name = 'HttpError'

  constructor(
    readonly status: number,
    message: string = STATUS_CODES[status] ?? 'Error',
    readonly details: ErrorDetails = {},
    readonly headers: ErrorHeaders = {},
    options: ErrorOptions = {},
  ) {
    super(message, options)
    if (!Number.isInteger(status) || status < 400 || status > 599) {
      throw new RangeError(`an HttpError takes a status from 400 to 599, got ${status}`)
    }
    void new ResponseHeaders(headers)
  }

  /** The status once more, under the name by which Fastify and its plugins look for it. */
  get statusCode(): number {
    return this.status
  }
}

/**
 * Ends the request, from anywhere: with an error reply of this status, or with exactly this response, which no error handler gets to see and no log calls an error.
 *
 * @example abort(404)
 * @example abort(redirect('/sign-in'))
 * @throws HttpError, or what carries the response out: always
 */
export function abort(status: number, message?: string): never
export function abort(response: HttpResponse | Response): never
export function abort(statusOrResponse: number | HttpResponse | Response, message?: string): never {
  if (statusOrResponse instanceof HttpResponse || statusOrResponse instanceof Response) throw new EarlyReply(statusOrResponse)
  throw new HttpError(statusOrResponse, message)
}
