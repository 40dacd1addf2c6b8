import { mkdir, writeFile } from 'node:fs/promises'
import { Agent, request as httpRequest } from 'node:http'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import Database from 'better-sqlite3'
import t from 'tap'
import { temporaryFolder } from './support/app.ts'
import { takesLong } from './support/needs.ts'
import { startServer } from './support/rowhouse-process.ts'

const rounds = 20
const clients = 32

const files = {
  'tables.ts': `
    import { defineTables, table, text } from 'rowhouse'
    export const tables = defineTables({ entries: table({ marker: text().required() }) })`,
  'modules/entries.ts': `
    import { httpEndpoint, text } from 'rowhouse'
    import { tables } from '../tables.js'
    httpEndpoint('/add', { methods: ['POST'], params: { marker: text() } }, async ({ marker }) => {
      const entry = await tables.entries.addRow({ marker })
      return { id: entry.getId() }
    })`,
}

/** Sends a form; resolves to the answer's body, or to null when there was none. */
function post(agent: Agent, url: string, form: string): Promise<string | null> {
  return new Promise((resolve) => {
    const outgoing = httpRequest(url, { method: 'POST', agent, headers: { 'content-type': 'application/x-www-form-urlencoded' } }, (answer) => {
      let body = ''
      answer.setEncoding('utf8').on('data', (part: string) => (body += part))
      answer.on('end', () => resolve(answer.statusCode === 200 ? body : null)).on('error', () => resolve(null))
    })
    outgoing.on('error', () => resolve(null)).end(form)
  })
}

t.test(`kill -9 in the middle of ${clients} clients inserting, ${rounds} rounds: no acknowledged row is lost or doubled`, { timeout: 120_000, skip: takesLong('it kills and starts a server twenty times') }, async (t) => {
  const directory = await temporaryFolder(t)
  await mkdir(join(directory, 'modules'))
  for (const [name, content] of Object.entries(files)) await writeFile(join(directory, name), content)
  const acknowledged = new Map<string, string>()
  const sent = new Set<string>()
  let slowest = 0

  for (let round = 0; round < rounds; round++) {
    const before = performance.now()
    const server = await startServer(t, directory)
    if (round > 0) slowest = Math.max(slowest, performance.now() - before)
    const agent = new Agent({ keepAlive: true })
    let killed = false
    const work = Array.from({ length: clients }, async (_, client) => {
      for (let n = 0; !killed; n++) {
        const marker = `${round}-${client}-${n}`
        sent.add(marker)
        const body = await post(agent, `${server.url}/_/api/add`, `marker=${marker}`)
        if (body !== null) acknowledged.set(marker, (JSON.parse(body) as { id: string }).id)
      }
    })
    await delay(100 + Math.random() * 150)
    server.child.kill('SIGKILL')
    killed = true
    await Promise.all(work)
    agent.destroy()
    await server.ended
  }

  t.ok(acknowledged.size > rounds * clients, `${acknowledged.size} rows were acknowledged`)
  t.ok(slowest < 2000, `ready again within 2 s each time (${Math.round(slowest)} ms at most)`)

  const last = await startServer(t, directory)
  last.child.kill('SIGTERM')
  t.equal((await last.ended).code, 0)
  const database = new Database(join(directory, '.rowhouse', 'rowhouse.db'), { readonly: true })
  const [check] = database.pragma('integrity_check') as { integrity_check: string }[]
  t.equal(check?.integrity_check, 'ok')
  const stored = database.prepare<[], { id: number; marker: string }>('SELECT id, marker FROM entries').all()
  const [table] = database.prepare<[], { id: number }>("SELECT id FROM rowhouse_tables WHERE name = 'entries'").all()
  database.close()
  const ids = new Map(stored.map(({ id, marker }) => [marker, `[${table?.id},${id}]`]))
  t.equal(ids.size, stored.length, 'no row is there twice')
  t.same([...acknowledged].filter(([marker, id]) => ids.get(marker) !== id), [], 'every acknowledged row is there, under the id that was told')
  t.same([...ids.keys()].filter((marker) => !sent.has(marker)), [], 'and nothing that nobody sent')
})
