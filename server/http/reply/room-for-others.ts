/** How long streams may keep the event loop to themselves, in milliseconds. */
const longestTurn = 4

let isTurn = false
let turnEnds = 0
/** Those that wait for another turn, in their order. */
const waiting: (() => void)[] = []

/**
 * Lets everything else in the process have its turn, once streams have sent pieces for 4 ms without anybody else getting to do anything: a source that always has a piece, and a client that
 * always takes it, would go on like that until the stream is at its end. Those that wait go on one after the other, for as long again.
 *
 * @returns null where nobody has to wait, which is nearly always
 */
export function roomForOthers(): Promise<void> | null {
  if (!isTurn) beginTurn()
  else if (waiting.length > 0 || performance.now() >= turnEnds) return new Promise((resolve) => void waiting.push(resolve))
  return null
}

function beginTurn(): void {
  isTurn = true
  turnEnds = performance.now() + longestTurn
  setImmediate(endTurn)
}

function endTurn(): void {
  isTurn = false
  if (waiting.length === 0) return
  beginTurn()
  letNextGoOn()
}

function letNextGoOn(): void {
  waiting.shift()?.()
  // What it does happens before the next tick.
  process.nextTick(() => {
    if (waiting.length > 0 && performance.now() < turnEnds) letNextGoOn()
  })
}
