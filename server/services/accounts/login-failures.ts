import { createHash } from 'node:crypto'
import type { Database } from '../../../db/database.js'
import { TableError } from '../../../db/errors/errors.js'
import { BoundedMap } from './bounded-map.js'
import { TooManyFailures } from './errors.js'
import type { Origin } from './hashing-queue.js'
import { loginFailureStatements, longestWait, type LoginFailureStatements } from './login-failure-statements.js'

/** One attempt per account and network in this time, where the database has no room to count them. Milliseconds. */
const uncountedInterval = 1000
/** How many accounts and networks are remembered in memory. */
const capacity = 10_000

/**
 * Counts failed attempts on one account from one network, in the database, so that all processes and the next start know them.
 * After ten failures that network waits: a second, doubled by each further failure, up to 15 minutes. Others are not held up.
 *
 * Accounts are stored as a SHA-256 of the normalised address, whether or not there is such a user.
 */
export class LoginFailures {
  readonly #database: Database
  readonly #statements: LoginFailureStatements
  readonly #now: () => number
  /** Account and network → when the last uncounted attempt was let through. */
  readonly #uncounted = new BoundedMap<number>(capacity)
  /** Account and network → until when it has to wait. Nothing ends a wait early, so what has been read once holds. */
  readonly #waits = new BoundedMap<number>(capacity)

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
    const now = this.#now()
    const [wait] = await this.#database.read(this.#statements.wait, [...keyOf(origin), now])
    if (wait === undefined) return
    const end = Number(wait[0])
    this.#waits.set(nameOf(origin), end)
    throw waiting(end - now)
  }

  /**
   * The part of {@link check} that needs no database.
   *
   * @throws TooManyFailures when it is known that an attempt may not be made now
   */
  refuseKnownWait(origin: Origin): void {
    const now = this.#now()
    const known = this.#waits.get(nameOf(origin)) ?? 0
    if (now < known && known <= now + longestWait) throw waiting(known - now)
  }

  /**
   * Counts an attempt as failed before it is made; {@link clear} takes it back.
   *
   * @throws TooManyFailures when another attempt has come first and this one has to wait
   */
  async count(origin: Origin): Promise<void> {
    const now = this.#now()
    const key = keyOf(origin)
    const [counted] = await Promise.all([
      this.#database.write(this.#statements.count, [...key, now]),
      this.#database.write(this.#statements.prune, [now]),
    ]).catch(unlessDiskFull(() => this.#letThroughUncounted(key.join(' '), now)))
    if (counted.length > 0) return
    await this.check(origin)
    throw waiting(0)
  }

  /** Forgets the failures of this network on this account, after the right password came from it (NIST SP 800-63B, section 3.2.2). */
  async clear(origin: Origin): Promise<void> {
    await this.#database.write(this.#statements.clear, keyOf(origin)).catch(unlessDiskFull(() => []))
  }

  /** On a full disk log-ins still work, more slowly than anything could be guessed. */
  #letThroughUncounted(key: string, now: number): [[true]] {
    const since = now - (this.#uncounted.get(key) ?? 0)
    if (since >= 0 && since < uncountedInterval) throw waiting(uncountedInterval - since)
    this.#uncounted.set(key, now)
    return [[true]]
  }
}

function keyOf({ account, network }: Origin): [string, string] {
  return [createHash('sha256').update(account).digest('base64url'), network]
}

function nameOf({ account, network }: Origin): string {
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
