import { escapeLines } from '../server/logging/escape-controls.js'

/** The names of errors that a mistake of ours throws; ours to say something about have names of their own. */
const builtIn: ReadonlySet<string> = new Set(['Error', 'TypeError', 'RangeError', 'ReferenceError', 'SyntaxError', 'EvalError', 'URIError', 'AggregateError'])

/**
 * Says on standard error why a command failed, and lets the process end with 1. Errors that were made to be read show their message and nothing else;
 * only what nobody expected shows its stack, for a bug report.
 */
export function reportFailure(error: unknown): void {
  process.exitCode = 1
  const expected = error instanceof Error && (!builtIn.has(error.name) || 'code' in error)
  process.stderr.write(`${escapeLines(expected ? error.message : `Rowhouse has failed unexpectedly: ${error instanceof Error ? error.stack : String(error)}`)}\n`)
}
