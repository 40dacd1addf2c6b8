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
  const values = new NamedValues<string>()
  // Of a text that starts with a question mark, the first one is taken for no part of it.
  for (const [name, value] of new URLSearchParams(`?${text}`)) values.add(name, value)
  return values.byName
}
