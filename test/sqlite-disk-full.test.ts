import { join } from 'node:path'
import t from 'tap'
import { needs, takesLong } from './support/needs.ts'
import { plainNode } from './support/plain-node.ts'
import { Child, childProgram, started } from './support/sqlite-child.ts'
import { createNotes, insertNote, openEngine, titles } from './support/sqlite-engine.ts'

/** Fills a small disk, mounted for this process alone, and empties it again. */
const fullDisk = `
import { rmSync, writeFileSync } from 'node:fs'
const engine = await open()
await engine.write({ text: 'CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL, body TEXT) STRICT' }, [])
const insert = { text: 'INSERT INTO notes (title, body) VALUES (?1, ?2) RETURNING id' }
const body = 'x'.repeat(50_000)
const filler = directory + '/filler'
writeFileSync(filler, Buffer.alloc(4 * 1024 * 1024))
async function add(title) {
  const written = engine.write(insert, [title, body])
  const own = commit
  await written
  await own.durable
  say('ack ' + title)
}
let full
for (let number = 0; full === undefined; number++) await add('before-' + number).catch((error) => { full = error })
say('full ' + full.name + ' ' + full.code + ': ' + full.message)
const together = await Promise.allSettled([add('together-1'), add('together-2')])
say('together ' + together.map((result) => result.status))
const transaction = await engine.begin()
await transaction.write(insert, ['inside', 'x'.repeat(3_000_000)]).then(() => transaction.commit()).catch((error) => say('transaction ' + error.code))
await transaction.rollback()
say('rows ' + (await engine.read({ text: 'SELECT count(*) FROM notes' }, []))[0][0])
rmSync(filler)
for (let number = 0; number < 10; number++) await add('after-' + number)
await engine.close()
process.exit(0)
`

t.test('a full disk refuses writes with a clear error while reads go on, and all is well again once there is room', { skip: needs('a small disk') }, async (t) => {
  const { folder, program, directory } = childProgram(t, fullDisk)
  const copied = join(folder, 'copied')
  const mount = `mkdir -p "$0" '${copied}' && mount -t tmpfs -o size=12m,mode=700 none "$0" && "$@" && cp "$0"/rowhouse.db* '${copied}'`
  const args = ['--map-root-user', '--mount', 'sh', '-c', mount, directory, ...plainNode(), program, directory]
  const child = started(t, new Child('unshare', args, { stdio: ['ignore', 'pipe', 'pipe'] }))
  t.equal(await child.end(), 0)
  const { lines } = child
  t.match(lines.find((line) => line.startsWith('full')), /^full TableError disk-full: the disk that holds the database is full/)
  t.ok(lines.includes('together rejected,rejected'))
  t.ok(lines.includes('transaction disk-full'))
  const acknowledged = lines.filter((line) => line.startsWith('ack ')).map((line) => line.slice(4))
  t.equal(acknowledged.filter((title) => title.startsWith('after')).length, 10)
  t.ok(lines.includes(`rows ${acknowledged.filter((title) => title.startsWith('before')).length}`), 'nothing of a refused write is there')
  const { engine } = await openEngine(t, { directory: copied })
  t.same(await titles(engine), acknowledged)
  t.same(await engine.read({ text: 'PRAGMA integrity_check' }, []), [['ok']])
})

/** Starts an app on a small disk, mounted for this process and its children alone, again and again, as it fills. */
const restarts = `
import { spawn } from 'node:child_process'
import { appendFileSync, rmSync } from 'node:fs'
const [, , rowhouse, app, disk] = process.argv
async function start() {
  const child = spawn(process.execPath, [rowhouse, 'start', app, '--port', '0', '--data', disk + '/data'])
  let output = ''
  const ended = new Promise((resolve) => child.on('close', resolve))
  const url = await new Promise((resolve) => {
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => {
      output += text
      const [, url] = / is ready at (http:[^\\s"]+)/.exec(output) ?? []
      if (url !== undefined) resolve(url)
    })
    ended.then(() => resolve(null))
  })
  const ask = async (method) => {
    const response = await fetch(url + '/_/api/notes', { method })
    return response.status + ' ' + (await response.text())
  }
  return { url, ask, output: () => output, stop: (signal) => (child.kill(signal), ended) }
}
function fill() {
  try { for (;;) appendFileSync(disk + '/filler', Buffer.alloc(4096)) } catch {}
}
const say = (value) => console.log(value)
const first = await start()
say(await first.ask('POST'))
fill()
for (let server = first, signals = ['SIGTERM', 'SIGKILL', 'SIGTERM']; signals.length > 0;) {
  await server.stop(signals.shift())
  server = await start()
  if (server.url === null) say(server.output())
  say(await server.ask('GET'))
  fill()
  say(await server.ask('POST'))
  say(await server.ask('GET'))
  if (signals.length > 0) continue
  rmSync(disk + '/filler')
  say(await server.ask('POST'))
  await server.stop('SIGTERM')
  fill()
  say((await start()).output())
}
process.exit(0)
`

t.test('a server that is started again on a full disk serves reads and refuses writes until there is room; where not even the shared index has any it says so', { skip: takesLong('it starts a server five times') || needs('a small disk') }, async (t) => {
  const folder = t.testdir({
    'restarts.mjs': restarts,
    disk: {},
    app: {
      'rowhouse.config.ts': `export default { name: 'full' }`,
      'tables.ts': `import { defineTables, table, text } from 'rowhouse'\nexport const tables = defineTables({ notes: table({ title: text() }) })`,
      modules: {
        'notes.ts': `import { httpEndpoint } from 'rowhouse'
import { tables } from '../tables.js'
httpEndpoint('/notes', { methods: ['GET'] }, async () => (await Array.fromAsync(tables.notes.search())).length)
httpEndpoint('/notes', { methods: ['POST'] }, async () => { await tables.notes.addRow({ title: 'x'.repeat(200_000) }); return 'added' })`,
      },
    },
  })
  const rowhouse = join(import.meta.dirname, '..', 'dist', 'bin', 'rowhouse.js')
  const mount = 'mount -t tmpfs -o size=4m none "$0" && exec "$@"'
  const words = [...plainNode(), join(folder, 'restarts.mjs'), rowhouse, join(folder, 'app'), join(folder, 'disk')]
  const child = started(t, new Child('unshare', ['--map-root-user', '--mount', 'sh', '-c', mount, join(folder, 'disk'), ...words], { stdio: ['ignore', 'pipe', 'pipe'] }))
  t.equal(await child.end(), 0)
  const full = '507 the disk that holds the database is full; nothing was written'
  const { lines } = child
  t.same(lines.slice(0, 10), ['200 added', '200 1', full, '200 1', '200 1', full, '200 1', '200 1', full, '200 1'])
  t.equal(lines[10], '200 added')
  t.match(lines[11], /^the disk that holds .*rowhouse\.db is full; make room, and start again$/)
})

t.test('a database that reached its size limit refuses what needs more room and takes what does not', async (t) => {
  const { engine } = await openEngine(t)
  await engine.write(createNotes, [])
  await engine.write({ text: 'PRAGMA max_page_count = 40' }, [])
  let refused: unknown
  for (let number = 0; refused === undefined; number++) {
    refused = await engine.write(insertNote, [`${number} ${'x'.repeat(3000)}`]).then(
      () => undefined,
      (error: unknown) => error,
    )
  }
  t.match(refused, { name: 'TableError', code: 'disk-full' })
  const stored = await titles(engine)
  const transaction = await engine.begin()
  await t.rejects(transaction.write(insertNote, ['x'.repeat(200_000)]), { code: 'disk-full' })
  await transaction.rollback()
  t.same(await titles(engine), stored)
  await engine.write({ text: 'DELETE FROM notes WHERE id < 10' }, [])
  await engine.write(insertNote, ['y'.repeat(3000)])
})
