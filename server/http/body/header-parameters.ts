/** What a quote that ends a quoted text is followed by: the next parameter, or the end. */
const afterQuote = /[ \t]*(?:;|$)/y
/** The same for a quote after a backslash, which may as well be a part of the text. Spaces can be matched in one way only, so that many of them take no more time than there are. */
const afterEscapedQuote = /[ \t]*(?:$|;[ \t]*(?:[\w!#$&^`|~.+*-]+=|$))/y
const parameterStart = /[ \t]*;[ \t]*(?:([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*)?/y
const bareValue = /[^;]*/y

/**
 * Reads the parameters of a header such as `form-data; name="a"; filename="b.txt"`, names in lower case, in the way in which browsers write them rather than RFC 9110 wants them:
 * a backslash stands for itself, because it is part of a path on Windows, except before a quote inside of the text, which old Firefox writes so; a quote in the middle that is not escaped at all is part of the text, too.
 *
 * @returns null when a quoted text does not end, something stands where a parameter should, its name is no token, or one parameter is there twice
 */
export function readParameters(header: string): ReadonlyMap<string, string> | null {
  const parameters = new Map<string, string>()
  const start = header.indexOf(';')
  for (let position = start === -1 ? header.length : start; position < header.length; ) {
    parameterStart.lastIndex = position
    const match = parameterStart.exec(header)
    if (match === null) return null
    position = parameterStart.lastIndex
    const name = match[1]?.toLowerCase()
    if (name === undefined) {
      // An empty parameter, such as the semicolon at the end that some clients send.
      if (position < header.length && header[position] !== ';') return null
      continue
    }
    const end = header[position] === '"' ? endOfQuoted(header, position + 1) : endOfBare(header, position)
    if (end === -1 || parameters.has(name)) return null
    if (header[position] === '"') {
      parameters.set(name, header.slice(position + 1, end).replaceAll('\\"', '"'))
      position = end + 1
    } else {
      parameters.set(name, header.slice(position, end).trimEnd())
      position = end
    }
  }
  return parameters
}

function endOfQuoted(header: string, start: number): number {
  for (let end = header.indexOf('"', start); end !== -1; end = header.indexOf('"', end + 1)) {
    const ends = end > start && header[end - 1] === '\\' ? afterEscapedQuote : afterQuote
    ends.lastIndex = end + 1
    if (ends.test(header)) return end
  }
  return -1
}

function endOfBare(header: string, start: number): number {
  bareValue.lastIndex = start
  bareValue.test(header)
  return bareValue.lastIndex
}
