/** Below it, JavaScript has every whole number; from here on not each of them. */
const firstInexact = 2 ** 53

/** Whether not every whole number of this size is one of JavaScript's. */
export function isHuge(value: number): boolean {
  return value >= firstInexact || value <= -firstInexact
}

/** What a number needs without which it cannot become zero: an exponent below zero, or as many zeros as no other has. */
const exponentBelowZero = /[0-9]e-[0-9]/i
const manyZeros = '0'.repeat(300)

/** Whether JSON may have a number in it that would become zero. */
export function mayBecomeZero(text: string): boolean {
  return exponentBelowZero.test(text) || text.includes(manyZeros)
}

/**
 * Whether JavaScript keeps a number that was written as decimal digits, to all the digits that were written, or would
 * round it: 9007199254740993 becomes 9007199254740992, and 1e-400 becomes 0, without a word. Of fractions below 2^53 the nearest one counts as kept, unless it is zero.
 *
 * @param written in the notation of JSON, with leading zeros or a plus sign perhaps
 */
export function isKept(written: string, value = Number(written)): boolean {
  if (value === 0) return significantDigits(written) === ''
  if (!isHuge(value)) return true
  if (!Number.isFinite(value)) return false
  const digits = significantDigits(written)
  // More digits than `toPrecision` gives are kept where they are all that the number has.
  const kept = digits.length <= 100 ? value.toPrecision(digits.length) : BigInt(value).toString()
  return significantDigits(kept) === digits
}

/** The digits from the first to the last that is no zero, without sign, point and exponent. */
function significantDigits(written: string): string {
  const exponent = written.search(/e/i)
  const digits = (exponent === -1 ? written : written.slice(0, exponent)).replaceAll(/[^0-9]/g, '')
  let [start, end] = [0, digits.length]
  while (digits[start] === '0') start++
  while (end > start && digits[end - 1] === '0') end--
  return digits.slice(start, end)
}

/** The fewest characters in which a number can be one that is not kept, unless it has a long exponent, of as many digits. */
const shortestUnkept = 16
const longExponent = 3

const [quote, backslash, minus, plus, point] = [0x22, 0x5c, 0x2d, 0x2b, 0x2e]

/**
 * Finds a number in JSON that JavaScript would round, or that is too large for it or too near to zero; null when there is none.
 *
 * @param text well-formed JSON in UTF-8
 */
export function findUnkept(text: Uint8Array): string | null {
  for (let position = 0; position < text.length; position++) {
    const code = text[position] ?? 0
    if (code === quote) {
      for (position++; position < text.length && text[position] !== quote; position++) if (text[position] === backslash) position++
    } else if (code === minus || isDigit(code)) {
      const start = position
      let exponent = text.length
      while (position + 1 < text.length && isOfNumber(text[position + 1] ?? 0)) if (isExponent(text[++position] ?? 0)) exponent = position
      // Most are shorter, and are kept; not to look at them takes a tenth of the time.
      if (position + 1 - start < shortestUnkept && position - exponent < longExponent) continue
      const written = Buffer.from(text.buffer, text.byteOffset + start, position + 1 - start).toString('latin1')
      if (!isKept(written)) return written
    }
  }
  return null
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39
}

function isOfNumber(code: number): boolean {
  return isDigit(code) || code === point || code === plus || code === minus || isExponent(code)
}

function isExponent(code: number): boolean {
  return code === 0x65 || code === 0x45
}

/** Whether a value of JSON has a number in it that may not be the one that was written. */
export function holdsHuge(value: unknown): boolean {
  if (typeof value === 'number') return isHuge(value)
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) return value.some(holdsHuge)
  for (const name in value) if (holdsHuge((value as Readonly<Record<string, unknown>>)[name])) return true
  return false
}

/** What is wrong with a number that {@link findUnkept} has found, and how to send it. */
export function describeUnkept(written: string): string {
  const value = Number(written)
  if (!Number.isFinite(value)) return `it has a number beyond ${Number.MAX_VALUE.toPrecision(2)}, the largest that can be read`
  const shown = written.length > 40 ? `${written.slice(0, 40)}…` : written
  if (value === 0) return `it has the number ${shown}, which would become 0: it is nearer to 0 than ${Number.MIN_VALUE}, the smallest that can be read; send it as a text`
  return `it has the number ${shown}, which would become ${BigInt(value)}: only between -(2^53 - 1) and 2^53 - 1 is there every whole number; send it as a text`
}
