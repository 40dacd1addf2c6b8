import type { Converter } from '../../endpoint/converters.js'
import type { PathPattern, PathSegment } from '../../endpoint/path-pattern.js'

/** After all converters of Rowhouse's own, and before a parameter that takes any text. */
const expressionRank = 10_000

/** As in Fastify's router: the last parameter of a path may be missing, together with its slash. */
const optionalParameter = /(\/:[^/()]*?)\?(\/?)$/

/**
 * Reads the path of a Fastify route, so that it takes its place among all the others: `:name` is a parameter, several
 * of them or a regular expression between two slashes a converter,
 * `*` a rest. Which route of Fastify's answers is Fastify's to say; this says what may be in front of it or behind it.
 *
 * @returns two patterns where the last parameter is optional
 */
export function readRoutePatterns(url: string): PathPattern[] {
  if (!optionalParameter.test(url)) return [readPattern(url, url)]
  return [
    readPattern(url, url.replace(optionalParameter, '$1$2')),
    readPattern(url, url.replace(optionalParameter, '$2')),
  ]
}

function readPattern(text: string, url: string): PathPattern {
  // A lone asterisk is any path at all.
  const path = url.startsWith('/') ? url.slice(1) : url
  return { text, segments: splitPath(path).map((segment, index) => readSegment(segment, index)) }
}

/** Splits at the slashes, but for those in regular expressions. */
function splitPath(path: string): string[] {
  const segments: string[] = []
  let start = 0
  for (let index = 0; index < path.length; index++) {
    if (path[index] === '(' && isInParameter(path.slice(start, index))) index = endOfExpression(path, index)
    else if (path[index] === '/') {
      segments.push(path.slice(start, index))
      start = index + 1
    }
  }
  return [...segments, path.slice(start)]
}

/** Whether a segment that goes on with a parenthesis does so right behind the name of a parameter. */
function isInParameter(begun: string): boolean {
  return /(?:^|[^:]):(?!:)[^:(.-]*$/.test(begun)
}

/** The place of the parenthesis that closes the one at `start`. */
function endOfExpression(path: string, start: number): number {
  let depth = 0
  for (let index = start; index < path.length; index++) {
    if (path[index] === '\\') index++
    else if (path[index] === '(') depth++
    else if (path[index] === ')' && --depth === 0) return index
  }
  return path.length
}

function readSegment(segment: string, index: number): PathSegment {
  const parts = readParts(segment)
  const name = `${index}`
  if (segment.endsWith('*'))
    return {
      kind: 'rest',
      name: '*',
      start: parts.every(({ kind }) => kind === 'text') ? textOf(parts).slice(0, -1) : '',
    }
  if (parts.every(({ kind }) => kind === 'text')) return { kind: 'static', text: textOf(parts) }
  const [only] = parts
  if (parts.length === 1 && only?.kind === 'name') return { kind: 'parameter', name: only.text }
  return { kind: 'converter', name, converter: makeConverter(parts) }
}

/** What a segment is made of; an `expression` follows the `name` that it belongs to. */
interface Part {
  readonly kind: 'text' | 'name' | 'expression'
  readonly text: string
}

/** As Fastify's router does: a name ends at a dash, a dot or a parenthesis; two colons are one that means nothing. */
function readParts(segment: string): Part[] {
  const parts: Part[] = []
  for (let rest = segment; rest !== '';) {
    const taken = readPart(rest, parts.at(-1)?.kind === 'name')
    parts.push({
      kind: taken.kind,
      text: taken.kind === 'name' ? taken.text.slice(1) : taken.text.replaceAll('::', ':'),
    })
    rest = rest.slice(taken.text.length)
  }
  return parts
}

function readPart(rest: string, isBehindName: boolean): Part {
  if (isBehindName && rest.startsWith('('))
    return { kind: 'expression', text: rest.slice(0, endOfExpression(rest, 0) + 1) }
  const [name] = /^:(?!:)[^(.-]*/.exec(rest) ?? []
  if (name !== undefined) return { kind: 'name', text: name }
  const [text = rest] = /^(?:::|[^:])+/.exec(rest) ?? []
  return { kind: 'text', text }
}

function textOf(parts: readonly Part[]): string {
  return parts.map(({ text }) => text).join('')
}

/** Takes what Fastify's router takes for such a segment. It only compares: values are Fastify's to read. */
function makeConverter(parts: readonly Part[]): Converter {
  const expression = new RegExp(`^${parts.map((_part, index) => sourceOf(parts, index)).join('')}$`)
  const fixed = parts.reduce((length, { kind, text }) => (kind === 'text' ? length + text.length : length), 0)
  return {
    text: `fastify ${expression.source}`,
    // The more of it is fixed, the fewer paths there are.
    rank: expressionRank - fixed,
    read: (segment) => (expression.test(segment) ? segment : undefined),
    write: () => undefined,
  }
}

function sourceOf(parts: readonly Part[], index: number): string {
  const { kind, text } = parts[index] as Part
  if (kind === 'text') return escape(text)
  if (kind === 'expression') return text.replace(/^\(\^/, '(').replace(/\$\)$/, ')')
  if (parts[index + 1]?.kind === 'expression') return ''
  const [before, between] = [parts[index - 2], parts[index - 1]]
  // A parameter behind another stops before the text between them comes again, so that the time this takes does not
  // grow faster than the segment.
  return before?.kind === 'name' && between?.kind === 'text'
    ? `(?:${escape(between.text)}|(?:(?!${escape(between.text)}).)*)`
    : '(?:.*?)'
}

function escape(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
}
