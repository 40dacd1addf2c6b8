import { constants } from 'node:buffer'
import type { JsonValue } from '../../../db/values/json-value.js'
import { describeUnkept, findUnkept, isHuge, mayBecomeZero } from '../../../db/values/kept-number.js'
import { memberPlace } from '../../errors/member-place.js'
import { refusal, type HttpError } from '../http-error.js'
import type { BodyContent } from './body-store.js'
import { describeMistake } from './json-mistake.js'
import type { FileSlice } from './temporary-file.js'

/** The deepest that lists and objects of a request may be nested; more is only ever sent to exhaust a stack. */
const deepest = 100

/** For how many bytes that may be decoded there may be one list or object: each takes several times its brackets, in memory and time. */
const bytesForEach = 8
/** How many there may be however little is decoded. */
const fewestAllowed = 1000

/** Whether a media type, in lower case and without parameters, says that the body is JSON (RFC 6839, 3.1 for `+json`). */
export function isJsonType(mimetype: string): boolean {
  return mimetype === 'application/json' || (mimetype.startsWith('application/') && mimetype.endsWith('+json'))
}

/**
 * Decodes a JSON body; null, which stands for no body, is malformed too.
 *
 * @param limit how long it may be, in bytes: what it becomes is held in memory, and everybody waits while it is decoded
 * @throws HttpError 400 with the position when it is malformed, not UTF-8 or nested more than 100 deep, has a number that is too large to be read, would be rounded or would become zero, or a member called `__proto__`, 413 when it is longer than the limit, or than a text of JavaScript may be
 */
export function parseJson(content: BodyContent | null, limit: number): JsonValue {
  if (content === null) throw malformed('it is empty')
  if (content.length > limit) {
    throw refusal('body-too-large', `the JSON is longer than the ${limit} bytes that this endpoint decodes (decodeLimit)`)
  }
  const { MAX_STRING_LENGTH: longest } = constants
  if (content.length > longest) {
    throw refusal('body-too-large', `the body is longer than the ${longest} bytes that JSON may have`)
  }
  const bytes = Buffer.isBuffer(content) ? content : readChecked(content, limit)
  checkNesting(bytes, limit)
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw malformed('it is not UTF-8')
  }
  let value: JsonValue
  try {
    value = JSON.parse(text) as JsonValue
  } catch {
    throw malformed(describeMistake(text))
  }
  if (isHarmless(value) && !mayBecomeZero(text)) return value
  const below = placeOfPrototype(value)
  if (below !== null) {
    const place = `body${below}`
    const message = `${place}: no member may be called __proto__, which means something else in JavaScript`
    throw refusal('invalid-input', message, { details: { problems: [{ code: 'forbidden-name', path: place, message }] } })
  }
  const unkept = findUnkept(bytes)
  if (unkept === null) return value
  throw refusal(Number(unkept) === 0 ? 'number-too-small' : 'number-too-large', `the body is not accepted: ${describeUnkept(unkept)}`)
}

/**
 * Whether a value is certainly what was sent, and stays harmless when it is copied. RFC 8259, 6, leaves the range of numbers to us: one that became Infinity, or another one, is no longer what was sent, nor can it be sent back.
 * A member `__proto__` is a member like any other only until somebody assigns it to an object, whose prototype it then is.
 */
function isHarmless(value: JsonValue): boolean {
  if (typeof value === 'number') return !isHuge(value)
  if (typeof value !== 'object' || value === null) return true
  if (Array.isArray(value)) return value.every(isHarmless)
  for (const name in value) if (name === '__proto__' || !isHarmless((value as Readonly<Record<string, JsonValue>>)[name] ?? null)) return false
  return true
}

/** The place of the first member `__proto__`, below the value; null when there is none. */
function placeOfPrototype(value: JsonValue): string | null {
  if (typeof value !== 'object' || value === null) return null
  for (const name in value) {
    const below = name === '__proto__' ? '' : placeOfPrototype((value as Readonly<Record<string, JsonValue>>)[name] ?? null)
    if (below !== null) return memberPlace('', Array.isArray(value) ? Number(name) : name) + below
  }
  return null
}

/** Reads JSON from disk; but where its beginning is enough to refuse it, the rest stays there. */
function readChecked(content: FileSlice, limit: number): Buffer {
  checkNesting(content.slice(0, Math.min(content.length, 64 * 1024)).readSync(), limit)
  return content.readSync()
}

function checkNesting(bytes: Buffer, limit: number): void {
  const most = Math.max(fewestAllowed, Math.floor(limit / bytesForEach))
  const { tooDeep, count } = scanNesting(bytes, most)
  if (count > most) {
    const rule = `one for each ${bytesForEach} bytes that this endpoint decodes (decodeLimit)`
    throw refusal('body-too-large', `the JSON has more than ${most} lists and objects, ${rule}`)
  }
  if (tooDeep === -1) return
  const what = `JSON nested more than ${deepest} levels deep, at position ${bytes.toString('utf8', 0, tooDeep).length}`
  throw refusal('json-too-deep', `the body is not accepted: ${what}`)
}

function malformed(mistake: string): HttpError {
  return refusal('malformed-json', `the body is not valid JSON: ${mistake}`)
}

/**
 * The offset at which the nesting becomes too deep, or -1, and how many lists and objects there are, up to one more than `most`. Strings are skipped; malformed text may be judged by its brackets, which ends in a 400 all the same.
 * It looks at bytes, because brackets and quotes are never a part of another character in UTF-8: so what is refused need not be decoded.
 */
function scanNesting(bytes: Uint8Array, most: number): { readonly tooDeep: number; readonly count: number } {
  let [depth, count] = [0, 0]
  for (let position = 0; position < bytes.length; position++) {
    const code = bytes[position]
    if (code === 0x22) {
      position = endOfString(bytes, position)
    } else if (code === 0x5b || code === 0x7b) {
      if (++depth > deepest) return { tooDeep: position, count }
      if (++count > most) break
    } else if (code === 0x5d || code === 0x7d) {
      depth--
    }
  }
  return { tooDeep: -1, count }
}

function endOfString(bytes: Uint8Array, start: number): number {
  let position = start + 1
  for (; position < bytes.length && bytes[position] !== 0x22; position++) if (bytes[position] === 0x5c) position++
  return position
}
