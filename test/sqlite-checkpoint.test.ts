import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Engine } from '../dist/db/engine/engine.js'
import { childProgram, startNode } from './support/sqlite-child.js'
import { openEngine } from './support/sqlite-engine.js'

const mebibyte = 1024 * 1024
const insert = { text: 'INSERT INTO blobs (body) VALUES (?1) RETURNING id' }

/** Writes so many MiB from 16 callers at once, each waiting for his own row, and returns the largest size that the log had meanwhile. */
async function writeMebibytes(engine: Engine, log: string, mebibytes: number): Promise<number> {
  const body = new Uint8Array(30_000)
  let left = (mebibytes * mebibyte) / body.length
  let largest = 0
  const client = async (): Promise<void> => {
    while (left-- > 0) {
      await engine.write(insert, [body])
      largest = Math.max(largest, statSync(log).size)
    }
  }
  await Promise.all(Array.from({ length: 16 }, client))
  return largest
}

async function openBlobs(t: Test): Promise<Awaited<ReturnType<typeof openEngine>> & { log: string }> {
  const opened = await openEngine(t, { directory: join(t.testdirName, 'data') })
  await opened.engine.write({ text: 'CREATE TABLE blobs (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT' }, [])
  return { ...opened, log: join(opened.directory, 'rowhouse.db-wal') }
}

t.test('under a constant load the log stays short, the event loop goes on, and no row is lost', async (t) => {
  t.testdir()
  const { engine, commits, directory, log, warnings } = await openBlobs(t)
  let longest = 0
  let last = performance.now()
  const timer = setInterval(() => {
    longest = Math.max(longest, performance.now() - last)
    last = performance.now()
  }, 1)
  const largest = await writeMebibytes(engine, log, 300)
  clearInterval(timer)
  t.comment(`the log grew to ${Math.round(largest / mebibyte)} MiB; the longest turn of the event loop took ${Math.round(longest)} ms`)
  t.ok(largest < 192 * mebibyte)
  t.ok(statSync(join(directory, 'rowhouse.db')).size > 150 * mebibyte, 'the rows went on to the database file')
  await Promise.all(commits.map((commit) => commit.durable))
  t.same(warnings, [])
  const [[count] = []] = await engine.read({ text: 'SELECT count(*) FROM blobs' }, [])
  await engine.close()
  t.notOk(existsSync(log), 'closing moves the rest and removes the log')
  const again = await openEngine(t, { directory })
  t.same(await again.engine.read({ text: 'SELECT count(*) FROM blobs' }, []), [[count]])
  t.same(await again.engine.read({ text: 'PRAGMA integrity_check' }, []), [['ok']])
})

t.test('a transaction held open for long delays no read, and the log is shortened after it', async (t) => {
  t.testdir()
  const { engine, log } = await openBlobs(t)
  const transaction = await engine.begin()
  const body = new Uint8Array(mebibyte)
  for (let number = 0; number < 60; number++) await transaction.write(insert, [body])
  t.same(await engine.read({ text: 'SELECT count(*) FROM blobs' }, []), [[0]])
  await (await transaction.commit()).durable
  const largest = await writeMebibytes(engine, log, 200)
  t.ok(largest < 192 * mebibyte)
})

t.test('while another process keeps an old state open the log grows, with one warning, and is given back to the disk afterwards', async (t) => {
  const { program } = childProgram(
    t,
    `
    import { createRequire } from 'node:module'
    const Database = createRequire(${JSON.stringify(import.meta.url)})('better-sqlite3')
    const database = new Database(directory + '/rowhouse.db')
    database.exec('BEGIN')
    database.prepare('SELECT count(*) FROM blobs').get()
    say('reading')
    process.stdin.once('data', () => { database.exec('COMMIT'); database.close(); process.stdin.destroy() })
    `,
  )
  const { engine, directory, log, warnings } = await openBlobs(t)
  const child = startNode(t, program, [directory])
  await child.line(/reading/)
  const largest = await writeMebibytes(engine, log, 300)
  t.ok(largest > 256 * mebibyte, 'nothing that the reader may need is overwritten')
  t.equal(warnings.length, 1)
  t.match(warnings[0], /cannot be shortened while another process reads the database/)
  child.process.stdin?.write('go\n')
  await child.end()
  for (let round = 0; round < 10 && statSync(log).size > 128 * mebibyte; round++) await writeMebibytes(engine, log, 40)
  t.ok(statSync(log).size < 128 * mebibyte)
})

t.test('a program that does not close its engine still ends by itself after a checkpoint', async (t) => {
  const { program, directory } = childProgram(
    t,
    `
    const engine = await open()
    await engine.write({ text: 'CREATE TABLE blobs (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT' }, [])
    const body = new Uint8Array(1024 * 1024)
    for (let number = 0; number < 80; number++) await engine.write({ text: 'INSERT INTO blobs (body) VALUES (?1)' }, [body])
    await commit.durable
    say('written')
    `,
  )
  const child = startNode(t, program, [directory])
  t.equal(await child.end(), 0)
  t.same(child.lines, ['written'])
})
