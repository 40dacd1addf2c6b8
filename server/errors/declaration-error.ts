import type { SourceLocation } from '../endpoint/endpoint.js'

/**
 * A mistake in what an app declares (an endpoint, an option, a table), found while it starts. The message is one sentence that says what was expected,
 * what came and what to do; the command line prints it, with the place, and nothing else.
 */
export class DeclarationError extends Error {
  override readonly name = 'DeclarationError'

  constructor(
    message: string,
    readonly source: SourceLocation | null = null,
  ) {
    super(source === null ? message : `${source.file}:${source.line}: ${message}`)
  }

  /** The same mistake, with its place, for whoever finds a mistake without knowing where it was made. */
  at(source: SourceLocation): DeclarationError {
    return this.source === null ? new DeclarationError(this.message, source) : this
  }
}
