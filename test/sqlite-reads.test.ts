import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises'
import BetterSqlite3 from 'better-sqlite3'
import * as fc from 'fast-check'
import t, { type Test } from 'tap'
import type { Engine, OpenTransaction } from '../dist/db/engine/engine.js'
import { Child, childProgram, started, startNode } from './support/sqlite-child.ts'
import { createNotes, insertNote, openEngine, titles, type OpenedEngine } from './support/sqlite-engine.ts'
import { needs, takesLong } from './support/needs.ts'
import { plainNode } from './support/plain-node.ts'

/** Why a process cannot look for its open files here; `false` when it can. */

const count = { text: 'SELECT count(*) FROM notes' }

/**
 * Reads more than once in this turn of the event loop, so that the reads share a state of the database, and gives what
 * the last one saw.
 */
function readTwice(engine: Engine): unknown {
  void engine.read({ text: 'SELECT 1 FROM sqlite_schema' }, [])
  return engine.read({ text: 'SELECT title FROM notes ORDER BY id' }, [])
}

/** An engine with one note, and a connection to the same file that knows nothing of it, as another process has one. */
async function openBeside(t: Test): Promise<OpenedEngine & { other: BetterSqlite3.Database }> {
  const opened = await openEngine(t)
  await opened.engine.write(createNotes, [])
  await opened.engine.write(insertNote, ['a'])
  await nextTurn()
  const other = new BetterSqlite3(join(opened.directory, 'rowhouse.db'), { timeout: 0 })
  // Nothing that it writes has to survive.
  other.pragma('synchronous = OFF')
  t.teardown(() => other.close())
  return { ...opened, other }
}

/** Moves the whole log into the database file, which takes that nobody reads; says whether it could. */
const truncateLog = (other: BetterSqlite3.Database): boolean => {
  const [row] = other.pragma('wal_checkpoint(TRUNCATE)') as { busy: number }[]
  return row?.busy === 0
}

t.test('the reads of one turn see one state, and those of the next all that others have committed', async (t) => {
  const { engine, other } = await openBeside(t)
  for (let round = 0; round < 3; round++) {
    const before = await titles(engine)
    t.same(readTwice(engine), before.map((title) => [title]))
    other.prepare('INSERT INTO notes (title) VALUES (?)').run(`other ${round}`)
    t.same(await titles(engine), before, 'a promise alone ends no turn')
    await nextTurn()
    t.same(await titles(engine), [...before, `other ${round}`])
  }
  await engine.write(insertNote, ['own'])
  t.same(await titles(engine), ['a', 'other 0', 'other 1', 'other 2', 'own'])
})

t.test('own commits are seen at once, by the reads of a turn that has already read', async (t) => {
  const { engine } = await openBeside(t)
  // The write's turn comes before that of the reads is over.
  const written = engine.write(insertNote, ['b'])
  t.same(readTwice(engine), [['a']])
  await written
  t.same(readTwice(engine), [['a'], ['b']])
  const begun = engine.begin()
  t.same(readTwice(engine), [['a'], ['b']])
  const transaction = await begun
  t.same(readTwice(engine), [['a'], ['b']])
  await transaction.write(insertNote, ['c'])
  t.same(await titles(transaction), ['a', 'b', 'c'], 'it sees its own writes')
  t.same(readTwice(engine), [['a'], ['b']], 'and nobody else does')
  const next = engine.begin()
  await transaction.commit()
  t.same(readTwice(engine), [['a'], ['b'], ['c']])
  const second = await next
  t.same(readTwice(engine), [['a'], ['b'], ['c']], 'also while the next one is open')
  await second.write(insertNote, ['d'])
  await second.rollback()
  t.same(readTwice(engine), [['a'], ['b'], ['c']])
  const last = [engine.write(insertNote, ['e']), readTwice(engine), engine.writeMany(insertNote, [['f'], ['g']])]
  t.same(readTwice(engine), [['a'], ['b'], ['c']])
  await Promise.all(last)
  t.same(readTwice(engine), ['a', 'b', 'c', 'e', 'f', 'g'].map((title) => [title]))
})

t.test('a read sees what is committed and nothing else, in whatever order all things come', { skip: takesLong('it tries many orders') }, async (t) => {
  const { engine } = await openEngine(t)
  await engine.write(createNotes, [])
  const inTransactions = ['begin', 'write inside', 'commit', 'roll back'] as const
  const step = fc.constantFrom('read', 'read', 'turn', 'write', 'write and wait', ...inTransactions)
  let number = 0
  const property = fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60, size: 'max' }), async (steps) => {
    await engine.write({ text: 'DELETE FROM notes' }, [])
    const committed = new Set<string>()
    /** What has been asked for and not been told of, which may or may not be there yet. */
    const coming = new Set<string>()
    const asked: Promise<unknown>[] = []
    let open: OpenTransaction | undefined
    let inside: string[] = []
    const write = (): Promise<unknown> => {
      const title = `note ${number++}`
      coming.add(title)
      const written = engine.write(insertNote, [title]).then(() => committed.add(title))
      asked.push(written)
      return written
    }
    const end = async (how: 'commit' | 'rollback'): Promise<void> => {
      const [ending, titles] = [open, inside]
      open = undefined
      inside = []
      if (how === 'commit') for (const title of titles) coming.add(title)
      await ending?.[how]()
      if (how === 'commit') for (const title of titles) committed.add(title)
    }
    const read = async (): Promise<void> => {
      const seen = await titles(engine)
      const missing = [...committed].filter((title) => !seen.includes(title))
      const unexpected = seen.filter((title) => !committed.has(String(title)) && !coming.has(String(title)))
      if (missing.length > 0) throw new Error(`a read missed ${missing.join()}`)
      if (unexpected.length > 0) throw new Error(`a read saw ${unexpected.join()}`)
      if (open === undefined) return
      const own = await titles(open)
      const written = own.slice(own.length - inside.length)
      if (written.join() !== inside.join()) throw new Error(`a transaction wrote ${inside.join()}, saw ${own.join()}`)
    }
    for (const name of [...steps, 'read', 'read']) {
      if (name === 'read') await read()
      else if (name === 'turn') await nextTurn()
      else if (name === 'write') void write()
      // The write waits for the open transaction, which ends here: waiting for it would take for ever.
      else if (name === 'write and wait') await (open === undefined ? write() : undefined)
      else if (name === 'begin') open ??= await engine.begin()
      else if (name === 'commit') await end('commit')
      else if (name === 'roll back') await end('rollback')
      else if (open !== undefined) {
        inside.push(`inside ${number++}`)
        await open.write(insertNote, inside.slice(-1))
      }
    }
    await end('rollback')
    await Promise.all(asked)
    await read()
    await nextTurn()
    await read()
  })
  await fc.assert(property, { numRuns: 300 })
})

t.test('nothing is held once a turn is over, and other processes may change everything', async (t) => {
  const { engine, other } = await openBeside(t)
  t.same(readTwice(engine), [['a']])
  t.notOk(truncateLog(other), 'while the turn lasts the log is in use')
  await pause(20)
  t.ok(truncateLog(other))
  t.same(readTwice(engine), [['a']])
  await nextTurn()
  other.exec('ALTER TABLE notes ADD COLUMN extra TEXT; PRAGMA user_version = 5')
  t.same(engine.read({ text: 'SELECT * FROM notes' }, []), [[1, 'a', null, null]], 'also the schema')
  t.same(engine.read({ text: 'SELECT * FROM notes' }, []), [[1, 'a', null, null]])
  await nextTurn()
  other.exec('ALTER TABLE notes DROP COLUMN extra')
  void engine.read(count, [])
  t.same(engine.read({ text: 'SELECT * FROM notes' }, []), [[1, 'a', null]])
})

t.test('turns that read once share nothing, but for a try now and then', async (t) => {
  const { engine, other } = await openBeside(t)
  const write = other.prepare('UPDATE notes SET title = title')
  /** In how many of 200 turns the log is still in use after so many reads. */
  const held = async (reads: number): Promise<number> => {
    let turns = 0
    for (let turn = 0; turn < 200; turn++) {
      await nextTurn()
      write.run()
      for (let number = 0; number < reads; number++) void engine.read(count, [])
      if (!truncateLog(other)) turns++
    }
    return turns
  }
  t.equal(await held(1), 6)
  for (const reads of [2, 3, 4, 5, 6, 7, 8]) {
    t.ok((await held(reads)) > 100, `${reads} in a turn are shared again`)
    t.ok((await held(1)) < 10)
  }
})

t.test('another process finds the log free while this one sleeps', async (t) => {
  const { program, directory } = childProgram(
    t,
    `
    import { createRequire } from 'node:module'
    const Database = createRequire(${JSON.stringify(import.meta.url)})('better-sqlite3')
    const database = new Database(directory + '/rowhouse.db', { timeout: 0 })
    say('open')
    process.stdin.once('data', () => setTimeout(() => {
      say('busy ' + database.pragma('wal_checkpoint(TRUNCATE)')[0].busy)
      process.exit(0)
    }, 100))
    `,
  )
  const { engine } = await openEngine(t, { directory })
  await engine.write(createNotes, [])
  const child = startNode(t, program, [directory])
  await child.line(/open/)
  child.process.stdin?.write('go\n')
  // Nothing but the end of the turn wakes the event loop after this.
  await nextTurn()
  t.same(readTwice(engine), [])
  t.equal(await child.line(/busy/), 'busy 0')
})

t.test('the log begins anew while every turn reads, however long it lasts', { skip: takesLong('each of its turns lasts 300 ms') }, async (t) => {
  const { engine, directory, warnings } = await openEngine(t)
  const log = join(directory, 'rowhouse.db-wal')
  await engine.write({ text: 'CREATE TABLE blobs (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT' }, [])
  const insert = { text: 'INSERT INTO blobs (body) VALUES (?1)' }
  const write = (mebibytes: number): Promise<unknown> => engine.write(insert, [new Uint8Array(mebibytes * 1024 * 1024)])
  // Enough to begin a checkpoint.
  await write(33)
  let writing = true
  const reading = (async () => {
    while (writing) {
      const until = performance.now() + 300
      do void engine.read({ text: 'SELECT count(*) FROM blobs' }, [])
      while (performance.now() < until)
      await nextTurn()
    }
  })()
  for (let number = 0; number < 12; number++) await write(1)
  writing = false
  await reading
  t.ok(statSync(log).size < 40 * 1024 * 1024, 'its space is used again')
  t.same(warnings, [], 'nobody is said to keep it in use')
})

t.test('a read that fails leaves those after it well, in its turn and in the next', async (t) => {
  const { engine, other } = await openBeside(t)
  const failing = [
    { text: `SELECT json('{') FROM notes` },
    { text: 'SELECT abs(-9223372036854775807 - 1)' },
    { text: 'SELECT nothing FROM nowhere' },
    { text: 'SELECT ?1' },
    { text: `UPDATE notes SET title = 'changed'` },
  ]
  for (const statement of failing) {
    t.same(readTwice(engine), [['a']])
    const refused = engine.read(statement, [])
    t.same(readTwice(engine), [['a']])
    await t.rejects(async () => refused)
    await nextTurn()
    await t.rejects(async () => engine.read(statement, []), 'also as the first of a turn')
    t.same(readTwice(engine), [['a']])
    await t.rejects(async () => engine.read(statement, []))
    await nextTurn()
    t.ok(truncateLog(other), 'nothing is held')
  }
  await engine.write(insertNote, ['b'])
  t.same(readTwice(engine), [['a'], ['b']])
})

t.test('a disk that cannot be read ends the reads, not the process', { skip: needs('/proc') }, async (t) => {
  const { program, directory } = childProgram(
    t,
    `
    import { closeSync, readdirSync, readlinkSync } from 'node:fs'
    import { setImmediate as nextTurn } from 'node:timers/promises'
    const insert = { text: 'INSERT INTO notes (title) VALUES (?1)' }
    const first = await open()
    await first.write({ text: 'CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT) STRICT' }, [])
    await first.writeMany(insert, Array.from({ length: 20000 }, () => ['x'.repeat(1000)]))
    await first.close()
    const failures = []
    const engine = await open({ onFailure: (failure) => failures.push(failure.message) })
    const one = 'SELECT id FROM notes WHERE id = 1'
    say('before ' + await Promise.all([engine.read({ text: one }, []), engine.read({ text: one }, [])]))
    // What SQLite opened is closed behind its back: each page that is not in memory can no longer be read.
    for (const descriptor of readdirSync('/proc/self/fd')) {
      let path = ''
      // One of them was that of reading the folder.
      try { path = readlinkSync('/proc/self/fd/' + descriptor) } catch {}
      if (path.endsWith('/rowhouse.db')) closeSync(Number(descriptor))
    }
    const all = 'SELECT sum(length(title)) FROM notes'
    const refused = [Promise.resolve(engine.read({ text: all }, [])), Promise.resolve(engine.read({ text: all }, []))]
    say('refused ' + (await Promise.allSettled(refused)).map(({ reason }) => reason?.name))
    await nextTurn()
    await nextTurn()
    say('write ' + (await engine.write(insert, ['late']).catch((error) => error.name)))
    say('failures ' + failures.length + ' ' + failures[0])
    process.exit(0)
    `,
  )
  const child = startNode(t, program, [directory])
  t.equal(await child.end(), 0)
  t.match(child.lines, [
    'before 1,1',
    /^error the disk failed/,
    'refused DatabaseFailure,DatabaseFailure',
    'write DatabaseFailure',
    /^failures 1 the disk failed/,
  ])
})

t.test('reads wait while another process mends the index of the log', { skip: needs('strace') }, async (t) => {
  const { folder, program, directory } = childProgram(
    t,
    `
    import { openSync, writeSync } from 'node:fs'
    import { createRequire } from 'node:module'
    const Database = createRequire(${JSON.stringify(import.meta.url)})('better-sqlite3')
    writeSync(openSync(directory + '/rowhouse.db-shm', 'r+'), Buffer.alloc(8, 0x5a), 0, 8, 8)
    const database = new Database(directory + '/rowhouse.db')
    say('mended ' + database.prepare('SELECT count(*) FROM notes').pluck().get())
    process.exit(0)
    `,
  )
  const { engine } = await openEngine(t, { directory })
  await engine.write(createNotes, [])
  await engine.write(insertNote, ['a'])
  // The mending reads the whole log, 150 ms for each piece of it.
  const trace = join(folder, 'trace')
  const log = join(directory, 'rowhouse.db-wal')
  const inject = ['-e', 'trace=pread64', '-e', 'inject=pread64:delay_enter=150000']
  const slow = ['-f', '-qq', '-P', log, ...inject, '-o', trace]
  const child = started(t, new Child('strace', [...slow, ...plainNode(), program, directory]))
  while (!existsSync(trace) || statSync(trace).size === 0) await pause(5)
  const waiting = Array.from({ length: 3 }, () => engine.read(count, []))
  t.ok(waiting.every((read) => read instanceof Promise))
  const written = engine.write(insertNote, ['b'])
  await nextTurn()
  waiting.push(engine.read(count, []), engine.read(count, []))
  t.same(child.lines, [], 'the event loop goes on meanwhile')
  for (const read of await Promise.all(waiting)) t.ok([1, 2].includes(Number(read[0]?.[0])))
  await written
  t.same(readTwice(engine), [['a'], ['b']])
  t.equal(await child.end(), 0)
  t.match(child.lines, [/^mended [12]$/])
})

t.test('close ends a turn that has read, and a program that does not close ends by itself', async (t) => {
  const { engine, directory } = await openEngine(t)
  await engine.write(createNotes, [])
  await nextTurn()
  t.same(readTwice(engine), [])
  await engine.close()
  t.notOk(existsSync(join(directory, 'rowhouse.db-wal')), 'the log is in the database file')
  await nextTurn()
  await t.rejects(async () => engine.read(count, []), { message: /has been closed/ })
  const { program, directory: data } = childProgram(
    t,
    `
    const engine = await open()
    await engine.write({ text: 'CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT) STRICT' }, [])
    await commit.durable
    for (let times = 0; times < 3; times++) engine.read({ text: 'SELECT 1' }, [])
    say('read')
    `,
  )
  const child = startNode(t, program, [data])
  t.equal(await child.end(), 0)
  t.same(child.lines, ['read'])
})
