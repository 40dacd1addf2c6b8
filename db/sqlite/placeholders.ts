/** A statement's text as the driver wants it: plain `?` in the order of appearance. */
export interface PlainPlaceholders {
  readonly text: string
  /** For each `?` the index of its value, or `undefined` when they already come in the order of the values. */
  readonly order: readonly number[] | undefined
}

/** String literals and quoted names are matched first, so that a question mark inside of one stays as it is. */
const token = /'(?:[^']|'')*'|"(?:[^"]|"")*"|\?(\d+)/g

/** Rewrites numbered placeholders (`?1`, `?2`): better-sqlite3 takes those for names, and binds an object of names slower than an array. */
export function plainPlaceholders(numbered: string): PlainPlaceholders {
  const order: number[] = []
  const text = numbered.replace(token, (match, position: string | undefined) => {
    if (position === undefined) return match
    order.push(Number(position) - 1)
    return '?'
  })
  return { text, order: order.every((index, place) => index === place) ? undefined : order }
}
