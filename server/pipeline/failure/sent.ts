import type { FastifyRequest } from 'fastify'
import { isPlainObject } from '../../../db/errors/describe-value.js'
import type { Given } from '../../../db/errors/given.js'
import { CommonRequest } from '../../http/request/common-request.js'
import type { RowhouseRequest } from '../../http/request/request.js'

/** What a request has brought, each thing read when it is looked at. */
type Sources = readonly (() => unknown)[]

/** How many members of one source are looked at: a name or value that is wrong is among the first, and a body has room for very many. */
const mostMembers = 20_000
/** How many members of a wrong value are looked for. */
const mostParts = 10
/** Shorter texts stand in others by chance. */
const shortestPart = 4
/** Longer texts are no numbers that anybody has meant, in characters. */
const longestNumber = 40

/**
 * Whether what a table was given, and could not use, was made from what the caller has sent, which tells whose mistake it is. A name
 * counts that was sent as one or as a word of a value; a value that was sent, also in the form that JavaScript's conversions give it,
 * and one that holds such a value.
 *
 * @param request null where Rowhouse has not read the body
 */
export function wasSent({ names, values }: Given, raw: Pick<FastifyRequest, 'query' | 'params' | 'body'>, request: RowhouseRequest | null): boolean {
  const sources = request === null ? [() => raw.params, () => raw.query, () => raw.body] : sourcesOf(request)
  return (
    names.some((name) => isIn(sources, (member, key) => key === name || (typeof member === 'string' && mentions(member, name)))) ||
    values.some((value) => (value === null && wasNullSent(raw, request)) || isValueSent(sources, value))
  )
}

function sourcesOf(request: RowhouseRequest): Sources {
  const state = CommonRequest.stateOf(request)
  return [
    () => request.pathParams,
    () => request.queryParams,
    () => state.args,
    () => request.formParams,
    () => request.files,
    () => request.body,
    () => state.validatedJson?.value,
    // What nobody has decoded may have been read as a text.
    () => (state.json === null ? CommonRequest.jsonIfAny(request) : state.json.value),
  ]
}

/** Whether the body is null, or there is none and the handler has been given null in its place. */
function wasNullSent({ body }: Pick<FastifyRequest, 'body'>, request: RowhouseRequest | null): boolean {
  if (request === null) return body === null
  const { gaveNull, json } = CommonRequest.stateOf(request)
  return gaveNull || (json !== null && json.value === null)
}

function isValueSent(sources: Sources, value: unknown): boolean {
  if (isIn(sources, (member) => isMadeFrom(value, member))) return true
  const parts = typeof value === 'object' && value !== null ? partsOf(value) : []
  return parts.some((part) => isIn(sources, (member) => isMadeFrom(part, member)))
}

/** The first texts, numbers and the like in a list or object: what it was made of. */
function partsOf(value: object): unknown[] {
  const parts: unknown[] = []
  someMember(value, (member) => {
    // Any of the others may stand anywhere.
    const isTelling = member !== value && member !== null && typeof member !== 'boolean' && !isComposite(member)
    return isTelling && parts.push(member) === mostParts
  })
  return parts
}

function isMadeFrom(value: unknown, member: unknown): boolean {
  if (Object.is(value, member)) return value !== undefined
  if (value instanceof Date) return Object.is(value.getTime(), timeOf(member))
  if (typeof member !== 'string') return typeof value === 'string' && typeof member === 'number' && String(member) === value
  if (typeof value === 'string') return value.length >= shortestPart ? member.includes(value) : mentions(member, value)
  if (typeof value === 'bigint') return String(value) === member
  return typeof value === 'number' && member.length <= longestNumber && (Object.is(Number(member), value) || Object.is(Number.parseFloat(member), value) || Object.is(Number.parseInt(member, 10), value))
}

function timeOf(member: unknown): number | undefined {
  if (member instanceof Date) return member.getTime()
  return typeof member === 'string' || typeof member === 'number' ? new Date(member).getTime() : undefined
}

/** Whether a name stands in a text by itself, as in `-title` or `title,done`. */
function mentions(text: string, name: string): boolean {
  if (name === '') return false
  for (let at = text.indexOf(name); at !== -1; at = text.indexOf(name, at + 1)) {
    if (!isOfWord(text[at - 1]) && !isOfWord(text[at + name.length])) return true
  }
  return false
}

function isOfWord(character: string | undefined): boolean {
  return character !== undefined && /\w/.test(character)
}

function isIn(sources: Sources, isIt: (member: unknown, key: string | null) => boolean): boolean {
  return sources.some((read) => {
    try {
      const brought = read()
      return brought !== null && someMember(brought, isIt)
    } catch {
      // What cannot be read has brought nothing to anybody.
      return false
    }
  })
}

/** Whether something is true of a value or of anything in it. What a validator has made may go round in a circle. */
function someMember(value: unknown, isIt: (member: unknown, key: string | null) => boolean): boolean {
  const waiting: [member: unknown, key: string | null][] = [[value, null]]
  for (let looked = 0; looked < mostMembers; looked++) {
    const next = waiting.pop()
    if (next === undefined) return false
    const [member, key] = next
    if (isIt(member, key)) return true
    if (Array.isArray(member)) for (const inner of member.slice(0, mostMembers).toReversed()) waiting.push([inner, null])
    else if (isPlainObject(member)) for (const name of Object.keys(member).slice(0, mostMembers).toReversed()) waiting.push([member[name], name])
  }
  return false
}

function isComposite(value: unknown): boolean {
  return Array.isArray(value) || isPlainObject(value)
}
