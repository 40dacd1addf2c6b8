/** How long streams may keep the event loop to themselves, in milliseconds. */
const longestTurn = 10

let isTurn = false
let turnEnds = 0

/**
 * Lets everything else in the process have its turn, once streams have sent pieces for 10 ms without anybody else getting to do anything: a source that always has a piece, and a client that
 * always takes it, would go on like that until the stream is at its end.
 *
 * @returns null where nobody has to wait, which is nearly always
 */
export function roomForOthers(): Promise<void> | null {
  const now = performance.now()
  if (isTurn) return now < turnEnds ? null : new Promise((resolve) => void setImmediate(resolve))
  isTurn = true
  turnEnds = now + longestTurn
  setImmediate(endTurn)
  return null
}

function endTurn(): void {
  isTurn = false
}
