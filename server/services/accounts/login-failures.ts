import { createHash } from 'node:crypto'
import type { Database } from '../../../db/database.js'
import { TableError } from '../../../db/errors/errors.js'
import { TooManyFailures } from './errors.js'
import type { Origin } from './hashing-queue.js'
import { loginFailureStatements, longestWait, type LoginFailureStatements } from './login-failure-statements.js'
import { networksAround } from './network.js'
import { RandomMap } from './random-map.js'

/** One attempt per account and network in this time, where the database has no room to count them. Milliseconds. */
const uncountedInterval = 1000
/** How many accounts and networks are remembered in memory. */
const capacity = 10_000

/**
 * Counts failed attempts on one account from one network, in the database, so that all processes and the next start
 * know them. After ten failures that network waits: a second, doubled by each further failure, up to 15 minutes. So
 * does a wider one around it, after more of them. Others are not held up.
 *
 * Accounts are stored as a SHA-256 of the normalised address, whether or not there is such a user.
 */
export class LoginFailures {
  readonly #database: Database
  readonly #statements: LoginFailureStatements
  readonly #now: () => number
  /** Account and network → when the last uncounted attempt was let through. */
  readonly #uncounted = new RandomMap<number>(capacity)
  /** Account and network → until when it has to wait. Nothing ends a wait early, so what has been read once holds. */
  readonly #waits = new RandomMap<number>(capacity)

  /** @param now milliseconds since 1970, the same for all processes of an app */
  constructor(database: Database, now: () => number = Date.now) {
    this.#database = database
    this.#statements = loginFailureStatements(database.dialect)
    this.#now = now
  }

  /**
   * Passes when an attempt may be made now. Writes nothing and reads once for each wait, so that whoever hammers on costs little.
   *
   * @throws TooManyFailures
   */
  async check(origin: Origin): Promise<void> {
    this.refuseKnownWait(origin)
    const account = hashOf(origin)
    for (const network of networksAround(origin.network)) {
      const now = this.#now()
      const [wait] = await this.#database.read(this.#statements.wait, [account, network, now])
      if (wait === undefined) continue
      const end = Number(wait[0])
      this.#waits.set(nameOf(origin, network), end)
      throw waiting(end - now)
    }
  }

  /**
   * The part of {@link check} that needs no database.
   *
   * @throws TooManyFailures when it is known that an attempt may not be made now
   */
  refuseKnownWait(origin: Origin): void {
    const now = this.#now()
    for (const network of networksAround(origin.network)) {
      const known = this.#waits.get(nameOf(origin, network)) ?? 0
      if (now < known && known <= now + longestWait) throw waiting(known - now)
    }
  }

  /**
   * Counts an attempt as failed before it is made; {@link clear} takes it back.
   *
   * @throws TooManyFailures when another attempt has come first and this one has to wait
   */
  async count(origin: Origin): Promise<void> {
    const now = this.#now()
    const account = hashOf(origin)
    // The narrowest first: what that one may not try is no attempt of the wider ones.
    for (const [width, network] of networksAround(origin.network).entries()) {
      const count = this.#statements.counts[width]
      if (count === undefined) continue
      const [counted] = await Promise.all([
        this.#database.write(count, [account, network, now]),
        width === 0 ? this.#database.write(this.#statements.prune, [now]) : null,
      ]).catch(unlessDiskFull(() => this.#letThroughUncounted(`${account} ${network}`, now)))
      if (counted.length > 0) continue
      await this.check(origin)
      throw waiting(0)
    }
  }

  /** Forgets the failures of this network on this account, after the right password came from it (NIST SP 800-63B, section 3.2.2). */
  async clear(origin: Origin): Promise<void> {
    const account = hashOf(origin)
    const networks = networksAround(origin.network)
    const cleared = networks.map((network) => this.#database.write(this.#statements.clear, [account, network]))
    await Promise.all(cleared).catch(unlessDiskFull(() => []))
  }

  /** On a full disk log-ins still work, more slowly than anything could be guessed. */
  #letThroughUncounted(key: string, now: number): [[true]] {
    const since = now - (this.#uncounted.get(key) ?? 0)
    if (since >= 0 && since < uncountedInterval) throw waiting(uncountedInterval - since)
    this.#uncounted.set(key, now)
    return [[true]]
  }
}

function hashOf({ account }: Origin): string {
  return createHash('sha256').update(account).digest('base64url')
}

function nameOf({ account }: Origin, network: string): string {
  return `${network} ${account}`
}

const refusals = new Map<number, TooManyFailures>()

/** One for each number of seconds, of which there are at most 900: a stack takes longer to make than all else that a refusal takes, and in a flood there are thousands a second. */
function waiting(milliseconds: number): TooManyFailures {
  const seconds = Math.max(1, Math.ceil(milliseconds / 1000))
  const refusal = refusals.get(seconds) ?? new TooManyFailures(seconds)
  refusals.set(seconds, refusal)
  return refusal
}

/** Goes on with `otherwise` when the disk is full; any other failure stays one. */
function unlessDiskFull<Result>(otherwise: () => Result): (error: unknown) => Result {
  return (error) => {
    if (error instanceof TableError && error.code === 'disk-full') return otherwise()
    throw error
  }
}
