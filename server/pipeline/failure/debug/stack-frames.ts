import { isAbsolute, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { displayPath } from '../../../errors/source-location.js'

/** One call on a stack. */
export interface StackFrame {
  /** What ran: `handler`, `async Tasks.add`; `''` where it has no name. */
  readonly code: string
  /** As it is shown: relative to the app's folder, `rowhouse/…` for this package, else as it stands on the stack. */
  readonly file: string
  readonly line: number
  readonly column: number
  /** Whether it is the app's own code, and not that of a package, of Rowhouse or of Node.js. */
  readonly isOwn: boolean
}

/** The folder of this package: these files are compiled to `dist/server/errors` in it. */
const own = fileURLToPath(new URL('../../../../..', import.meta.url))

/** `at code (place:line:column)`, or without the code. */
const frameLine = /^\s+at (?:(.*) \()?(.+?):(\d+):(\d+)\)?$/

/**
 * Takes the stack of an error apart, whose places Node.js has mapped back to the source already.
 *
 * @param directory the app's folder, free of symbolic links
 */
export function stackFrames({ stack, message }: { readonly stack: string; readonly message: string }, directory: string): readonly StackFrame[] {
  // The message comes first and may hold anything, lines that look like calls too.
  const start = message === '' ? -1 : stack.indexOf(message)
  const lines = (start === -1 ? stack : stack.slice(start + message.length)).split('\n')
  return lines.flatMap((line) => {
    const [, code = '', place, lineNumber, column] = frameLine.exec(line) ?? []
    return place === undefined ? [] : [{ code, line: Number(lineNumber), column: Number(column), ...fileOf(place.replace(/^async /, ''), directory) }]
  })
}

function fileOf(place: string, directory: string): Pick<StackFrame, 'file' | 'isOwn'> {
  const path = pathOf(place)
  if (!isAbsolute(path)) return { file: path, isOwn: false }
  if (path.startsWith(directory + sep)) return { file: displayPath(path, directory), isOwn: !path.includes(`${sep}node_modules${sep}`) }
  return { file: path.startsWith(own) ? `rowhouse/${path.slice(own.length).replaceAll(sep, '/')}` : path, isOwn: false }
}

function pathOf(place: string): string {
  try {
    return place.startsWith('file:') ? fileURLToPath(place) : place
  } catch {
    return place
  }
}
