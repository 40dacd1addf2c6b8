import { RandomMap } from './random-map.js'

/** How many names are remembered. */
const capacity = 10_000
/** After this time a count is worth half, in milliseconds. */
const halfLife = 60_000

interface Count {
  readonly asks: number
  /** When it was that many, in milliseconds. */
  readonly at: number
}

/** How often somebody has asked for something lately. */
export class RecentAsks {
  readonly #counts = new RandomMap<Count>(capacity)

  add(name: string): void {
    this.#counts.set(name, { asks: this.of(name) + 1, at: performance.now() })
  }

  /** The number of asks, of which older ones count less. */
  of(name: string): number {
    const count = this.#counts.get(name)
    return count === undefined ? 0 : count.asks * 0.5 ** ((performance.now() - count.at) / halfLife)
  }
}
