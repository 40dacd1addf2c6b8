import { nearestName } from '../../db/errors/nearest-name.js'

/** `did you mean "methods"?` for a name that is close to a known one, else a list of the known ones; the end of a message about an unknown name. */
export function suggestName(unknown: string, known: readonly string[]): string {
  const nearest = nearestName(unknown, known)
  if (nearest !== undefined) return `did you mean "${nearest}"?`
  return known.length === 0 ? 'there is none' : `known are: ${known.join(', ')}`
}
