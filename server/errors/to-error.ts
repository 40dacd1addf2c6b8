import { inspect } from 'node:util'

/**
 * Anything can be thrown in JavaScript; a log line and an error handler want an error. Anything else is wrapped in one, as its `cause`.
 * Never throws. It makes the stack's text, which is slow, so it is not for errors of which floods consist.
 */
export function toError(thrown: unknown): Error {
  try {
    if (!(thrown instanceof Error)) return new Error(`a value that is no Error was thrown: ${inspect(thrown, { depth: 1 })}`, { cause: thrown })
    // What everybody is going to look at has to be there to be looked at.
    void [thrown.name, thrown.message, thrown.stack, thrown.cause]
    return thrown
  } catch {
    return new Error('a value was thrown that cannot even be looked at')
  }
}

/** Whether a thrown value is of a class; never throws, though a Proxy may refuse even this question. */
export function isA<Thrown>(constructor: abstract new (...args: never[]) => Thrown, thrown: unknown): thrown is Thrown {
  try {
    return thrown instanceof constructor
  } catch {
    return false
  }
}
