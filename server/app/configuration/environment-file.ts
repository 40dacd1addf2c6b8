import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { ConfigurationError } from '../../settings/configuration-error.js'

const fileName = '.env'

const leftSide = /[ \t]*(?:export[ \t]+)?([A-Za-z_][\w.-]*)[ \t]*=/
/** In quotes, over as many lines as there are between them, or to the end of the line. */
const rightSide = /[ \t]*(?:"[^"]*"|'[^']*'|`[^`]*`|[^\s"'`][^\n]*)?/
const restOfLine = /[ \t]*(?:#[^\n]*)?(?:\n|$)/

const assignment = new RegExp(leftSide.source + rightSide.source + restOfLine.source, 'y')
const blankOrComment = new RegExp(restOfLine, 'y')

/**
 * The variables that the `.env` beside an app has; none where there is no such file.
 *
 * @throws ConfigurationError when it cannot be read, or has a line that sets nothing. Its contents are told to nobody:
 * they are secrets, as a rule.
 */
export function readEnvironmentFile(directory: string): ReadonlyMap<string, string> {
  const text = readText(join(directory, fileName)).replaceAll('\r\n', '\n')
  const variables = new Map<string, string>()
  for (let position = 0; position < text.length; ) {
    assignment.lastIndex = blankOrComment.lastIndex = position
    const [matched = '', name] = blankOrComment.exec(text) ?? assignment.exec(text) ?? []
    if (matched === '') throw unreadableLine(text.slice(0, position).split('\n').length)
    // Node.js reads what is on the right side, one by one: in a whole file it passes over a line that it cannot read,
    // and in some versions over the next one too.
    if (name !== undefined) variables.set(name, parseEnv(`${matched}\n`)[name] ?? '')
    position += matched.length
  }
  return variables
}

/** How a variable of the file is called in messages. */
export function inEnvironmentFile(variable: string): string {
  return `${variable} (in ${fileName})`
}

function readText(path: string): string {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path))
    // As it is in UTF-16 that does not say so.
    if (text.includes('\0')) throw new TypeError('it has a character that no text has')
    return text
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return ''
    if (code === 'EISDIR') throw unusable('is a folder where a file of lines NAME=value is looked for; rename it')
    if (error instanceof TypeError) throw unusable('is not UTF-8 text; save it as UTF-8')
    throw unusable(`cannot be read (${code}); give this user the right to read it, or move it away`)
  }
}

function unreadableLine(line: number): ConfigurationError {
  const expected = 'NAME=value or a comment that starts with #, and quotes that are closed where the line ends'
  return unusable(`expected ${expected}; what came is not shown, since it may be a secret`, line)
}

function unusable(reason: string, line?: number): ConfigurationError {
  return new ConfigurationError([line === undefined ? `${fileName} ${reason}` : `${fileName}:${line}: ${reason}`])
}
