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

/** One line for each name, taking turns, so that a long one does not hold up the others. */
export class FairLine<Item> implements Line<Item> {
  /** Their order is the order of turns. None of them is empty. */
  readonly #lines = new Map<string, Line<Item>>()
  readonly #newLine: () => Line<Item>
  #size = 0

  constructor(newLine: () => Line<Item>) {
    this.#newLine = newLine
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
    const name = this.#longest(0)
    return name === undefined ? undefined : this.#takeFrom(name, (line) => line.takeNewest())
  }

  makeRoomFor([name = '', ...names]: readonly string[]): Item | undefined {
    const longest = this.#longest((this.#lines.get(name)?.size ?? 0) + 1)
    return longest === undefined ? this.#takeFrom(name, (line) => line.makeRoomFor(names)) : this.#takeFrom(longest, (line) => line.takeNewest())
  }

  /** The name of the longest line that is longer than `length`. */
  #longest(length: number): string | undefined {
    let longest: string | undefined
    for (const [name, line] of this.#lines) {
      if (line.size <= length) continue
      longest = name
      length = line.size
    }
    return longest
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
