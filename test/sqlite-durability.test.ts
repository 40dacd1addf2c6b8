import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { needs, takesLong } from './support/needs.ts'
import { plainNode } from './support/plain-node.ts'
import { Child, childProgram, started, startNode } from './support/sqlite-child.ts'
import { openEngine, titles } from './support/sqlite-engine.ts'
import { acknowledgements, readTrace, tampered, traced, unsafeAcknowledgements } from './support/sqlite-trace.ts'

/** Writes rows from several callers at once, acknowledging each after its commit is durable, until it is killed. */
const endlessWriter = `
const engine = await open()
await engine.write({ text: 'CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL) STRICT' }, [])
const insert = { text: 'INSERT INTO notes (title) VALUES (?1) RETURNING id' }
async function client(name) {
  for (let number = 0; ; number++) {
    const title = name + '-' + number
    if (number % 10 === 9) {
      const transaction = await engine.begin()
      await transaction.write(insert, [title + '-a'])
      await transaction.write(insert, [title + '-b'])
      const committed = await transaction.commit()
      await committed.durable
      say('ack ' + title + '-a')
      say('ack ' + title + '-b')
    } else {
      const written = engine.write(insert, [title])
      const own = commit
      await written
      await own.durable
      say('ack ' + title)
    }
  }
}
await Promise.all(Array.from({ length: 16 }, (_, index) => client(process.argv[3] + '.' + index)))
`

t.test('killed in the middle of writing, again and again, it loses no acknowledged row and doubles none', { skip: takesLong('it kills and starts a writer twelve times') }, async (t) => {
  const { program, directory } = childProgram(t, endlessWriter)
  const acknowledged: string[] = []
  for (let round = 0; round < 12; round++) {
    const child = startNode(t, program, [directory, `round${round}`])
    await child.line(/^ack/)
    await pause(20 + round * 10)
    child.kill()
    await child.end()
    acknowledged.push(...child.lines.filter((line) => line.startsWith('ack ')).map((line) => line.slice(4)))
  }
  const { engine } = await openEngine(t, { directory })
  const stored = await titles(engine)
  const found = new Set(stored)
  t.ok(acknowledged.length > 500, `${acknowledged.length} rows were acknowledged`)
  t.same(
    acknowledged.filter((title) => !found.has(title)),
    [],
    'none is lost',
  )
  t.equal(found.size, stored.length, 'none is doubled')
  const halves = (end: string): unknown[] => stored.filter((title) => String(title).endsWith(end)).map((title) => String(title).slice(0, -2))
  t.same(halves('-a'), halves('-b'), 'no half of a transaction is there')
  t.same(await engine.read({ text: 'PRAGMA integrity_check' }, []), [['ok']])
})

/** Writes one row after another and then many at once; acknowledges after `durable`, or, told to be careless, as soon as the row is visible. */
const acknowledger = `
const engine = await open()
await engine.write({ text: 'CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL) STRICT' }, [])
const insert = { text: 'INSERT INTO notes (title) VALUES (?1) RETURNING id' }
const careless = process.argv[3] === 'careless'
async function add(title) {
  const written = engine.write(insert, [title])
  const own = commit
  await written
  if (!careless) await own.durable
  say('ack ' + title)
}
async function addInTransaction(title) {
  const transaction = await engine.begin()
  await transaction.write(insert, [title])
  const committed = await transaction.commit()
  if (!careless) await committed.durable
  say('ack ' + title)
}
for (let number = 0; number < 15; number++) await add('<one-' + number + '>')
await Promise.all(Array.from({ length: 40 }, async (_, index) => {
  for (let number = 0; number < 3; number++) await (index % 4 === 0 ? addInTransaction : add)('<many-' + index + '-' + number + '>')
}))
process.exit(0)
`

async function trace(t: Test, mode: 'careful' | 'careless', inject: string[]): Promise<{ acknowledged: number; unsafe: string[] }> {
  const { folder, program, directory } = childProgram(t, acknowledger)
  const output = join(folder, 'trace.txt')
  const child = started(t, new Child(...traced(output, inject, [...plainNode(), program, directory, mode])))
  t.equal(await child.end(), 0)
  const calls = readTrace(output)
  return { acknowledged: acknowledgements(calls).length, unsafe: unsafeAcknowledgements(calls, join(directory, 'rowhouse.db-wal')) }
}

t.test('no acknowledgement leaves before the end of the sync that covers its row', { skip: needs('strace') }, async (t) => {
  const { acknowledged, unsafe } = await trace(t, 'careful', [])
  t.equal(acknowledged, 135)
  t.same(unsafe, [])
})

t.test('the check before this one fails for a program that does not wait for durable', { skip: needs('strace') }, async (t) => {
  const { acknowledged, unsafe } = await trace(t, 'careless', ['-e', 'inject=fdatasync:delay_enter=2000'])
  t.equal(acknowledged, 135)
  t.ok(unsafe.length > 10, `it found ${unsafe.length}`)
})

t.test('a failed sync acknowledges nothing, refuses every later write, and tells the owner once', { skip: needs('strace') }, async (t) => {
  const { program, directory } = childProgram(
    t,
    `
    const failures = []
    const engine = await open({ onFailure: (failure) => failures.push(failure) })
    await engine.write({ text: 'CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL) STRICT' }, [])
    await commit.durable
    const insert = { text: 'INSERT INTO notes (title) VALUES (?1) RETURNING id' }
    const told = (what) => (value) => say(what + ' ' + (value instanceof Error ? value.name + ': ' + value.message : 'ok'))
    let number = 0
    while (failures.length === 0) {
      const title = 'row-' + number++
      const written = engine.write(insert, [title])
      const own = commit
      await written.then(() => own.durable).then(() => say('ack ' + title), told('refused'))
    }
    await engine.write(insert, ['later']).then(told('later write'), told('later write'))
    await engine.writeMany(insert, [['later']]).then(told('later many'), told('later many'))
    await engine.begin().then(told('later begin'), told('later begin'))
    await Promise.resolve(engine.read({ text: 'SELECT count(*) FROM notes' }, [])).then(told('read'), told('read'))
    await new Promise((resolve) => setTimeout(resolve, 50))
    say('failures ' + failures.length)
    await engine.close()
    process.exit(1)
    `,
  )
  const wal = join(directory, 'rowhouse.db-wal')
  const inject = ['-e', 'trace=fdatasync', '-P', wal, '-e', 'inject=fdatasync:error=EIO:when=6+']
  const child = started(t, new Child(...tampered(inject, [...plainNode(), program, directory]), { env: { ...process.env, UV_THREADPOOL_SIZE: '1' } }))
  t.equal(await child.end(), 1)
  const { lines } = child
  const acknowledged = lines.filter((line) => line.startsWith('ack '))
  t.equal(acknowledged.length, 4, 'those before the failure')
  t.match(lines.find((line) => line.startsWith('refused')), /^refused DatabaseFailure: the disk refused to store what was written \(EIO\)/)
  for (const later of ['later write', 'later many', 'later begin']) t.match(lines.find((line) => line.startsWith(later)), /DatabaseFailure: the disk refused/)
  t.ok(lines.includes('read ok'), 'reads go on until the process ends')
  t.ok(lines.includes('failures 1'))
  t.equal(lines.filter((line) => line.startsWith('error ')).length, 1)
  t.ok(readFileSync(wal).length > 0, 'the log that a sync has failed on is left for the next start to verify')
  const { engine } = await openEngine(t, { directory })
  const stored = await titles(engine)
  for (const line of acknowledged) t.ok(stored.includes(line.slice(4)))
})

t.test('a log deleted under the running engine acknowledges nothing more', async (t) => {
  const { program, directory } = childProgram(
    t,
    `
    import { rmSync } from 'node:fs'
    const engine = await open({ onFailure: () => process.exit(1) })
    await engine.write({ text: 'CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT) STRICT' }, [])
    await commit.durable
    say('ack')
    rmSync(directory + '/rowhouse.db-wal')
    await engine.write({ text: "INSERT INTO notes (title) VALUES ('lost')" }, [])
    await commit.durable
    say('ack')
    `,
  )
  const child = startNode(t, program, [directory])
  t.equal(await child.end(), 1)
  t.match(child.lines, ['ack', /^error the log beside the database file was deleted, moved or replaced while it was in use; nothing more is accepted/])
})

for (const [what, change] of [['deleted', 'rmSync(file)'], ['replaced', "copyFileSync(file, file + '.copy'); renameSync(file + '.copy', file)"]]) {
  t.test(`a database file ${what} under the running engine acknowledges nothing more`, async (t) => {
    const { program, directory } = childProgram(
      t,
      `
      import { copyFileSync, renameSync, rmSync } from 'node:fs'
      const file = directory + '/rowhouse.db'
      const engine = await open({ onFailure: () => process.exit(1) })
      await engine.write({ text: 'CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT) STRICT' }, [])
      await commit.durable
      say('ack')
      ${change}
      await engine.write({ text: "INSERT INTO notes (title) VALUES ('lost')" }, [])
      await commit.durable
      say('ack')
      `,
    )
    const child = startNode(t, program, [directory])
    t.equal(await child.end(), 1)
    t.match(child.lines, ['ack', /^error the database file was deleted, moved or replaced while it was in use; nothing more is accepted/])
    t.equal(child.lines.length, 2)
  })
}

t.test('an operation that the disk fails on ends the engine, and is not acknowledged', { skip: needs('strace') }, async (t) => {
  const { program, directory } = childProgram(
    t,
    `
    const engine = await open({ onFailure: () => say('failed') })
    await engine.write({ text: 'CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL) STRICT' }, [])
    const insert = { text: 'INSERT INTO notes (title) VALUES (?1) RETURNING id' }
    for (let number = 0; number < 20; number++) {
      const written = engine.write(insert, ['row-' + number])
      const own = commit
      await written.then(() => own.durable).then(() => say('ack row-' + number), (error) => say('refused ' + error.name))
    }
    process.exit(1)
    `,
  )
  const inject = ['-e', 'trace=pwrite64', '-P', join(directory, 'rowhouse.db-wal'), '-e', 'inject=pwrite64:error=EIO:when=30..34']
  const child = started(t, new Child(...tampered(inject, [...plainNode(), program, directory])))
  t.equal(await child.end(), 1)
  const firstRefused = child.lines.findIndex((line) => line.startsWith('refused'))
  t.ok(firstRefused > 1)
  t.notOk(
    child.lines.slice(firstRefused).some((line) => line.startsWith('ack')),
    'nothing is acknowledged after it',
  )
  t.ok(child.lines.includes('failed'))
  const { engine } = await openEngine(t, { directory })
  const stored = await titles(engine)
  for (const line of child.lines.filter((line) => line.startsWith('ack '))) t.ok(stored.includes(line.slice(4)))
})

t.test('a checkpoint whose sync fails ends the engine, and every acknowledged row is in the log that is left', { skip: needs('strace') }, async (t) => {
  const { program, directory } = childProgram(
    t,
    `
    let failed = false
    const engine = await open({ onFailure: (failure) => { failed = true; say('failed ' + failure.message) } })
    await engine.write({ text: 'CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL, body BLOB NOT NULL) STRICT' }, [])
    const insert = { text: 'INSERT INTO notes (title, body) VALUES (?1, ?2) RETURNING id' }
    const body = new Uint8Array(200_000)
    for (let number = 0; !failed && number < 2000; number++) {
      const written = engine.write(insert, ['row-' + number, body])
      const own = commit
      await written.then(() => own.durable).then(() => say('ack row-' + number), () => undefined)
    }
    process.exit(1)
    `,
  )
  const inject = ['-e', 'trace=fsync', '-P', join(directory, 'rowhouse.db'), '-e', 'inject=fsync:error=EIO:when=1+']
  await (await openEngine(t, { directory })).engine.close()
  const child = started(t, new Child(...tampered(inject, [...plainNode(), program, directory])))
  t.equal(await child.end(), 1)
  t.match(child.lines.filter((line) => line.startsWith('failed')), [/^failed the disk failed while the database was read or written; .*SQLITE_IOERR/])
  const { engine } = await openEngine(t, { directory })
  const stored = await titles(engine)
  const acknowledged = child.lines.filter((line) => line.startsWith('ack ')).map((line) => line.slice(4))
  t.ok(acknowledged.length > 100)
  t.same(stored.slice(0, acknowledged.length), acknowledged)
  t.same(await engine.read({ text: 'PRAGMA integrity_check' }, []), [['ok']])
})
