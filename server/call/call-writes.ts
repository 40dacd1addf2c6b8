import type { Commit } from '../../db/engine/engine.js'

/** Once so many commits are held, those that are on the disk are let go of before more are taken. */
const sweepFrom = 16

/**
 * The commits that hold what one call has written: whoever is told of the call's outcome must not be before all of them would survive a power cut.
 * They become durable in any order, since a call may write through several connections; those that are durable are not kept.
 */
export class CallWrites {
  #commits: Commit[] = []
  #sweepAt = sweepFrom

  /** Takes note of a commit with a write of this call. */
  add(commit: Commit): void {
    const commits = this.#commits
    // Writes of one turn share a commit, and come one after the other.
    if (commits.at(-1) === commit) return
    if (commits.length >= this.#sweepAt) this.#sweep()
    this.#commits.push(commit)
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
    const pending = this.#commits.filter(({ isDurable }) => !isDurable)
    this.#commits = pending
    const [first, another] = pending
    if (first === undefined) return null
    return another === undefined ? first.durable : Promise.all(pending.map(({ durable }) => durable))
  }

  /** A call that writes for ever holds what the disk has not caught up with, and no more. */
  #sweep(): void {
    this.#commits = this.#commits.filter(({ isDurable }) => !isDurable)
    this.#sweepAt = Math.max(sweepFrom, 2 * this.#commits.length)
  }
}
