import { STATUS_CODES } from 'node:http'
import { codeOfStatus, errorCodes, type ErrorCode } from '../errors/error-codes.js'
import { HttpResponse, ResponseHeaders } from './reply/http-response.js'
import { EarlyReply } from './early-reply.js'

/** The members that every error reply has in JSON. */
export const replyMembers = ['status', 'code', 'error', 'message', 'requestId'] as const

/** Members that an error reply has beside those that it always has, which they cannot replace; the caller sees them. */
export type ErrorDetails = Readonly<Record<string, unknown>> & { readonly [Name in ReplyMember]?: never }

type ReplyMember = (typeof replyMembers)[number]

/** Header lines of an error reply; a list is sent as several lines. */
export type ErrorHeaders = Readonly<Record<string, string | readonly string[]>>

/** What else an author may say of an {@link HttpError}. */
interface HttpErrorOptions extends ErrorOptions {
  /** What a calling program tells this error from others by: `seat-taken`. By default the general one of the status. */
  readonly code?: string
}

/** Words of lower case with hyphens between them. */
const codeForm = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/

/**
 * An error that the caller is told about: throw it from anywhere in a request. Its `cause`, which the last argument may give, is not told.
 *
 * @example throw new HttpError(409, 'this seat has been taken')
 * @example throw new HttpError(409, 'this seat has been taken', { seat: 7 }, {}, { code: 'seat-taken' })
 * @throws RangeError when `status` is not an integer from 400 to 599, or a code is not of the form `seat-taken`
 * @throws TypeError when a header cannot be sent
 */
export class HttpError extends Error {
  override readonly name = 'HttpError'
  readonly code: string

  constructor(
    readonly status: number,
    message: string = STATUS_CODES[status] ?? 'Error',
    readonly details: ErrorDetails = {},
    readonly headers: ErrorHeaders = {},
    options: HttpErrorOptions = {},
  ) {
    super(message, options)
    if (!Number.isInteger(status) || status < 400 || status > 599) {
      throw new RangeError(`an HttpError takes a status from 400 to 599, got ${status}`)
    }
    const { code = codeOfStatus(status) } = options
    if (!codeForm.test(code)) {
      const expected = 'the code of an HttpError is of words in lower case, such as "seat-taken"'
      throw new RangeError(`${expected}, got ${JSON.stringify(code)}`)
    }
    this.code = code
    void new ResponseHeaders(headers)
  }
}

/** An error of Rowhouse's own: status and, where nothing more particular is known, message follow from the code. */
export function refusal(code: ErrorCode, message?: string, { details, headers }: RefusalParts = {}): HttpError {
  const { status, sentence } = errorCodes[code]
  return new HttpError(status, message ?? sentence, details, headers, { code })
}

/** What a refusal says beside its message. */
interface RefusalParts {
  readonly details?: ErrorDetails
  readonly headers?: ErrorHeaders
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
