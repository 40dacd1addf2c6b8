/**
 * Watches over writes that are refused and that nobody awaits, for a database that does not know whose code asks for them. Everything is told and asked
 * in the context of that code.
 */
export interface Refusals {
  /** Told of the error of a write, or of a transaction, before its promise is rejected with it. */
  refused(error: unknown): void
  /** Whether a promise was rejected with the error, or with one that it has caused, and nobody has caught that; known when the turn of the event loop has ended. */
  isUncaught(error: unknown): Promise<boolean>
  /** Told that the error has ended the transaction that it came in, which is what counts from then on. */
  overtaken(error: unknown): void
}

/** Where nobody watches. */
export const unwatched: Refusals = {
  refused: () => undefined,
  isUncaught: async () => false,
  overtaken: () => undefined,
}
