/**
 * A share of each turn of the event loop: those who do a kind of work go on at once until it is used up, and wait for another turn then, so that everything else in the process gets
 * to be done in between. In that turn those that waited have a share of their own, in their order; who comes new does not wait for them.
 */
export class EventLoopShare {
  readonly #milliseconds: number
  readonly #waiting: (() => void)[] = []
  #isTurn = false
  #ends = 0

  /** @param milliseconds how long the share is */
  constructor(milliseconds: number) {
    this.#milliseconds = milliseconds
  }

  /** @returns null where nobody has to wait, which is nearly always */
  next(): Promise<void> | null {
    if (!this.#isTurn) {
      this.#isTurn = true
      this.#ends = performance.now() + this.#milliseconds
      setImmediate(this.#endTurn)
      return null
    }
    return performance.now() < this.#ends ? null : new Promise((resolve) => void this.#waiting.push(resolve))
  }

  readonly #endTurn = (): void => {
    this.#isTurn = false
    if (this.#waiting.length > 0) this.#letGoOn(performance.now() + this.#milliseconds)
  }

  #letGoOn(end: number): void {
    this.#waiting.shift()?.()
    // What it does at once happens before the next tick.
    process.nextTick(() => {
      if (this.#waiting.length === 0) return
      if (performance.now() < end) this.#letGoOn(end)
      else if (!this.#isTurn) setImmediate(this.#endTurn)
    })
  }
}
