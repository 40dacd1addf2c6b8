import { Refusal } from '../columns/codec.js'
import { describeValue, isPlainObject } from '../errors/describe-value.js'
import type { StandardSchema } from '../values/standard-schema.js'

/** Deeper values are refused: they refer to themselves, or could not be sent back as a member of a JSON body, which may have 100 levels. */
const deepest = 99

/** Checks a value of a `json` column, by the column's validator if it has one, and encodes it. @throws Refusal */
export function encodeJson(value: unknown, validator: StandardSchema | undefined): string {
  const checked = validator === undefined ? value : validated(value, validator)
  assertJson(checked, '', 0)
  return JSON.stringify(checked)
}

/** Decodes what a `json` column holds, frozen all the way down: changing it would change nothing in the database. */
export function decodeJson(stored: string): unknown {
  const value: unknown = JSON.parse(stored)
  return freeze(value)
}

function validated(value: unknown, validator: StandardSchema): unknown {
  const result = validator['~standard'].validate(value)
  if (result instanceof Promise) {
    // It may still reject, and nobody else waits for it.
    result.catch(() => undefined)
    throw new Refusal('a validator that answers at once', 'one that answers with a promise')
  }
  if (result.issues === undefined) return result.value
  const issues = result.issues.slice(0, 5).map(({ message, path = [] }) => {
    const place = path.map((step) => `.${String(typeof step === 'object' ? step.key : step)}`).join('')
    return place === '' ? message : `${place}: ${message}`
  })
  throw new Refusal(`a value that its validator accepts (${issues.join('; ')})`)
}

function assertJson(value: unknown, place: string, depth: number): void {
  if (typeof value === 'string') {
    if (value.includes('\0') || /\p{Surrogate}/u.test(value)) throw notJson('a text that has NUL or half a surrogate pair in it', place)
    return
  }
  if (value === null || typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))) return
  if (depth >= deepest && typeof value === 'object') throw new Refusal(`JSON of at most ${deepest} levels`, 'a value that is deeper or contains itself')
  if (Array.isArray(value)) {
    // Not forEach: it would leave out the holes, which JSON has no form for.
    for (let index = 0; index < value.length; index++) assertJson(value[index], `${place}[${index}]`, depth + 1)
    return
  }
  if (!isPlainObject(value)) throw notJson(describeValue(value), place)
  for (const [member, inner] of Object.entries(value)) {
    assertJson(member, place, depth)
    // No body may have it either, because it means something else to whoever assigns it.
    if (member === '__proto__') throw notJson('a member called __proto__', place)
    assertJson(inner, `${place}.${member}`, depth + 1)
  }
}

function notJson(got: string, place: string): Refusal {
  return new Refusal('a JSON value', place === '' ? got : `${got} at ${place.slice(0, 200)}`)
}

function freeze(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  for (const member of Object.values(value)) freeze(member)
  return Object.freeze(value)
}
