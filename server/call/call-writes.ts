import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Commit, WriteOwner } from '../../db/engine/engine.js'
import type { Refusals } from '../../db/transactions/refusals.js'

/** Once so many commits are held, those that are on the disk are let go of before more are taken. */
const sweepFrom = 16

/** How many errors that nobody has caught are remembered: one is enough to know that something went wrong. */
const mostUncaught = 100

/** What a promise that nobody had caught when it was rejected is about. */
interface Uncaught {
  readonly writes: CallWrites
  readonly error: object
}

/** The rejected promises that nobody has caught, whichever call they are of. */
const uncaughtPromises = new WeakMap<Promise<unknown>, Uncaught>()

/** A write of a call was refused, and the code of the call did not want to know. Its `cause` says what was refused, which whoever has told of the rejection has logged. */
export class UnawaitedWrite extends Error {
  override readonly name = 'UnawaitedWrite'
}

/**
 * What one call has written: the commits that hold it, and what of it was refused. Whoever is told of the call's outcome must not be before all of the commits
 * would survive a power cut, nor be told of a success when one of its writes was refused and nobody has caught that.
 * They become durable in any order, since a call may write through several connections; those that are durable are not kept.
 */
export class CallWrites implements WriteOwner, Refusals {
  /** Why nothing more is written for this call; null as long as it may write. */
  withdrawal: Error | null = null
  #commits: Commit[] = []
  #sweepAt = sweepFrom
  /** Whether something was refused since it was last looked for what nobody has caught. */
  #hasRefusals = false
  #refusals: WeakSet<object> | null = null
  /** The errors of refused writes that nobody has caught, and in how many promises each. */
  #uncaught: Map<object, number> | null = null

  /** Takes note of a commit with a write of this call. */
  add(commit: Commit): this {
    const commits = this.#commits
    // Writes of one turn share a commit, and come one after the other.
    if (commits.at(-1) === commit) return this
    if (commits.length >= this.#sweepAt) this.#sweep()
    this.#commits.push(commit)
    return this
  }

  /** How many commits are held. */
  get size(): number {
    return this.#commits.length
  }

  /**
   * Resolves when all that has been written so far would survive a power cut; null when there is nothing to wait for.
   * Rejects when the disk refused one of the commits.
   */
  durable(): Promise<unknown> | null {
    if (this.#commits.length === 0) return null
    const pending = this.#pending()
    this.#commits = pending
    const [first, another] = pending
    if (first === undefined) return null
    return another === undefined ? first.durable : Promise.all(pending.map(({ durable }) => durable))
  }

  /**
   * To be asked once all is durable: null when no write was refused since the last time. Otherwise resolves when it is known what nobody has caught, in the next
   * turn of the event loop at the soonest.
   *
   * @throws UnawaitedWrite when there is such a write; DatabaseFailure
   */
  verdict(): Promise<void> | null {
    for (const { hasRefusals } of this.#commits) if (hasRefusals) this.#hasRefusals = true
    return this.#hasRefusals ? this.#judge() : null
  }

  /**
   * Resolves when it may be told that all has been written that was asked for so far; null when there is nothing to wait for.
   *
   * @throws UnawaitedWrite, DatabaseFailure
   */
  settled(): Promise<unknown> | null {
    const durable = this.durable()
    return durable === null ? this.verdict() : durable.then(() => this.verdict())
  }

  refused(error: unknown): void {
    this.#hasRefusals = true
    if (isObject(error)) (this.#refusals ??= new WeakSet()).add(error)
  }

  overtaken(error: unknown): void {
    if (!isObject(error)) return
    this.#refusals?.delete(error)
    this.#uncaught?.delete(error)
  }

  async isUncaught(error: unknown): Promise<boolean> {
    await nextTurn()
    return isObject(error) && this.#uncaught?.has(error) === true
  }

  /**
   * Told of a promise that was rejected while the call ran and that nobody has caught.
   *
   * @returns whether that is about a write of the call that was refused
   */
  uncaught(promise: Promise<unknown>, reason: unknown): boolean {
    const error = this.#refusalIn(reason)
    if (error === null) return false
    this.#hasRefusals = true
    uncaughtPromises.set(promise, { writes: this, error })
    this.#uncaught ??= new Map()
    if (this.#uncaught.size < mostUncaught) this.#uncaught.set(error, (this.#uncaught.get(error) ?? 0) + 1)
    return true
  }

  /** Told that somebody has caught a rejected promise after all. */
  static caught(promise: Promise<unknown>): void {
    const found = uncaughtPromises.get(promise)
    if (found === undefined) return
    uncaughtPromises.delete(promise)
    const { writes, error } = found
    const left = (writes.#uncaught?.get(error) ?? 1) - 1
    if (left > 0) writes.#uncaught?.set(error, left)
    else writes.#uncaught?.delete(error)
  }

  async #judge(): Promise<void> {
    // Node.js tells of what nobody has caught when the microtasks of a turn are done.
    await nextTurn()
    this.#hasRefusals = false
    const [error] = this.#uncaught?.keys() ?? []
    if (error === undefined) {
      // What was refused may have been asked for anew, as a transaction is that could not begin.
      await this.settled()
      return
    }
    this.#uncaught = null
    const what = error instanceof Error ? error.message : 'its error has no message'
    throw new UnawaitedWrite(`a write that nobody awaited was refused: ${what}`, { cause: error })
  }

  /** The error of a refused write of this call that the reason is, or was caused by. */
  #refusalIn(reason: unknown): object | null {
    // Causes may go round in a circle.
    for (let error = reason, depth = 0; isObject(error) && depth < 10; depth++) {
      if (this.#refusals?.has(error) === true) return error
      error = error instanceof Error ? error.cause : null
    }
    return null
  }

  #pending(): Commit[] {
    return this.#commits.filter(({ isDurable, hasRefusals }) => {
      if (hasRefusals) this.#hasRefusals = true
      return !isDurable
    })
  }

  /** A call that writes for ever holds what the disk has not caught up with, and no more. */
  #sweep(): void {
    this.#commits = this.#pending()
    this.#sweepAt = Math.max(sweepFrom, 2 * this.#commits.length)
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
