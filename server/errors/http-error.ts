import { STATUS_CODES } from 'node:http'
import { ResponseHeaders } from '../reply/http-response.js'

/** Members that an error reply carries beside `status`, `error` and `message`; they are shown to the caller. */
export type ErrorDetails = Readonly<Record<string, unknown>>

/** Header lines of an error reply; a list is sent as several lines. */
export type ErrorHeaders = Readonly<Record<string, string | readonly string[]>>

/**
 * An error that the caller is told about: throw it from anywhere in a request.
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
  ) {
    super(message)
    if (!Number.isInteger(status) || status < 400 || status > 599) {
      throw new RangeError(`an HttpError takes a status from 400 to 599, got ${status}`)
    }
    void new ResponseHeaders(headers)
  }
}

/**
 * Ends the request with an error reply.
 *
 * @throws HttpError always
 */
export function abort(status: number, message?: string): never {
  throw new HttpError(status, message)
}
