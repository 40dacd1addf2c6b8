import { sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { SchemaError } from '../../../db/errors/errors.js'
import { DeclarationError } from '../../errors/declaration-error.js'
import { displayPath } from '../../errors/source-location.js'

/** A place in a source file. */
export interface SourcePosition {
  /** Relative to the app's folder where it lies in it. */
  readonly file: string
  readonly line: number
  /** Counted from 1; null when only the line is known. */
  readonly column: number | null
}

/** An app's code cannot be run. The message is one sentence: where, and what the mistake is. */
export class LoadError extends Error {
  override readonly name = 'LoadError'

  constructor(
    message: string,
    readonly position: SourcePosition | null = null,
    options?: ErrorOptions,
  ) {
    super(position === null ? message : `${formatPosition(position)}: ${message}`, options)
  }
}

function formatPosition({ file, line, column }: SourcePosition): string {
  return column === null ? `${file}:${line}` : `${file}:${line}:${column}`
}

/**
 * Turns what a module threw while it ran into an error that names the place in the source. Mistakes that already name theirs are returned as they are.
 */
export function describeThrown(thrown: unknown, directory: string): Error {
  if (thrown instanceof LoadError || (thrown instanceof DeclarationError && thrown.source !== null)) return thrown
  if (!(thrown instanceof Error)) return new LoadError(`a module threw a value of type ${typeof thrown} while it was loading; throw an Error, which says where`)
  const message = thrown.message.replaceAll(/\s*\n\s*/g, ' ')
  const isOurs = thrown instanceof DeclarationError || thrown instanceof SchemaError
  return new LoadError(isOurs ? message : `${thrown.name}: ${message}`, positionOf(thrown, directory), { cause: thrown })
}

/** The innermost place in the app's own source that a stack names, which Node.js has mapped back through the source map. */
function positionOf(error: Error, directory: string): SourcePosition | null {
  for (const text of (error.stack ?? '').split('\n')) {
    // `at name (file:line:column)`, `at file:line:column`; the first line of a stack is `file:line` when modules do not fit together.
    const [, place = '', line, column] = /^(?:\s*at (?:async )?(?:.* \()?)?((?:file:\/\/)?\/.*?):(\d+)(?::(\d+))?\)?$/.exec(text) ?? []
    if (line === undefined) continue
    const path = place.startsWith('file:') ? fileURLToPath(place) : place
    if (!path.startsWith(directory + sep) || path.includes(`${sep}node_modules${sep}`)) continue
    return { file: displayPath(path, directory), line: Number(line), column: column === undefined ? null : Number(column) }
  }
  return null
}
