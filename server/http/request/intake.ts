/** How many bytes of bodies are taken in during one turn of the event loop, from all connections together: some milliseconds' worth. */
const mostInTurn = 1024 * 1024
/** How much Node.js reads from a connection at once, in bytes. */
const usualChunk = 64 * 1024

let isTurn = false
let left = 0
/** What lets those that wait go on, in their order. */
const waiting: (() => void)[] = []

/**
 * Counts what has arrived of a body, so that many long ones at once leave everything else its turn: beyond 1 MiB in one turn of the event loop a body waits for another one, and those that wait take turns.
 *
 * @param goOn called when the body may flow again
 * @returns whether it may flow on; otherwise the caller stops it
 */
export function takeIn(length: number, goOn: () => void): boolean {
  if (!isTurn) beginTurn()
  left -= length
  if (left >= 0 && waiting.length === 0) return true
  waiting.push(goOn)
  return false
}

function beginTurn(): void {
  isTurn = true
  left = mostInTurn
  setImmediate(endTurn)
}

function endTurn(): void {
  isTurn = false
  if (waiting.length === 0) return
  beginTurn()
  for (const goOn of waiting.splice(0, mostInTurn / usualChunk)) goOn()
}
