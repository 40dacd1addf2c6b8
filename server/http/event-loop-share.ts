/**
 * A share of each turn of the event loop: those who do a kind of work go on at once until it is used up, and wait for another turn then, so that everything else in the process gets
 * to be done in between. In that turn those that waited have a share of their own, in their order; who comes new does not wait for them.
 */
export class EventLoopShare {
  readonly #milliseconds: number
  /** How many go on in a turn before anybody looks at the clock, which would cost most of them more than the rest of this. */
  readonly #free: number
  readonly #waiting: (() => void)[] = []
  #begun = 0
  #ends = 0

  /**
   * @param milliseconds how long the share is
   * @param free how many go on in a turn, however long they take, before it begins
   */
  constructor(milliseconds: number, free = 0) {
    this.#milliseconds = milliseconds
    this.#free = free
  }

  /** @returns null where nobody has to wait, which is nearly always */
  next(): Promise<void> | null {
    const begun = this.#begun++
    if (begun === 0) setImmediate(this.#endTurn)
    if (begun < this.#free) return null
    if (begun === this.#free) this.#ends = performance.now() + this.#milliseconds
    else if (performance.now() >= this.#ends) return new Promise((resolve) => void this.#waiting.push(resolve))
    return null
  }

  readonly #endTurn = (): void => {
    this.#begun = 0
    if (this.#waiting.length > 0) this.#letGoOn(performance.now() + this.#milliseconds)
  }

  #letGoOn(end: number): void {
    this.#waiting.shift()?.()
    // By way of a microtask: ticks run before the microtasks that are there, of which what goes on is one, and one that a microtask asks for runs behind all of them.
    queueMicrotask(() => process.nextTick(this.#look, end))
  }

  readonly #look = (end: number): void => {
    if (this.#waiting.length === 0) return
    if (performance.now() < end) this.#letGoOn(end)
    else if (this.#begun === 0) setImmediate(this.#endTurn)
  }
}
