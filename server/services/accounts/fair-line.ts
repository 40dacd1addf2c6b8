/** A waiting line; who stands in it says where they come from by `names`, one for each level of sharing. */
export interface Line<Item> {
  readonly size: number
  add(names: readonly string[], item: Item): void
  /** Takes out whose turn it is. */
  takeNext(): Item | undefined
  /** Takes out the newest of whoever holds most places. */
  takeNewest(): Item | undefined
  /** Takes out who has to leave for a newcomer with these names; undefined when that is the newcomer itself. */
  makeRoomFor(names: readonly string[]): Item | undefined
}

/** First come, first served; nobody leaves for a newcomer. */
export class PlainLine<Item> implements Line<Item> {
  readonly #items: Item[] = []

  get size(): number {
    return this.#items.length
  }

  add(_names: readonly string[], item: Item): void {
    this.#items.push(item)
  }

  takeNext(): Item | undefined {
    return this.#items.shift()
  }

  takeNewest(): Item | undefined {
    return this.#items.pop()
  }

  makeRoomFor(): undefined {
    return undefined
  }
}

/**
 * One line for each name, taking turns, so that a long one does not hold up the others. For a newcomer the longest line
 * gives up a place; of equally long ones that of the name which has asked most lately; then lots are drawn, and the
 * newcomer has one too. So nobody can hold all places with many names, each of which has one.
 */
export class FairLine<Item> implements Line<Item> {
  /** Their order is the order of turns. None of them is empty. */
  readonly #lines = new Map<string, Line<Item>>()
  readonly #newLine: () => Line<Item>
  readonly #asksOf: (name: string) => number
  #size = 0

  /** @param asksOf how often a name has asked lately */
  constructor(newLine: () => Line<Item>, asksOf: (name: string) => number = () => 0) {
    this.#newLine = newLine
    this.#asksOf = asksOf
  }

  get size(): number {
    return this.#size
  }

  add([name = '', ...names]: readonly string[], item: Item): void {
    const line = this.#lines.get(name) ?? this.#newLine()
    line.add(names, item)
    this.#lines.set(name, line)
    this.#size++
  }

  takeNext(): Item | undefined {
    const [first] = this.#lines
    if (first === undefined) return undefined
    const [name, line] = first
    const item = line.takeNext()
    this.#lines.delete(name)
    if (line.size > 0) this.#lines.set(name, line)
    this.#size--
    return item
  }

  takeNewest(): Item | undefined {
    const name = this.#heaviest(null)
    return name === undefined ? undefined : this.#takeFrom(name, (line) => line.takeNewest())
  }

  makeRoomFor([name = '', ...names]: readonly string[]): Item | undefined {
    const heaviest = this.#heaviest(name)
    if (heaviest === name) return this.#takeFrom(name, (line) => line.makeRoomFor(names))
    return heaviest === undefined ? undefined : this.#takeFrom(heaviest, (line) => line.takeNewest())
  }

  /** Whose turn it is to give up a place; a newcomer is looked at as if it stood in the line already. */
  #heaviest(newcomer: string | null): string | undefined {
    const places = new Map([...this.#lines].map(([name, { size }]) => [name, size]))
    if (newcomer !== null) places.set(newcomer, (places.get(newcomer) ?? 0) + 1)
    const most = Math.max(...places.values())
    const longest = [...places.keys()].filter((name) => places.get(name) === most)
    const asks = longest.map((name) => this.#asksOf(name))
    const busiest = Math.max(...asks)
    // Counts fade, so those who have asked as often as one another differ by a little.
    const equals = longest.filter((_, index) => (asks[index] ?? 0) > busiest - 0.5)
    return equals[Math.floor(Math.random() * equals.length)]
  }

  #takeFrom(name: string, take: (line: Line<Item>) => Item | undefined): Item | undefined {
    const line = this.#lines.get(name)
    const item = line === undefined ? undefined : take(line)
    if (line === undefined || item === undefined) return undefined
    if (line.size === 0) this.#lines.delete(name)
    this.#size--
    return item
  }
}
