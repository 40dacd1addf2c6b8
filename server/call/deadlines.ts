import { runOutside } from './call.js'

/** Time that runs for something, until it is stopped. */
export interface Deadline {
  stop(): void
}

/** How often the deadlines are looked at, in milliseconds: time may be overrun by this much. */
const precision = 100

/**
 * Bounds the time of many handlers with one timer: setting a timer for each request would cost more than the request's own bookkeeping.
 */
export class Deadlines {
  readonly #running = new Set<RunningDeadline>()
  #timer: NodeJS.Timeout | null = null

  /** Calls `expire` once `milliseconds` have passed, unless it is stopped before. */
  start(milliseconds: number, expire: () => void): Deadline {
    // In no call: that of the first would live as long as the timer.
    this.#timer ??= runOutside(() => setInterval(() => this.#sweep(), precision).unref())
    const deadline = new RunningDeadline(this.#running, performance.now() + milliseconds, expire)
    this.#running.add(deadline)
    return deadline
  }

  /** Stops all of them. */
  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    this.#running.clear()
  }

  #sweep(): void {
    const now = performance.now()
    for (const deadline of this.#running) {
      if (deadline.until > now) continue
      deadline.stop()
      deadline.expire()
    }
  }
}

class RunningDeadline implements Deadline {
  readonly #running: Set<RunningDeadline>

  constructor(
    running: Set<RunningDeadline>,
    readonly until: number,
    readonly expire: () => void,
  ) {
    this.#running = running
  }

  stop(): void {
    this.#running.delete(this)
  }
}
