import { chmodSync, chownSync, closeSync, copyFileSync, existsSync, ftruncateSync, mkdirSync, openSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import t, { type Test } from 'tap'
import { DatabaseFailure } from '../dist/db/errors/errors.js'
import { needs, takesLong } from './support/needs.ts'
import { plainNode } from './support/plain-node.ts'
import { Child, childProgram, started, startNode } from './support/sqlite-child.ts'
import { createNotes, insertNote, openEngine, titles } from './support/sqlite-engine.ts'
import { tampered } from './support/sqlite-trace.ts'

/** The one sentence with which opening this data folder fails. */
async function refusal(t: Test, directory: string): Promise<string> {
  const error: unknown = await openEngine(t, { directory }).then(
    () => undefined,
    (failure: unknown) => failure,
  )
  if (!(error instanceof DatabaseFailure)) throw new Error('expected a DatabaseFailure', { cause: error })
  t.notMatch(error.message, /\n|SqliteError|\bat\b .*:\d/, 'one sentence, no stack')
  return error.message
}

/** A data folder with a closed database of some rows, large enough to lose some. */
async function filledDirectory(t: Test, rows = 2000): Promise<{ directory: string; file: string }> {
  const { engine, directory } = await openEngine(t)
  await engine.write(createNotes, [])
  await engine.writeMany(insertNote, Array.from({ length: rows }, (_, index) => [`${index} ${'x'.repeat(500)}`]))
  await engine.close()
  return { directory, file: join(directory, 'rowhouse.db') }
}

t.test('a data folder that is not there is made, for its owner alone, and opened again as it was left', async (t) => {
  const directory = join(t.testdir(), 'some', 'where')
  const first = await openEngine(t, { directory })
  t.equal(statSync(directory).mode & 0o777, 0o700)
  await first.engine.write(createNotes, [])
  await first.engine.write(insertNote, ['kept'])
  await first.engine.close()
  t.notOk(existsSync(join(directory, 'rowhouse.db-wal')))
  const second = await openEngine(t, { directory })
  t.same(await titles(second.engine), ['kept'])
  t.same(await second.engine.write({ text: 'PRAGMA journal_mode' }, []), [['wal']])
  t.same(await second.engine.write({ text: 'PRAGMA synchronous' }, []), [[1]])
  t.same(await second.engine.write({ text: 'PRAGMA foreign_keys' }, []), [[1]])
  t.same(second.warnings, [])
})

t.test('its files are for their owner alone, and permissions that let others read an existing one are warned of, not changed', async (t) => {
  const { engine, directory, warnings } = await openEngine(t)
  const mode = (name: string): number => statSync(join(directory, name)).mode & 0o777
  for (const name of ['rowhouse.db', 'rowhouse.db-wal', 'rowhouse.db-shm', 'server.lock']) t.equal(mode(name), 0o600, name)
  t.same(warnings, [])
  await engine.close()
  chmodSync(join(directory, 'rowhouse.db'), 0o640)
  const again = await openEngine(t, { directory })
  t.match(again.warnings, [/^the permissions of .*rowhouse\.db \(640\) let other users of this machine read it; run chmod 600 on it/])
  t.equal(again.warnings.length, 1)
  t.equal(mode('rowhouse.db'), 0o640)
})

t.test('a second server on the same data is refused, and accepted once the first was killed', async (t) => {
  const { program, directory } = childProgram(t, `await open(); say('open'); setInterval(() => {}, 1000)`)
  const first = startNode(t, program, [directory])
  await first.line(/open/)
  t.match(await refusal(t, directory), /^another Rowhouse server is running on the data folder .*; stop it, or give this one a folder of its own$/)
  const { engine: beside } = await openEngine(t, { directory, exclusive: false })
  await beside.write(createNotes, [])
  await beside.write(insertNote, ['from the command line'])
  await beside.close()
  first.kill()
  await first.end()
  const { engine } = await openEngine(t, { directory })
  t.same(await titles(engine), ['from the command line'])
  t.match(await refusal(t, directory), /another Rowhouse server/, 'also within one process')
  await engine.close()
  await (await openEngine(t, { directory })).engine.close()
})

t.test('a lock file left behind keeps nobody away, and one that cannot be a lock is named', async (t) => {
  const directory = t.testdir({ 'server.lock': '' })
  await (await openEngine(t, { directory })).engine.close()
  writeFileSync(join(directory, 'server.lock'), 'not a lock at all, but rather long'.repeat(100))
  t.match(await refusal(t, directory), /^the lock file .*server\.lock cannot be used \(SQLITE_NOTADB\); delete it while no server runs/)
})

t.test('processes that start at once on an empty folder all succeed', { skip: takesLong('it starts four processes at once') }, async (t) => {
  const { program, directory } = childProgram(
    t,
    `
    const engine = await open({ exclusive: false })
    await engine.write({ text: 'CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL) STRICT' }, [])
    await engine.write({ text: 'INSERT INTO notes (title) VALUES (?1)' }, [process.argv[3]])
    await commit.durable
    await engine.close()
    `,
  )
  const children = ['a', 'b', 'c', 'd'].map((name) => startNode(t, program, [directory, name]))
  t.same(await Promise.all(children.map((child) => child.end())), [0, 0, 0, 0])
  const { engine } = await openEngine(t, { directory })
  t.same((await titles(engine)).toSorted(), ['a', 'b', 'c', 'd'])
})

t.test('a database of another program is refused and left as it is', async (t) => {
  const directory = t.testdir()
  const file = join(directory, 'rowhouse.db')
  const foreign = new BetterSqlite3(file)
  foreign.exec('CREATE TABLE theirs (a)')
  foreign.close()
  const before = readFileSync(file)
  t.match(await refusal(t, directory), /rowhouse\.db is a database of another program; choose another data folder, or move the file away$/)
  t.same(readFileSync(file), before)
  const marked = new BetterSqlite3(file)
  marked.exec('DROP TABLE theirs; PRAGMA application_id = 12345; VACUUM')
  marked.close()
  t.match(await refusal(t, directory), /is a database of another program/)
})

t.test('what is not a database, or is damaged, is refused with what to do', async (t) => {
  const { directory, file } = await filledDirectory(t)
  const copy = `${file}.copy`
  copyFileSync(file, copy)
  const restore = (): void => copyFileSync(copy, file)
  const scribble = (position: number, bytes: Uint8Array): void => {
    restore()
    const descriptor = openSync(file, 'r+')
    writeSync(descriptor, bytes, 0, bytes.length, position)
    closeSync(descriptor)
  }
  const truncate = (size: number): void => {
    restore()
    const descriptor = openSync(file, 'r+')
    ftruncateSync(descriptor, size)
    closeSync(descriptor)
  }
  writeFileSync(file, 'Dear diary, '.repeat(1000))
  t.match(await refusal(t, directory), /is not an SQLite database, or its first page is damaged; restore a backup, or move the file away$/)
  scribble(0, new Uint8Array(100).fill(0x5a))
  t.match(await refusal(t, directory), /is not an SQLite database, or its first page is damaged/)
  scribble(100, new Uint8Array(500).fill(0x5a))
  t.match(await refusal(t, directory), /is damaged; restore a backup, or move the file away$/)
  truncate(Math.floor(statSync(copy).size / 2 / 4096) * 4096)
  t.match(await refusal(t, directory), /is damaged/)
  truncate(5000)
  t.match(await refusal(t, directory), /is damaged/)
  scribble(40 * 4096, new Uint8Array(4096).fill(0x5a))
  t.match(await refusal(t, directory), /is damaged/, 'also in the middle, in a file this small')
  restore()
  const { engine } = await openEngine(t, { directory })
  t.equal((await titles(engine)).length, 2000, 'the file itself was never changed')
})

t.test('an empty or missing file beside a log with rows is refused, because SQLite would delete the log', async (t) => {
  const { program, directory } = childProgram(
    t,
    `
    const engine = await open()
    await engine.write({ text: 'CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT) STRICT' }, [])
    await commit.durable
    process.exit(0)
    `,
  )
  const file = join(directory, 'rowhouse.db')
  t.equal(await startNode(t, program, [directory]).end(), 0)
  const log = readFileSync(`${file}-wal`)
  const database = readFileSync(file)
  writeFileSync(file, '')
  t.match(await refusal(t, directory), /rowhouse\.db is empty, but its log .*rowhouse\.db-wal is there; restore the file, or move the log away/)
  rmSync(file)
  t.match(await refusal(t, directory), /rowhouse\.db is missing, but its log/)
  t.same(readFileSync(`${file}-wal`), log)
  writeFileSync(file, database)
  const { engine } = await openEngine(t, { directory })
  t.same(await titles(engine), [])
})

t.test('a damaged page that is found later refuses the read and everything after it, and tells the owner', { skip: takesLong('it fills a database of many pages') }, async (t) => {
  const { directory, file } = await filledDirectory(t, 40_000)
  const descriptor = openSync(file, 'r+')
  for (let page = 300; page < 4000; page++) writeSync(descriptor, new Uint8Array(200).fill(0x5a), 0, 200, page * 4096)
  closeSync(descriptor)
  const failures: unknown[] = []
  const { engine } = await openEngine(t, { directory, onFailure: (failure) => failures.push(failure) })
  await t.rejects(titles(engine), { name: 'DatabaseFailure', message: /^the database file is damaged; stop the server and restore a backup/ })
  await t.rejects(engine.write(insertNote, ['late']), { name: 'DatabaseFailure' })
  await t.rejects(engine.begin(), { name: 'DatabaseFailure' })
  t.equal(failures.length, 1)
})

t.test('a folder or device in place of the file is refused', async (t) => {
  const directory = t.testdir({ 'rowhouse.db': {} })
  t.match(await refusal(t, directory), /rowhouse\.db is not a file but a folder; move it away$/)
  rmSync(join(directory, 'rowhouse.db'), { recursive: true })
  symlinkSync('/dev/null', join(directory, 'rowhouse.db'))
  t.match(await refusal(t, directory), /rowhouse\.db is not a file but a device; move it away$/)
})

t.test('a file that is a link is opened with the log beside its target', async (t) => {
  const folder = t.testdir({ elsewhere: {}, data: {} })
  symlinkSync(join(folder, 'elsewhere', 'real.db'), join(folder, 'data', 'rowhouse.db'))
  const { engine, commits } = await openEngine(t, { directory: join(folder, 'data') })
  await engine.write(createNotes, [])
  await commits[0]?.durable
  t.ok(existsSync(join(folder, 'elsewhere', 'real.db-wal')))
  for (const name of ['real.db', 'real.db-wal']) t.equal(statSync(join(folder, 'elsewhere', name)).mode & 0o777, 0o600, 'for its owner alone')
})

t.test('a data folder that cannot be made or written is refused', async (t) => {
  const { folder, program } = childProgram(t, `await open().then(() => say('opened'), (error) => say(error.name + ': ' + error.message)); process.exit(0)`)
  // The superuser may write everywhere, so another user tries.
  const user = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}
  chmodSync(folder, 0o755)
  const said = async (directory: string): Promise<string | undefined> => {
    const child = startNode(t, program, [directory], { ...user, cwd: folder })
    await child.end()
    return child.lines[0]
  }
  writeFileSync(join(folder, 'file'), '')
  t.match(await said(join(folder, 'file')), /^DatabaseFailure: \/.*\/file is a file where a folder for the app's data has to be; move it away, or choose another data folder with --data$/)
  t.match(await said(join(folder, 'file', 'data')), /\/file is a file where a folder for the app's data has to be/)
  mkdirSync(join(folder, 'closed'), { mode: 0o555 })
  t.match(await said(join(folder, 'closed')), /^DatabaseFailure: the data folder .*closed cannot be read and written by this user \(EACCES\); change its owner or permissions$/)
  t.match(await said(join(folder, 'closed', 'data')), /^DatabaseFailure: the folder .*data cannot be written \(EACCES\); give this user the right to write there/)
  mkdirSync(join(folder, 'open'))
  if (process.getuid?.() === 0) chownSync(join(folder, 'open'), 65534, 65534)
  writeFileSync(join(folder, 'open', 'rowhouse.db'), '', { mode: 0o444 })
  t.match(await said(join(folder, 'open')), /^DatabaseFailure: the database file .*rowhouse\.db cannot be read and written by this user \(EACCES\)/)
})

t.test('a network file system is refused, and a FUSE one is left to the operator', { skip: needs('strace') }, async (t) => {
  const { program, directory } = childProgram(t, `await open().then(() => say('opened'), (error) => say(error.name + ': ' + error.message)); process.exit(0)`)
  // The kernel's answer is changed on its way back: struct statfs begins with the type, in the machine's byte order.
  const said = async (type: string): Promise<string[]> => {
    const inject = ['-e', 'trace=statfs', '-e', `inject=statfs:poke_exit=@arg2=${type}`]
    const child = started(t, new Child(...tampered(inject, [...plainNode(), program, directory])))
    await child.end()
    return child.lines
  }
  t.match(await said('6969000000000000'), [/^DatabaseFailure: the data folder .* is on a network file system \(NFS\), where SQLite's locks do not work; choose a folder on a local disk$/])
  t.match(await said('424d53fe00000000'), [/network file system \(SMB2\)/])
  t.match(await said('4655736500000000'), [/^warn the data folder .* is on a FUSE file system \(.*\); use it only if it is a disk of this machine$/, 'opened'])
})
