import { refusal, type HttpError } from '../http-error.js'

/** In bytes, so that the books are touched rarely, and not for each chunk. */
const step = 16 * 1024
/** How much of a body is not counted, in bytes: nearly all bodies are shorter, and the connection itself costs more. */
const uncounted = 4 * 1024
/** How long a refused client is told to wait, in seconds: most bodies have arrived by then. */
const retryAfter = 5

/** Where a body comes from; looked at only once it is counted. */
export interface BodySource {
  /** The address of the client. */
  readonly ip: string
}

/** What a room is, and how it is shared out. */
export interface BodyRoomOptions {
  /** In bytes; asked each time, since what is left of a disk changes. */
  readonly size: () => number
  /** The network of an address; those of one network share what that gets. */
  readonly networkOf: (address: string) => string
  /** What a body is refused with that there is no room for. */
  readonly refuse: () => HttpError
}

/**
 * The room that all bodies of a process have together: in memory, or on disk. A network gets more as long as it has no
 * more than what is left then: one alone gets half, two get a third each, and there is always something left for the
 * next, however many connections the others have.
 */
export class BodyRoom {
  readonly #options: BodyRoomOptions
  readonly #byNetwork = new Map<string, number>()
  #taken = 0

  constructor(options: BodyRoomOptions) {
    this.#options = options
  }

  /** How much is taken at the moment, in bytes. */
  get taken(): number {
    return this.#taken
  }

  /** What a body of this client takes of it: nothing yet. */
  hold(source: BodySource): BodyHolding {
    return new BodyHolding(this, source)
  }

  /** The name under which a client's share is kept. */
  networkOf(source: BodySource): string {
    // A connection that has been closed has no address any more.
    return this.#options.networkOf((source.ip as string | undefined) ?? '')
  }

  /** @throws HttpError when the network has its share already */
  take(network: string, amount: number): void {
    const taken = (this.#byNetwork.get(network) ?? 0) + amount
    if (taken > this.#options.size() - this.#taken - amount) throw this.#options.refuse()
    this.#byNetwork.set(network, taken)
    this.#taken += amount
  }

  giveBack(network: string, amount: number): void {
    const left = (this.#byNetwork.get(network) ?? 0) - amount
    if (left > 0) this.#byNetwork.set(network, left)
    else this.#byNetwork.delete(network)
    this.#taken -= amount
  }
}

/** What one body takes of a room, from when it needs it until it is released. */
export class BodyHolding {
  readonly #room: BodyRoom
  readonly #source: BodySource
  #network: string | null = null
  #needed = 0
  #taken = 0
  #isReleased = false

  constructor(room: BodyRoom, source: BodySource) {
    this.#room = room
    this.#source = source
  }

  /** Whether anything is counted, so that it has to be released. */
  get isCounted(): boolean {
    return this.#taken > 0
  }

  /** @throws HttpError when there is no room for that much more; nothing has changed then */
  add(amount: number): void {
    const needed = this.#needed + amount
    if (needed > uncounted && needed > this.#taken && !this.#isReleased) {
      const more = Math.ceil((needed - this.#taken) / step) * step
      this.#network ??= this.#room.networkOf(this.#source)
      this.#room.take(this.#network, more)
      this.#taken += more
    }
    this.#needed = needed
  }

  /** For what is not needed any more. */
  remove(amount: number): void {
    this.#needed -= amount
    const kept = this.#needed > uncounted ? Math.ceil(this.#needed / step) * step : 0
    if (kept < this.#taken) this.#giveBack(this.#taken - kept)
  }

  /** Gives all of it back, once; nothing is counted after that. */
  release(): void {
    this.#isReleased = true
    this.#giveBack(this.#taken)
  }

  #giveBack(amount: number): void {
    if (amount === 0 || this.#network === null) return
    this.#taken -= amount
    this.#room.giveBack(this.#network, amount)
  }
}

/** What says to come back later, when bodies that are arriving now will have arrived. */
export function overloaded(): HttpError {
  return refusal('bodies-overloaded', undefined, { headers: { 'retry-after': String(retryAfter) } })
}
