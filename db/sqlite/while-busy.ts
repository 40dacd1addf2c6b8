import { setTimeout as pause } from 'node:timers/promises'
import { isBusy } from './translate-error.js'

/**
 * How long something is tried again while another process holds a lock, in milliseconds.
 * Longer than a transaction of that process may do nothing, 10 s, so that whoever waits outlives one that has been forgotten.
 */
export const busyLimit = 15_000

/** How long each pause between two tries is, in milliseconds. */
export const busyPause = 3

/** Runs something that may find a lock held by another process, again and again until it is free, or `limit` milliseconds are over; the event loop goes on in the pauses. */
export async function whileBusy<T>(run: () => T, limit = busyLimit): Promise<T> {
  const until = performance.now() + limit
  for (;;) {
    try {
      return run()
    } catch (error) {
      if (!isBusy(error) || performance.now() > until) throw error
    }
    await pause(busyPause)
  }
}
