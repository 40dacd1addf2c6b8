import type { BuildFailure, Message } from 'esbuild'
import { LoadError } from './load-error.js'

/** What the compiler has thrown, as the first mistake in the app's source with its place; anything else as it is. */
export function describeBuildFailure(error: unknown): unknown {
  return isBuildFailure(error) ? describeFirst(error.errors) : error
}

function isBuildFailure(error: unknown): error is BuildFailure {
  return error instanceof Error && 'errors' in error && Array.isArray(error.errors)
}

function describeFirst(mistakes: readonly Message[]): LoadError {
  const [first] = mistakes
  if (first === undefined) return new LoadError('the modules cannot be compiled')
  const { text, location } = first
  const more = mistakes.length === 1 ? '' : ` (and ${mistakes.length - 1} more)`
  const suggestion = text.startsWith('No matching export') && location?.suggestion ? `; did you mean "${location.suggestion}"?` : ''
  // What cannot be read at all is told where the compiler was asked for it, which is no file of the app.
  const position = location === null || location.file === '<stdin>' ? null : { file: location.file, line: location.line, column: location.column + 1 }
  return new LoadError(text.replaceAll(/\s*\n\s*/g, ' ').replace('"rowhouse:rowhouse"', '"rowhouse"') + suggestion + more, position)
}
