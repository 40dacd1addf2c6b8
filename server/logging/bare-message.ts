import { escapeControls } from './escape-controls.js'

/** A line of the log, as far as it matters here. */
interface Line {
  readonly level: number
  readonly time: string
  readonly endpoint?: string
  readonly requestId?: string
  readonly message?: unknown
  readonly err?: unknown
  readonly error?: unknown
}

/**
 * Turns a line of JSON into what it says: its message on one line and, where it tells of an error, the id of the request and the stack below it, indented.
 * A client may have put anything into a message; control characters are written as escapes, so that it can neither pass for two lines nor command a terminal.
 */
export function toBareMessage(json: string): string {
  // The lines are those of our own loggers.
  const { level: _level, time: _time, endpoint: _endpoint, requestId, message, ...fields } = JSON.parse(json) as Line
  // Without a message the fields are all it says.
  const lines = [escapeControls(typeof message === 'string' ? message : JSON.stringify(fields))]
  const stack = stackOf(fields.err) ?? stackOf(fields.error)
  if (stack !== null) {
    if (requestId !== undefined) lines.push(`    request ${escapeControls(requestId)}`)
    for (const each of stack.split(/\r?\n/)) lines.push(`    ${escapeControls(each)}`)
  }
  return `${lines.join('\n')}\n`
}

function stackOf(error: unknown): string | null {
  return typeof error === 'object' && error !== null && 'stack' in error && typeof error.stack === 'string' ? error.stack : null
}
