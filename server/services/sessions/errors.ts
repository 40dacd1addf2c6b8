import type { ErrorCode } from '../../errors/error-codes.js'

/** What can be wrong with what a session is to keep. */
export type SessionErrorCode = Extract<ErrorCode, 'session-too-large' | 'session-not-json' | 'session-too-late' | 'session-in-transaction'>

/** A session cannot be changed as it was asked for; nothing has changed. The message never holds what was to be in it. */
export class SessionError extends Error {
  override readonly name = 'SessionError'

  constructor(
    readonly code: SessionErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options)
  }
}
