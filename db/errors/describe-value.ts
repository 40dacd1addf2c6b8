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
      return 'a function'
    case 'object':
      return describeObject(value)
    default:
      return 'an unknown value'
  }
}

function describeObject(value: object): string {
  if (Array.isArray(value)) return 'a list'
  if (isPlainObject(value)) return 'a plain object'
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'an invalid Date' : 'a Date'
  const { name } = value.constructor
  return name === '' ? 'an object' : `an object of class ${name}`
}

/** Whether it is an object made by a literal (also in another realm), by `JSON.parse` or without a prototype: not a list, not an instance of a class. */
export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}
