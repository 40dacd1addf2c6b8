import { createHash } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import * as fc from 'fast-check'
import t from 'tap'
import { boolean, crudEndpoints, date, datetime, defineTables, httpEndpoint, HttpError, integer, json, link, links, Media, media, number, table, text, transaction, urlFor, users, type StandardSchema } from 'rowhouse'
import { basic, buildApp, type TestApp } from './support/app.ts'
import { takesLong } from './support/needs.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const api = '/_/api'
const password = 'correct: horse: bättery'
const me = basic('me@example.com', password)
const you = basic('you@example.com', password)
const form = { 'content-type': 'application/x-www-form-urlencoded' }

type Headers = Readonly<Record<string, string>>

interface Sent {
  readonly id: string
  readonly [column: string]: unknown
}

interface List {
  readonly rows: Sent[]
  readonly cursor: string | null
}

const weather: StandardSchema<string> = {
  '~standard': { version: 1, vendor: 'test', validate: (value) => (value === 'sun' || value === 'rain' ? { value } : { issues: [{ message: 'no such weather' }] }) },
}

const declareTables = () =>
  defineTables({
    projects: table({ name: text().required(), lead: link('users') }),
    tags: table({ label: text().required() }),
    tasks: table({
      title: text().required(),
      done: boolean().default(false),
      rank: integer(),
      weight: number(),
      due: date(),
      at: datetime(),
      extra: json(),
      weather: json(weather),
      picture: media(),
      secret: text().hidden(),
      owner: link('users'),
      parent: link('tasks'),
      project: link('projects'),
      tags: links('tags'),
    }),
  })

type AppTables = ReturnType<typeof declareTables>

/** An app whose endpoints `open` declares, with two users, and a way to ask it. */
async function appWith(t: Parameters<typeof buildApp>[0], open: (tables: AppTables) => unknown): Promise<TestApp & { readonly tables: AppTables; readonly ask: Ask }> {
  let tables: AppTables | null = null
  const app = await buildApp(t, () => open((tables = declareTables())))
  for (const email of ['me@example.com', 'you@example.com']) await app.server.rowhouse.users.add(email, password)
  if (tables === null) throw new Error('the app has declared no tables')
  return { ...app, tables, ask: askOf(app.server) }
}

type Ask = ReturnType<typeof askOf>

function askOf(server: TestApp['server']) {
  return async (method: 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'PUT' | 'DELETE', path: string, headers: Headers = me, body?: unknown) => {
    const payload = body === undefined ? {} : typeof body === 'string' ? { payload: body } : { payload: JSON.stringify(body) }
    const type = body === undefined || typeof body === 'string' ? {} : { 'content-type': 'application/json' }
    const reply = await server.inject({ method, url: api + path, headers: { accept: 'text/plain', ...type, ...headers }, ...payload })
    return { status: reply.statusCode, text: reply.body, headers: reply.headers, row: () => reply.json<Sent>(), list: () => reply.json<List>(), etag: String(reply.headers.etag) }
  }
}

const at = (id: string): string => `/tasks/${encodeURIComponent(id)}`

t.test('one line opens a table to its users: create, list, read, update, delete', async (t) => {
  const { ask } = await appWith(t, (tables) => crudEndpoints('/tasks', tables.tasks, { ownedBy: 'owner', authenticateUsers: true, columns: ['title', 'done'] }))
  const created = await ask('POST', '/tasks', { ...me, ...form }, 'title=a%20b+c%26d')
  t.equal(created.status, 201)
  const first = created.row()
  t.match(first, { title: 'a b c&d', done: false, id: /^\[\d+,\d+\]$/ })
  t.same(Object.keys(first).sort(), ['done', 'id', 'title'], 'nothing else is sent')
  t.equal(created.headers.location, `${api}${at(first.id)}`)
  t.equal(created.headers['content-type'], 'application/json')
  const second = (await ask('POST', '/tasks', me, { title: 'größe', done: true })).row()
  t.match(second, { title: 'größe', done: true })
  t.same((await ask('GET', '/tasks')).list(), { rows: [first, second], cursor: null })
  t.same((await ask('GET', at(first.id))).row(), first)
  t.same((await ask('PATCH', at(first.id), me, { done: true })).row(), { ...first, done: true })
  t.same((await ask('PUT', at(first.id), me, { title: 'x' })).row(), { ...first, title: 'x', done: true }, 'PUT leaves what is not sent')
  t.same((await ask('PATCH', at(first.id), { ...me, ...form }, 'title=y&done=false')).row(), { ...first, title: 'y' }, 'a form does as well')
  t.same((await ask('PATCH', at(first.id), me, {})).row(), { ...first, title: 'y' })
  t.same((await ask('PATCH', at(first.id), me, { done: null })).row(), { ...first, title: 'y', done: null })
  const deleted = await ask('DELETE', at(first.id))
  t.same([deleted.status, deleted.text], [204, ''])
  t.equal((await ask('DELETE', at(first.id))).status, 404)
  t.same((await ask('GET', '/tasks')).list(), { rows: [second], cursor: null })
  t.same((await ask('GET', '/tasks', you)).list(), { rows: [], cursor: null })
  t.equal((await ask('GET', '/tasks', {})).status, 401)
  t.equal((await ask('PATCH', '/tasks')).headers['allow'], 'GET, POST, HEAD, OPTIONS')
  t.equal((await ask('POST', at(second.id))).headers['allow'], 'GET, PUT, PATCH, DELETE, HEAD, OPTIONS')
  const head = await ask('HEAD', at(second.id))
  t.same([head.status, head.etag], [200, (await ask('GET', at(second.id))).etag])
})

t.test('every type goes in and out as JSON, and hidden columns and the owner stay inside', async (t) => {
  const { ask, tables } = await appWith(t, ({ tasks }) => crudEndpoints('/tasks', tasks, { ownedBy: 'owner', authenticateUsers: true, links: { project: 'any', tags: 'any' } }))
  const home = await tables.tags.addRow({ label: 'home' })
  const house = await tables.projects.addRow({ name: 'House' })
  const values = {
    title: 'x', done: true, rank: -7, weight: 1.5, due: '2026-02-28', at: '2026-01-31T12:00:00.123Z', extra: { a: [1, null] }, weather: 'sun', project: house.id, tags: [home.id],
  }
  const created = await ask('POST', '/tasks', me, values)
  t.equal(created.status, 201, created.text)
  const row = created.row()
  t.same(row, { ...values, parent: null, picture: null, id: row.id })
  const [stored] = await tables.tasks.search().all()
  await stored?.update({ secret: 'hush', picture: new Media('png', { contentType: 'image/png' }) })
  const read = await ask('GET', at(row.id))
  t.same(read.row()['picture'], { contentType: 'image/png', name: null, length: 3 })
  t.notMatch(read.text, /hush|secret|owner/)
  t.not(read.etag, created.etag)
  const empty = { ...Object.fromEntries(Object.keys(values).map((name) => [name, null])), title: 'y' }
  t.same((await ask('PATCH', at(row.id), me, empty)).row(), { ...read.row(), ...empty })
  const byForm = `title=null&done=on&rank=12&weight=.5&due=2026-01-01&at=2026-01-01T00:00Z&extra={"b":1}&project=${house.id}&tags=${home.id}&tags=${home.id}`
  t.match((await ask('PATCH', at(row.id), { ...me, ...form }, byForm)).row(), { title: 'null', done: true, rank: 12, weight: 0.5, at: '2026-01-01T00:00:00.000Z', extra: { b: 1 }, tags: [home.id, home.id] })
})

t.test('what is wrong with a body is told, all of it at once, and nothing is written', async (t) => {
  const { ask, tables } = await appWith(t, ({ tasks }) =>
    crudEndpoints('/tasks', tasks, { ownedBy: 'owner', authenticateUsers: true, readOnly: ['rank'], columns: ['title', 'done', 'rank', 'due', 'weather', 'parent'] }))
  const first = (await ask('POST', '/tasks', me, { title: 'first' })).row()
  const wrong = await ask('POST', '/tasks', me, { titel: 'x', done: 'yes', rank: 1, due: '2026-02-30', id: '[2,1]', owner: '[1,1]', secret: 'x', weather: 'snow', parent: '[99,1]', __proto__: null, toString: 1 })
  t.equal(wrong.status, 400)
  for (const part of [
    'unknown column: "titel"; did you mean "title"?', 'column done: expected true or false, got "yes"', 'column rank cannot be written', 'column due: expected a date', 'column id cannot be written',
    'unknown column: "owner"', 'unknown column: "secret"', 'column weather: expected a value that its validator accepts (no such weather)', 'column parent: expected the id of a row of tasks, got "[99,1]"',
    'unknown column: "toString"', 'missing column: title',
  ]) t.match(wrong.text, part)
  t.notMatch(wrong.text, /known are:[^;]*(secret|owner)/, 'what is not opened is not told')
  t.match((await ask('POST', '/tasks', { ...me, 'content-type': 'application/json' }, '{"title":"x","__proto__":1}')).text, 'body.__proto__: no member may be called __proto__')
  for (const [body, headers, status, message] of [
    ['[]', { 'content-type': 'application/json' }, 400, 'expected a JSON object as the body, got a list'],
    ['"x"', { 'content-type': 'application/json' }, 400, 'expected a JSON object as the body, got "x"'],
    ['', { 'content-type': 'application/json' }, 400, 'the body is not valid JSON: it is empty'],
    ['null', { 'content-type': 'application/json' }, 400, 'expected a JSON object as the body, got null'],
    ['{"title":"x"}', { 'content-type': 'application/json x' }, 400, 'content-type: expected a media type such as application/json, got "application/json x"'],
    ['title=x', { 'content-type': 'application/x-www-form-urlencoded, text/plain' }, 400, 'content-type: expected a media type'],
    ['x', { 'content-type': 'nonsense' }, 400, 'content-type: expected a media type'],
    ['{"title":', { 'content-type': 'application/json' }, 400, 'not valid JSON'],
    ['{"title":"x"}', { 'content-type': 'text/plain' }, 415, 'expected a body with content-type application/json'],
    ['title=a&title=b', form, 400, 'column title: expected text once, got it 2 times'],
    ['title=a%00', form, 400, 'column title: expected text'],
    ['{"title":null}', { 'content-type': 'application/json' }, 400, 'column title: it is required, got null'],
    ['{"title":"\\ud800"}', { 'content-type': 'application/json' }, 400, 'column title: expected text'],
  ] as const) {
    for (const [method, path] of [['POST', '/tasks'], ['PATCH', at(first.id)]] as const) {
      const reply = await ask(method, path, { ...me, ...headers }, body)
      t.equal(reply.status, status, `${method} ${body}`)
      t.match(reply.text, message)
    }
  }
  const multipart = (...parts: string[]): [Headers, string] => [
    { ...me, 'content-type': 'multipart/form-data; boundary=x' },
    `${parts.map((part) => `--x\r\ncontent-disposition: form-data; ${part}\r\n`).join('')}--x--\r\n`,
  ]
  const file = await ask('POST', '/tasks', ...multipart('name="title"; filename="a.txt"\r\n\r\nx', 'name="picture"; filename="b.png"\r\n\r\nx', 'name="done"\r\n\r\nno'))
  t.same([file.status, file.text], [400, 'column title: expected a field of the form, got a file; unknown column: "picture"; known are: title, done, due, weather, parent; missing column: title'])
  const field = await ask('PATCH', at(first.id), ...multipart('name="due"\r\n\r\n2026-01-01'))
  t.match(field.row(), { title: 'first', due: '2026-01-01' })
  t.equal((await ask('POST', '/tasks')).text, 'missing column: title')
  for (const [method, path] of [['POST', '/tasks?title=x'], ['GET', `${at(first.id)}?x=1`], ['PATCH', `${at(first.id)}?done=true`], ['DELETE', `${at(first.id)}?x=`]] as const) {
    const reply = await ask(method, path)
    t.same([reply.status, /unknown parameter/.test(reply.text)], [400, true], `${method} has no parameters`)
  }
  const many = await ask('POST', '/tasks', me, Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`x${index}`, 1])))
  t.equal(many.status, 400)
  t.match(many.text, /and 19980 more unknown names$/)
  t.ok(many.text.length < 10_000)
  t.same((await tables.tasks.search().all()).map(({ title, rank }) => [title, rank]), [['first', null]])
})

t.test('a list is filtered, ordered and read page by page', async (t) => {
  const { ask, tables } = await appWith(t, ({ tasks }) => crudEndpoints('/tasks', tasks, { public: true, readOnly: ['owner'] }))
  const tags = await tables.tags.addRows([{ label: 'a' }, { label: 'b' }])
  const [one, two] = tags
  await tables.tasks.addRows([
    { title: 'b', done: true, rank: 2, due: '2026-01-01', at: new Date('2026-01-01T00:00:00Z'), tags: tags },
    { title: 'a', done: false, rank: 2, weight: 0.5, ...(one && { tags: [one] }) },
    { title: 'null', done: true, rank: null },
    { title: '', done: null, rank: 1 },
  ])
  const list = async (query: string): Promise<unknown[]> => {
    const reply = await ask('GET', `/tasks${query}`, {})
    return reply.status === 200 ? reply.list().rows.map(({ title }) => title) : [reply.status, reply.text]
  }
  const parent = (await ask('GET', '/tasks', {})).list().rows[0]?.id ?? ''
  await ask('PATCH', at((await ask('GET', '/tasks?title=a', {})).list().rows[0]?.id ?? ''), {}, { parent })
  for (const [query, titles] of [
    ['', ['b', 'a', 'null', '']],
    ['?done=true', ['b', 'null']],
    ['?done=1&rank=2', ['b']],
    ['?title=null', ['null']],
    ['?title=', ['']],
    ['?title=%C3%A4', []],
    ['?null=done', ['']],
    ['?null=due,rank', ['null']],
    ['?null=title', []],
    ['?weight=.5', ['a']],
    ['?due=2026-01-01', ['b']],
    ['?at=2026-01-01T01:00%2B01:00', ['b']],
    [`?tags=${two?.id}`, ['b']],
    [`?tags=${one?.id}`, ['b', 'a']],
    [`?tags=${one?.id}&tags=${two?.id}`, ['b']],
    [`?parent=${encodeURIComponent(parent)}`, ['a']],
    [`?parent=${parent.replace(/\d+\]/, '999999]')}`, []],
    ['?order=title', ['', 'a', 'b', 'null']],
    ['?order=-rank,title', ['a', 'b', '', 'null']],
    ['?order=rank,-title', ['null', '', 'b', 'a']],
    ['?order=-id', ['', 'null', 'a', 'b']],
    ['?order=done,-rank&limit=2', ['', 'a']],
    ['?limit=1000', ['b', 'a', 'null', '']],
  ] as const) t.same(await list(query), titles, query)
  for (const query of ['', 'order=-rank', 'order=rank,-title&', 'done=true&order=-title', 'null=due&order=title']) {
    const whole = await list(`?${query}`)
    t.ok(whole.length > 1, `more than one page: ${query}`)
    const walked: unknown[] = []
    for (let cursor = ''; ; ) {
      const page = (await ask('GET', `/tasks?${query}&limit=1${cursor}`, {})).list()
      t.equal(page.rows.length, 1, 'no page is empty')
      walked.push(...page.rows.map(({ title }) => title))
      if (page.cursor === null) break
      cursor = `&cursor=${page.cursor}`
    }
    t.same(walked, whole, `page by page: ${query}`)
  }
  await tables.tasks.addRows(Array.from({ length: 60 }, (_, index) => ({ title: `t${index}` })))
  const firstPage = (await ask('GET', '/tasks', {})).list()
  const secondPage = (await ask('GET', `/tasks?cursor=${firstPage.cursor}`, {})).list()
  t.same([firstPage.rows.length, secondPage.rows.length, secondPage.cursor], [50, 14, null])
  t.equal(new Set([...firstPage.rows, ...secondPage.rows].map(({ id }) => id)).size, 64)
  const cursor = String((await ask('GET', '/tasks?order=title&limit=1', {})).list().cursor)
  for (const [query, ...messages] of [
    ['?dnoe=true', 'unknown parameter: "dnoe"; did you mean "done"?'],
    ['?whatever=1', 'known are: title, done, rank, weight, due, at, owner, parent, project, tags, order, limit, cursor, null'],
    ['?extra=1', 'unknown parameter: "extra"'],
    ['?secret=x', 'unknown parameter: "secret"'],
    ['?id=x', 'unknown parameter: "id"'],
    ['?done=maybe&rank=1.5&limit=0&order=nope', 'parameter done: expected true or false, got "maybe"', 'parameter rank: expected a whole number', 'parameter limit: expected a whole number from 1 to 1000, got 0', 'unknown column in order: "nope"'],
    ['?limit=1001', 'from 1 to 1000'], ['?limit=x', 'parameter limit: expected a whole number, got "x"'], ['?limit=1&limit=2', 'parameter limit: expected a whole number once, got it 2 times'],
    ['?order=secret', 'unknown column in order: "secret"; known are: id, title'], ['?order=extra', 'unknown column in order'], ['?order=tags', 'unknown column in order'], ['?order=', 'unknown column in order'],
    ['?order=title,-title', 'title is there more than once'], ['?order=title&order=done', 'parameter order: expected it once'],
    ['?null=secret', 'unknown column in null: "secret"'], ['?null=due&due=2026-01-01', 'due has to be null and something else'],
    ['?done=true&done=false', 'parameter done: expected true or false once'], ['?parent=5', 'parameter parent: expected the id of a row of tasks, got "5"'],
    ['?cursor=nonsense', 'parameter cursor: expected the cursor of the page before'], [`?cursor=${cursor}`, 'parameter cursor'], [`?order=-title&cursor=${cursor}`, 'parameter cursor'],
  ] as const) {
    const [status, message] = await list(query)
    t.equal(status, 400, query)
    for (const part of messages) t.match(message, part)
  }
})

t.test("another user's row, a deleted one and nonsense look the same, and nothing happens to them", async (t) => {
  const { ask, tables } = await appWith(t, ({ tasks }) => crudEndpoints('/tasks', tasks, { ownedBy: 'owner', authenticateUsers: true, columns: ['title', 'done'] }))
  const yours = (await ask('POST', '/tasks', you, { title: 'yours' })).row()
  const gone = (await ask('POST', '/tasks', me, { title: 'gone' })).row()
  await ask('DELETE', at(gone.id))
  await tables.tasks.addRow({ title: "nobody's" })
  const [nobodys] = await tables.tasks.search({ owner: null }).all()
  const etag = (await ask('GET', at(yours.id), you)).etag
  const answers = new Set<string>()
  for (const id of [yours.id, gone.id, nobodys?.id ?? '', 'abc', '[1,1]', '[2, 1]', yours.id.replace(/\d+\]/, '999999]'), '9'.repeat(3000), '__proto__', 'null', '[-1,0]']) {
    for (const method of ['GET', 'PATCH', 'PUT', 'DELETE'] as const) {
      for (const condition of [{}, { 'if-match': etag }, { 'if-match': '*' }, { 'if-none-match': etag }] as Headers[]) {
        const { status, text, headers } = await ask(method, at(id), { ...me, ...condition }, method === 'PATCH' || method === 'PUT' ? { title: 'stolen' } : undefined)
        answers.add(JSON.stringify([status, text, Object.keys(headers).filter((name) => name !== 'x-request-id')]))
      }
    }
  }
  t.equal(answers.size, 1, [...answers].join('\n'))
  t.match([...answers][0], /^\[404,"Not Found"/)
  t.same((await ask('GET', at(yours.id), you)).row(), yours)
  t.same((await ask('GET', '/tasks', you)).list().rows, [yours])
  t.same((await tables.tasks.search({ owner: null }).all()).map(({ title }) => title), ["nobody's"])
})

t.test('a link leads to rows of one’s own, or to those that its rule allows', async (t) => {
  const { ask, tables } = await appWith(t, ({ tasks }) =>
    crudEndpoints('/tasks', tasks, { ownedBy: 'owner', authenticateUsers: true, columns: ['title', 'parent', 'project', 'tags'], links: { project: { ownedBy: 'lead' }, tags: 'any' } }))
  const [mine, yours] = [(await ask('POST', '/tasks', me, { title: 'mine' })).row(), (await ask('POST', '/tasks', you, { title: 'yours' })).row()]
  const [meRow, youRow] = await tables.users.search().all()
  if (meRow === undefined || youRow === undefined) throw new Error('there are two users')
  const my = await tables.projects.addRow({ name: 'mine', lead: meRow })
  const your = await tables.projects.addRow({ name: 'yours', lead: youRow })
  const leaderless = await tables.projects.addRow({ name: 'nobody’s' })
  const tag = await tables.tags.addRow({ label: 'x' })
  const missing = (id: string): string => id.replace(/\d+\]/, '999999]')
  const told = (column: string, id: string, table: string): string => `column ${column}: there is no row ${id} of ${table} that it could link to`
  for (const [column, id, table, list] of [
    ['parent', yours.id, 'tasks', false], ['parent', missing(yours.id), 'tasks', false], ['project', your.id, 'projects', false], ['project', leaderless.id, 'projects', false],
    ['project', missing(my.id), 'projects', false], ['tags', missing(tag.id), 'tags', true],
  ] as const) {
    const body = { title: 'x', [column]: list ? [tag.id, id] : id }
    for (const [method, path] of [['POST', '/tasks'], ['PATCH', at(mine.id)]] as const) {
      const reply = await ask(method, path, me, body)
      t.same([reply.status, reply.text], [400, told(column, id, table)], `${method} ${column}`)
      const both = await ask(method, path, me, { ...body, nope: 1 })
      t.same([both.status, both.text.includes(told(column, id, table)), both.text.includes('unknown column: "nope"')], [400, true, true], 'with all the rest')
    }
  }
  t.match((await ask('PATCH', at(mine.id), me, { tags: tag.id })).row(), { tags: [tag.id] }, 'a single id is a list of one')
  t.match((await ask('PATCH', at(mine.id), me, { tags: Array.from({ length: 1001 }, () => tag.id) })).text, 'column tags: expected at most 1000 ids, got 1001')
  t.same((await ask('PATCH', at(mine.id), me, { parent: mine.id, project: my.id, tags: [tag.id, tag.id] })).row(), { ...mine, parent: mine.id, project: my.id, tags: [tag.id, tag.id] })
  t.same((await ask('PATCH', at(mine.id), me, { parent: null, project: null, tags: null })).row(), { ...mine, tags: null })
  t.same((await ask('GET', `/tasks?parent=${yours.id}`)).list(), { rows: [], cursor: null })
  t.same((await ask('GET', `/tasks?parent=${missing(yours.id)}`)).list(), { rows: [], cursor: null })
  t.equal(await tables.tasks.search().count(), 2)
})

t.test('validate looks at values, row and user inside the transaction; what it throws undoes everything', async (t) => {
  const seen: unknown[] = []
  const { ask, tables } = await appWith(t, ({ tasks, projects }) =>
    crudEndpoints('/tasks', tasks, {
      ownedBy: 'owner',
      authenticateUsers: true,
      columns: ['title', 'rank', 'due'],
      readOnly: ['rank'],
      async validate(values, { row, user, request }) {
        seen.push([values, row?.title ?? null, user?.email, request.method])
        await projects.addRow({ name: 'written by validate' })
        if (values.title === 'bad') throw new HttpError(422, 'no bad titles')
        if (values.title === 'list') return [] as never
        if (values.title === 'theft') return { owner: null }
        if (values.title === 'fail') throw new Error('unforeseen')
        return values.title === 'same' ? undefined : { ...values, rank: (row?.rank ?? 0) + 1, secret: 'kept' }
      },
    }))
  const row = (await ask('POST', '/tasks', me, { title: 'a' })).row()
  t.match(row, { title: 'a', rank: 1, due: null })
  t.match((await ask('PATCH', at(row.id), me, { due: '2026-01-01' })).row(), { title: 'a', rank: 2, due: '2026-01-01' })
  t.match((await ask('PATCH', at(row.id), me, { title: 'same' })).row(), { title: 'same', rank: 2 })
  t.same(seen, [[{ title: 'a' }, null, 'me@example.com', 'POST'], [{ due: '2026-01-01' }, 'a', 'me@example.com', 'PATCH'], [{ title: 'same' }, 'a', 'me@example.com', 'PATCH']])
  t.equal(await tables.projects.search().count(), 3)
  for (const [title, status, message] of [['bad', 422, 'no bad titles'], ['list', 500, 'An exception'], ['theft', 500, 'An exception'], ['fail', 500, 'An exception']] as const) {
    for (const [method, path] of [['POST', '/tasks'], ['PATCH', at(row.id)]] as const) {
      const reply = await ask(method, path, me, { title })
      t.same([reply.status, reply.text.slice(0, message.length)], [status, message])
    }
  }
  seen.length = 0
  t.equal((await ask('PATCH', at(row.id), you, { title: 'b' })).status, 404)
  t.equal((await ask('PATCH', at(row.id), { ...me, 'if-match': '"old"' }, { title: 'b' })).status, 412)
  t.equal((await ask('PATCH', at(row.id), me, { title: 5 })).status, 400)
  t.same(seen, [], 'it is not asked about what is refused anyway')
  t.equal(await tables.projects.search().count(), 3, 'what validate wrote before it threw is gone')
  t.same((await tables.tasks.search().all()).map(({ title, rank, secret }) => [title, rank, secret]), [['same', 2, 'kept']])
})

t.test('ETags tell states apart, and a condition that does not hold changes nothing', async (t) => {
  const { ask, tables } = await appWith(t, ({ tasks }) => crudEndpoints('/tasks', tasks, { ownedBy: 'owner', authenticateUsers: true, columns: ['title', 'done', 'picture'] }))
  const created = await ask('POST', '/tasks', me, { title: 'x' })
  const { id } = created.row()
  t.match(created.etag, /^"[\w-]{22}"$/, 'strong')
  const read = await ask('GET', at(id))
  t.equal(read.etag, created.etag)
  const unchanged = await ask('GET', at(id), { ...me, 'if-none-match': `"other", W/${read.etag}` })
  t.same([unchanged.status, unchanged.text, unchanged.etag], [304, '', read.etag])
  t.equal((await ask('GET', at(id), { ...me, 'if-none-match': '*' })).status, 304)
  t.equal((await ask('HEAD', at(id), { ...me, 'if-none-match': read.etag })).status, 304)
  t.equal((await ask('GET', at(id), { ...me, 'if-none-match': '"other"' })).status, 200)
  t.equal((await ask('GET', at(id), { ...me, 'if-match': '"other"' })).status, 412)

  const changed = await ask('PATCH', at(id), { ...me, 'if-match': `"other",${read.etag}` }, { done: true })
  t.equal(changed.status, 200)
  t.not(changed.etag, read.etag)
  t.equal((await ask('GET', at(id), { ...me, 'if-none-match': read.etag })).etag, changed.etag)
  for (const condition of [{ 'if-match': read.etag }, { 'if-match': `W/${changed.etag}` }, { 'if-none-match': changed.etag }, { 'if-none-match': '*' }] as Headers[]) {
    const refused = await ask('PUT', at(id), { ...me, ...condition }, { title: 'lost' })
    t.equal(refused.status, 412, JSON.stringify(condition))
    t.match(refused.text, 'if-match' in condition ? 'the row has changed since it was read with the ETag in If-Match; read it again' : 'the state that If-None-Match excludes')
    t.equal((await ask('DELETE', at(id), { ...me, ...condition })).status, 412)
  }
  for (const nonsense of ['x', '"x', '"x" "y"', ',', '', `${'"a",'.repeat(2000)}x`, '*,*']) {
    for (const header of ['if-match', 'if-none-match']) t.equal((await ask('DELETE', at(id), { ...me, [header]: nonsense })).status, 400, `${header}: ${nonsense.slice(0, 20)}`)
  }
  t.match((await ask('GET', at(id))).row(), { title: 'x', done: true })

  const [row] = await tables.tasks.search().all()
  await row?.update({ picture: new Media('abc') })
  const pictured = (await ask('GET', at(id))).etag
  await row?.update({ picture: new Media('abd') })
  t.not((await ask('GET', at(id))).etag, pictured, 'other bytes of the same length are another state')
  const before = (await ask('GET', at(id))).etag
  await row?.update({ secret: '1234', rank: 5 })
  t.equal((await ask('GET', at(id))).etag, before, 'what is not sent has no part in the ETag')
  t.equal((await ask('DELETE', at(id), { ...me, 'if-match': '*' })).status, 204)
  t.equal((await ask('PATCH', at(id), { ...me, 'if-match': '*' }, {})).status, 404)
})

t.test('an ETag stays what clients hold: the SHA-256 of what is sent; media have a part in it, and are not read for it', async (t) => {
  const { ask, tables } = await appWith(t, ({ tasks }) => {
    crudEndpoints('/tasks', tasks, { ownedBy: 'owner', authenticateUsers: true, columns: ['title', 'picture'] })
  })
  const { id } = (await ask('POST', '/tasks', me, { title: 'ä€😀x' })).row()
  const [row] = await tables.tasks.search().all()
  const { text, etag } = await ask('GET', at(id))
  t.equal(etag, `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`)
  const tags = new Set([etag])
  for (const picture of [new Media('abc'), new Media('abd'), new Media(new Uint8Array(100_000)), new Media(new Uint8Array(100_000).fill(1))]) {
    await row?.update({ picture })
    const { etag: tag } = await ask('GET', at(id))
    tags.add(tag)
    const changed = await ask('PATCH', at(id), { ...me, 'if-match': tag ?? '' }, { title: 'ä€😀x' })
    t.equal(changed.status, 200)
    t.equal(changed.etag, tag, 'the same from whatever row, and after a change of nothing')
  }
  t.equal(tags.size, 5)
})

t.test('of a hundred parallel changes none is lost', { skip: takesLong('each change is tried until it succeeds') }, async (t) => {
  const columns = Array.from({ length: 20 }, (_, index) => `c${index}`)
  const app = await buildApp(t, () => {
    const tables = defineTables({ counters: table({ count: integer().default(0).required(), ...Object.fromEntries(columns.map((name) => [name, integer()])) }) })
    crudEndpoints('/counters', tables.counters, { public: true })
  })
  const ask = askOf(app.server)
  const { id } = (await ask('POST', '/counters', {}, {})).row()
  const path = `/counters/${encodeURIComponent(id)}`
  await Promise.all(Array.from({ length: 100 }, (_, index) => ask('PATCH', path, {}, { [columns[index % 20] ?? '']: index })))
  const row = (await ask('GET', path, {})).row()
  t.same(columns.map((name) => Number(row[name]) % 20), columns.map((_, index) => index), 'changes of different columns are all there')

  let refused = 0
  const increment = async (): Promise<void> => {
    for (;;) {
      const read = await ask('GET', path, {})
      const { status } = await ask('PATCH', path, { 'if-match': read.etag }, { count: Number(read.row()['count']) + 1 })
      if (status === 200) return
      if (status !== 412) throw new Error(`unexpected status ${status}`)
      refused++
      await delay(Math.random() * 500)
    }
  }
  await Promise.all(Array.from({ length: 100 }, increment))
  t.equal((await ask('GET', path, {})).row()['count'], 100, 'read, add one, write with If-Match, repeat when it has changed')
  t.ok(refused > 0, 'they got into each other’s way')
})

t.test('a row that changes hands while a change of it waits is not changed', async (t) => {
  const giving = new EventEmitter()
  const { ask, tables } = await appWith(t, ({ tasks, users: everybody }) => {
    crudEndpoints('/tasks', tasks, { ownedBy: 'owner', authenticateUsers: true, columns: ['title', 'parent'] })
    httpEndpoint('/give/:id', { methods: ['POST'], authenticateUsers: true }, ({ id }) =>
      transaction(async () => {
        const row = await tasks.getById(id)
        giving.emit('begun')
        await delay(100)
        await row?.update({ owner: await everybody.get({ email: 'you@example.com' }) })
        return users.getUser()?.email
      }))
  })
  const rows = await Promise.all(['a', 'b', 'c'].map(async (title) => (await ask('POST', '/tasks', me, { title })).row()))
  const [a, b, c] = rows.map(({ id }) => id)
  if (a === undefined || b === undefined || c === undefined) throw new Error('there are three rows')
  const race = async (id: string, change: () => ReturnType<Ask>): Promise<number> => {
    const begun = once(giving, 'begun')
    const given = ask('POST', `/give/${encodeURIComponent(id)}`)
    await begun
    const { status } = await change()
    t.equal((await given).status, 200)
    return status
  }
  t.equal(await race(a, () => ask('PATCH', at(a), me, { title: 'too late' })), 404)
  t.equal(await race(b, () => ask('DELETE', at(b))), 404)
  const next = (await ask('POST', '/tasks', me, { title: 'next' })).row()
  t.equal(await race(c, () => ask('PATCH', at(next.id), me, { parent: c })), 400, 'nor linked to')
  t.same((await ask('GET', '/tasks', you)).list().rows.map(({ title }) => title), ['a', 'b', 'c'])
  t.same((await tables.tasks.search({ title: 'next' }).all()).map(({ parent }) => parent), [null])
})

t.test('only what is named is opened, and refusals of the table are told as everywhere', async (t) => {
  const app = await buildApp(t, () => {
    const tables = defineTables({
      seats: table({ place: text().required().unique(), row: integer() }).unique('row'),
      bookings: table({ seat: link('seats', { onDelete: 'restrict' }) }),
    })
    crudEndpoints('/seats', tables.seats, { public: true, summary: 'Seats', bodyLimit: 100, name: 'seat' })
    crudEndpoints('/bookings', tables.bookings, { public: true, only: ['create', 'list'], name: 'bookings' })
    httpEndpoint('/urls', () => [urlFor('seat', { id: '[5,1]' }), urlFor('bookings', { limit: 1 })])
    crudEndpoints('/people', tables.users, { public: true, only: ['read', 'list'], columns: ['enabled'] })
  })
  const ask = askOf(app.server)
  const { id } = (await ask('POST', '/seats', {}, { place: 'A1' })).row()
  t.equal((await ask('GET', '/urls', {})).text, '["/_/api/seats/%5B5%2C1%5D","/_/api/bookings?limit=1"]')
  const again = await ask('POST', '/seats', {}, { place: 'A1' })
  t.same([again.status, again.text], [409, 'table seats already has a row with this place'])
  t.equal((await ask('POST', '/seats', {}, { place: 'x'.repeat(100) })).status, 413)
  t.equal((await ask('POST', '/bookings', {}, { seat: id })).status, 201)
  t.equal((await ask('DELETE', `/seats/${id}`, {})).status, 409)
  t.equal((await ask('GET', `/bookings/${id}`, {})).status, 404)
  t.equal((await ask('PATCH', '/bookings', {}, {})).headers['allow'], 'GET, POST, HEAD, OPTIONS')
  await app.server.rowhouse.users.add('me@example.com', password)
  t.same((await ask('GET', '/people', {})).list().rows.map((row) => Object.keys(row)), [['id', 'enabled']])
  t.equal((await ask('POST', '/people', {}, { enabled: true })).status, 405)
})

t.test('it has to be said who gets in, and what is wrong with a declaration stops the start, all of it at once, with its place', async (t) => {
  const cases: [RegExp, (tables: AppTables) => unknown][] = [
    [/^test\/crud-endpoints\.test\.ts:\d+: crudEndpoints\("\/tasks"\): it is not said who may use these endpoints: authenticateUsers: true lets in signed-in users only, public: true everybody$/, ({ tasks }) => crudEndpoints('/tasks', tasks, {} as never)],
    [/"requireCredentials" has nobody here who would judge the credentials/, ({ tasks }) => crudEndpoints('/tasks', tasks, { requireCredentials: true } as never)],
    [/who may use these endpoints/, ({ tasks }) => crudEndpoints('/tasks', tasks, { public: false })],
    [/"authenticateUsers" and "public" contradict each other/, ({ tasks }) => crudEndpoints('/tasks', tasks, { authenticateUsers: true, public: true })],
    [/"ownedBy" needs authenticateUsers: true/, ({ tasks }) => crudEndpoints('/tasks', tasks, { ownedBy: 'owner', public: true, columns: ['title'] })],
    [/"ownedBy" needs authenticateUsers: true/, ({ tasks }) => crudEndpoints('/tasks', tasks, { ownedBy: 'owner', authenticateUsers: false, columns: ['title'] })],
    [/option "authenticateUsers" takes true, false or 'optional', got undefined/, ({ tasks }) => crudEndpoints('/tasks', tasks, { authenticateUsers: undefined } as never)],
    [/"ownedBy" takes the name of a link\('users'\) column of tasks, got the column parent, which is a link to tasks; did you mean|"ownedBy" takes .* known are: owner/, ({ tasks }) => crudEndpoints('/tasks', tasks, { ownedBy: 'parent' as never, authenticateUsers: true, columns: ['title'] })],
    [/"ownedBy" takes .*, got "ownr", which tasks does not have; did you mean "owner"\?/, ({ tasks }) => crudEndpoints('/tasks', tasks, { ownedBy: 'ownr' as never, authenticateUsers: true, columns: ['title'] })],
    [/"ownedBy" takes .*, got null; tags has none: declare owner: link\('users'\)/, ({ tags }) => crudEndpoints('/tags', tags, { ownedBy: null as never, authenticateUsers: true })],
    [/the option "columns" has "titel", which tasks does not have; did you mean "title"\?/, ({ tasks }) => crudEndpoints('/tasks', tasks, { public: true, columns: ['titel' as never] })],
    [/the option "columns" has "secret", a hidden column, which is never sent/, ({ tasks }) => crudEndpoints('/tasks', tasks, { public: true, columns: ['title', 'secret' as never] })],
    [/the option "columns" has "id", which is always sent and never written; leave it out/, ({ tasks }) => crudEndpoints('/tasks', tasks, { public: true, columns: ['id' as never, 'title'] })],
    [/the option "columns" has a name twice/, ({ tasks }) => crudEndpoints('/tasks', tasks, { public: true, columns: ['title', 'title'] })],
    [/the option "columns" takes a list of names, got an empty one/, ({ tasks }) => crudEndpoints('/tasks', tasks, { public: true, only: ['list'], columns: [] })],
    [/the option "columns" takes a list of names, got a text/, ({ tasks }) => crudEndpoints('/tasks', tasks, { public: true, only: ['list'], columns: 'title' as never })],
    [/"readOnly" has the column rank, which is not opened; list it in "columns" too/, ({ tasks }) => crudEndpoints('/tasks', tasks, { public: true, columns: ['title'], readOnly: ['rank'] })],
    [/no row can be created, because title is required and cannot be written: open it for writing, or give it a default, fill it in in "validate", or leave 'create' out with "only"/, ({ tasks }) => crudEndpoints('/tasks', tasks, { public: true, readOnly: ['title'] })],
    [/the option "only" has "remove", which is nothing that can be opened; known are: list, read, create, update, delete/, ({ tasks }) => crudEndpoints('/tasks', tasks, { public: true, only: ['remove' as never] })],
    [/the link project needs a rule: links: \{ project: … \} takes 'any', .*; the link tags needs a rule/, ({ tasks }) => crudEndpoints('/tasks', tasks, { ownedBy: 'owner', authenticateUsers: true })],
    [/the option "links" has "title", which is no link that can be written here; .*the option "links" takes for tags 'any', .* got a boolean/, ({ tasks }) => crudEndpoints('/tasks', tasks, { public: true, links: { tags: true, title: 'any' } as never })],
    [/"links" has "parent", which links to rows of the same table/, ({ tasks }) => crudEndpoints('/tasks', tasks, { ownedBy: 'owner', authenticateUsers: true, columns: ['title', 'parent'], links: { parent: 'any' } })],
    [/"links.project.ownedBy" takes the name of a link\('users'\) column of projects, got "owner", which projects does not have; known are: lead/, ({ tasks }) => crudEndpoints('/tasks', tasks, { authenticateUsers: true, links: { project: { ownedBy: 'owner' as never } } })],
    [/a link to rows of the user needs authenticateUsers/, ({ tasks }) => crudEndpoints('/tasks', tasks, { public: true, links: { project: { ownedBy: 'lead' } } })],
    [/the option "validate" takes a function, got a text/, ({ tasks }) => crudEndpoints('/tasks', tasks, { public: true, validate: 'x' as never })],
    [/"validate" is never called/, ({ tasks }) => crudEndpoints('/tasks', tasks, { public: true, only: ['read'], validate: () => undefined })],
    [/unknown option "colums"; did you mean "columns"\?; .*unknown option "furthermore"; known are: /, ({ tasks }) => crudEndpoints('/tasks', tasks, { public: true, colums: ['title'], furthermore: 1 } as never)],
    [/the option "methods" is not for here/, ({ tasks }) => crudEndpoints('/tasks', tasks, { public: true, methods: ['GET'] } as never)],
    [/"timeout" takes a whole number of milliseconds above 0, got -1; unknown option "nmae"|unknown option "nmae".*; the option "timeout" takes a whole number of milliseconds above 0, got -1$/, ({ tasks }) => crudEndpoints('/tasks', tasks, { public: true, timeout: -1, nmae: 'x' } as never)],
    [/takes an object of options as its third argument, .*got undefined/, ({ tasks }) => crudEndpoints('/tasks', tasks, undefined as never)],
    [/takes a table of the app as its second argument, such as tables.tasks, got undefined/, () => crudEndpoints('/tasks', undefined as never, { public: true })],
    [/takes a path such as "\/tasks" as its first argument, got a number/, ({ tasks }) => crudEndpoints(7 as never, tasks, { public: true })],
    [/a path starts with "\/", got "tasks"/, ({ tasks }) => crudEndpoints('tasks', tasks, { public: true })],
    [/the path has the parameter "team", which no row is chosen by/, ({ tasks }) => crudEndpoints('/teams/:team/tasks', tasks, { public: true })],
    [/the path ends with "\/"/, ({ tasks }) => crudEndpoints('/tasks/', tasks, { public: true })],
    [/users are opened column by column: .*; users can be opened with only: \['list', 'read'\] alone|users can be opened with only: .*; users are opened column by column/, ({ users: everybody }) => crudEndpoints('/users', everybody, { public: true })],
    [/GET \/_\/api\/tasks is declared twice: here and at test\/crud-endpoints.test.ts:\d+/, ({ tasks }) => [httpEndpoint('/tasks', { methods: ['GET'] }, () => 1), crudEndpoints('/tasks', tasks, { public: true })]],
  ]
  for (const [message, open] of cases) await t.rejects(buildApp(t, () => open(declareTables()), {}, root), { name: 'DeclarationError', message })

  const withColumn = (open: (table: Parameters<typeof crudEndpoints>[1]) => unknown) => () => open(defineTables({ things: table({ order: integer(), null: text() }) }).things as never)
  await t.rejects(buildApp(t, withColumn((things) => crudEndpoints('/things', things, { public: true })), {}, root), { message: /the column order cannot be told from the parameter "order" of a list; .*the column null cannot be told/ })
  await t.resolves(buildApp(t, withColumn((things) => crudEndpoints('/things', things, { public: true, only: ['read', 'create'] }))))
})

t.test('a unique value of somebody else is not given away unless all may know of it', async (t) => {
  const declare = () =>
    defineTables({
      notes: table({ slug: text().unique(), name: text(), owner: link('users', { onDelete: 'cascade' }).required().hidden() }).unique('owner', 'name'),
      pairs: table({ a: integer(), b: integer(), owner: link('users') }).unique('a', 'b'),
    })
  const refused = /slug is unique over the rows of all users of notes, so whoever writes it can find out what others have; declare \.unique\('owner', 'slug'\)/
  await t.rejects(buildApp(t, () => crudEndpoints('/notes', declare().notes, { ownedBy: 'owner', authenticateUsers: true })), { name: 'DeclarationError', message: refused })
  await t.rejects(buildApp(t, () => crudEndpoints('/pairs', declare().pairs, { ownedBy: 'owner', authenticateUsers: true, readOnly: ['b'] })), { message: /a is unique over the rows of all users of pairs/ })
  await t.rejects(buildApp(t, () => crudEndpoints('/pairs', declare().pairs, { authenticateUsers: true, sharedUnique: ['a'] })), { message: /"sharedUnique" has a meaning only with "ownedBy"/ })
  await t.resolves(buildApp(t, () => crudEndpoints('/notes', declare().notes, { ownedBy: 'owner', authenticateUsers: true, readOnly: ['slug'] })))
  const app = await buildApp(t, () => crudEndpoints('/notes', declare().notes, { ownedBy: 'owner', authenticateUsers: true, sharedUnique: ['slug'] }))
  for (const email of ['me@example.com', 'you@example.com']) await app.server.rowhouse.users.add(email, password)
  const ask = askOf(app.server)
  t.equal((await ask('POST', '/notes', me, { slug: 'a', name: 'x' })).status, 201)
  t.equal((await ask('POST', '/notes', you, { slug: 'b', name: 'x' })).status, 201, 'the name is everybody’s own')
  t.equal((await ask('POST', '/notes', you, { name: 'x' })).status, 409)
  t.equal((await ask('POST', '/notes', you, { slug: 'a', name: 'y' })).text, 'table notes already has a row with this slug')
  t.same((await ask('GET', '/notes', you)).list().rows.map(({ id: _id, ...columns }) => columns), [{ slug: 'b', name: 'x' }], 'the owner may be hidden and required')
})

t.test('columns, owner and links are checked by the compiler', async (t) => {
  await t.rejects(
    buildApp(t, () => {
      const { tasks, tags, users } = declareTables()
      // @ts-expect-error there is no such column
      crudEndpoints('/tasks', tasks, { public: true, columns: ['titel'] })
      // @ts-expect-error a hidden column is never sent
      crudEndpoints('/tasks', tasks, { public: true, columns: ['title', 'secret'] })
      // @ts-expect-error nor is the key of an e-mail address
      crudEndpoints('/users', users, { authenticateUsers: true, only: ['list'], columns: ['emailKey'] })
      // @ts-expect-error it is not said who gets in
      crudEndpoints('/tasks', tasks, {})
      // @ts-expect-error nor is it here
      crudEndpoints('/tasks', tasks, { columns: ['title'] })
      // @ts-expect-error it links to another table
      crudEndpoints('/tasks', tasks, { authenticateUsers: true, ownedBy: 'parent' })
      // @ts-expect-error there is no link
      crudEndpoints('/tags', tags, { authenticateUsers: true, ownedBy: 'label' })
      // @ts-expect-error it is no link
      crudEndpoints('/tasks', tasks, { public: true, links: { title: 'any' } })
      // @ts-expect-error projects belong to a lead
      crudEndpoints('/tasks', tasks, { authenticateUsers: true, links: { project: { ownedBy: 'owner' } } })
      // @ts-expect-error there is nothing of that name to open
      crudEndpoints('/tasks', tasks, { public: true, only: ['remove'] })
      // @ts-expect-error an integer is no text
      crudEndpoints('/tasks', tasks, { public: true, validate: () => ({ rank: '1' }) })
      crudEndpoints('/tasks', tasks, {
        public: true,
        validate(values, { row, user }) {
          const title: string | undefined = values.title
          const rank: number | null | undefined = row?.rank
          return { title: `${title} ${rank} ${user?.email}` }
        },
      })
    }),
    { name: 'DeclarationError' },
  )
})

interface Model {
  readonly id: string
  readonly owner: Headers
  readonly title: string
  readonly done: boolean | null
  readonly rank: number | null
  readonly parent: string | null
}

const shown = ({ id, title, done, rank, parent }: Model): Sent => ({ id, title, done, rank, parent })
const numberOf = (id: string): number => Number(/,(\d+)\]$/.exec(id)?.[1])

/** The order of a list by a model of it: null first, ties by id, and in a descending order the other way round but for the ties. */
function compare(order: readonly string[]): (one: Model, other: Model) => number {
  return (one, other) => {
    for (const term of order) {
      const name = term.replace('-', '') as 'title' | 'done' | 'rank' | 'parent' | 'id'
      const key = (row: Model): number | string => {
        const value = row[name]
        if (value === null) return -Infinity
        return name === 'id' || name === 'parent' ? numberOf(String(value)) : typeof value === 'boolean' ? Number(value) : value
      }
      const [a, b] = [key(one), key(other)]
      const difference = a === b ? 0 : a === -Infinity ? -1 : b === -Infinity ? 1 : a < b ? -1 : 1
      if (difference !== 0) return term.startsWith('-') ? -difference : difference
    }
    return numberOf(one.id) - numberOf(other.id)
  }
}

t.test('whatever two users ask for, each has his own rows and no others (property)', { timeout: 110_000, skip: takesLong('it tries hundreds of sequences of requests') }, async (t) => {
  const { ask, tables } = await appWith(t, ({ tasks }) => crudEndpoints('/tasks', tasks, { ownedBy: 'owner', authenticateUsers: true, columns: ['title', 'done', 'rank', 'parent'] }))
  const someId = fc.nat({ max: 12 })
  const titles = fc.constantFrom('', 'a', 'b', 'ä', 'null')
  const columns = { done: fc.constantFrom(true, false, null), rank: fc.constantFrom(null, -1, 0, 2), parent: fc.option(someId, { freq: 1 }) }
  const values = fc.record({ title: titles, ...columns }, { requiredKeys: [] })
  const newValues = fc.oneof({ weight: 9, arbitrary: fc.record({ title: titles, ...columns }, { requiredKeys: ['title'] }) }, { weight: 1, arbitrary: values })
  // Filters that find something.
  const filters = fc.oneof(fc.constant({}), fc.record({ title: titles }), fc.record({ done: columns.done }), fc.record({ rank: columns.rank, parent: columns.parent }, { requiredKeys: [] }), values)
  const forbidden = fc.oneof(
    { weight: 9, arbitrary: fc.constant({}) },
    { weight: 1, arbitrary: fc.constantFrom<Readonly<Record<string, unknown>>>({ owner: null }, { owner: '[1,2]' }, { id: '[4,1]' }, { secret: 'x' }) },
  )
  const user = fc.constantFrom(me, you)
  const order = fc.uniqueArray(fc.constantFrom('title', '-title', 'done', '-done', 'rank', '-rank', 'parent', '-parent', 'id', '-id'), { maxLength: 3, selector: (term) => term.replace('-', '') })
  const command = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('create' as const), user, values: newValues, forbidden }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('update' as const), user, row: someId, values, forbidden, ifMatch: fc.constantFrom('none', 'own', 'any') }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), user, row: someId }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('read' as const), user, row: someId }) },
    { weight: 5, arbitrary: fc.record({ kind: fc.constant('list' as const), user, values: filters, order, limit: fc.integer({ min: 1, max: 5 }), cursor: fc.option(fc.nat({ max: 8 })) }) },
  )

  const property = fc.asyncProperty(fc.array(command, { minLength: 5, maxLength: 40 }), async (commands) => {
    await tables.tasks.deleteAllRows()
    let model: Model[] = []
    const ids: string[] = []
    const tags = new Map<string, string>()
    /** Each with the row behind which it goes on, as that row was then. */
    const cursors: { readonly cursor: string; readonly order: string; readonly last: Model }[] = []
    const idOf = (index: number): string => (ids.length === 0 ? '[4,999999]' : (ids[index % ids.length] ?? ''))
    const body = (given: Readonly<Record<string, unknown>>): Record<string, unknown> => (typeof given['parent'] === 'number' ? { ...given, parent: idOf(given['parent']) } : { ...given })
    const ensure = (condition: boolean, what: string): void => {
      if (!condition) throw new Error(what)
    }
    const same = (actual: unknown, expected: unknown, what: string): void => ensure(JSON.stringify(actual) === JSON.stringify(expected), `${what}: ${JSON.stringify(actual)} is not ${JSON.stringify(expected)}`)
    for (const step of commands) {
      const own = model.filter(({ owner }) => owner === step.user)
      if (step.kind === 'list') {
        const filter = body(step.values)
        const nulls = Object.keys(filter).filter((name) => filter[name] === null)
        const query = new URLSearchParams(Object.entries(filter).filter(([, value]) => value !== null).map(([name, value]): [string, string] => [name, String(value)]))
        if (nulls.length > 0) query.set('null', nulls.join())
        const chosen = step.cursor === null ? undefined : cursors[step.cursor % cursors.length]
        // A cursor of whichever user, also with another filter.
        const orderText = chosen?.order ?? step.order.join()
        if (orderText !== '') query.set('order', orderText)
        query.set('limit', String(step.limit))
        if (chosen !== undefined) query.set('cursor', chosen.cursor)
        const reply = await ask('GET', `/tasks?${query.toString()}`, step.user)
        ensure(reply.status === 200, `list: ${reply.text}`)
        const { rows, cursor } = reply.list()
        const inOrder = compare(orderText === '' ? [] : orderText.split(','))
        const expected = own.filter((row) => Object.entries(filter).every(([name, value]) => row[name as keyof Model] === value)).sort(inOrder)
        const left = chosen === undefined ? expected : expected.filter((row) => inOrder(row, chosen.last) > 0)
        same(rows, left.slice(0, step.limit).map(shown), 'list')
        ensure((cursor === null) === (left.length <= step.limit), 'a cursor is there as long as rows are')
        const last = left[step.limit - 1]
        if (cursor !== null && last !== undefined) cursors.push({ cursor, order: orderText, last })
        continue
      }
      if (step.kind === 'create') {
        const sent = body({ ...step.values, ...step.forbidden })
        const reply = await ask('POST', '/tasks', step.user, sent)
        const badLink = typeof sent['parent'] === 'string' && !own.some(({ id }) => id === sent['parent'])
        const refused = Object.keys(step.forbidden).length > 0 || sent['title'] === undefined || badLink
        ensure(reply.status === (refused ? 400 : 201), `create: ${reply.status} ${reply.text}`)
        if (refused) continue
        const { id } = reply.row()
        ensure(!ids.includes(id), 'an id is new')
        ids.push(id)
        const row: Model = { id, owner: step.user, title: '', done: false, rank: null, parent: null, ...sent }
        model.push(row)
        same(reply.row(), shown(row), 'create')
        tags.set(id, reply.etag)
        continue
      }
      const id = idOf(step.row)
      const row = own.find((each) => each.id === id)
      if (step.kind === 'read') {
        const reply = await ask('GET', at(id), step.user)
        ensure(reply.status === (row === undefined ? 404 : 200), `read: ${reply.status}`)
        if (row !== undefined) same(reply.row(), shown(row), 'read')
      } else if (step.kind === 'delete') {
        ensure((await ask('DELETE', at(id), step.user)).status === (row === undefined ? 404 : 204), 'delete')
        if (row !== undefined) model = model.filter((each) => each !== row).map((each) => (each.parent === id ? { ...each, parent: null } : each))
      } else {
        const sent = body({ ...step.values, ...step.forbidden })
        const badLink = typeof sent['parent'] === 'string' && !own.some((each) => each.id === sent['parent'])
        const bad = Object.keys(step.forbidden).length > 0
        const known = tags.get(id)
        const condition: Headers = step.ifMatch === 'own' && known !== undefined ? { 'if-match': known } : step.ifMatch === 'any' ? { 'if-match': '*' } : {}
        const current = row === undefined ? '' : (await ask('GET', at(id), step.user)).etag
        const stale = condition['if-match'] !== undefined && condition['if-match'] !== '*' && condition['if-match'] !== current
        const reply = await ask('PATCH', at(id), { ...step.user, ...condition }, sent)
        const expected = bad ? 400 : row === undefined ? 404 : stale ? 412 : badLink ? 400 : 200
        ensure(reply.status === expected, `update: ${reply.status} instead of ${expected} ${reply.text}`)
        if (expected !== 200 || row === undefined) continue
        // Title is required, and never null here.
        const changed = { ...row, ...sent } as Model
        model[model.indexOf(row)] = changed
        same(reply.row(), shown(changed), 'update')
        if (step.ifMatch !== 'own') tags.set(id, reply.etag)
      }
    }
    const stored = await tables.tasks.search().all()
    same(stored.map(({ id, title, done, rank, parent }) => ({ id, title, done, rank, parent: parent?.getId() ?? null })), model.map(shown), 'what is stored in the end')
    const [meRow] = await tables.users.search({ email: 'me@example.com' }).all()
    same(stored.map(({ owner }) => (owner?.equals(meRow) === true ? me : you)), model.map(({ owner }) => owner), 'whose it is in the end')
  })
  await t.resolves(fc.assert(property, { numRuns: 100 }))
})

t.test('the example of crudEndpoints is a whole API in less than ten lines', async (t) => {
  const example = join(root, 'examples/crud')
  const files = await Promise.all(['tables.ts', 'modules/tasks.ts'].map((file) => readFile(join(example, file), 'utf8')))
  const lines = files.join('').split('\n').filter((line) => line.trim() !== '')
  t.ok(lines.length < 10, `it is ${lines.length} lines`)
})
