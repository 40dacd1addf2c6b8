/** What an author wrote, for a message about the mistake: texts, numbers and names as they are, anything else by its kind. */
export function describeGiven(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  if (typeof value === 'function') return value.name === '' ? 'a function without a name' : `the function ${value.name}()`
  return typeof value === 'object' && value !== null ? 'an object' : String(value)
}
