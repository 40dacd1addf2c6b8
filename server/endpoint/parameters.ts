import type { Column, ColumnKind, TypeOf, ValueOf } from '../../db/columns/columns.js'
import { describeGiven } from '../../db/errors/describe-value.js'
import type { StandardSchema } from '../../db/values/standard-schema.js'
import type { ErrorCode } from '../errors/error-codes.js'
import { isCalendarDay, looksLikeInstant, readInstant } from '../../db/values/calendar.js'
import { isKept } from '../../db/values/kept-number.js'
import { parseJson } from '../http/body/json.js'
import { HttpError } from '../http/http-error.js'

/** A parameter that may be left out; made by {@link optional}. */
export class OptionalParameter<C extends Column = Column> {
  constructor(readonly column: C) {
    Object.freeze(this)
  }
}

/**
 * A parameter that a caller may leave out: the handler gets `undefined`. (One with a `default` may be left out too, and the handler gets that.)
 *
 * @example params: { title: text(), note: optional(text()) }
 */
export function optional<C extends Column>(column: C): OptionalParameter<C> {
  return new OptionalParameter(column)
}

/** How a parameter is declared: a column type, an optional one, or a Standard Schema validator. */
export type Parameter = Column | OptionalParameter | StandardSchema

/** The declared parameters of an endpoint, by name. */
export type Parameters = { readonly [name: string]: Parameter }

/** What the handler gets for a parameter. */
export type ParameterValue<P extends Parameter> =
  P extends OptionalParameter<infer C>
    ? ValueOf<TypeOf<C>> | undefined
    : P extends Column
      ? ValueOf<TypeOf<P>>
      : P extends StandardSchema<unknown, infer Output>
        ? Output
        : never

/** What came for a parameter: texts from the path, the query or a form; a JSON value from a JSON body. */
export type RawParameter = { readonly from: 'text'; readonly value: string | readonly string[] } | { readonly from: 'json'; readonly value: unknown }

/** The outcome of reading a parameter: its value, or what is wrong with what came. */
export type ReadParameter = { readonly value: unknown } | { readonly problem: string; readonly code: ErrorCode }

interface Kind {
  /** As a message names it. */
  readonly expected: string
  /** The same, where a text came that cannot be one of these; `expected` by default. */
  readonly expectedOfText?: string
  readonly fromText: (text: string) => unknown
  readonly fromJson: (value: unknown) => unknown
}

// Each digit can be matched in one way only: a choice between two for each would take time that grows with the square of the length.
const decimal = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i
const whole = /^[+-]?\d+$/
const truths: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['1', true],
  ['on', true],
  ['yes', true],
  ['false', false],
  ['0', false],
  ['off', false],
  ['no', false],
])

const isText = (value: unknown): value is string => typeof value === 'string'

/** What is of the right type, or written like it, and not accepted all the same. */
class Unfit {
  constructor(
    readonly expected: string,
    /** What came, where it is not shown itself. */
    readonly got?: string,
    readonly code: ErrorCode = 'invalid-value',
  ) {}
}

const outOfNumbers = new Unfit(`a number between -${Number.MAX_VALUE.toPrecision(2)} and ${Number.MAX_VALUE.toPrecision(2)}`)
const rounded = new Unfit('a number that can be kept as it is (every whole number between -(2^53 - 1) and 2^53 - 1)')
const nearZero = new Unfit(`0, or a number that is at least ${Number.MIN_VALUE} away from it`)
const outOfIntegers = new Unfit('a whole number between -(2^53 - 1) and 2^53 - 1')
const noDay = new Unfit('a date of the calendar, YYYY-MM-DD, from 0001 to 9999')
const noInstant = new Unfit('a day of the calendar and a time of the day, as 2026-01-31T12:00:00Z')

/** The column types that a text can be read as. Undefined is never a value of any of them, so it stands for a text that does not convert. */
const kinds: Partial<Record<ColumnKind, Kind>> = {
  text: { expected: 'text', expectedOfText: 'text of well-formed Unicode without NUL', fromText: readText, fromJson: (value) => (isText(value) ? readText(value) : undefined) },
  number: {
    expected: 'a number',
    fromText: (text) => (decimal.test(text) ? keptNumber(text) : undefined),
    fromJson: (value) => (typeof value === 'number' ? finite(value) : undefined),
  },
  integer: {
    expected: 'a whole number',
    fromText: (text) => (whole.test(text) ? safeInteger(Number(text)) : undefined),
    fromJson: (value) => (typeof value === 'number' && !isFraction(value) ? safeInteger(value) : undefined),
  },
  boolean: {
    expected: 'true or false',
    fromText: (text) => truths.get(text.toLowerCase()),
    fromJson: (value) => (typeof value === 'boolean' ? value : undefined),
  },
  date: { expected: 'a date as YYYY-MM-DD', fromText: readDay, fromJson: (value) => (isText(value) ? readDay(value) : undefined) },
  datetime: { expected: 'an instant as 2026-01-31T12:00:00Z', fromText: readTime, fromJson: (value) => (isText(value) ? readTime(value) : undefined) },
  json: { expected: 'JSON of at most 100 levels', fromText: readJson, fromJson: (value) => value },
}

/** Whether values of this column type can come as parameters. */
export function isParameterKind(kind: ColumnKind): boolean {
  return kinds[kind] !== undefined
}

/** The column types that can, for messages. */
export const parameterKinds: readonly string[] = Object.keys(kinds)

/** Converts what came for a parameter of a column type. */
export function readColumn(column: Column, raw: RawParameter): ReadParameter {
  // Options are checked when an endpoint is declared, and only these kinds pass.
  const kind = kinds[column.settings.kind] as Kind
  const { expected } = kind
  let value: unknown
  if (raw.from === 'json') {
    value = kind.fromJson(raw.value)
  } else if (typeof raw.value === 'string') {
    value = kind.fromText(raw.value)
  } else {
    return { problem: `expected ${expected} once, got it ${raw.value.length} times`, code: 'repeated-parameter' }
  }
  if (value instanceof Unfit) {
    const got = value.got ?? (typeof raw.value === 'number' ? String(raw.value) : describeGiven(raw.value, 'caller'))
    return { problem: `expected ${value.expected}, got ${got}`, code: value.code }
  }
  if (value !== undefined) return { value }
  const wanted = typeof raw.value === 'string' ? (kind.expectedOfText ?? expected) : expected
  const got = typeof raw.value === 'number' && isFraction(raw.value) ? String(raw.value) : describeGiven(raw.value, 'caller')
  return { problem: `expected ${wanted}, got ${got}`, code: 'wrong-type' }
}

function readText(text: string): string | undefined {
  return text.includes('\0') || !text.isWellFormed() ? undefined : text
}

function keptNumber(text: string): number | Unfit {
  const value = finite(Number(text))
  if (typeof value !== 'number' || isKept(text, value)) return value
  return value === 0 ? nearZero : rounded
}

/** What comes out of a column has no -0, and what goes into a handler is to be the same. */
function finite(value: number): number | Unfit {
  if (!Number.isFinite(value)) return outOfNumbers
  return value === 0 ? 0 : value
}

function safeInteger(value: number): number | Unfit {
  if (!Number.isSafeInteger(value)) return outOfIntegers
  return value === 0 ? 0 : value
}

function isFraction(value: number): boolean {
  return Number.isFinite(value) && !Number.isInteger(value)
}

function readDay(text: string): string | Unfit | undefined {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return undefined
  return isCalendarDay(text) ? text : noDay
}

function readTime(text: string): Date | Unfit | undefined {
  if (!looksLikeInstant(text)) return undefined
  return readInstant(text) ?? noInstant
}

/** What parses as JSON and is not accepted, by the code with which the same in a body is refused. */
const unfitJson: ReadonlyMap<string, Unfit> = new Map([
  ['number-too-large', new Unfit('JSON with numbers that can be kept as they are', 'one that is too large; send it as a text')],
  ['number-too-small', new Unfit('JSON with numbers that can be kept as they are', 'one that would become 0; send it as a text')],
  // The one name that no member may have.
  ['invalid-input', new Unfit('JSON without a member called __proto__, which means something else in JavaScript', 'one with such a member', 'forbidden-name')],
])

function readJson(text: string): unknown {
  try {
    return parseJson(Buffer.from(text), Infinity)
  } catch (error) {
    return error instanceof HttpError ? unfitJson.get(error.code) : undefined
  }
}
