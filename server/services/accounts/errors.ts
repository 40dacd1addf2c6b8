/** What is wrong with a request to the users service: each code has one cause and one remedy. */
export type UserErrorCode = 'not-an-email' | 'email-taken' | 'no-such-user' | 'weak-password'

/** A request to the users service that cannot be carried out. The message never holds a password. */
export class UserError extends Error {
  override readonly name: string = 'UserError'

  constructor(
    readonly code: UserErrorCode,
    message: string,
  ) {
    super(message)
  }
}

/** Which rule a new password breaks. */
export type PasswordRule =
  'too-short' | 'too-long' | 'unusable-character' | 'too-common' | 'too-simple' | 'is-the-email' | 'is-the-app'

/** A new password that breaks a rule; the message says which, and nothing of the password. */
export class WeakPassword extends UserError {
  override readonly name = 'WeakPassword'

  constructor(
    readonly rule: PasswordRule,
    message: string,
  ) {
    super('weak-password', message)
  }
}

/** More passwords wait to be hashed than this process takes on; the same request may succeed after `retryAfterSeconds`. */
export class HashingOverloaded extends Error {
  override readonly name = 'HashingOverloaded'
  readonly code = 'hashing-overloaded'

  constructor(readonly retryAfterSeconds: number) {
    super(`too many passwords are being checked at the moment; try again in ${retryAfterSeconds} s`)
  }
}

/**
 * Too many failed attempts on one account from one network: no attempt from there is looked at before `retryAfterSeconds` have passed.
 * It says nothing about whether the account exists.
 */
export class TooManyFailures extends Error {
  override readonly name = 'TooManyFailures'
  readonly code = 'too-many-failures'

  constructor(readonly retryAfterSeconds: number) {
    super(`too many failed attempts; try again in ${retryAfterSeconds} s`)
  }
}
