/** What a value is, in the words of an error message: its type, never the value itself, which may be a secret. */
export function describeValue(value: unknown): string {
  if (value === null) return 'null'
  switch (typeof value) {
    case 'undefined':
      return 'undefined'
    case 'string':
      return 'a text'
    case 'number':
      return Number.isFinite(value) ? 'a number' : String(value)
    case 'boolean':
      return 'a boolean'
    case 'bigint':
      return 'a BigInt'
    case 'symbol':
      return 'a symbol'
    case 'function':
      return isClass(value) ? 'a class' : 'a function'
    case 'object':
      return describeObject(value)
    default:
      return 'an unknown value'
  }
}

/** The longest text of a caller that is shown whole, in characters. */
const longestShown = 40

/**
 * What somebody has written or sent, in a message to that same person: texts as they are, on one line, the rest by its
 * type.
 *
 * @param reader to the author of an app, whose mistake it is, numbers and names are shown as well;
 *   to a caller no more than the beginning of a long text
 */
export function describeGiven(value: unknown, reader: 'author' | 'caller' = 'author'): string {
  if (isPlainObject(value)) return 'an object'
  if (reader === 'caller') return typeof value === 'string' ? JSON.stringify(shorten(value)) : describeValue(value)
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'function') return describeFunction(value)
  if (Array.isArray(value) && value.length === 0) return 'an empty list'
  return typeof value === 'object' ? describeValue(value) : String(value)
}

function describeFunction(value: { readonly name: string }): string {
  const kind = isClass(value) ? 'class' : 'function'
  if (value.name === '') return `a ${kind} without a name`
  return kind === 'class' ? `the class ${value.name}` : `the function ${value.name}()`
}

function shorten(text: string): string {
  return text.length > longestShown ? `${text.slice(0, longestShown).toWellFormed()}…` : text.toWellFormed()
}

function describeObject(value: object): string {
  if (Array.isArray(value)) return 'a list'
  if (isPlainObject(value)) return 'a plain object'
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'an invalid Date' : 'a Date'
  const name: unknown = (value.constructor as { readonly name?: unknown } | undefined)?.name
  return typeof name === 'string' && name !== '' ? `an object of class ${name}` : 'an object'
}

/** Whether it is an object made by a literal (also in another realm), by `JSON.parse` or without a prototype: not a list, not an instance of a class. */
export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

/**
 * Whether it is a class, as opposed to a function that can be called. The prototype of a class cannot be replaced
 * (ECMAScript, 15.7.14); that of a function can, where it has one.
 */
export function isClass(value: unknown): value is new () => object {
  return typeof value === 'function' && Object.getOwnPropertyDescriptor(value, 'prototype')?.writable === false
}
