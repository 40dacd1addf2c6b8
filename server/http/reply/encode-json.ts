import { describeValue } from '../../../db/errors/describe-value.js'
import { isSpreadRow, spreadMistake } from '../../../db/rows/spread-row.js'
import { memberPlace } from '../../errors/member-place.js'

/** Deeper values are refused: they are cycles, or would end in an overflow of somebody's stack. */
const deepest = 1000

/** A returned value that has no JSON form. The message names what it is and where it stands: `cannot send a BigInt as response.items[3].total`. */
export class UnsendableValue extends Error {
  override readonly name = 'UnsendableValue'
}

/** What is told of an answer that is longer than it may be, both in bytes. */
export function tooLong(length: number, limit: number): UnsendableValue {
  return new UnsendableValue(`cannot send a reply of ${length} bytes: more than ${limit} (responseLimit); return a stream, or split it into pages`)
}

/**
 * Encodes a returned value as JSON, strictly: what JSON.stringify would drop or turn into something else (functions, symbols, NaN, instances of classes that say nothing about JSON) is refused.
 * Members that are undefined are left out, as everywhere in JavaScript; values with `toJSON` (rows, dates) are sent as what it returns.
 *
 * @param place how the value is called in a message
 * @throws UnsendableValue
 */
export function encodeJson(value: unknown, place = 'response'): string {
  const plain = toPlain(value, 0)
  if (plain === unsendable) throw new UnsendableValue(describeUnsendable(value, place, []))
  // A toJSON that returns undefined leaves nothing to send, which is null here as everywhere.
  return JSON.stringify(plain ?? null)
}

const unsendable = Symbol('unsendable')

/** The same value without any `toJSON` in it, copied only where there was one, so that plain data is walked but not rebuilt. */
function toPlain(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'undefined':
      return value
    case 'number':
      return Number.isFinite(value) ? value : unsendable
    case 'object':
      if (value === null) return value
      if (depth > deepest) return unsendable
      if (Array.isArray(value)) return listToPlain(value, depth)
      return objectToPlain(value, depth)
    default:
      return unsendable
  }
}

function listToPlain(list: readonly unknown[], depth: number): unknown {
  let copy: unknown[] | null = null
  for (let index = 0; index < list.length; index++) {
    const member = list[index]
    const plain = toPlain(member, depth + 1)
    if (plain === unsendable) return unsendable
    if (copy !== null) copy.push(plain)
    else if (plain !== member) copy = [...list.slice(0, index), plain]
  }
  return copy ?? list
}

function objectToPlain(object: object, depth: number): unknown {
  if (hasToJson(object)) {
    const replacement: unknown = object instanceof Date && Number.isNaN(object.getTime()) ? unsendable : object.toJSON()
    return replacement === object ? unsendable : toPlain(replacement, depth + 1)
  }
  if (!isPlain(object) || isSpreadRow(object)) return unsendable
  let copy: Record<string, unknown> | null = null
  // A plain object inherits nothing enumerable, and for-in, unlike Object.keys, makes no list.
  for (const key in object) {
    const member = object[key]
    const plain = toPlain(member, depth + 1)
    if (plain === unsendable) return unsendable
    // A copy keeps the order of the members; assigning in place of the old value does not change it.
    if (plain !== member) (copy ??= Object.assign(Object.create(null) as Record<string, unknown>, object))[key] = plain
  }
  return copy ?? object
}

function hasToJson(object: object): object is { toJSON(): unknown } {
  return 'toJSON' in object && typeof object.toJSON === 'function'
}

/** Whether it inherits from nothing, or from something that does so itself: the prototype of all plain objects, or that of argument lists, which is empty. */
function isPlain(object: object): object is Record<string, unknown> {
  const prototype: object | null = Object.getPrototypeOf(object) as object | null
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null
}

/** Walks the value again, slowly, to say what is wrong with it and where. Only called once something is known to be wrong. */
function describeUnsendable(value: unknown, place: string, ancestors: readonly object[]): string {
  return findUnsendable(value, place, ancestors) ?? `cannot send ${place}: its toJSON returned something else the second time`
}

function findUnsendable(value: unknown, place: string, ancestors: readonly object[]): string | null {
  if (typeof value === 'string' || typeof value === 'boolean' || value === undefined || value === null) return null
  if (typeof value === 'number' && Number.isFinite(value)) return null
  if (typeof value !== 'object') return `cannot send ${describeValue(value)} as ${place}`
  if (ancestors.includes(value)) return `cannot send a cycle as ${place}`
  if (ancestors.length > deepest) return `cannot send a value nested more than ${deepest} levels deep as ${place.slice(0, 100)}…`
  const line = [...ancestors, value]
  if (Array.isArray(value)) {
    return firstOf(value.map((member, index) => () => findUnsendable(member, memberPlace(place, index), line)))
  }
  if (hasToJson(value)) {
    if (value instanceof Date && Number.isNaN(value.getTime())) return `cannot send an invalid Date as ${place}`
    return findUnsendable(value.toJSON(), place, line)
  }
  if (value instanceof Promise) return `cannot send a Promise (await it) as ${place}`
  if (!isPlain(value)) return `cannot send ${describeValue(value)} as ${place}`
  if (isSpreadRow(value)) return `cannot send a spread row as ${place}: ${spreadMistake}`
  return firstOf(Object.entries(value).map(([key, member]) => () => findUnsendable(member, memberPlace(place, key), line)))
}

function firstOf(searches: readonly (() => string | null)[]): string | null {
  for (const search of searches) {
    const found = search()
    if (found !== null) return found
  }
  return null
}
