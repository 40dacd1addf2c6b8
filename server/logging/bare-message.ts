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
  const lines = [escape(typeof message === 'string' ? message : JSON.stringify(fields))]
  const stack = stackOf(fields.err) ?? stackOf(fields.error)
  if (stack !== null) {
    if (requestId !== undefined) lines.push(`    request ${escape(requestId)}`)
    for (const each of stack.split(/\r?\n/)) lines.push(`    ${escape(each)}`)
  }
  return `${lines.join('\n')}\n`
}

function stackOf(error: unknown): string | null {
  return typeof error === 'object' && error !== null && 'stack' in error && typeof error.stack === 'string' ? error.stack : null
}

/** Control characters and the two separators of Unicode that end a line for some programs; a tab is harmless. */
const unsafe = /[^\P{Cc}\t]|[\u2028\u2029]/gu

function escape(text: string): string {
  return text.replace(unsafe, (character) => (character === '\n' ? '\\n' : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`))
}
