import { isKept } from '../../db/values/kept-number.js'
import { DeclarationError } from '../errors/declaration-error.js'
import { suggestName } from '../errors/nearest-name.js'

/** A kind of value that a segment of a path may stand for: `<int:id>`. */
export interface Converter {
  /** Its kind and arguments in one normal form; two converters with the same text are the same. */
  readonly text: string
  /** Where several converters stand at the same place of a path, the lower rank is tried first; equal ranks go by `text`. */
  readonly rank: number
  /** The value of a decoded segment that is not empty, or undefined when it does not fit. */
  read(segment: string): string | number | undefined
  /** The segment, not yet encoded, for a value; undefined when the value does not fit. */
  write(value: unknown): string | undefined
}

type Argument = string | number | boolean

/** The arguments of a converter: those with names, and those without. */
interface Arguments {
  readonly named: ReadonlyMap<string, Argument>
  readonly positional: readonly Argument[]
}

interface Kind {
  /** The arguments with names that it takes, each with the type of its values. */
  readonly takes: Readonly<Record<string, 'number' | 'boolean'>>
  /** The arguments in the order in which they may be given without names; null where such are values of their own. */
  readonly order: readonly string[] | null
  /** Makes the `read` of a converter with these arguments. */
  reader(args: Arguments): Converter['read']
  /** How a value is written, whether or not `read` takes it; undefined for a value of another type. */
  toText(value: unknown, args: Arguments): string | undefined
}

const numeric = { fixed_digits: 'number', min: 'number', max: 'number', signed: 'boolean' } as const

/** In the order in which they are tried: the fewer values a kind takes, the earlier. The names, arguments and values are Werkzeug's. */
const kinds: Readonly<Record<string, Kind>> = {
  any: { takes: {}, order: null, reader: anyReader, toText },
  uuid: { takes: {}, order: [], reader: () => readUuid, toText },
  int: { takes: numeric, order: ['fixed_digits', 'min', 'max'], reader: integerReader, toText: integerText },
  float: { takes: { min: 'number', max: 'number', signed: 'boolean' }, order: ['min', 'max'], reader: floatReader, toText: floatText },
  string: { takes: { minlength: 'number', maxlength: 'number', length: 'number' }, order: ['minlength', 'maxlength', 'length'], reader: stringReader, toText },
}

/** The kinds of converters, for messages; `path` stands for several segments and is no converter of one. */
export const converterNames: readonly string[] = [...Object.keys(kinds), 'path']

/**
 * Makes a converter from its name and the text between its parentheses: `int`, `min=1, max=9`.
 *
 * @throws DeclarationError when there is no such converter or it does not take these arguments
 */
export function makeConverter(name: string, argumentText: string): Converter {
  const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined
  if (kind === undefined) throw new DeclarationError(`there is no converter "${name}"; ${suggestName(name, converterNames)}`)
  const args = checkArguments(name, kind, readArguments(name, argumentText))
  const text = normalForm(name, args)
  // The more a converter says of its values, the fewer there are.
  const rank = Object.keys(kinds).indexOf(name) * 100 - args.named.size
  const read = kind.reader(args)
  const write = (value: unknown): string | undefined => {
    const segment = kind.toText(value, args)
    // A link is only made to what the path would take.
    return segment !== undefined && segment !== '' && read(segment) !== undefined ? segment : undefined
  }
  return { text, rank, read, write }
}

const argument = /^\s*(?:([A-Za-z_]\w*)\s*=\s*)?(?:"([^"]*)"|'([^']*)'|([^\s,"'=]+))\s*(?:,|$)/

function readArguments(name: string, text: string): Arguments {
  const named = new Map<string, Argument>()
  const positional: Argument[] = []
  for (let rest = text; rest.trim() !== ''; ) {
    const match = argument.exec(rest)
    if (match === null) throw new DeclarationError(`the converter ${name}(${text}) has arguments that cannot be read; they look like (min=1, max=9) or (a, "b c")`)
    const [whole, key, double, single, bare = ''] = match
    const value = double ?? single ?? readBare(bare)
    if (key === undefined) positional.push(value)
    else if (named.has(key)) throw new DeclarationError(`the converter ${name}(${text}) has the argument ${key} twice`)
    else named.set(key, value)
    rest = rest.slice(whole.length)
  }
  return { named, positional }
}

function readBare(text: string): Argument {
  if (/^-?\d+(?:\.\d+)?$/.test(text)) return Number(text)
  if (/^(?:true|false)$/i.test(text)) return text.toLowerCase() === 'true'
  return text
}

function checkArguments(name: string, { takes, order }: Kind, { named, positional }: Arguments): Arguments {
  if (order === null) {
    if (named.size > 0) throw new DeclarationError(`the converter ${name} takes values such as (a, b), and no argument with a name`)
    return { named, positional }
  }
  const all = new Map(named)
  for (const [index, value] of positional.entries()) {
    const key = order[index]
    if (key === undefined || all.has(key)) throw new DeclarationError(`the converter ${name} has the argument ${String(value)}, which it does not take; ${suggestArguments(takes)}`)
    all.set(key, value)
  }
  for (const [key, value] of all) {
    const type = Object.hasOwn(takes, key) ? takes[key] : undefined
    if (type === undefined) throw new DeclarationError(`the converter ${name} has no argument "${key}"; ${suggestArguments(takes)}`)
    if (typeof value !== type) throw new DeclarationError(`the argument ${key} of the converter ${name} is a ${type === 'number' ? 'number' : 'true or false'}, got ${JSON.stringify(value)}`)
    if (value === false) all.delete(key)
  }
  return { named: all, positional: [] }
}

function suggestArguments(takes: Kind['takes']): string {
  const names = Object.keys(takes)
  return names.length === 0 ? 'it takes none' : `it takes ${names.join(', ')}`
}

function normalForm(name: string, { named, positional }: Arguments): string {
  const parts = [...positional.map(String).sort().map((value) => JSON.stringify(value)), ...[...named].map(([key, value]) => `${key}=${String(value)}`).sort()]
  return parts.length === 0 ? name : `${name}(${parts.join(', ')})`
}

function numberOf({ named }: Arguments, name: string): number | undefined {
  const value = named.get(name)
  return typeof value === 'number' ? value : undefined
}

function isWithin(value: number, args: Arguments): boolean {
  return value >= (numberOf(args, 'min') ?? Number.NEGATIVE_INFINITY) && value <= (numberOf(args, 'max') ?? Number.POSITIVE_INFINITY)
}

function integerReader(args: Arguments): Converter['read'] {
  const pattern = args.named.has('signed') ? /^-?\d+$/ : /^\d+$/
  const digits = numberOf(args, 'fixed_digits')
  return (segment) => {
    if (!pattern.test(segment) || (digits !== undefined && segment.length !== digits)) return undefined
    const value = Number(segment)
    // Beyond the safe integers, two numbers of a path would become one.
    return Number.isSafeInteger(value) && isWithin(value, args) ? withoutSignOfZero(value) : undefined
  }
}

function integerText(value: unknown, args: Arguments): string | undefined {
  const text = Object.is(value, -0) ? '0' : toText(value)
  return text?.padStart(numberOf(args, 'fixed_digits') ?? 0, '0')
}

function floatReader(args: Arguments): Converter['read'] {
  const pattern = args.named.has('signed') ? /^-?\d+\.\d+$/ : /^\d+\.\d+$/
  return (segment) => {
    const value = pattern.test(segment) ? Number(segment) : Number.NaN
    return Number.isFinite(value) && isKept(segment, value) && isWithin(value, args) ? withoutSignOfZero(value) : undefined
  }
}

function floatText(value: unknown): string | undefined {
  return Number.isInteger(value) ? `${String(value)}.0` : toText(value)
}

function stringReader(args: Arguments): Converter['read'] {
  const exact = numberOf(args, 'length')
  const shortest = exact ?? numberOf(args, 'minlength') ?? 1
  const longest = exact ?? numberOf(args, 'maxlength') ?? Number.POSITIVE_INFINITY
  return (segment) => {
    // In characters as a reader counts them, of which one may be two units of UTF-16.
    const length = segment.length > longest * 2 ? Number.POSITIVE_INFINITY : [...segment].length
    return length >= shortest && length <= longest ? segment : undefined
  }
}

const uuid = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i

/** In lower case, the form in which a UUID is written out (RFC 9562, 4). */
function readUuid(segment: string): string | undefined {
  return uuid.test(segment) ? segment.toLowerCase() : undefined
}

function anyReader({ positional }: Arguments): Converter['read'] {
  const values = new Set(positional.map(String))
  if (values.size === 0 || values.has('')) throw new DeclarationError('the converter any takes the values that it stands for: any(a, b)')
  return (segment) => (values.has(segment) ? segment : undefined)
}

function toText(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint' ? String(value) : undefined
}

function withoutSignOfZero(value: number): number {
  return value === 0 ? 0 : value
}
