import { chmod, chown, cp, mkdir, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import { temporaryFolder } from './support/app.ts'
import { takesLong } from './support/needs.ts'
import { asOrdinaryUser, runRowhouse, startServer } from './support/rowhouse-process.ts'

const files = {
  'tables.ts': `
    import { defineTables, table, text } from 'rowhouse'
    export const tables = defineTables({ entries: table({ marker: text() }), pages: table({ content: text() }) })`,
  'modules/entries.ts': `
    import { httpEndpoint, text } from 'rowhouse'
    import { tables } from '../tables.js'
    httpEndpoint('/add', { methods: ['POST'], params: { marker: text() } }, async ({ marker }) => {
      await tables.entries.addRow({ marker })
      return 'ok'
    })
    httpEndpoint('/all', () => tables.entries.search().map(({ marker }) => marker))
    httpEndpoint('/fill', { methods: ['POST'] }, async () => {
      await tables.pages.addRows(Array.from({ length: 40 }, () => ({ content: 'x'.repeat(250_000) })))
      return 'ok'
    })`,
}

async function makeApp(t: Test): Promise<{ directory: string; file: string }> {
  const directory = await temporaryFolder(t)
  await mkdir(join(directory, 'modules'))
  for (const [name, content] of Object.entries(files)) await writeFile(join(directory, name), content)
  return { directory, file: join(directory, '.rowhouse', 'rowhouse.db') }
}

/** Starts the app, adds rows, and ends it: by its signal to stop, or killed. */
async function run(t: Test, directory: string, markers: readonly string[], signal: 'SIGTERM' | 'SIGKILL', words: readonly string[] = []): Promise<string[]> {
  const server = await startServer(t, directory, words)
  for (const marker of markers) t.equal((await fetch(`${server.url}/_/api/add?marker=${marker}`, { method: 'POST' })).status, 200)
  const found = (await (await fetch(`${server.url}/_/api/all`)).json()) as string[]
  server.child.kill(signal)
  await server.ended
  return found
}

async function refused(t: Test, directory: string, reason: RegExp): Promise<void> {
  const { code, stderr } = await runRowhouse(t, ['start', directory, '--port', '0'])
  t.equal(code, 1)
  t.match(stderr, reason)
  t.match(stderr, /^[^\n]*--accept-data-loss[^\n]*\n$/, 'one sentence, which says how to go on')
}

t.test('a log that was in use and is gone stops the start, and nothing is lost when it is put back', { skip: takesLong('it starts several servers') }, async (t) => {
  const { directory, file } = await makeApp(t)
  await run(t, directory, ['one'], 'SIGTERM')
  await run(t, directory, ['two', 'three'], 'SIGKILL')
  await rename(`${file}-wal`, join(directory, 'put-away'))
  await rm(`${file}-shm`)
  await refused(t, directory, /rowhouse\.db-wal, which is missing/)
  t.match(await runRowhouse(t, ['check', directory, '--database']), { code: 1, stderr: /which is missing/ })
  t.match(await runRowhouse(t, ['users', 'list', '--data', join(directory, '.rowhouse')]), { code: 1, stderr: /which is missing/ })
  await refused(t, directory, /which is missing/)
  await rename(join(directory, 'put-away'), `${file}-wal`)
  t.same(await run(t, directory, [], 'SIGTERM'), ['one', 'two', 'three'])
  t.same((await readdir(join(directory, '.rowhouse'))).filter((name) => name.startsWith('rowhouse.db')), ['rowhouse.db', 'rowhouse.db-mark'])
})

t.test('a start that accepts the loss goes on with what is there, and the next one has nothing to accept', { skip: takesLong('it starts several servers') }, async (t) => {
  const { directory, file } = await makeApp(t)
  await run(t, directory, ['one'], 'SIGTERM')
  await run(t, directory, ['two'], 'SIGKILL')
  await rm(`${file}-wal`)
  t.same(await run(t, directory, ['three'], 'SIGKILL', ['--accept-data-loss']), ['one', 'three'])
  t.same(await run(t, directory, [], 'SIGTERM'), ['one', 'three'])
})

t.test('a database file that was emptied or deleted stops the start, whether the server was stopped or killed', { skip: takesLong('it starts several servers') }, async (t) => {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    const { directory, file } = await makeApp(t)
    await run(t, directory, ['one'], signal)
    await rm(`${file}-wal`, { force: true })
    await truncate(file)
    await refused(t, directory, /is empty, and it was not/)
    await rm(file)
    await refused(t, directory, /is missing, and it was not/)
    t.same(await run(t, directory, ['two'], 'SIGTERM', ['--accept-data-loss']), ['two'])
  }
})

t.test('what operators do with backups and folders needs no leave', { skip: takesLong('it starts several servers') }, async (t) => {
  const { directory, file } = await makeApp(t)
  await run(t, directory, ['one'], 'SIGTERM')
  const data = join(directory, '.rowhouse')
  const backup = join(directory, 'backup.db')
  const database = new Database(file)
  await database.backup(backup)
  database.close()

  await run(t, directory, ['two'], 'SIGTERM')
  await cp(backup, file)
  t.same(await run(t, directory, ['three'], 'SIGKILL'), ['one', 'three'], 'a backup takes the place of the database of a server that was stopped')

  await rename(data, join(directory, 'moved'))
  t.same(await run(t, directory, ['four'], 'SIGKILL', ['--data', join(directory, 'moved')]), ['one', 'three', 'four'], 'the folder of a killed server is moved')

  await cp(join(directory, 'moved'), join(directory, 'copied'), { recursive: true })
  t.same(await run(t, directory, [], 'SIGKILL', ['--data', join(directory, 'copied')]), ['one', 'three', 'four'], 'or copied, with its log')

  const other = new Database(join(directory, 'moved', 'rowhouse.db'))
  t.equal(other.prepare('SELECT count(*) FROM entries').pluck().get(), 3)
  other.close()
  t.same(await run(t, directory, [], 'SIGTERM', ['--data', join(directory, 'moved')]), ['one', 'three', 'four'], 'another program has moved the log into the database')

  await mkdir(join(directory, 'new'))
  await cp(backup, join(directory, 'new', 'rowhouse.db'))
  t.same(await run(t, directory, [], 'SIGTERM', ['--data', join(directory, 'new')]), ['one'], 'a backup alone is put into a new folder')
})

t.test('the log of a killed server is not written into an older backup that takes the place of its database', { skip: takesLong('it starts several servers') }, async (t) => {
  const { directory, file } = await makeApp(t)
  const many = Array.from({ length: 100 }, (_, index) => `row${index}`)
  await run(t, directory, many, 'SIGTERM')
  const backup = join(directory, 'backup.db')
  await cp(file, backup)
  await run(t, directory, many, 'SIGTERM')
  await run(t, directory, ['last'], 'SIGKILL')
  await cp(backup, file)
  const bytes = await readFile(file)
  await refused(t, directory, /^the database file \S+ is older than its log \S+-wal was written for, as a backup is that was put in its place/)
  t.match(await runRowhouse(t, ['check', directory, '--database']), { code: 1, stderr: /is older than its log/ })
  t.match(await runRowhouse(t, ['users', 'list', '--data', join(directory, '.rowhouse')]), { code: 1, stderr: /is older than its log/ })
  t.ok(bytes.equals(await readFile(file)), 'nobody has touched the backup')
  t.same(await run(t, directory, ['after'], 'SIGTERM', ['--accept-data-loss']), [...many, 'after'])
  t.equal((await readdir(join(directory, '.rowhouse'))).filter((name) => name.endsWith('.lost')).length, 1, 'the log is kept beside it')
  t.same(await runRowhouse(t, ['check', directory, '--database']).then(({ code }) => code), 0)
  t.same(await run(t, directory, [], 'SIGTERM'), [...many, 'after'])
})

t.test('a mark that this user cannot read stops the start', { skip: takesLong('it starts several servers') }, async (t) => {
  const { directory, file } = await makeApp(t)
  await run(t, directory, ['one'], 'SIGTERM')
  await rm(`${file}-mark`)
  await mkdir(`${file}-mark`)
  const { code, stderr } = await runRowhouse(t, ['start', directory, '--port', '0'])
  t.equal(code, 1)
  t.match(stderr, /^the file \S+rowhouse\.db-mark cannot be read \(EISDIR\); give this user the right to read and write it\n$/)
})

t.test('a log that ends too early looks like a power cut, and is read as far as it goes', { skip: takesLong('it starts several servers') }, async (t) => {
  const { directory, file } = await makeApp(t)
  await run(t, directory, ['one', 'two'], 'SIGKILL')
  const { length } = await readFile(`${file}-wal`)
  await truncate(`${file}-wal`, length - 100)
  t.same(await run(t, directory, [], 'SIGTERM'), ['one'])
})

t.test('a log that has begun anew after a checkpoint is missed as well', { skip: takesLong('it writes a log of some tens of MiB') }, async (t) => {
  const { directory, file } = await makeApp(t)
  const server = await startServer(t, directory)
  const generation = async (): Promise<string> => readFile(`${file}-mark`, 'latin1')
  const first = await generation()
  while ((await generation()) === first) t.equal((await fetch(`${server.url}/_/api/fill`, { method: 'POST' })).status, 200)
  await fetch(`${server.url}/_/api/add?marker=late`, { method: 'POST' })
  server.child.kill('SIGKILL')
  await server.ended
  await rename(`${file}-wal`, join(directory, 'put-away'))
  await refused(t, directory, /which is missing/)
  await rename(join(directory, 'put-away'), `${file}-wal`)
  t.same(await run(t, directory, [], 'SIGTERM'), ['late'])
})

t.test('rowhouse check --database finds flipped bits, beside a server too, and changes nothing', { skip: takesLong('it starts several servers') }, async (t) => {
  const { directory, file } = await makeApp(t)
  t.match(await runRowhouse(t, ['check', directory, '--database']), { code: 1, stderr: /there is no database/ })
  const server = await startServer(t, directory)
  t.equal((await fetch(`${server.url}/_/api/fill`, { method: 'POST' })).status, 200)
  t.match(await runRowhouse(t, ['check', directory, '--database']), { code: 0, stdout: /no damage was found/ }, 'beside a server')
  server.child.kill('SIGKILL')
  await server.ended
  const log = await readFile(`${file}-wal`)
  t.match(await runRowhouse(t, ['check', '--database', '--data', join(directory, '.rowhouse')]), { code: 0, stdout: /no damage was found/ }, 'after a crash')
  t.ok(log.equals(await readFile(`${file}-wal`)), 'the log is as it was')
  await run(t, directory, [], 'SIGTERM')
  const bytes = await readFile(file)
  for (let page = 3; page < 20; page++) bytes.fill(0xff, page * 4096, page * 4096 + 64)
  await writeFile(file, bytes)
  const found = await runRowhouse(t, ['check', directory, '--database'])
  t.match(found, { code: 1, stderr: /^the database file \S+ is damaged; restore a backup[^\n]*\n$/ })
})

/** What is in a folder, byte by byte; but of SQLite's shared index, which is memory that lies in a file, its name alone. */
async function contentOf(folder: string): Promise<Record<string, string>> {
  const names = (await readdir(folder)).sort()
  const texts = await Promise.all(names.map(async (name) => (name.endsWith('-shm') ? '' : readFile(join(folder, name), 'latin1'))))
  return Object.fromEntries(names.map((name, index) => [name, texts[index] ?? '']))
}

t.test('rowhouse check --database leaves the data folder as it was, and reads one that this user may not write', { skip: takesLong('it starts several servers') }, async (t) => {
  const { directory, file } = await makeApp(t)
  const data = join(directory, '.rowhouse')
  const isRoot = process.getuid?.() === 0
  await chmod(directory, 0o755)
  const copies: string[] = []
  const copyAs = async (name: string): Promise<void> => {
    const copy = join(directory, name)
    await cp(data, copy, { recursive: true })
    copies.push(copy)
  }
  await run(t, directory, ['one'], 'SIGTERM')
  const closed = await contentOf(data)
  t.match(await runRowhouse(t, ['check', directory, '--database']), { code: 0, stdout: `database: no damage was found in ${data}\n`, stderr: '' })
  t.same(await contentOf(data), closed, 'of a server that was stopped')
  await copyAs('stopped')
  await run(t, directory, ['two'], 'SIGKILL')
  const killed = await contentOf(data)
  t.match(await runRowhouse(t, ['check', directory, '--database']), { code: 0, stderr: '' })
  t.same(await contentOf(data), killed, 'of one that was killed')
  await copyAs('killed')
  await rm(`${file}-shm`)
  const { 'rowhouse.db-shm': _index, ...withoutIndex } = killed
  t.match(await runRowhouse(t, ['check', directory, '--database']), { code: 0, stderr: '' })
  t.same(await contentOf(data), withoutIndex, 'of one that was killed, without the index')
  await copyAs('copied')
  for (const copy of copies) {
    const before = await contentOf(copy)
    for (const path of [...Object.keys(before).map((name) => join(copy, name)), copy]) {
      await chmod(path, path === copy ? 0o500 : 0o400)
      if (isRoot) await chown(path, 65534, 65534)
    }
    const inside = join(directory, `inside ${basename(copy)}`)
    await mkdir(inside)
    if (isRoot) await chown(inside, 65534, 65534)
    t.match(await runRowhouse(t, ['check', '--database', '--data', copy], { through: asOrdinaryUser, env: { TMPDIR: inside } }), { code: 0, stdout: `database: no damage was found in ${copy}\n`, stderr: '' })
    t.same(await contentOf(copy), before, 'a folder that is only read')
    t.same(await readdir(inside), [], 'no copy is left')
    const nowhere = { TMPDIR: join(directory, 'nowhere') }
    const found = await runRowhouse(t, ['check', '--database', '--data', copy], { through: asOrdinaryUser, env: nowhere })
    if (copy.endsWith('killed')) t.equal(found.code, 0, 'needs no copy')
    else t.match(found, { code: 1, stderr: /^\S+rowhouse\.db can only be read in a copy without changing anything beside it, and could not be copied to \S+ \(ENOENT\); make room there, name another folder in TMPDIR, [^\n]*\n$/ })
    await chmod(copy, 0o700)
    await chmod(join(copy, 'rowhouse.db'), 0o600)
    const bytes = await readFile(join(copy, 'rowhouse.db'))
    for (let page = 3; page < 12; page++) bytes.fill(0xff, page * 4096, page * 4096 + 64)
    await writeFile(join(copy, 'rowhouse.db'), bytes)
    await chmod(copy, 0o500)
    const damaged = await runRowhouse(t, ['check', '--database', '--data', copy], { through: asOrdinaryUser })
    t.match(damaged, { code: 1, stderr: `the database file ${join(copy, 'rowhouse.db')} is damaged; restore a backup` })
    await chmod(copy, 0o700)
  }
})
