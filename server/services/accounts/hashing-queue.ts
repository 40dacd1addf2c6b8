import { HashingOverloaded } from './errors.js'
import { FairLine, PlainLine, type Line } from './fair-line.js'
import { networksAround } from './network.js'
import { RecentAsks } from './recent-asks.js'

/** Who asks for a hash: turns and waiting places are shared between networks, and within a network between accounts. */
export interface Origin {
  readonly network: string
  readonly account: string
}

interface Waiting {
  readonly start: () => void
  readonly refuse: (reason: HashingOverloaded) => void
}

/** How many networks an address can be in, one around the other. */
const widths = 3

/** What is a network by itself stands for the wider ones too. */
function widestFirst(networks: readonly string[]): string[] {
  const widest = networks.at(-1) ?? ''
  return Array.from({ length: widths }, (_, width) => networks[widths - 1 - width] ?? widest)
}

/**
 * Lets a few pieces of heavy work run at once, a few more wait, and refuses the rest, such that whoever asks much
 * cannot keep out whoever asks little: turns go round over the networks, the widest first, and when all places are taken
 * the newest of a network gives way (see {@link FairLine}).
 */
export class HashingQueue {
  readonly #atOnce: number
  readonly #places: number
  readonly #asks = new RecentAsks()
  readonly #line = this.#lineOfNetworks(widths)
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
    const networks = networksAround(origin.network)
    for (const network of networks) this.#asks.add(network)
    if (this.#running < this.#atOnce) this.#running++
    else await this.#turn([...widestFirst(networks), origin.account])
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

  /** A line for each network of a width, in it one for each of the next, and so on to the accounts of the narrowest. */
  #lineOfNetworks(levels: number): FairLine<Waiting> {
    const accounts = (): Line<Waiting> => new FairLine<Waiting>(() => new PlainLine<Waiting>())
    const inner = levels === 1 ? accounts : () => this.#lineOfNetworks(levels - 1)
    return new FairLine<Waiting>(inner, (name) => this.#asks.of(name))
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
