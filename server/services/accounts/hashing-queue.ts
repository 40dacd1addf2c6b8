import { HashingOverloaded } from './errors.js'
import { FairLine, PlainLine } from './fair-line.js'

/** Who asks for a hash: turns and waiting places are shared between networks first, and within a network between accounts. */
export interface Origin {
  readonly network: string
  readonly account: string
}

interface Waiting {
  readonly start: () => void
  readonly refuse: (reason: HashingOverloaded) => void
}

/**
 * Lets a few pieces of heavy work run at once, a few more wait, and refuses the rest, such that whoever asks much cannot keep out whoever asks little:
 * turns go round over the networks, and when every place is taken the newest of the network that holds most places gives way.
 */
export class HashingQueue {
  readonly #atOnce: number
  readonly #places: number
  readonly #line = new FairLine<Waiting>(() => new FairLine<Waiting>(() => new PlainLine<Waiting>()))
  #running = 0
  #meanSeconds = 0

  /**
   * @param atOnce how many pieces of work run at the same time
   * @param places how many may wait
   */
  constructor(atOnce: number, places: number) {
    this.#atOnce = atOnce
    this.#places = places
  }

  /**
   * Runs `work` when its turn has come.
   *
   * @throws HashingOverloaded when it has to give way
   */
  async run<Result>(origin: Origin, work: () => Promise<Result>): Promise<Result> {
    if (this.#running < this.#atOnce) this.#running++
    else await this.#turn([origin.network, origin.account])
    const started = performance.now()
    try {
      return await work()
    } finally {
      this.#learn((performance.now() - started) / 1000)
      const next = this.#line.takeNext()
      if (next === undefined) this.#running--
      else next.start()
    }
  }

  #turn(names: readonly string[]): Promise<void> {
    if (this.#line.size >= this.#places) {
      const loser = this.#line.makeRoomFor(names)
      if (loser === undefined) throw this.#overloaded()
      loser.refuse(this.#overloaded())
    }
    return new Promise((start, refuse) => this.#line.add(names, { start, refuse }))
  }

  #learn(seconds: number): void {
    this.#meanSeconds = this.#meanSeconds === 0 ? seconds : 0.9 * this.#meanSeconds + 0.1 * seconds
  }

  /** Says to come back when those who wait now will have been served. */
  #overloaded(): HashingOverloaded {
    return new HashingOverloaded(Math.max(1, Math.ceil((this.#line.size * this.#meanSeconds) / this.#atOnce)))
  }
}
