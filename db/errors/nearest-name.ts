import { closest, distance } from 'fastest-levenshtein'

/**
 * The known name that was probably meant by an unknown one: one that differs only in upper and lower case, or else one of the same letters in another order, or else the one that
 * takes the fewest changes, where these are less than half of the name: short names are all alike. Undefined when there is none.
 */
export function nearestName(unknown: string, known: readonly string[]): string | undefined {
  const asked = unknown.toLowerCase()
  const names = known.map((name) => name.toLowerCase())
  const same = names.indexOf(asked)
  const mixed = same === -1 ? names.findIndex((name) => name.length === asked.length && sorted(name) === sorted(asked)) : same
  return known[mixed === -1 ? indexOfClosest(asked, names) : mixed]
}

function indexOfClosest(asked: string, names: readonly string[]): number {
  const nearest = names.length === 0 ? '' : closest(asked, names)
  const changes = distance(asked, nearest)
  const mostChanges = Math.max(2, Math.floor(nearest.length / 3))
  return changes <= mostChanges && changes * 2 < Math.max(asked.length, nearest.length) ? names.indexOf(nearest) : -1
}

function sorted(name: string): string {
  return [...name].sort().join('')
}
