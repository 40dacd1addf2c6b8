import Database from 'better-sqlite3'
import { setTimeout as delay } from 'node:timers/promises'

/** 10,000 statements in all. */
const amount = { turns: 500, statements: 20, litter: 20_000 } as const

const { gc } = globalThis
if (gc === undefined) throw new Error('run this with node --expose-gc: it is about what becomes of statements that are dropped')
const database = new Database(':memory:')
database.exec('CREATE TABLE task (title TEXT)')
const kept: unknown[] = []
for (let turn = 1; turn <= amount.turns; turn++) {
  for (let index = 0; index < amount.statements; index++) database.prepare(`INSERT INTO task VALUES ('${turn}-${index}')`).run()
  // Most statements are collected in the background, while no JavaScript runs, which is where a driver of the old kind ends the process.
  kept[0] = Array.from({ length: amount.litter }, (_, index) => ({ index }))
  await delay(1)
  if (turn % 50 === 0) gc()
}
const { count } = database.prepare<[], { count: number }>('SELECT count(*) AS count FROM task').get() ?? { count: 0 }
if (count !== amount.turns * amount.statements) throw new Error(`expected ${amount.turns * amount.statements} rows, got ${count}`)
// The database stays open and the last statements are just dropped: the end of the process has to cope with both.
