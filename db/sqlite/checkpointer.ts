import { AsyncResource } from 'node:async_hooks'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { CheckpointReply, CheckpointRequest } from './checkpoint-protocol.js'
import type { SqliteConnection } from './connection.js'
import type { EngineLog } from './engine-log.js'
import type { FailureLatch } from './failure-latch.js'
import type { Reads } from './reads.js'
import type { Writer } from './writer.js'

/** How many pages (of 4 KiB) the log grows before a server moves them into the database file: 32 MiB. */
const checkpointPages = 8192

/** How many pages may be left for the phase in which writes wait: 4 MiB. */
const restPages = 1024

/** How often the passive phase is repeated, at most, to get there. */
const passiveRounds = 5

/**
 * The length, in pages, at which writes wait even if more than the rest is left, because they come faster than the disk moves them: 128 MiB.
 * A log that got there is cut down afterwards, to give its space back.
 */
const limitPages = 32768

interface CheckpointerParts {
  readonly file: string
  readonly reader: SqliteConnection
  readonly reads: Reads
  readonly writer: Writer
  readonly latch: FailureLatch
  readonly log: EngineLog
  /** Whether a server may be running on the same file, which then keeps the log short by itself. */
  readonly besideServer: boolean
}

/** How long a full disk is left alone before the next attempt to free the log, in milliseconds. */
const reclaimPause = 1000

/**
 * Keeps the write-ahead log short. A worker moves the log's pages into the database file while writes go on;
 * since a log that is written all the time would never become empty that way, the writer then pauses for the small rest, and the log begins anew.
 * Reads and the event loop go on all the while.
 */
export class Checkpointer {
  readonly #parts: CheckpointerParts
  /** Keeps the worker out of the asynchronous context of the request whose write happened to start it. */
  readonly #scope = new AsyncResource('RowhouseCheckpointer')
  #worker: Worker | undefined
  #answer: { resolve(reply: CheckpointReply): void; reject(error: Error): void } | undefined
  #running: Promise<void> | undefined
  /** The writer's turn, once it has been asked for. */
  #pause: Promise<() => void> | undefined
  readonly #growth: number
  #dueAt: number
  #reclaimedAt = -Infinity
  #warned = false
  #closed = false

  constructor(parts: CheckpointerParts) {
    this.#parts = parts
    this.#growth = parts.besideServer ? limitPages : checkpointPages
    this.#dueAt = this.#growth
  }

  /** Looks at the log's length, which takes a microsecond, and starts a checkpoint when it is due. */
  consider(): void {
    if (this.#closed) return
    const { pages } = this.#log()
    if (this.#running === undefined) {
      if (pages >= this.#dueAt) this.#start()
    } else if (pages >= limitPages) {
      this.#takeTurn()
    }
  }

  /** Starts a checkpoint because the disk is full: a log that begins anew has room for the deletions that make more. */
  reclaim(): void {
    if (this.#running !== undefined || this.#closed || performance.now() - this.#reclaimedAt < reclaimPause) return
    this.#reclaimedAt = performance.now()
    this.#start()
  }

  /** Starts no further checkpoint. One that is running is waited for by whoever waits for the writer. */
  stop(): void {
    this.#closed = true
    this.#worker?.ref()
  }

  /** Waits for a running checkpoint and ends the worker. */
  async close(): Promise<void> {
    this.stop()
    await this.#running
    if (this.#worker === undefined) return
    const exit = once(this.#worker, 'exit')
    this.#worker.postMessage('close')
    await exit
  }

  #start(): void {
    if (this.#parts.latch.failure !== undefined) return
    this.#running = this.#scope
      .runInAsyncScope(() => this.#checkpoint())
      .catch((error: unknown) => this.#report(error))
      .finally(() => (this.#running = undefined))
  }

  async #checkpoint(): Promise<void> {
    try {
      for (let round = 0; round < passiveRounds; round++) {
        await this.#ask({ mode: 'passive' })
        if (this.#pause !== undefined || this.#log().unmoved <= restPages) break
      }
      await this.#takeTurn()
      await this.#restart()
    } finally {
      const pause = this.#pause
      this.#pause = undefined
      if (!this.#closed) this.#worker?.unref()
      const resume = await pause
      resume?.()
    }
  }

  #takeTurn(): Promise<unknown> {
    if (this.#pause === undefined) {
      this.#pause = this.#parts.writer.pause()
      // Whoever awaits it later is told of a refusal; until then it is nobody's unhandled rejection.
      this.#pause.catch(() => undefined)
      // Writes wait for the worker from here on, and with them, maybe, the end of the process.
      this.#worker?.ref()
    }
    return this.#pause
  }

  /** Moves the rest while nobody writes, after which the log can begin anew. */
  async #restart(): Promise<void> {
    const { pages } = this.#log()
    const mode = pages >= limitPages ? 'truncate' : 'restart'
    if (await this.#parts.reads.apart(() => this.#ask({ mode }))) {
      this.#dueAt = this.#growth
      this.#warned = false
    } else {
      this.#dueAt = pages + this.#growth
      this.#warn('the write-ahead log cannot be shortened while another process reads the database, and grows until that ends')
    }
  }

  /** How many pages the log has, and how many of them are not in the database file yet. NOOP only looks. */
  #log(): { pages: number; unmoved: number } {
    try {
      const [[, pages, moved] = []] = this.#parts.reader.execute('PRAGMA wal_checkpoint(NOOP)')
      return { pages: Number(pages), unmoved: Number(pages) - Number(moved) }
    } catch (error) {
      this.#parts.latch.translate(error)
      return { pages: 0, unmoved: 0 }
    }
  }

  async #ask(request: CheckpointRequest): Promise<boolean> {
    const worker = (this.#worker ??= this.#startWorker())
    const reply = await new Promise<CheckpointReply>((resolve, reject) => {
      this.#answer = { resolve, reject }
      worker.postMessage(request)
    })
    if ('complete' in reply) return reply.complete
    throw Object.assign(new Error(reply.error.message), { code: reply.error.code })
  }

  #startWorker(): Worker {
    const worker = new Worker(new URL('./checkpoint-worker.js', import.meta.url), { name: 'rowhouse-checkpoint', workerData: this.#parts.file, execArgv: [] })
    worker.on('message', (reply: CheckpointReply) => this.#answer?.resolve(reply))
    worker.on('error', (error) => this.#answer?.reject(error))
    worker.on('exit', () => {
      this.#worker = undefined
      this.#answer?.reject(new Error('the checkpoint worker ended by itself'))
    })
    // After the listeners, which would hold the process again.
    worker.unref()
    return worker
  }

  /** A log that could not be shortened harms nobody yet; the next attempt comes when it has grown as much again. A failing disk is final. */
  #report(error: unknown): void {
    const translated = this.#parts.latch.translate(error)
    if (this.#parts.latch.failure !== undefined || this.#closed) return
    this.#dueAt = this.#log().pages + this.#growth
    this.#warn(`the write-ahead log could not be shortened: ${translated.message}`)
  }

  /** Says it once, until the log has been shortened again. */
  #warn(message: string): void {
    if (!this.#warned) this.#parts.log.warn(message)
    this.#warned = true
  }
}
