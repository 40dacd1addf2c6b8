import { Refusal, type Codec } from '../columns/codec.js'
import type { ColumnSettings } from '../columns/columns.js'
import { decodeJson, encodeJson } from './json-codec.js'
import { isCalendarDay } from '../values/calendar.js'
import { encodeMedia } from './media-codec.js'
import { RowIdentity } from './row-identity.js'
import { DataRowReference } from './row-reference.js'
import type { TableLayout } from './table-layout.js'

/** The codec of a column; `target` is the table that a `link` or `links` column leads to. */
export function createCodec(settings: ColumnSettings, target?: TableLayout): Codec {
  switch (settings.kind) {
    case 'text':
      return textCodec
    case 'number':
      return numberCodec
    case 'integer':
      return integerCodec
    case 'boolean':
      return booleanCodec
    case 'date':
      return dateCodec
    case 'datetime':
      return datetimeCodec
    case 'json':
      return { storage: 'json', encode: (value) => encodeJson(value, settings.validator), decode: (stored) => decodeJson(stored as string) }
    case 'media':
      // What a row gives depends on the row: see RowMedia.
      return { storage: 'bytes', encode: encodeMedia }
    case 'link':
      return linkCodec(knownTarget(target))
    case 'links':
      return linksCodec(knownTarget(target))
  }
}

// The casts below: a column holds what its codec has put there, and tables are strict about the types of their columns.

const textCodec: Codec = {
  storage: 'text',
  encode(value) {
    if (typeof value !== 'string') throw new Refusal('a text')
    if (value.includes('\0') || /\p{Surrogate}/u.test(value)) {
      throw new Refusal('a text of well-formed Unicode without NUL', 'a text that has NUL or half a surrogate pair in it')
    }
    return value
  },
}

const numberCodec: Codec = {
  storage: 'real',
  encode(value) {
    if (typeof value !== 'number' || !Number.isFinite(value)) throw new Refusal('a finite number')
    // Databases do not tell -0 from 0.
    return value === 0 ? 0 : value
  },
}

const integerCodec: Codec = {
  storage: 'integer',
  encode(value) {
    if (typeof value !== 'number') throw new Refusal('a whole number')
    if (!Number.isSafeInteger(value)) {
      throw new Refusal('a whole number between -(2^53 - 1) and 2^53 - 1', Number.isFinite(value) ? 'a number that is not' : String(value))
    }
    return value === 0 ? 0 : value
  },
}

const booleanCodec: Codec = {
  storage: 'boolean',
  encode(value) {
    if (typeof value !== 'boolean') throw new Refusal('true or false')
    return value ? 1 : 0
  },
  decode: (stored) => stored === 1,
}

const dateCodec: Codec = {
  storage: 'text',
  encode(value) {
    if (typeof value !== 'string') throw new Refusal('a date as text, YYYY-MM-DD')
    if (!isCalendarDay(value)) throw new Refusal('a date of the calendar, YYYY-MM-DD', 'another text')
    return value
  },
}

const datetimeCodec: Codec = {
  storage: 'instant',
  encode(value) {
    if (!(value instanceof Date) || Number.isNaN(value.getTime())) throw new Refusal('a valid Date')
    return value.getTime()
  },
  decode: (stored) => new Date(stored as number),
}

function linkCodec(target: TableLayout): Codec {
  return {
    storage: 'reference',
    encode: (value) => linkedNumber(target, value),
    decode: (stored) => new DataRowReference(target, stored as number),
  }
}

function linksCodec(target: TableLayout): Codec {
  return {
    storage: 'json',
    encode(value) {
      if (!Array.isArray(value)) throw new Refusal(`a list of rows of table ${target.name}`)
      return JSON.stringify(Array.from(value, (member: unknown) => linkedNumber(target, member)))
    },
    decode(stored) {
      const numbers = JSON.parse(stored as string) as number[]
      return Object.freeze(numbers.map((number) => new DataRowReference(target, number)))
    },
  }
}

function linkedNumber(target: TableLayout, value: unknown): number {
  const number = RowIdentity.numberIn(target, value)
  if (number !== undefined) return number
  const table = RowIdentity.tableOf(value)
  const expected = `a row of table ${target.name}`
  if (table === undefined) throw new Refusal(expected)
  throw new Refusal(expected, table === target.name ? 'a row of a table of that name in another database' : `a row of table ${table}`)
}

function knownTarget(target: TableLayout | undefined): TableLayout {
  if (target === undefined) throw new Error('a link was laid out without the table it leads to')
  return target
}
