import { AsyncResource } from 'node:async_hooks'
import { close, fdatasync } from 'node:fs'
import type { Commit } from '../engine/engine.js'
import { DatabaseFailure } from '../errors/errors.js'
import type { FailureLatch } from './failure-latch.js'
import type { FolderWatch } from './folder-watch.js'

/** A commit that waits for the sync which covers it. */
export class PendingCommit implements Commit {
  readonly durable: Promise<void>
  readonly reject: (failure: DatabaseFailure) => void
  isDurable = false
  hasRefusals = false
  readonly #settle: () => void

  constructor() {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.durable = promise
    this.reject = reject
    this.#settle = resolve
    // Nobody needs to listen: whoever was not told of a safe write has nothing to take back.
    promise.catch(() => undefined)
  }

  resolve(): void {
    this.isDurable = true
    this.#settle()
  }
}

interface WalSyncParts {
  /** A descriptor of the `-wal` file, which is closed at the end. SQLite holds no locks on that file, so closing a second descriptor is safe. */
  readonly descriptor: number
  /** What the log and the database file that it belongs to are watched by. */
  readonly watch: FolderWatch
  readonly latch: FailureLatch
}

/**
 * Makes commits durable: one `fdatasync` of the write-ahead log at a time, in libuv's thread pool, covers every commit that came before it.
 *
 * A failed sync is final. The kernel may have dropped the pages it could not write and will report success the next time,
 * so a second try proves nothing (https://wiki.postgresql.org/wiki/Fsync_Errors).
 */
export class WalSync {
  readonly #descriptor: number
  readonly #watch: FolderWatch
  readonly #latch: FailureLatch
  /** Keeps the chain of syncs out of the asynchronous context, and so the memory, of the request that happened to start it. */
  readonly #scope = new AsyncResource('RowhouseWalSync')
  #waiting: PendingCommit[] = []
  #covered: PendingCommit[] = []
  #running = false
  #whenIdle: (() => void) | undefined

  constructor(parts: WalSyncParts) {
    this.#descriptor = parts.descriptor
    this.#watch = parts.watch
    this.#latch = parts.latch
  }

  /** Settles the commit's `durable` after a sync that begins now or later. To be called after the COMMIT. */
  cover(commit: PendingCommit): void {
    if (this.#latch.failure !== undefined) {
      commit.reject(this.#latch.failure)
      return
    }
    this.#waiting.push(commit)
    if (!this.#running) this.#start()
  }

  /**
   * Settles the `durable` of a commit that left nothing in the database after those of all commits before it:
   * whoever waits for it may have written earlier too.
   */
  follow(commit: PendingCommit): void {
    if (this.#latch.failure !== undefined) commit.reject(this.#latch.failure)
    else if (this.#waiting.length > 0) this.#waiting.push(commit)
    else if (this.#running) this.#covered.push(commit)
    else commit.resolve()
  }

  /** Resolves when nothing waits any more, and closes the descriptor. */
  async close(): Promise<void> {
    if (this.#running) await new Promise<void>((resolve) => (this.#whenIdle = resolve))
    await new Promise<void>((resolve) => close(this.#descriptor, () => resolve()))
  }

  #start(): void {
    this.#covered = this.#waiting
    this.#waiting = []
    this.#running = true
    this.#scope.runInAsyncScope(fdatasync, undefined, this.#descriptor, (error: Error | null) => this.#finish(error))
  }

  #finish(error: Error | null): void {
    // A sync proves nothing about files that have lost their names: they are gone with the process, however well they are synced.
    const problem = error === null ? this.#watch.problem() : refusalOf(error)
    const covered = this.#covered
    this.#covered = []
    this.#running = false
    if (problem !== null) this.#fail(covered, new DatabaseFailure(problem, { cause: error ?? undefined }))
    if (this.#waiting.length > 0) this.#start()
    if (problem === null) for (const commit of covered) commit.resolve()
    if (!this.#running) this.#whenIdle?.()
  }

  #fail(covered: readonly PendingCommit[], failure: DatabaseFailure): void {
    this.#latch.report(failure)
    for (const commit of [...covered, ...this.#waiting]) commit.reject(failure)
    this.#waiting = []
  }
}

function refusalOf(error: Error): string {
  const code = 'code' in error ? String(error.code) : error.message
  return `the disk refused to store what was written (${code}); nothing more is accepted, check the disk and restart`
}
