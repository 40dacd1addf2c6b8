import { printParseErrorCode, visit } from 'jsonc-parser'

/** How far a mistake is looked for, in characters. The parser that finds it is slow, and everybody waits for it. */
const longestSearch = 256 * 1024

/**
 * Says what is wrong with JSON that JSON.parse has refused. JSON.parse does not always tell the position, so a second parser, which does, looks at it again.
 *
 * @returns what and where, such as `comma expected at position 3`
 */
export function describeMistake(text: string): string {
  if (text.trim() === '') return 'it is empty'
  const searched = text.slice(0, longestSearch)
  try {
    visit(searched, { onError: (code, offset, length) => throwMistake(printParseErrorCode(code), offset, offset + length) }, { disallowComments: true, allowTrailingComma: false })
  } catch (thrown) {
    if (!(thrown instanceof Mistake)) throw thrown
    // What reaches the end of the searched part may be no mistake if one reads on.
    return thrown.end < searched.length || searched === text ? thrown.message : `the mistake is behind position ${longestSearch}`
  }
  return 'a character is not allowed where it stands'
}

/** Ends the parser at the first mistake. Left alone, it goes on behind it, gathers one mistake for each character, and takes brackets for nesting that stand in an unended text. */
class Mistake extends Error {
  constructor(
    message: string,
    readonly end: number,
  ) {
    super(message)
  }
}

function throwMistake(code: string, offset: number, end: number): never {
  throw new Mistake(`${code.replace(/(?<=[a-z])(?=[A-Z])/g, ' ').toLowerCase()} at position ${offset}`, end)
}
