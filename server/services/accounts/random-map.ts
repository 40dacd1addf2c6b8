/**
 * A map with so many entries at most; any of them, by lot, gives way to a new one. It is for what strangers fill: they
 * could make all others give way in the order of their age.
 */
export class RandomMap<Value> {
  readonly #entries = new Map<string, { readonly place: number; value: Value }>()
  /** The keys, each at its place. */
  readonly #keys: string[] = []
  readonly #capacity: number

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get(key: string): Value | undefined {
    return this.#entries.get(key)?.value
  }

  *values(): Iterable<Value> {
    for (const { value } of this.#entries.values()) yield value
  }

  set(key: string, value: Value): void {
    const entry = this.#entries.get(key)
    if (entry !== undefined) {
      entry.value = value
      return
    }
    const isFull = this.#keys.length >= this.#capacity
    const place = isFull ? Math.floor(Math.random() * this.#capacity) : this.#keys.length
    if (isFull) this.#entries.delete(this.#keys[place] ?? '')
    this.#keys[place] = key
    this.#entries.set(key, { place, value })
  }
}
