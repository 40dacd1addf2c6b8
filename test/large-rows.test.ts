import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { text as textOf } from 'node:stream/consumers'
import BetterSqlite3 from 'better-sqlite3'
import t from 'tap'
import { crudEndpoints, defineTables, httpEndpoint, integer, json, Media, media, table, text, transaction } from 'rowhouse'
import { buildApp, type TestApp } from './support/app.ts'
import { takesLong } from './support/needs.ts'
import { plainNode } from './support/plain-node.ts'

const api = '/_/api'
const mebibyte = 1024 * 1024

const declareTables = () =>
  defineTables({ notes: table({ title: text(), rank: integer().index(), body: text(), data: json(), picture: media(), other: media().hidden() }) })

type AppTables = ReturnType<typeof declareTables>

interface List {
  readonly rows: readonly { readonly id: string; readonly title: string; readonly body: string }[]
  readonly cursor: string | null
}

async function appWith(
  t: Parameters<typeof buildApp>[0],
  open: (tables: AppTables) => unknown,
  settings: Parameters<typeof buildApp>[2] = {},
): Promise<TestApp & { readonly tables: AppTables }> {
  let tables: AppTables | null = null
  const app = await buildApp(t, () => open((tables = declareTables())), settings)
  if (tables === null) throw new Error('the app has declared no tables')
  return { ...app, tables }
}

/** Notes of `size` characters, of which each has an own title. */
async function addNotes({ notes }: AppTables, count: number, size: number): Promise<void> {
  for (let index = 0; index < count; index++) await notes.addRow({ title: `note ${index}`, rank: index % 3, body: 'x'.repeat(size) })
}

t.test('a list ends its page before it is too long to be sent, and its cursor goes on', { skip: takesLong('it lists 14 MiB four times') }, async (t) => {
  const open = ({ notes }: AppTables): void => crudEndpoints('/notes', notes, { public: true, columns: ['title', 'body'] })
  const { server, tables } = await appWith(t, open, { responseLimit: 3 * mebibyte })
  await addNotes(tables, 4, 100)
  await addNotes(tables, 10, mebibyte)
  // Twice as long as JSON, and so that it fits no page with another.
  await tables.notes.addRow({ title: 'quotes', body: '"'.repeat(1.4 * mebibyte) })
  await addNotes(tables, 3, 10)
  for (const order of ['id', '-id', 'title', '-title']) {
    const found: string[] = []
    const sizes: number[] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const reply: Awaited<ReturnType<typeof server.inject>> = await server.inject(`${api}/notes?limit=1000&order=${order}${cursor === '' ? '' : `&cursor=${cursor}`}`)
      t.equal(reply.statusCode, 200)
      const list: List = reply.json<List>()
      t.ok(list.rows.length > 0)
      found.push(...list.rows.map(({ id }) => id))
      sizes.push(list.rows.length)
      cursor = list.cursor
    }
    t.equal(found.length, 18, order)
    t.equal(new Set(found).size, 18, 'each of them once')
    t.ok(sizes.length >= 6 && sizes.length < 10, `pages of ${sizes.join()}`)
  }
  t.equal((await server.inject(`${api}/notes?limit=2`)).json<List>().rows.length, 2, 'a page that is asked to be short is')
})

t.test('of rows of whatever length each stands on one page of a list, in whatever order', { skip: takesLong('it adds hundreds of long rows') }, async (t) => {
  const open = ({ notes }: AppTables): void => crudEndpoints('/notes', notes, { public: true, columns: ['title', 'body'] })
  const { server, tables } = await appWith(t, open, { responseLimit: mebibyte })
  const lengths = Array.from({ length: 120 }, (_, index) => (index % 2 === 0 ? 100_000 : 1000) + ((index * 7919) % 90_000))
  for (const length of lengths) await tables.notes.addRow({ title: `${length}`, body: 'x'.repeat(length) })
  for (const query of ['limit=1000', 'limit=1000&order=title', 'limit=7', 'limit=1000&order=-id']) {
    const found: string[] = []
    let pages = 0
    for (let cursor: string | null = ''; cursor !== null; pages++) {
      const reply: Awaited<ReturnType<typeof server.inject>> = await server.inject(`${api}/notes?${query}${cursor === '' ? '' : `&cursor=${cursor}`}`)
      t.ok(reply.rawPayload.length <= mebibyte)
      const list: List = reply.json<List>()
      found.push(...list.rows.map(({ id }) => id))
      cursor = list.cursor
    }
    t.ok(pages > 5, `${pages} pages`)
    t.equal(found.length, 120, query)
    t.equal(new Set(found).size, 120, query)
  }
})

t.test('a long list ends rightly when its rows are deleted while it is sent', { skip: takesLong('it adds and deletes hundreds of long rows') }, async (t) => {
  const open = ({ notes }: AppTables): void => crudEndpoints('/notes', notes, { public: true, columns: ['title', 'body'] })
  for (const left of [0, 5]) {
    const { server, tables } = await appWith(t, open)
    await addNotes(tables, 100, 100_000)
    const port = Number(new URL(await server.listen({ port: 0, host: '127.0.0.1' })).port)
    const answer = await new Promise<IncomingMessage>((resolve) => void get({ port, host: '127.0.0.1', path: `${api}/notes?limit=1000` }, resolve))
    const rows = await tables.notes.search().all()
    for (const row of rows.slice(left)) await row.delete()
    const list = JSON.parse(await textOf(answer)) as List
    t.equal(list.cursor, null)
    t.ok(list.rows.length >= left && list.rows.length < 100, `${list.rows.length} rows had been read`)
  }
})

t.test('one row that is too long to be sent is told as before, and holds up no other page', async (t) => {
  const open = ({ notes }: AppTables): void => crudEndpoints('/notes', notes, { public: true, columns: ['title', 'body'] })
  const { server, tables, log } = await appWith(t, open, { responseLimit: mebibyte })
  await addNotes(tables, 1, 10)
  await addNotes(tables, 1, 2 * mebibyte)
  const first = (await server.inject(`${api}/notes`)).json<List>()
  t.equal(first.rows.length, 1)
  const second = await server.inject(`${api}/notes?cursor=${String(first.cursor)}`)
  t.equal(second.statusCode, 500)
  t.match(JSON.stringify(log), /more than 1048576 \(responseLimit\)/)
})

t.test('a search that finds more than it may hold says what to do instead; for await and pages read on', async (t) => {
  const { server, tables, log } = await appWith(t, ({ notes }) => {
    httpEndpoint('/returned', () => notes.search())
    httpEndpoint('/all', async () => (await notes.search().all()).length)
    httpEndpoint('/map', () => notes.search({}, { orderBy: { rank: 'desc' } }).map(({ title }) => title))
    httpEndpoint('/together', () => transaction(async () => (await notes.search().all()).length))
  }, { searchLimit: 8 * mebibyte, responseLimit: 4 * mebibyte })
  await addNotes(tables, 5, mebibyte)
  for (const path of ['/all', '/map', '/together']) t.equal((await server.inject(api + path)).statusCode, 200, path)
  const reply = await server.inject(`${api}/returned`)
  t.equal(reply.statusCode, 500)
  t.notMatch(reply.body, /bytes|notes/)
  const told = /notes: the rows found take more than 4194304 bytes together; read them one after the other with for await, in pages with page\(\{ size, after \}\), or fewer with limit/
  t.match(JSON.stringify(log), told, 'of an answer no more is read than could be sent')
  await addNotes(tables, 5, mebibyte)
  for (const path of ['/all', '/map', '/together']) t.equal((await server.inject(api + path)).statusCode, 500, path)
  t.match(JSON.stringify(log), /take more than 8388608 bytes/)
  t.equal((await tables.notes.search({}, { limit: 6 }).all()).length, 6)
  const titles: string[] = []
  for await (const { title } of tables.notes.search({}, { orderBy: ['rank', { title: 'desc' }] })) titles.push(String(title))
  t.equal(titles.length, 10)
  const paged: string[] = []
  for (let after: string | null | undefined; after !== null; ) {
    const { rows, cursor }: { rows: { title: string | null }[]; cursor: string | null } = await tables.notes.search({}, { orderBy: ['rank', { title: 'desc' }] }).page({ size: 100, after })
    t.ok(rows.length < 9)
    paged.push(...rows.map(({ title }) => String(title)))
    after = cursor
  }
  t.same(paged, titles)
})

t.test('rows of any length are found in whatever number, the same each time', { skip: takesLong('it reads hundreds of long rows twenty times, and thousands of short ones') }, async (t) => {
  const { tables } = await appWith(t, () => undefined)
  const lengths = Array.from({ length: 200 }, (_, index) => [0, 1, 700, 40_000, 70_000][index % 5] ?? 0)
  const rows = await tables.notes.addRows(lengths.map((length, index) => ({ title: `t${index}`, rank: index, body: 'ä'.repeat(length), data: index % 7 === 0 ? { long: ['y'.repeat(30_000)] } : index })))
  // What a search has found decides how the next one is read.
  for (const limit of [undefined, 3, 63, 64, 65, 200, 5, undefined, 64, 1]) {
    for (let round = 0; round < 2; round++) {
      const found = await tables.notes.search({}, { orderBy: 'rank', ...(limit !== undefined && { limit }) }).all()
      t.same(found.map(({ id }) => id), rows.slice(0, limit).map(({ id }) => id))
      t.ok(found.every(({ body }, index) => body?.length === lengths[index]), 'no text is cut')
    }
  }
  await tables.notes.addRows(Array.from({ length: 5000 }, (_, index) => ({ title: 'small', rank: 1000 + index })))
  t.equal((await tables.notes.search({ title: 'small' }).all()).length, 5000)
  t.equal((await tables.notes.search({}, { orderBy: { rank: 'desc' }, limit: 4500 }).all()).at(-1)?.rank, 1500)
})

t.test('the bytes of a media column are read when they are asked for, by the row that has them', async (t) => {
  const { tables } = await appWith(t, () => undefined)
  const long = 'long '.repeat(400)
  const bytes = Buffer.alloc(100_000, 'abc')
  const { id } = await tables.notes.addRow({ picture: new Media(bytes, { contentType: 'image/png', name: 'a.png' }), other: new Media(bytes, { name: long }) })
  const read = async (): Promise<NonNullable<Awaited<ReturnType<typeof tables.notes.getById>>>> => {
    const row = await tables.notes.getById(id)
    if (row === null) throw new Error('the row is gone')
    return row
  }
  const [row, second, third, fourth] = [await read(), await read(), await read(), await read()]
  t.equal(row.other?.name, long, 'however long the name is')
  t.ok(bytes.equals(row.picture?.bytes ?? Buffer.from('')))
  t.ok(bytes.equals(Buffer.from(await (row.other?.arrayBuffer() ?? new ArrayBuffer()))))
  const kept = row.picture
  t.ok(bytes.equals(kept?.bytes ?? Buffer.from('')))
  await transaction(async () => {
    const mine = await (await read()).update({ picture: new Media(bytes.subarray(3), { name: 'b' }) })
    t.equal(mine.picture?.bytes.length, bytes.length - 3, 'inside of a transaction its own')
    t.equal(third.picture?.length, bytes.length)
    t.throws(() => third.picture?.bytes, { code: 'row-changed' })
  }).catch((error: unknown) => t.fail(String(error)))
  t.same({ ...second.picture?.toJSON() }, { contentType: 'image/png', name: 'a.png', length: bytes.length }, 'what it is needs no bytes')
  const message = `notes.picture, of row ${id}, has been changed since the row was read; read the row again`
  t.throws(() => second.picture?.bytes, { name: 'TableError', code: 'row-changed', message, table: 'notes', columns: ['picture'] })
  await t.rejects(async () => second.picture?.text(), { code: 'row-changed' })
  await t.rejects(tables.notes.addRow({ picture: second.picture }), { code: 'row-changed' }, 'nothing else is written in their place')
  await (await read()).update({ picture: null })
  t.throws(() => second.picture?.bytes, { code: 'row-changed' }, 'null is a change too')
  await second.reload()
  t.equal(second.picture, null)
  await (await read()).delete()
  t.equal(fourth.picture?.length, bytes.length)
  t.throws(() => fourth.picture?.bytes, { name: 'RowDeleted', code: 'row-deleted' })
  t.ok(bytes.equals(kept?.bytes ?? Buffer.from('')), 'what was asked for once is there')
})

t.test('a list that shows what its media are reads none of their bytes, and an endpoint sends those of one row', async (t) => {
  const { server, tables } = await appWith(t, ({ notes }) => {
    crudEndpoints('/notes', notes, { public: true, columns: ['title', 'picture'] })
    httpEndpoint('/rows', () => notes.search().all())
    httpEndpoint('/notes/:id/picture', async ({ id }) => (await notes.getById(String(id)))?.picture)
    httpEndpoint('/late/:id', async ({ id }) => {
      const row = await notes.getById(String(id))
      await row?.delete()
      return row?.picture
    })
    // What a search and an answer may hold has room for no picture.
  }, { searchLimit: mebibyte / 2, responseLimit: 2 * mebibyte })
  const bytes = Buffer.alloc(mebibyte, 'abc')
  for (let index = 0; index < 12; index++) await tables.notes.addRow({ title: String(index), picture: new Media(bytes, { contentType: 'image/png', name: `${index}.png` }) })
  const list = (await server.inject(`${api}/notes`)).json<{ rows: { id: string; picture: object }[]; cursor: null }>()
  t.equal(list.rows.length, 12)
  t.equal(list.cursor, null)
  t.same(list.rows[3]?.picture, { contentType: 'image/png', name: '3.png', length: mebibyte })
  t.equal((await server.inject(`${api}/rows`)).json<unknown[]>().length, 12)
  const id = encodeURIComponent(String(list.rows[3]?.id))
  const reply = await server.inject(`${api}/notes/${id}/picture`)
  t.match(reply.headers, { 'content-type': 'image/png', 'content-disposition': "inline; filename*=UTF-8''3.png" })
  t.ok(bytes.equals(reply.rawPayload))
  const late = await server.inject({ url: `${api}/late/${id}`, headers: { accept: 'application/json' } })
  t.equal(late.statusCode, 404)
  t.match(late.json(), { code: 'row-deleted' })
})

t.test('media that an older version has written are read like new ones, and their ETag stays what clients hold', async (t) => {
  const open = ({ notes }: AppTables): void => crudEndpoints('/notes', notes, { public: true, columns: ['picture'] })
  const { server, tables, directory } = await appWith(t, open)
  const { id } = await tables.notes.addRow({})
  const file = new BetterSqlite3(join(directory, '.rowhouse', 'rowhouse.db'))
  t.teardown(() => file.close())
  const header = Buffer.from(JSON.stringify(['text/plain', 'old.txt']))
  const length = Buffer.alloc(4)
  length.writeUInt32LE(header.length)
  const bytes = Buffer.alloc(5000, 'z')
  file.prepare('UPDATE notes SET picture = ?').run(Buffer.concat([length, header, bytes]))
  const row = await tables.notes.getById(id)
  t.match(row?.picture?.toJSON(), { contentType: 'text/plain', name: 'old.txt', length: 5000 })
  const reply = await server.inject(`${api}/notes/${encodeURIComponent(id)}`)
  t.equal(reply.headers.etag, `"${createHash('sha256').update(reply.body).update(bytes).digest('base64url').slice(0, 22)}"`)
  t.ok(bytes.equals(row?.picture?.bytes ?? Buffer.from('')))
})

t.test('a small machine lists more than it can hold', { skip: takesLong('it writes some hundred megabytes') }, async (t) => {
  const module = (path: string): string => JSON.stringify(new URL(`../dist/${path}`, import.meta.url).href)
  const folder = t.testdir({
    'list.mjs': `
import { createApp, crudEndpoints, defineTables, httpEndpoint, table, text } from ${module('index.js')}
let tables
const server = await createApp({ directory: process.argv[2], options: { name: 'x' }, logTo: { write() {} }, define: () => {
  tables = defineTables({ notes: table({ title: text(), body: text() }) })
  crudEndpoints('/notes', tables.notes, { public: true })
  httpEndpoint('/all', () => tables.notes.search().all())
  httpEndpoint('/map', () => tables.notes.search().map(({ title }) => title))
} })
for (let index = 0; index < 24; index++) await tables.notes.addRow({ title: String(index), body: 'x'.repeat(12 << 20) })
const url = await server.listen({ port: 0, host: '127.0.0.1' }) + '/_/api'
const statuses = []
for (const path of ['/all', '/map']) statuses.push((await fetch(url + path)).status)
let rows = 0
for (let cursor = ''; cursor !== null;) {
  const list = await (await fetch(url + '/notes?limit=1000' + (cursor === '' ? '' : '&cursor=' + cursor))).json()
  rows += list.rows.length
  cursor = list.cursor
}
for await (const { body } of tables.notes.search()) rows += body.length === 12 << 20
console.log(JSON.stringify([...statuses, rows]))
await server.close()
`,
  })
  const [command, ...words] = plainNode('--max-old-space-size=250')
  const child = spawn(command, [...words, join(folder, 'list.mjs'), folder], { stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  child.stdout.on('data', (piece) => (said += String(piece)))
  await once(child, 'close')
  t.equal(said.trim(), '[500,500,48]')
})
