import type { Database } from '../../../db/database.js'
import type { SqlRow, SqlValue } from '../../../db/engine/engine.js'
import { isPromiseLike } from '../../../db/values/promise-like.js'
import { RandomMap } from '../accounts/random-map.js'
import { rateLimitStatements, type RateLimitStatements } from './rate-limit-statements.js'

/** How many keys are remembered in memory, some 10 MB of them. What is known of the others is in the database. */
const capacity = 30_000
/** Which part of a quota may be used before others are told, and in how much time that part is given back at least, in milliseconds: what lasts no longer is not worth a write. */
const untoldPart = 0.1
const untoldTime = 500
/** How long a request waits for others to be told, in milliseconds: one that only reads must not be held up by a long transaction. */
const patience = 500
/** How long the database is left alone after it has failed, in milliseconds. */
const pause = 1000
/** What sums of fractions lose, in requests. */
const tolerance = 1e-6

/** How many requests are let through in which time. */
export interface Quota {
  /** How many, at once or spread over the time. */
  readonly max: number
  /** In milliseconds. */
  readonly per: number
}

/** One request, as far as one limit counts it. */
export interface Claim extends Quota {
  /** Whose it is, and by which limit: what has the same key is counted together. At most some hundred characters. */
  readonly key: string
}

/** How a limit stands after a request. */
export interface Standing {
  /** Whether this limit lets the request through. */
  readonly isOpen: boolean
  /** How many more would be let through now. */
  readonly remaining: number
  /** In how many seconds, rounded up, it is one more. */
  readonly seconds: number
}

/** What a {@link Limiter} works with. */
export interface LimiterOptions {
  readonly database: Pick<Database, 'dialect' | 'read' | 'write' | 'writeMany'>
  readonly log: { warn(details: object, message: string): void }
  /** Runs what no request has asked for, and none is to wait for. */
  readonly inBackground: <Result>(work: () => Result) => Result
  /** The clock, in milliseconds since 1970, the same for all processes of an app. Default: the system's. */
  readonly now?: () => number
}

/**
 * Lets so many requests through in a time, and no more. A quota is like a bucket (GCRA, the generic cell rate
 * algorithm): it holds `max` requests and fills up evenly in the course of `per`, so that whoever has used it all gets
 * one more each `per / max`. A request that is not let through takes nothing out of it.
 *
 * All processes that use a database share their quotas. They count in memory, and tell one another by way of the
 * database when a tenth of `max` has been used (or what is given back in half a second, or one request, where that is
 * more). By as much, for each process, a quota can be overdrawn; and a process that dies without closing takes that much
 * to its grave.
 * Where the database fails, each counts for itself.
 */
export class Limiter {
  readonly #database: LimiterOptions['database']
  readonly #statements: RateLimitStatements
  readonly #log: LimiterOptions['log']
  readonly #inBackground: LimiterOptions['inBackground']
  readonly #now: () => number
  readonly #counts = new RandomMap<Count>(capacity)
  #isFailing = false
  /** When the database is asked again. */
  #nextTry = 0

  constructor({ database, log, inBackground, now = Date.now }: LimiterOptions) {
    this.#database = database
    this.#statements = rateLimitStatements(database.dialect)
    this.#log = log
    this.#inBackground = inBackground
    this.#now = now
  }

  /**
   * Counts one request by several limits: by all of them, or by none if one of them does not let it through. Gives the
   * standing of each, in their order; a promise only where the database has to be waited for. Never fails.
   */
  count(claims: readonly Claim[]): readonly Standing[] | Promise<readonly Standing[]> {
    const counts: Count[] = []
    for (const claim of claims) {
      const count = this.#counts.get(claim.key) ?? this.#recall(claim)
      if (count instanceof Promise) return count.then(() => this.count(claims))
      counts.push(count)
    }
    return this.#decide(counts)
  }

  /** Tells the database what it does not know yet, so that the next start goes on from there. */
  async close(): Promise<void> {
    const now = this.#now()
    const untold = [...this.#counts.values()].filter((count) => count.untoldAt(now) > 0 && count.wholeAt > now)
    if (untold.length === 0) return
    const lists = untold.map((count) => valuesOf(count, now))
    try {
      await this.#inBackground(() => Promise.all([this.#database.writeMany(this.#statements.add, lists), this.#database.write(this.#statements.pruneAll, [now])]))
    } catch (error) {
      this.#failed(error)
    }
  }

  #decide(counts: readonly Count[]): readonly Standing[] | Promise<readonly Standing[]> {
    const now = this.#now()
    let isOpen = true
    for (const count of counts) {
      count.pass(now)
      isOpen &&= count.isOpen
    }
    if (!isOpen) return counts.map((count) => count.standing(count.isOpen))
    const untold = counts.filter((count) => count.hasToTell(now))
    if (untold.length > 0 && (now >= this.#nextTry || now < this.#nextTry - pause)) {
      return Promise.all(untold.map((count) => this.#tellSoon(count))).then(() => this.#decide(counts))
    }
    return counts.map((count) => count.add(now))
  }

  #countOf(claim: Claim): Count {
    const known = this.#counts.get(claim.key)
    if (known !== undefined) return known
    const count = new Count(claim)
    this.#counts.set(claim.key, count)
    return count
  }

  /** Looks up what others have counted, or this process before it was started anew. */
  #recall(claim: Claim): Count | Promise<Count> {
    const learn = (rows: readonly SqlRow[]): Count => {
      const [row] = rows
      const count = this.#countOf(claim)
      count.learn(Number(row?.[0] ?? 0), this.#now())
      return count
    }
    const reading = this.#inBackground(() => this.#database.read(this.#statements.read, [claim.key]))
    if (!isPromiseLike(reading)) return learn(reading)
    return reading.then(learn, (error: unknown) => {
      this.#failed(error)
      return learn([])
    })
  }

  /** Resolves when others have been told, or when that takes too long. */
  async #tellSoon(count: Count): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        count.isLate = true
        resolve()
      }, patience)
    })
    await Promise.race([this.#tell(count), late])
    clearTimeout(timer)
  }

  #tell(count: Count): Promise<void> {
    count.telling ??= this.#inBackground(() => this.#write(count)).finally(() => {
      count.telling = null
      count.isLate = false
    })
    return count.telling
  }

  async #write(count: Count): Promise<void> {
    const now = this.#now()
    const told = count.untoldAt(now)
    try {
      const [[row]] = await Promise.all([
        this.#database.write(this.#statements.add, valuesOf(count, now)),
        this.#database.write(this.#statements.prune, [now]),
      ])
      count.told(told)
      count.learn(Number(row?.[0] ?? 0), this.#now())
      this.#isFailing = false
    } catch (error) {
      this.#failed(error)
    }
  }

  #failed(error: unknown): void {
    this.#nextTry = this.#now() + pause
    if (this.#isFailing) return
    this.#isFailing = true
    this.#log.warn({ err: error }, 'requests are counted in memory only: the database takes no counts at the moment')
  }
}

/** The values of the statement by which others are told. */
function valuesOf(count: Count, now: number): readonly SqlValue[] {
  const { key, per } = count.claim
  // What is overdrawn is paid back by waiting, as long as it can be told from a clock that has been set back.
  return [key, count.wholeAt, count.costAt(now), now + 2 * per]
}

/** What one process knows of a quota. */
class Count {
  readonly claim: Claim
  /** How much of it was used when it was last looked at, in requests. */
  #used = 0
  /** When that was. */
  #at = 0
  /** How many requests others have not been told of. */
  #untold = 0
  /** When the first of them came. */
  #untoldSince = 0
  /** How many that may be. */
  readonly #mostUntold: number
  /** Settles when others have been told; null while nobody is telling them. */
  telling: Promise<void> | null = null
  /** Whether that takes so long that nobody waits for it any more. */
  isLate = false

  constructor(claim: Claim) {
    const { max, per } = claim
    this.claim = claim
    this.#mostUntold = Math.max(1, Math.floor(max * Math.max(untoldPart, untoldTime / per)))
  }

  /** In which time one request is given back, in milliseconds. */
  get #interval(): number {
    return this.claim.per / this.claim.max
  }

  get #available(): number {
    return this.claim.max - this.#used
  }

  /** Whether one more request would be let through. */
  get isOpen(): boolean {
    return this.#available >= 1 - tolerance
  }

  /** Gives back what time has given back. */
  pass(now: number): void {
    // A clock that was set back gives nothing, and takes nothing.
    const passed = Math.max(0, now - this.#at)
    this.#used = Math.max(0, this.#used - passed / this.#interval)
    this.#at = now
  }

  /** Takes one request out, and gives how the limit stands then. */
  add(now: number): Standing {
    if (this.untoldAt(now) === 0) {
      this.#untold = 0
      this.#untoldSince = now
    }
    this.#untold++
    this.#used++
    return this.standing(true)
  }

  /** How many requests others would have to be told of; what lies so far back that it has been given back is no news. */
  untoldAt(now: number): number {
    return now - this.#untoldSince >= this.claim.per ? 0 : this.#untold
  }

  hasToTell(now: number): boolean {
    return !this.isLate && this.untoldAt(now) >= this.#mostUntold
  }

  standing(isOpen: boolean): Standing {
    const remaining = Math.max(0, Math.floor(this.#available + tolerance))
    const seconds = Math.max(1, Math.ceil(((remaining + 1 - tolerance - this.#available) * this.#interval) / 1000))
    return { isOpen, remaining, seconds }
  }

  /** When the quota is whole again, after all requests that are known here. */
  get wholeAt(): number {
    return this.#at + this.#used * this.#interval
  }

  /** How long the requests that others have not been told of take from it, in milliseconds. */
  costAt(now: number): number {
    return this.untoldAt(now) * this.#interval
  }

  told(requests: number): void {
    this.#untold = Math.max(0, this.#untold - requests)
  }

  /** Takes in when the quota is whole again, as far as others know. */
  learn(wholeAt: number, now: number): void {
    this.pass(now)
    if (wholeAt > now + 2 * this.claim.per) return
    this.#used = Math.max(this.#used, (wholeAt - now) / this.#interval + this.#untold)
  }
}
