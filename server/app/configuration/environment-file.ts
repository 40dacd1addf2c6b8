import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { ConfigurationError } from '../../settings/configuration-error.js'

const fileName = '.env'

/** `NAME=value`, with `export` before it or not; the value is in quotes, over as many lines as there are between them, or goes to the end of the line. */
const assignment = /[ \t]*(?:export[ \t]+)?([A-Za-z_][\w.-]*)[ \t]*=[ \t]*(?:"[^"]*"|'[^']*'|`[^`]*`|[^\s"'`][^\n]*)?[ \t]*(?:#[^\n]*)?(?:\n|$)/y
const blankOrComment = /[ \t]*(?:#[^\n]*)?(?:\n|$)/y

/**
 * The variables that the `.env` beside an app has; none where there is no such file.
 *
 * @throws ConfigurationError when it cannot be read, or has a line that sets nothing. Its contents are told to nobody: they are secrets, as a rule.
 */
export function readEnvironmentFile(directory: string): ReadonlyMap<string, string> {
  const text = readText(join(directory, fileName)).replaceAll('\r\n', '\n')
  const variables = new Map<string, string>()
  for (let position = 0; position < text.length; ) {
    assignment.lastIndex = blankOrComment.lastIndex = position
    const [matched = '', name] = blankOrComment.exec(text) ?? assignment.exec(text) ?? []
    if (matched === '') throw unreadableLine(text.slice(0, position).split('\n').length)
    // Node.js reads what is on the right side, one by one: in a whole file it passes over a line that it cannot read, and in some versions over the next one too.
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
    if (code === 'EISDIR') throw new ConfigurationError([`${fileName} is a folder where a file with a line NAME=value for each variable is looked for; rename it`])
    if (error instanceof TypeError) throw new ConfigurationError([`${fileName} is not UTF-8 text; save it as UTF-8`])
    throw new ConfigurationError([`${fileName} cannot be read (${code}); give this user the right to read it, or move it away`])
  }
}

function unreadableLine(line: number): ConfigurationError {
  return new ConfigurationError([
    `${fileName}:${line}: expected NAME=value or a comment that starts with #, and quotes that are closed where the line ends; what came is not shown, since it may be a secret`,
  ])
}
