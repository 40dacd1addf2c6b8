import { closest, distance } from 'fastest-levenshtein'

/** `did you mean "methods"?` for a name that is close to a known one, else a list of the known ones; the end of a message about an unknown name. */
export function suggestName(unknown: string, known: readonly string[]): string {
  const nearest = closest(unknown, known)
  if (known.length > 0 && distance(unknown, nearest) <= Math.max(2, Math.floor(nearest.length / 3))) return `did you mean "${nearest}"?`
  return `known are: ${known.join(', ')}`
}
