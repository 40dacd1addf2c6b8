import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { createNotes, insertNote, openEngine, titles } from './support/sqlite-engine.ts'

t.test('a transaction owns the writer across awaits: others read the old state at once, and write after it', async (t) => {
  const { engine } = await openEngine(t)
  await engine.write(createNotes, [])
  await engine.write(insertNote, ['before'])
  const transaction = await engine.begin()
  await transaction.write(insertNote, ['inside'])
  let written = false
  const outside = engine.write(insertNote, ['outside']).then(() => (written = true))
  const next = engine.begin()
  for (let round = 0; round < 5; round++) {
    await pause(20)
    t.same(await titles(engine), ['before'], 'no half of it is seen')
    t.same(await titles(transaction), ['before', 'inside'], 'it sees its own writes')
    t.equal(written, false)
  }
  await (await transaction.commit()).durable
  const second = await next
  t.same(await titles(second), ['before', 'inside', 'outside'])
  await second.rollback()
  await outside
})

t.test('a transaction rolled back leaves no trace, and takes no statement afterwards', async (t) => {
  const { engine } = await openEngine(t)
  await engine.write(createNotes, [])
  const transaction = await engine.begin()
  await transaction.write(insertNote, ['gone'])
  await transaction.rollback()
  await transaction.rollback()
  t.same(await titles(engine), [])
  await t.rejects(transaction.write(insertNote, ['late']), { code: 'transaction-ended' })
  await t.rejects(async () => transaction.read(insertNote, ['late']), { code: 'transaction-ended' })
  await t.rejects(transaction.commit(), { code: 'transaction-ended' })
  await engine.write(insertNote, ['next'])
  t.same(await titles(engine), ['next'], 'the writer is free again')
})

t.test('a failing statement leaves its transaction usable', async (t) => {
  const { engine } = await openEngine(t)
  await engine.write(createNotes, [])
  const transaction = await engine.begin()
  await transaction.write(insertNote, ['a'])
  await t.rejects(transaction.write(insertNote, ['a']), { code: 'not-unique' })
  await t.rejects(transaction.writeMany(insertNote, [['b'], ['a']]), { code: 'not-unique' })
  await t.rejects(transaction.writeMany(insertNote, [...Array.from({ length: 1000 }, (_, index) => [`many ${index}`]), ['a']]), { code: 'not-unique' })
  await transaction.write(insertNote, ['c'])
  await transaction.commit()
  t.same(await titles(engine), ['a', 'c'])
})

t.test('statements that a transaction starts together do not run inside a long writeMany of it', async (t) => {
  const { engine } = await openEngine(t)
  await engine.write(createNotes, [])
  const transaction = await engine.begin()
  const failing = transaction.writeMany(insertNote, [...Array.from({ length: 5000 }, (_, index) => [`many ${index}`]), ['many 0']])
  const results = await Promise.allSettled([failing, transaction.write(insertNote, ['kept']), transaction.commit()])
  t.same(
    results.map((result) => result.status),
    ['rejected', 'fulfilled', 'fulfilled'],
  )
  t.same(await titles(engine), ['kept'], 'what failed took nothing with it that had been confirmed')
})

t.test('a transaction that the database rolled back is reported as ended, and frees the writer when it is given back', async (t) => {
  const { engine } = await openEngine(t)
  await engine.write(createNotes, [])
  const transaction = await engine.begin()
  await transaction.write(insertNote, ['lost'])
  await t.rejects(transaction.write({ text: "INSERT OR ROLLBACK INTO notes (title) VALUES ('lost')" }, []), { code: 'not-unique' })
  await t.rejects(transaction.write(insertNote, ['late']), { code: 'transaction-ended', message: /rolled it back after an earlier error/ })
  await t.rejects(transaction.commit(), { code: 'transaction-ended' })
  await engine.write(insertNote, ['next'])
  t.same(await titles(engine), ['next'])
})

t.test('a constraint that only COMMIT checks refuses the guilty write alone', async (t) => {
  const { engine } = await openEngine(t)
  await engine.write(createNotes, [])
  await engine.write({ text: 'CREATE TABLE later (id INTEGER PRIMARY KEY, note INTEGER REFERENCES notes (id) DEFERRABLE INITIALLY DEFERRED) STRICT' }, [])
  const insertLater = { text: 'INSERT INTO later (note) VALUES (?1)' }
  const results = await Promise.allSettled([engine.write(insertNote, ['a']), engine.write(insertLater, [77]), engine.write(insertNote, ['b'])])
  t.same(
    results.map((result) => result.status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
  t.match(results[1], { reason: { code: 'broken-link' } })
  const transaction = await engine.begin()
  await transaction.write(insertLater, [77])
  await t.rejects(transaction.commit(), { code: 'broken-link' })
  t.same(await titles(engine), ['a', 'b'])
  t.same(await engine.read({ text: 'SELECT count(*) FROM later' }, []), [[0]])
  await engine.write(insertNote, ['c'])
})
