import { parse } from 'fast-querystring'
import { NamedValues } from './named-values.js'

/**
 * Decodes a query or the text of a form (application/x-www-form-urlencoded, WHATWG URL Standard, 5.1): a text for each name, or a list of them where it was repeated.
 * What is no UTF-8 becomes U+FFFD, and a "%" that starts no percent-encoding stands for itself. The object inherits nothing.
 */
export function parseUrlEncoded(text: string): Readonly<Record<string, string | readonly string[]>> {
  // It gives what this says, strings and lists of them.
  const values = parse(text) as Record<string, string | string[]>
  // The fast parser leaves the whole of a name or value as it came where a part of it cannot be decoded. What it has decoded holds a "%" only rarely.
  return text.includes('%') && hasPercent(values) ? parseCarefully(text) : values
}

function hasPercent(values: Readonly<Record<string, string | readonly string[]>>): boolean {
  for (const name in values) {
    const value = values[name]
    if (name.includes('%') || (typeof value === 'string' ? value.includes('%') : value?.some((one) => one.includes('%')))) return true
  }
  return false
}

function parseCarefully(text: string): Readonly<Record<string, string | readonly string[]>> {
  return parseUrlEncodedBytes(Buffer.from(text))
}

const [ampersand, equals, percent, plus, space] = [0x26, 0x3d, 0x25, 0x2b, 0x20]

/**
 * The same for bytes, by the steps of the standard. Its time is in proportion to them whatever they are: with texts that
 * are hard to decode, such as `%25%25…` or `+++…`, others take twenty times as long, and everybody waits for it.
 */
export function parseUrlEncodedBytes(bytes: Buffer): Readonly<Record<string, string | readonly string[]>> {
  const values = new NamedValues<string>()
  for (let start = 0; start < bytes.length; ) {
    const next = bytes.indexOf(ampersand, start)
    const end = next === -1 ? bytes.length : next
    if (end > start) {
      const sign = bytes.subarray(start, end).indexOf(equals)
      const nameEnd = sign === -1 ? end : start + sign
      values.add(decode(bytes, start, nameEnd), decode(bytes, Math.min(nameEnd + 1, end), end))
    }
    start = end + 1
  }
  return values.byName
}

function decode(bytes: Buffer, start: number, end: number): string {
  let position = start
  while (position < end && bytes[position] !== percent && bytes[position] !== plus) position++
  if (position === end) return bytes.toString('utf8', start, end)
  const decoded = Buffer.allocUnsafe(end - start)
  let length = bytes.copy(decoded, 0, start, position)
  for (; position < end; position++) {
    const byte = bytes[position] ?? 0
    const encoded = byte === percent && position + 2 < end ? hexadecimal(bytes[position + 1]) * 16 + hexadecimal(bytes[position + 2]) : Number.NaN
    if (!Number.isNaN(encoded)) position += 2
    decoded[length++] = Number.isNaN(encoded) ? (byte === plus ? space : byte) : encoded
  }
  return decoded.toString('utf8', 0, length)
}

/** The value of a hexadecimal digit; NaN for any other character. */
function hexadecimal(code = 0): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const letter = code | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : Number.NaN
}
