import { setTimeout as pause } from 'node:timers/promises'
import { isBusy } from './translate-error.js'

/** How long something is tried again while another process holds a lock, in milliseconds, and how long each pause is. */
export const busyLimit = 5000
export const busyPause = 3

/** Runs something that may find a lock held by another process, again and again until it is free; the event loop goes on in the pauses. */
export async function whileBusy<T>(run: () => T): Promise<T> {
  const until = performance.now() + busyLimit
  for (;;) {
    try {
      return run()
    } catch (error) {
      if (!isBusy(error) || performance.now() > until) throw error
    }
    await pause(busyPause)
  }
}
