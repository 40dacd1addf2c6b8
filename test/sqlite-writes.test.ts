import { AsyncLocalStorage } from 'node:async_hooks'
import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import type { Commit } from '../dist/db/engine/engine.js'
import { takesLong } from './support/needs.ts'
import { childProgram, startNode } from './support/sqlite-child.ts'
import { createNotes, insertChild, insertNote, openEngine, titles } from './support/sqlite-engine.ts'

t.test('writes of one turn share a commit, and a failing one takes no other with it', async (t) => {
  const { engine, commits } = await openEngine(t)
  await engine.write(createNotes, [])
  commits.length = 0
  const results = await Promise.allSettled([
    engine.write(insertNote, ['first']),
    engine.write(insertNote, ['first']),
    engine.write(insertNote, [null]),
    engine.write(insertChild, ['orphan', 99]),
    engine.write({ text: 'INSERT INTO no_such_table VALUES (1)' }, []),
    engine.write(insertNote, []),
    engine.write(insertNote, ['last']),
  ])
  t.same(
    results.map((result) => result.status),
    ['fulfilled', 'rejected', 'rejected', 'rejected', 'rejected', 'rejected', 'fulfilled'],
  )
  t.equal(new Set(commits).size, 1, 'one transaction, one sync')
  await commits[0]?.durable
  t.same(await titles(engine), ['first', 'last'])
})

t.test('a refused write says which table and column, and never a value', async (t) => {
  const { engine } = await openEngine(t)
  await engine.write(createNotes, [])
  await engine.write({ text: 'CREATE TABLE pairs (a TEXT, b TEXT, UNIQUE (a, b)) STRICT' }, [])
  const insertPair = { text: 'INSERT INTO pairs VALUES (?1, ?2)' }
  await engine.write(insertNote, ['s3cret'])
  await engine.write(insertPair, ['s3cret', 's3cret'])
  await t.rejects(engine.write(insertNote, ['s3cret']), { name: 'TableError', code: 'not-unique', message: 'table notes already has a row with this title' })
  await t.rejects(engine.write(insertPair, ['s3cret', 's3cret']), { code: 'not-unique', message: 'table pairs already has a row with this a and b' })
  await t.rejects(engine.write(insertNote, [null]), { code: 'missing-value', message: 'notes.title needs a value, and none was given' })
  await t.rejects(engine.write(insertChild, ['s3cret child', 99]), { code: 'broken-link' })
  t.same(await engine.write(insertChild, ['child', 1]), [[2]])
  await t.rejects(engine.write({ text: "DELETE FROM notes WHERE title = 's3cret'" }, []), { code: 'broken-link' })
  await engine.write({ text: 'CREATE UNIQUE INDEX folded ON pairs (lower(a)) WHERE b IS NULL' }, [])
  await engine.write(insertPair, ['s3cret', null])
  await t.rejects(engine.write(insertPair, ['S3CRET', null]), {
    code: 'not-unique',
    message: 'another row already has the value that the unique index folded allows once',
  })
  await engine.write({ text: 'CREATE TABLE kept (note INTEGER REFERENCES notes (id) ON DELETE RESTRICT) STRICT' }, [])
  await engine.write({ text: 'INSERT INTO kept VALUES (2)' }, [])
  await t.rejects(engine.write({ text: 'DELETE FROM notes WHERE id = 2' }, []), { code: 'broken-link' })
  const wrong = await engine.write(insertChild, ['other', 's3cret']).catch((error: unknown) => error)
  t.match(wrong, { code: 'wrong-type', message: /notes\.parent/ })
  t.notMatch(String(wrong), /s3cret/)
})

t.test('writes run in the order in which they were asked for, also around transactions', async (t) => {
  const { engine } = await openEngine(t)
  await engine.write(createNotes, [])
  const write = (title: string): Promise<unknown> => engine.write(insertNote, [title])
  const transaction = async (title: string): Promise<void> => {
    const opened = await engine.begin()
    await opened.write(insertNote, [title])
    await opened.commit()
  }
  await Promise.all([write('1'), write('2'), transaction('3'), write('4'), transaction('5'), transaction('6'), write('7')])
  t.same(await titles(engine), ['1', '2', '3', '4', '5', '6', '7'])
})

t.test('a flood of writes in one turn leaves the event loop free in between and loses none', async (t) => {
  const { engine, commits } = await openEngine(t)
  await engine.write(createNotes, [])
  let turns = 0
  const timer = setInterval(() => turns++, 1)
  await Promise.all(Array.from({ length: 20_000 }, (_, index) => engine.write(insertNote, [`flood ${index}`])))
  clearInterval(timer)
  t.ok(turns > 3, `other work ran ${turns} times meanwhile`)
  await Promise.all(commits.map((commit) => commit.durable))
  t.same(await engine.read({ text: 'SELECT count(*), max(id) FROM notes' }, []), [[20_000, 20_000]])
})

t.test('writeMany writes all lists or none, short or long, and returns the rows in order', async (t) => {
  const { engine, commits } = await openEngine(t)
  await engine.write(createNotes, [])
  for (const length of [0, 1, 100, 5000]) {
    const lists = Array.from({ length }, (_, index) => [`${length}-${index}`])
    commits.length = 0
    const before = await engine.read({ text: 'SELECT max(id) FROM notes' }, [])
    const first = Number(before[0]?.[0] ?? 0) + 1
    const rows = await engine.writeMany(insertNote, lists)
    t.same(rows, Array.from({ length }, (_, index) => [first + index]))
    t.equal(commits.length, 1)
    const besides = engine.write(insertNote, [`beside ${length}`])
    await t.rejects(engine.writeMany(insertNote, [...lists.map(([title]) => [`${title} again`]), [`beside ${length}`]]), { code: 'not-unique' })
    await besides
    await Promise.all(commits.map((commit) => commit.durable))
  }
  t.same(await engine.read({ text: "SELECT count(*) FROM notes WHERE title LIKE '% again'" }, []), [[0]])
  t.same(await engine.read({ text: 'SELECT count(*) FROM notes' }, []), [[5105]])
})

t.test('when the database rolls back a whole batch, every write of it is refused and none is there', async (t) => {
  const { engine, commits } = await openEngine(t)
  await engine.write(createNotes, [])
  commits.length = 0
  const results = await Promise.allSettled([
    engine.write(insertNote, ['a']),
    engine.write({ text: "INSERT OR ROLLBACK INTO notes (title) VALUES ('a')" }, []),
    engine.write(insertNote, ['b']),
  ])
  t.same(
    results.map((result) => result.status),
    ['rejected', 'rejected', 'rejected'],
  )
  await Promise.all(commits.map((commit) => commit.durable))
  t.same(await titles(engine), [])
  await engine.write(insertNote, ['c'])
  t.same(await titles(engine), ['c'])
})

t.test('whoever writes is told of its commit in its own asynchronous context', async (t) => {
  const context = new AsyncLocalStorage<string>()
  const told: [string | undefined, Commit][] = []
  const { engine } = await openEngine(t, { onWrite: (commit) => void told.push([context.getStore(), commit]) })
  await engine.write(createNotes, [])
  told.length = 0
  const long = Array.from({ length: 1000 }, (_, index) => [`long ${index}`])
  await Promise.all([
    context.run('one', () => engine.write(insertNote, ['a'])),
    context.run('two', () => engine.writeMany(insertNote, [['b']])),
    context.run('three', () => engine.writeMany(insertNote, long)),
    context.run('four', async () => {
      const before = told.length
      const begun = engine.begin()
      t.equal(told.length, before + 1, 'synchronously')
      const [, commit] = told.at(-1) ?? []
      const transaction = await begun
      await transaction.write(insertNote, ['c'])
      t.equal(await transaction.commit(), commit)
    }),
    context.run('five', async () => (await engine.begin()).commit()),
  ])
  t.same(
    told.map(([name]) => name),
    ['one', 'two', 'three', 'four', 'five'],
  )
  t.equal(told[0]?.[1], told[1]?.[1])
  await Promise.all(told.map(([, commit]) => commit.durable))
})

t.test('commits become durable in the order in which they were told, also around transactions and what leaves nothing behind', async (t) => {
  const told: Commit[] = []
  const { engine } = await openEngine(t, { onWrite: (commit) => void told.push(commit) })
  await engine.write(createNotes, [])
  const transact = async (title: string | null): Promise<void> => {
    const transaction = await engine.begin()
    await nextTurn()
    if (title !== null) await transaction.write(insertNote, [title])
    await transaction.commit()
  }
  const undone = async (): Promise<void> => {
    const transaction = await engine.begin()
    await transaction.write(insertNote, ['undone'])
    await transaction.rollback()
  }
  for (let round = 0; round < 20; round++) {
    told.length = 0
    const durable: Commit[] = []
    const refused = (): Promise<unknown> => t.rejects(engine.write(insertNote, [null]), { code: 'missing-value' })
    const works = [
      () => transact(`a ${round}`),
      () => engine.write(insertNote, [`b ${round}`]),
      () => transact(null),
      refused,
      undone,
      () => engine.writeMany(insertNote, Array.from({ length: 300 }, (_, index) => [`many ${round} ${index}`])),
      () => engine.write(insertNote, [`c ${round}`]),
      refused,
      () => transact(null),
    ]
    // In another order each time; from the tenth time on one after the other.
    const running: Promise<unknown>[] = []
    for (let index = 0; index < works.length; index++) {
      const work = works[(index * 2 + round) % works.length]?.()
      running.push(Promise.resolve(work))
      if (round >= 10) await work
    }
    const asked = [...new Set(told)]
    t.ok(asked.length > 1, `${asked.length} commits`)
    for (const commit of asked) void commit.durable.then(() => durable.push(commit))
    await Promise.all(running)
    await Promise.all(asked.map((commit) => commit.durable))
    await nextTurn()
    t.same(durable.map((commit) => asked.indexOf(commit)), asked.map((_, index) => index))
  }
})

t.test('a write is readable as soon as it resolves, and reads refuse a statement that writes', async (t) => {
  const { engine } = await openEngine(t)
  await engine.write(createNotes, [])
  const [row] = await engine.write(insertNote, ['seen'])
  t.same(await engine.read({ text: 'SELECT title FROM notes WHERE id = ?1' }, row ?? []), [['seen']])
  await t.rejects(async () => engine.read(insertNote, ['x']), /read\(\) takes statements that change nothing/)
  t.same(await titles(engine), ['seen'])
})

t.test('numbered placeholders may come in any order, twice, and beside literals with question marks', async (t) => {
  const { engine } = await openEngine(t)
  const read = async (text: string, values: (string | number)[]): Promise<unknown> => engine.read({ text }, values)
  t.same(await read('SELECT ?2, ?1, ?2', ['a', 'b']), [['b', 'a', 'b']])
  t.same(await read(`SELECT ?1, 'is ?1 it''s ?2', "?3" FROM (SELECT ?2 AS "?3")`, ['a', 'b']), [['a', "is ?1 it's ?2", 'b']])
  t.same(await read('SELECT ?1 LIMIT ?2', [2 ** 53 - 1, 1]), [[2 ** 53 - 1]])
  await t.rejects(read('SELECT ?2, ?1', ['a']), RangeError)
})

t.test('bytes, long text and every kind of number come back as they went in', async (t) => {
  const { engine } = await openEngine(t)
  await engine.write({ text: 'CREATE TABLE kinds (i INTEGER, r REAL, s TEXT, b BLOB) STRICT' }, [])
  const rows = [
    [Number.MAX_SAFE_INTEGER, 0.1, 'ä€😀\u0000x', new Uint8Array([0, 255, 1])],
    [Number.MIN_SAFE_INTEGER, -1e308, 'x'.repeat(1_000_000), new Uint8Array(100_000)],
    [null, null, null, null],
  ]
  await engine.writeMany({ text: 'INSERT INTO kinds VALUES (?1, ?2, ?3, ?4)' }, rows)
  const found = await engine.read({ text: 'SELECT * FROM kinds' }, [])
  t.same(
    found.map((row) => row.map((value) => (value instanceof Uint8Array ? new Uint8Array(value) : value))),
    rows,
  )
})

t.test('a write waits for the lock of another process without stopping the event loop, and gives up in the end', { skip: takesLong('it waits for a lock that another process holds') }, async (t) => {
  const { program } = childProgram(
    t,
    `
    import { createRequire } from 'node:module'
    const Database = createRequire(${JSON.stringify(import.meta.url)})('better-sqlite3')
    const database = new Database(directory + '/rowhouse.db')
    database.exec('BEGIN IMMEDIATE')
    say('locked')
    setTimeout(() => { database.exec('COMMIT'); say('free') }, Number(process.argv[3]))
    `,
  )
  const { engine, directory } = await openEngine(t, { directory: `${t.testdirName}/data`, busyLimit: 1500 })
  await engine.write(createNotes, [])
  let ticks = 0
  const timer = setInterval(() => ticks++, 5)
  const short = startNode(t, program, [directory, '300'])
  await short.line(/locked/)
  await Promise.all([
    engine.write(insertNote, ['a']),
    engine.write(insertNote, ['b']),
    engine.begin().then((transaction) => transaction.rollback()),
    Promise.resolve(engine.read({ text: 'SELECT 1' }, [])).then(() => t.notOk(short.lines.includes('free'), 'reads do not wait')),
  ])
  t.ok(ticks > 5, `the event loop ran ${ticks} times`)
  t.same(await titles(engine), ['a', 'b'])
  const long = startNode(t, program, [directory, '20000'])
  await long.line(/locked/)
  await t.rejects(engine.write(insertNote, ['c']), { name: 'TableError', code: 'busy' })
  clearInterval(timer)
  long.kill()
  await long.end()
  await engine.write(insertNote, ['d'])
  t.same(await titles(engine), ['a', 'b', 'd'])
})

t.test('close finishes what is queued, and refuses what comes after', async (t) => {
  const { engine, directory, commits } = await openEngine(t)
  await engine.write(createNotes, [])
  const transaction = await engine.begin()
  const queued = engine.write(insertNote, ['queued'])
  const closed = engine.close()
  await t.rejects(engine.write(insertNote, ['late']), { message: /has been closed/ })
  await t.rejects(engine.begin(), { message: /has been closed/ })
  await transaction.write(insertNote, ['inside'])
  await transaction.commit()
  await queued
  await closed
  await engine.close()
  await Promise.all(commits.map((commit) => commit.durable))
  await t.rejects(async () => engine.read({ text: 'SELECT 1' }, []), { message: /has been closed/ })
  const again = await openEngine(t, { directory })
  t.same(await titles(again.engine), ['inside', 'queued'])
})
