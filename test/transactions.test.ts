import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import BetterSqlite3 from 'better-sqlite3'
import t from 'tap'
import { boolean, integer, link, text } from '../dist/db/columns/columns.js'
import { defineTables } from '../dist/db/schema/define-tables.js'
import { TableError } from '../dist/db/errors/errors.js'
import { table } from '../dist/db/columns/table-declaration.js'
import { takesLong } from './support/needs.ts'
import { openTables } from './support/open-tables.ts'

const declare = () =>
  defineTables({
    counters: table({ name: text().unique(), value: integer().default(0).required() }),
    items: table({ sold: boolean().default(false).required(), buyer: integer(), of: link('counters') }),
  })

t.test('all that a transaction writes is there or none of it, and its own reads see it at once', async (t) => {
  const { tables, database } = await openTables(t, declare())
  const { counters, items } = tables
  const result = await database.transaction(async () => {
    const counter = await counters.addRow({ name: 'a', value: 1 })
    t.equal((await counters.getById(counter.id))?.value, 1)
    await counter.update({ value: 2 })
    t.equal(await counters.search({ value: 2 }).count(), 1)
    const seen: number[] = []
    for await (const each of counters.search()) seen.push(each.value)
    t.strictSame(seen, [2])
    await items.addRows([{ of: counter }, { of: counter }])
    t.equal((await (await items.search().first())?.of?.load())?.name, 'a')
    return counter
  })
  t.equal(result.value, 2)
  t.equal(await items.search({ of: result }).count(), 2)

  await t.rejects(
    database.transaction(async () => {
      await result.update({ value: 99 })
      await items.search().delete()
      await counters.addRow({ name: 'never' })
      await counters.upsert({ name: 'never either' }, {})
      throw new Error('changed my mind')
    }),
    { message: 'changed my mind' },
  )
  t.equal((await counters.getById(result.id))?.value, 2)
  t.equal(await items.search().count(), 2)
  t.equal(await counters.search().count(), 1)
})

t.test('a statement that fails inside takes nothing with it when the error is caught', async (t) => {
  const { tables, database } = await openTables(t, declare())
  await database.transaction(async () => {
    await tables.counters.addRow({ name: 'a' })
    await t.rejects(tables.counters.addRow({ name: 'a' }), { code: 'not-unique' })
    await t.rejects(tables.counters.addRows([{ name: 'b' }, { name: 'a' }]), { code: 'not-unique' })
    await tables.counters.addRow({ name: 'c' })
  })
  t.strictSame(await tables.counters.search().map(({ name }) => name), ['a', 'c'])
})

t.test('a transaction that awaits keeps the writes of others out of it, and leaves their reads alone', async (t) => {
  const { tables, database } = await openTables(t, declare())
  const { counters } = tables
  const counter = await counters.addRow({ name: 'a', value: 1 })
  const order: string[] = []
  const inside = database.transaction(async () => {
    await counter.update({ value: 2 })
    order.push('began')
    await pause(100)
    t.equal(await counters.search().count(), 1, 'nobody’s row has slipped in')
    order.push('ends')
  })
  await pause(20)
  const read = await counters.getById(counter.id)
  t.equal(read?.value, 1, 'others see nothing of it before it ends')
  order.push('read')
  const write = counters.addRow({ name: 'b' }).then(() => order.push('wrote'))
  await Promise.all([inside, write])
  t.strictSame(order, ['began', 'read', 'ends', 'wrote'])
  t.equal((await counters.getById(counter.id))?.value, 2)
})

t.test('100 parallel increments lose none, and 100 parallel buyers of the last item make one sale', async (t) => {
  const { tables, database } = await openTables(t, declare())
  const { counters, items } = tables
  const counter = await counters.addRow({ name: 'a' })
  await Promise.all(
    Array.from({ length: 100 }, () =>
      database.transaction(async () => {
        const row = await counters.getById(counter.id)
        await pause(0)
        await row?.update({ value: row.value + 1 })
      }),
    ),
  )
  t.equal((await counter.reload()).value, 100)

  const item = await items.addRow({})
  const sales = await Promise.all(
    Array.from({ length: 100 }, (_, buyer) =>
      database.transaction(async () => {
        const current = await items.getById(item.id)
        await pause(0)
        if (current?.sold !== false) return false
        await current.update({ sold: true, buyer })
        return true
      }),
    ),
  )
  t.equal(sales.filter(Boolean).length, 1)
  t.equal((await item.reload()).buyer, sales.indexOf(true))

  const last = await items.addRow({})
  const claims = await Promise.all(Array.from({ length: 100 }, (_, buyer) => items.search({ sold: false }).update({ sold: true, buyer })))
  t.equal(claims.reduce((sum, claimed) => sum + claimed), 1, 'one statement does as well, without a transaction')
  t.equal((await last.reload()).sold, true)
})

t.test('a transaction inside of another joins it: one fails, both do, even if the error is caught', async (t) => {
  const { tables, database } = await openTables(t, declare())
  const { counters } = tables
  const inner = await database.transaction(async () => {
    await counters.addRow({ name: 'outer' })
    return database.transaction(() => counters.addRow({ name: 'inner' }))
  })
  t.equal(inner.name, 'inner')
  t.equal(await counters.search().count(), 2)
  await t.rejects(
    database.transaction(async () => {
      await database.transaction(() => counters.addRow({ name: 'x' }))
      throw new Error('outer failed')
    }),
    { message: 'outer failed' },
  )
  const error = await database
    .transaction(async () => {
      await counters.addRow({ name: 'y' })
      await database
        .transaction(async () => {
          await counters.addRow({ name: 'z' })
          throw new Error('inner failed')
        })
        .catch(() => 'ignored')
      return 'done'
    })
    .catch((thrown: unknown) => thrown)
  t.match(error, { name: 'TableError', code: 'transaction-ended', cause: { message: 'inner failed' } })
  t.equal(await counters.search().count(), 2)
})

t.test('a transaction inside that nobody awaits is carried out whole before the outer one ends, or fails it', async (t) => {
  const { tables, database } = await openTables(t, declare(), { transactionIdleLimit: 200 })
  const { counters } = tables
  const halves = async (fail: boolean) => {
    await counters.addRow({ name: 'half 1' })
    await pause(20)
    if (fail) throw new Error('inner failed')
    await counters.addRow({ name: 'half 2' })
  }
  const run = (inner: () => Promise<unknown>) =>
    database.transaction(async () => {
      database.transaction(inner).catch(() => undefined)
      await counters.addRow({ name: 'outer' })
    })
  await t.rejects(run(() => halves(true)), { code: 'transaction-ended', cause: { message: 'inner failed' } })
  await t.rejects(run(() => new Promise(() => undefined)), { code: 'transaction-ended', message: /did nothing for 0\.2 s/ })
  t.equal(await counters.search().count(), 0)
  await run(() => halves(false))
  t.strictSame((await counters.search().map(({ name }) => name)).sort(), ['half 1', 'half 2', 'outer'])
})

t.test('an upsert that fails inside takes nothing with it when the error is caught, and fails the transaction when nobody awaited it', async (t) => {
  const { tables, database } = await openTables(t, declare())
  const { counters } = tables
  await counters.addRow({ name: 'a', value: 1 })
  await database.transaction(async () => {
    await t.rejects(counters.upsert({ value: 2 }, { name: 'a' }), { code: 'not-unique' })
    await counters.upsert({ name: 'b' }, {})
  })
  t.strictSame(await counters.search().map(({ name }) => name), ['a', 'b'])
  const lost = database.transaction(async () => {
    await counters.addRow({ name: 'c' })
    counters.upsert({ value: 2 }, { name: 'a' }).catch(() => undefined)
  })
  await t.rejects(lost, { code: 'transaction-ended', cause: { code: 'not-unique' } })
  await database.transaction(() => {
    void counters.upsert({ name: 'd' }, {})
  })
  t.strictSame(await counters.search().map(({ name }) => name), ['a', 'b', 'd'])
})

t.test('after a rollback a row holds what it held before, and one that was added is no row of the table', async (t) => {
  const { tables, database } = await openTables(t, declare())
  const { counters } = tables
  const row = await counters.addRow({ name: 'a', value: 1 })
  const stale = await counters.getById(row.id)
  await row.update({ value: 2 })
  let added: typeof row | undefined
  await t.rejects(
    database.transaction(async () => {
      await row.update({ value: 3 })
      await row.update({ value: 4 })
      await counters.search({ name: 'a' }).update({ value: 5 })
      await stale?.reload()
      t.strictSame([row.value, stale?.value], [4, 5])
      added = await counters.addRow({ name: 'never' })
      await counters.addRows([{ name: 'neither' }])
      throw new Error('no')
    }),
    { message: 'no' },
  )
  t.strictSame([row.value, stale?.value], [2, 1])
  const later = await counters.addRow({ name: 'later' })
  t.notOk(added?.equals(later))
  t.not(added?.id, later.id)
  await t.rejects(async () => {
    await added?.update({ value: 9 })
  }, { name: 'RowDeleted' })
  t.equal((await later.reload()).value, 0)

  const seen: number[] = []
  await database.transaction(async () => {
    seen.push(row.value)
    await row.update({ value: row.value + 1 })
    if (seen.length < 3) throw new TableError('busy', 'conflict')
  })
  t.strictSame(seen, [2, 2, 2], 'each try begins with the same row')
  t.equal(row.value, 3)
})

t.test('code that outlives its transaction is told so and never writes outside of it', async (t) => {
  const { tables, database } = await openTables(t, declare())
  const { counters } = tables
  const strays: Promise<unknown>[] = []
  const row = await database.transaction(async () => {
    const added = await counters.addRow({ name: 'a' })
    const later = pause(50)
    strays.push(
      later.then(() => counters.addRow({ name: 'stray' })),
      later.then(() => added.update({ value: 1 })),
      later.then(() => added.delete()),
      later.then(() => counters.search().all()),
      later.then(() => database.transaction(() => counters.addRow({ name: 'stray transaction' }))),
      later.then(() => database.write({ text: 'DELETE FROM counters' }, [])),
      later.then(() => database.onCommit(() => undefined)),
    )
    return added
  })
  for (const stray of strays) await t.rejects(stray, { name: 'TableError', code: 'transaction-ended', message: /belongs to a transaction that has ended/ })
  t.strictSame(await counters.search().map(({ name, value }) => [name, value]), [['a', 0]])
  await row.update({ value: 2 })
  t.equal(row.value, 2, 'outside, a row of the transaction is a row like any other')
})

t.test('a statement that nobody awaited is carried out before the transaction ends', async (t) => {
  const { tables, database } = await openTables(t, declare())
  const { counters } = tables
  await database.transaction(() => {
    void counters.addRow({ name: 'a' })
  })
  t.equal(await counters.search().count(), 1)
})

t.test('a transaction that does nothing for too long is rolled back, and whoever waited goes on', { skip: takesLong('it waits for a time limit') }, async (t) => {
  const { tables, database } = await openTables(t, declare(), { transactionIdleLimit: 100 })
  const { counters } = tables
  let late: Promise<unknown> = Promise.resolve()
  const idle = database.transaction(async () => {
    await counters.addRow({ name: 'idle' })
    await pause(400)
    late = counters.addRow({ name: 'too late' })
    return late
  })
  const waiting = counters.addRow({ name: 'waited' })
  await t.rejects(idle, { code: 'transaction-ended', message: /rolled back because it did nothing for 0\.1 s while others waited to write/ })
  await waiting
  await pause(400)
  await t.rejects(late, { code: 'transaction-ended', message: /did nothing for 0\.1 s/ })
  t.strictSame(await counters.search().map(({ name }) => name), ['waited'])
  await t.rejects(database.transaction(() => new Promise(() => undefined)), { code: 'transaction-ended' }, 'one that never ends does not stop the others')
  const busy = await database.transaction(async () => {
    for (let round = 0; round < 6; round++) {
      await pause(40)
      await counters.search().count()
    }
    return 'done'
  })
  t.equal(busy, 'done', 'long is not idle')
})

t.test('after a conflict the whole function runs again, as often as it may', async (t) => {
  const { tables, database } = await openTables(t, declare())
  const { counters } = tables
  const conflict = () => new TableError('busy', 'in conflict with another transaction')
  let runs = 0
  await database.transaction(async () => {
    await counters.addRow({ name: `run ${++runs}` })
    if (runs < 4) throw conflict()
  })
  t.strictSame(await counters.search().map(({ name }) => name), ['run 4'], 'nothing of the runs before is left')
  const tries = async (options?: { retries?: number }): Promise<number> => {
    let count = 0
    await t.rejects(
      database.transaction(() => {
        count++
        throw conflict()
      }, options),
      { code: 'busy' },
    )
    return count
  }
  t.equal(await tries({ retries: 0 }), 1)
  t.equal(await tries({ retries: 3 }), 4)
  for (const retries of [-1, 1.5, NaN, Infinity, '3', null]) {
    await t.rejects(database.transaction(() => undefined, { retries: retries as number }), { code: 'bad-query', message: /retries has to be a whole number from 0/ }, String(retries))
  }
  let others = 0
  await t.rejects(
    database.transaction(() => {
      others++
      throw new Error('no conflict')
    }),
    { message: 'no conflict' },
  )
  t.equal(others, 1, 'only conflicts are tried again')
  let inner = 0
  await database.transaction(() =>
    database.transaction(() => {
      if (++inner < 2) throw conflict()
    }),
  )
  t.equal(inner, 2, 'the outer transaction runs again for the inner one')
})

t.test('a transaction that finds the database locked by another process for long begins once it is free', { skip: takesLong('the lock is waited for 15 s') }, async (t) => {
  const { tables, database, directory } = await openTables(t, declare())
  const file = readdirSync(directory).find((name) => /\.(db|sqlite3?)$/.test(name))
  const other = new BetterSqlite3(join(directory, String(file)))
  other.exec('BEGIN IMMEDIATE')
  const add = () => tables.counters.addRow({ name: 'a' })
  const patient = database.transaction(add)
  const impatient = database.transaction(add, { retries: 0 })
  t.match(await Promise.race([patient, impatient]).catch((error: unknown) => error), { code: 'busy' })
  other.exec('ROLLBACK')
  other.close()
  await Promise.all([patient, impatient.catch(() => undefined)])
  t.equal(await tables.counters.search({ name: 'a' }).count(), 1)
})

t.test('onCommit runs once what was written is on the disk, never after a rollback, and its errors are logged', async (t) => {
  const { tables, database, log } = await openTables(t, declare())
  const { counters } = tables
  const events: string[] = []
  const happened = (count: number) => waitUntil(() => events.length >= count)
  await database.transaction(async () => {
    database.onCommit(() => events.push('first'))
    database.onCommit(() => {
      throw new Error('mail server down')
    })
    database.onCommit(() => Promise.reject(new Error('printer down')))
    database.onCommit(async () => {
      const visible = await counters.search({ name: 'a' }).count()
      await counters.addRow({ name: 'from the callback' })
      events.push(`saw ${visible}`)
    })
    await counters.addRow({ name: 'a' })
    await pause(20)
    events.push('end of the transaction')
  })
  await happened(3)
  t.strictSame(events, ['end of the transaction', 'first', 'saw 1'])
  t.equal(log.filter((line) => /onCommit.*(mail server|printer) down/s.test(line)).length, 2)

  let runs = 0
  await database.transaction(async () => {
    const run = ++runs
    database.onCommit(() => events.push(`run ${run}`))
    await counters.addRow({ name: 'again' })
    if (run === 1) throw new TableError('busy', 'conflict')
  })
  await database.transaction(() => {
    database.onCommit(() => events.push('never'))
    throw new Error('no')
  }).catch(() => undefined)
  database.onCommit(() => events.push('outside'))
  await happened(5)
  await database.close()
  t.strictSame(events.slice(3).sort(), ['outside', 'run 2'])
})

t.test('the transactions of two databases in one process do not mix', async (t) => {
  const directory = t.testdir()
  const one = await openTables(t, declare(), { directory: `${directory}/one` })
  const two = await openTables(t, declare(), { directory: `${directory}/two` })
  await t.rejects(
    one.database.transaction(async () => {
      await one.tables.counters.addRow({ name: 'one' })
      await two.tables.counters.addRow({ name: 'two' })
      await two.database.transaction(() => two.tables.counters.addRow({ name: 'two as well' }))
      throw new Error('only one')
    }),
    { message: 'only one' },
  )
  t.equal(await one.tables.counters.search().count(), 0)
  t.equal(await two.tables.counters.search().count(), 2)
})

t.test('statements of the platform run in the current transaction too', async (t) => {
  const { tables, database } = await openTables(t, declare())
  const insert = { text: 'INSERT INTO counters (name, value) VALUES (?1, ?2) RETURNING id' }
  await database
    .transaction(async () => {
      await database.write(insert, ['a', 1])
      await database.writeMany(insert, [['b', 1], ['c', 1]])
      t.strictSame(await database.read({ text: 'SELECT count(*) FROM counters' }, []), [[3]])
      throw new Error('rolled back')
    })
    .catch(() => undefined)
  t.equal(await tables.counters.search().count(), 0)
  await database.write(insert, ['a', 1])
  t.equal(await tables.counters.search().count(), 1)
})

async function waitUntil(condition: () => boolean): Promise<void> {
  while (!condition()) await pause(5)
}
