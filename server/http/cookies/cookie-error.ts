import type { ErrorCode } from '../../errors/error-codes.js'

/** What can be wrong with what is put into a cookie. */
export type CookieErrorCode = Extract<ErrorCode, 'cookie-too-big' | 'cookie-not-json' | 'cookie-too-late'>

/** A cookie cannot be set as it was asked for; nothing has changed. The message never holds what was to be in it. */
export class CookieError extends Error {
  override readonly name = 'CookieError'

  constructor(
    readonly code: CookieErrorCode,
    message: string,
    options: ErrorOptions = {},
  ) {
    super(message, options)
  }
}
