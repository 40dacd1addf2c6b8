import type { TableError } from './errors.js'

/** Which of the names and values that a table was given are wrong. */
export interface Given {
  readonly names: readonly string[]
  readonly values: readonly unknown[]
}

/** Where nothing was given that could have come from anybody else than the author of the call. */
export const nothingGiven: Given = { names: [], values: [] }

/** Beside the errors and not in them, so that no value gets into a log. */
const known = new WeakMap<TableError, Given>()

/** The error, of which is known from now on what was given: whoever knows where that came from can tell whose mistake it is. */
export function withGiven(error: TableError, given: Given): TableError {
  known.set(error, given)
  return error
}

/** What an error is about as it was given; null where that is not known, or no matter. */
export function givenIn(error: TableError): Given | null {
  return known.get(error) ?? null
}
