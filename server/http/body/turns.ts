import { setImmediate as nextTurn } from 'node:timers/promises'

/** From which length on a body waits for a turn, in bytes: what is shorter is decoded in a moment. */
const shortest = 64 * 1024

let last: Promise<unknown> = Promise.resolve()

/**
 * Lets one long body go on in each turn of the event loop, and all that is not about long bodies in between: many that
 * arrive at once, and are decoded one after the other, would hold up everything else for as long as they take together.
 *
 * @returns null where nobody has to wait, which is nearly always
 */
export function turnFor(length: number): Promise<unknown> | null {
  return length < shortest ? null : (last = last.then(() => nextTurn()))
}
