import type { SourceLocation } from './source-location.js'

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
}

/** Does `work`, and adds the place to a mistake that was found in there without one. @throws DeclarationError, and whatever else `work` throws */
export function withPlace<Result>(source: SourceLocation, work: () => Result): Result {
  try {
    return work()
  } catch (error) {
    throw error instanceof DeclarationError && error.source === null ? new DeclarationError(error.message, source) : error
  }
}
