/** The secret of an app cannot be used, or not be changed. The message is one sentence that says what to do; it never holds a secret. */
export class SecretError extends Error {
  override readonly name = 'SecretError'
}
