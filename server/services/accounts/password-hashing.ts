import { randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { argon2id, hash, verify } from 'argon2'
import { HashingQueue, type Origin } from './hashing-queue.js'

/** What one argon2id hash costs. More than the least is allowed, less is not. */
export interface HashingCost {
  /** At least 19,456 (19 MiB). */
  readonly memoryKiB: number
  /** Passes over the memory; at least 2. */
  readonly iterations: number
}

/** OWASP Password Storage Cheat Sheet, argon2id: 19 MiB, two iterations, one lane. */
const least: HashingCost = { memoryKiB: 19_456, iterations: 2 }
/** One, so that a hash occupies one core and the bound on hashes at once is a bound on cores. */
const lanes = 1
/** What argon2 takes for one lane, in KiB (RFC 9106, section 3.1). */
const leastMemory = 8

/** Node.js hashes, syncs and reads files in four threads; hashes leave two of them to the others, however many cores there are. */
const mostAtOnce = 2
/** Passwords that wait for their turn in one process; more are refused. */
const waitingPlaces = 32

/** A hash as it is written down (PHC string format): variant, version, parameters, salt, hash. */
const storedForm = /^\$argon2(id|i|d)\$v=(\d+)\$((?:[mtp]=\d+,){2}[mtp]=\d+)\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+$/

/** What a stored hash says of how it was made. */
interface StoredHash {
  readonly variant: string
  readonly version: number
  readonly memoryKiB: number
  readonly iterations: number
}

/** Takes a stored hash apart, in whatever order its parameters stand: the package argon2 wrote `m,t,p` up to 0.44 and writes `m,p,t` since. Null for what is no hash. */
function readStored(stored: string): StoredHash | null {
  const [, variant = '', version, parameters = ''] = storedForm.exec(stored) ?? []
  const values = new Map(parameters.split(',').map((parameter) => [parameter.slice(0, 1), Number(parameter.slice(2))]))
  const [memoryKiB, iterations] = [values.get('m'), values.get('t')]
  if (memoryKiB === undefined || iterations === undefined || !values.has('p')) return null
  return { variant, version: Number(version), memoryKiB, iterations }
}

function checkedCost(cost: Partial<HashingCost>): HashingCost {
  const checked = { ...least, ...cost }
  for (const name of ['memoryKiB', 'iterations'] as const) {
    if (!Number.isSafeInteger(checked[name]) || checked[name] < least[name]) {
      throw new RangeError(`password hashing takes ${name} of at least ${least[name]}, got ${checked[name]}`)
    }
  }
  return checked
}

/** A hash that no password has, and that costs as much to compare as one that somebody has. */
function unmatchableHash({ memoryKiB, iterations }: HashingCost): string {
  const unpadded = (length: number) => randomBytes(length).toString('base64').replaceAll('=', '')
  return `$argon2id$v=19$m=${memoryKiB},t=${iterations},p=${lanes}$${unpadded(16)}$${unpadded(32)}`
}

/** The time that a hash takes, as far as its parameters say. */
function workOf({ memoryKiB, iterations }: HashingCost): number {
  return memoryKiB * iterations
}

/** Work that is left, as a hash of its own; it takes no more memory than `most`. */
function costOf(work: number, most: number): HashingCost {
  const iterations = Math.ceil(work / most)
  return { memoryKiB: Math.max(leastMemory, Math.round(work / iterations)), iterations }
}

/**
 * Hashes passwords with argon2id, at most one per two processor cores and two in all at a time, so that the process goes on serving everybody else.
 */
export class PasswordHashing {
  readonly #cost: HashingCost
  /** The dearest hash that there is, as far as is known: what every refusal costs. */
  #dearest: HashingCost
  #unmatchable: string
  readonly #queue = new HashingQueue(Math.max(1, Math.min(mostAtOnce, Math.floor(availableParallelism() / 2))), waitingPlaces)

  /** @throws RangeError when a cost is below the least */
  constructor(cost: Partial<HashingCost> = {}) {
    this.#cost = checkedCost(cost)
    this.#dearest = this.#cost
    this.#unmatchable = unmatchableHash(this.#cost)
  }

  /**
   * A hash to store.
   *
   * @throws HashingOverloaded
   */
  hash(password: string, origin: Origin): Promise<string> {
    const { memoryKiB, iterations } = this.#cost
    return this.#queue.run(origin, () => hash(password, { type: argon2id, memoryCost: memoryKiB, timeCost: iterations, parallelism: lanes }))
  }

  /**
   * Whether the password is the one that `stored` was made from. Without a stored hash, or with one that is none, it is
   * not. A no costs the same each time, whatever the cost of the stored hash: that of the dearest one met so far.
   *
   * @param admit runs when the turn has come, before any work; what it throws refuses the attempt
   * @throws HashingOverloaded
   */
  matches(stored: string | null, password: string, origin: Origin, admit: () => Promise<void>): Promise<boolean> {
    const made = stored === null ? null : readStored(stored)
    if (made !== null && workOf(made) > workOf(this.#dearest)) {
      this.#dearest = made
      this.#unmatchable = unmatchableHash(made)
    }
    return this.#queue.run(origin, async () => {
      await admit()
      if (stored === null || made === null) return verify(this.#unmatchable, password)
      if (await verify(stored, password)) return true
      const left = workOf(this.#dearest) - workOf(made)
      if (left > 0) await verify(unmatchableHash(costOf(left, this.#dearest.memoryKiB)), password)
      return false
    })
  }

  /** Whether a stored hash was made at a lower cost than new ones are. */
  isOutdated(stored: string): boolean {
    const made = readStored(stored)
    return made === null || made.variant !== 'id' || made.version !== 19 || made.memoryKiB < this.#cost.memoryKiB || made.iterations < this.#cost.iterations
  }
}
