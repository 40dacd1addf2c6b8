import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import BetterSqlite3 from 'better-sqlite3'
import * as fc from 'fast-check'
import t from 'tap'
import { boolean, date, datetime, integer, json, link, links, media, number, text } from '../dist/db/columns/columns.js'
import { defineTables } from '../dist/db/schema/define-tables.js'
import { emailKey } from '../dist/db/schema/email-key.js'
import type { JsonValue } from '../dist/db/values/json-value.js'
import { Media } from '../dist/db/values/media.js'
import { withGuarded } from '../dist/db/rows/guarded-values.js'
import { table } from '../dist/db/columns/table-declaration.js'
import { usersTable } from '../dist/db/schema/users-table.js'
import { needs, takesLong } from './support/needs.ts'
import { openTables } from './support/open-tables.ts'
import { anyText } from './support/random-text.ts'

const declare = () =>
  defineTables({
    tasks: table({
      title: text(),
      done: boolean().default(false),
      secret: text().hidden(),
      number: integer(),
      weight: number(),
      day: date(),
      due: datetime(),
      data: json(),
      picture: media(),
      owner: link('users'),
      project: link('projects', { onDelete: 'cascade' }),
      approver: link('users', { onDelete: 'restrict' }),
      tags: links('projects'),
      name: text(),
      count: integer(),
    }),
    projects: table({ title: text() }),
  })

const ann = { email: 'ann@example.com' }

t.test('a row is added with its defaults, read by its columns, and sent as its visible columns and id', async (t) => {
  const { tables } = await openTables(t, declare())
  const owner = await tables.users.addRow(ann)
  const task = await tables.tasks.addRow({ title: 'Wash the car', owner, secret: 'hush', number: 7, name: 'n', count: 2 })
  t.equal(task.title, 'Wash the car')
  t.equal(task.done, false, 'the default')
  t.equal(task.day, null, 'a column that was left out')
  t.equal(task.number, 7, 'a column may be called like something that this layer uses itself')
  t.equal(task.name, 'n')
  t.equal(task.count, 2)
  t.equal(task.secret, 'hush')
  const sent = JSON.stringify({ task })
  t.equal(sent, `{"task":${JSON.stringify(task.toJSON())}}`)
  t.notMatch(sent, /hush|secret/)
  t.match(JSON.parse(sent), { task: { id: task.id, title: 'Wash the car', done: false, owner: owner.id, due: null } })
  t.strictSame(task.toJSON(['title', 'done']), { id: task.id, title: 'Wash the car', done: false })
  // @ts-expect-error a hidden column cannot be chosen
  t.throws(() => task.toJSON(['secret']), { code: 'unknown-column', message: 'column secret of table tasks is hidden' })
  const shown = inspect({ task })
  t.match(shown, /Wash the car/)
  t.match(shown, task.id)
  t.notMatch(shown, 'hush')
  t.equal(String(inspect(task.owner)), `reference to users ${owner.id}`)
})

t.test('a row is frozen: nothing can be assigned, added or taken away, and spreading it gives nothing', async (t) => {
  const { tables } = await openTables(t, declare())
  const task = await tables.tasks.addRow({ title: 'kept', data: { list: [1] }, due: new Date(0), tags: [] })
  const loose: Record<string, unknown> = Object(task)
  for (const name of ['title', 'done', 'id', 'another', 'update']) {
    t.throws(() => {
      loose[name] = 'changed'
    }, TypeError, name)
  }
  t.throws(() => Object.defineProperty(loose, 'title', { value: 'changed' }), TypeError)
  t.throws(() => Object.setPrototypeOf(loose, {}), TypeError)
  t.same(Object.keys({ ...task }), [])
  const data: { list: number[] } = Object(task.data)
  t.throws(() => data.list.push(2), TypeError, 'JSON is frozen all the way down')
  task.due?.setFullYear(1999)
  t.strictSame(task.due, new Date(0), 'each read gives a Date of its own')
  t.ok(Object.isFrozen(task.tags))
  t.equal(task.title, 'kept')
})

t.test('update writes the given columns at once, leaves the others and renews the row in place', async (t) => {
  const { tables } = await openTables(t, declare())
  const task = await tables.tasks.addRow({ title: 'old', number: 1 })
  const same = await tables.tasks.getById(task.id)
  t.equal(await task.update({ title: 'new' }), task)
  t.equal(task.title, 'new')
  t.equal(task.number, 1)
  t.equal(same?.title, 'old', 'another copy is a snapshot')
  await same?.update({ number: 2 })
  t.equal(same?.title, 'new', 'an update brings in what others have written')
  t.equal(task.number, 1)
  t.equal(await task.reload(), task)
  t.equal(task.number, 2)
  await task.update({})
  await task.update({ title: undefined })
  t.equal((await tables.tasks.getById(task.id))?.title, 'new', 'undefined writes nothing')
  await task.update({ title: null })
  t.equal((await tables.tasks.getById(task.id))?.title, null)
})

t.test('a deleted row is gone for good: deleting again does nothing, updating and reloading it throw RowDeleted', async (t) => {
  const { tables } = await openTables(t, declare())
  const task = await tables.tasks.addRow({ title: 'short-lived' })
  await task.delete()
  await task.delete()
  t.equal(await tables.tasks.getById(task.id), null)
  for (const use of [() => task.update({ title: 'x' }), () => task.update({}), () => task.reload()]) {
    await t.rejects(use(), { name: 'RowDeleted', code: 'row-deleted', message: `row ${task.id} of table tasks has been deleted` })
  }
  t.equal(await tables.tasks.search().count(), 0, 'an update did not bring it back')
})

t.test('ids are [table,row], the same after a restart, and never given to another row', async (t) => {
  const first = await openTables(t, declare())
  const { tasks, projects } = first.tables
  const task = await tasks.addRow({ title: 'first' })
  const newest = await tasks.addRow({ title: 'newest' })
  const project = await projects.addRow({ title: 'other table' })
  t.match(task.getId(), /^\[[1-9]\d*,[1-9]\d*\]$/)
  t.equal(task.id, task.getId())
  t.not(task.id, project.id)
  await newest.delete()
  t.not((await tasks.addRow({ title: 'next' })).id, newest.id)
  await tasks.deleteAllRows()
  const afterAll = await tasks.addRow({ title: 'after all' })
  t.notOk([task.id, newest.id].includes(afterAll.id))
  await afterAll.delete()
  await first.database.close()

  const second = await openTables(t, declare(), { directory: first.directory })
  t.equal(await second.tables.tasks.getById(afterAll.id), null)
  t.equal((await second.tables.projects.getById(project.id))?.title, 'other table')
  t.not((await second.tables.tasks.addRow({ title: 'after a restart' })).id, afterAll.id)
})

t.test('getById gives null for whatever is not the id of a row of this table', async (t) => {
  const { tables } = await openTables(t, declare())
  const task = await tables.tasks.addRow({ title: 'x' })
  const project = await tables.projects.addRow({ title: 'y' })
  const [tableNumber, rowNumber] = task.id.slice(1, -1).split(',')
  const nothing: unknown[] = [
    '', 'abc', '[1,2,3]', '[23, 568]', `[${tableNumber}, ${rowNumber}]`, ` ${task.id}`, `${task.id}\n`, `[0${tableNumber},${rowNumber}]`,
    `[${tableNumber},0${rowNumber}]`, `[${tableNumber},+${rowNumber}]`, `[${tableNumber},${rowNumber}.0]`, `[${tableNumber},1e0]`,
    `[${tableNumber},-1]`, `[${tableNumber},0]`, `[${tableNumber},9007199254740993]`, `[${tableNumber},99999999999999999999]`,
    `[${tableNumber},${rowNumber}`, '%00', '\0', `${task.id}\0`, '[]', '[,]', 'null', '٣', `[${tableNumber},١]`, '9'.repeat(10_240), `[${'1'.repeat(10_240)},1]`,
    project.id, `[${tableNumber},4711]`, null, undefined, 1, NaN, 1n, true, Symbol('id'), {}, [], [1, 1], task, task.owner, new Date(), () => task.id, String,
    { toString: () => task.id },
  ]
  for (const id of nothing) t.equal(await tables.tasks.getById(id as string), null, inspect(id).slice(0, 40))
  t.equal((await tables.tasks.getById(task.id))?.title, 'x')
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.string(), fc.anything()), async (id) => id === task.id || (await tables.tasks.getById(id as string)) === null),
    { numRuns: 300 },
  )
})

t.test('rows and references are the same row whenever table and id are, however they were fetched', async (t) => {
  const { tables } = await openTables(t, declare())
  const user = await tables.users.addRow(ann)
  const other = await tables.users.addRow({ email: 'bob@example.com' })
  const project = await tables.projects.addRow({ title: 'p' })
  const task = await tables.tasks.addRow({ owner: user, tags: [project] })
  const again = await tables.tasks.getById(task.id)
  t.ok(again?.owner?.equals(user))
  t.ok(user.equals(again?.owner))
  t.ok(task.owner?.equals(again?.owner))
  t.ok(task.equals(again))
  t.notOk(again?.owner?.equals(other))
  t.notOk(again?.owner?.equals(null))
  t.notOk(again?.owner?.equals(undefined))
  t.notOk(user.equals(Object(user.id)), 'an id is not a row')
  t.equal(again?.owner?.getId(), user.getId())
  t.equal((await task.owner?.load())?.email, ann.email)

  const elsewhere = await openTables(t, declare(), { directory: t.testdir({}) + '/elsewhere' })
  const twin = await elsewhere.tables.users.addRow(ann)
  t.equal(twin.id, user.id)
  t.notOk(user.equals(twin), 'a row of another database is another row')
  await t.rejects(tables.tasks.addRow({ owner: twin }), { code: 'wrong-type', message: /a row of a table of that name in another database/ })
})

t.test('when a linked row is deleted, the link becomes null, or its row goes too, or the deletion is refused; a list keeps a reference to nothing', async (t) => {
  const { tables } = await openTables(t, declare())
  const owner = await tables.users.addRow(ann)
  const approver = await tables.users.addRow({ email: 'boss@example.com' })
  const project = await tables.projects.addRow({ title: 'p' })
  const tag = await tables.projects.addRow({ title: 'tag' })
  const task = await tables.tasks.addRow({ owner, approver, tags: [tag, project, tag] })
  t.strictSame(task.tags?.map((each) => each.getId()), [tag.id, project.id, tag.id], 'in order, twice if listed twice')
  const inProject = await tables.tasks.addRow({ title: 'doomed', project })
  await owner.delete()
  const held = 'the row of table users is still linked to by a row (tasks.approver) that has to be deleted or changed first; nothing was deleted'
  const refusals: (() => Promise<unknown>)[] = [() => approver.delete(), () => tables.users.search().delete(), () => tables.users.deleteAllRows()]
  for (const refused of refusals) {
    await t.rejects(async () => {
      await refused()
    }, { name: 'TableError', code: 'broken-link', message: held })
  }
  t.ok(await tables.users.getById(approver.id), 'the refused deletion left the row')
  await tag.delete()
  await task.reload()
  t.equal(task.owner, null)
  t.ok(task.approver?.equals(approver))
  t.equal(await task.tags?.[0]?.load(), null)
  t.equal((await task.tags?.[1]?.load())?.title, 'p')
  await project.delete()
  t.equal(await tables.tasks.getById(inProject.id), null)
  await t.rejects(tables.tasks.addRow({ owner }), { code: 'broken-link' }, 'a link to a deleted row is never written')
  const lost = 'tasks.owner: the row to link to is not there; it has been deleted'
  await t.rejects(task.update({ owner, title: 'x' }), { code: 'broken-link', message: lost })
  await t.rejects(tables.tasks.search().update({ owner }), { code: 'broken-link', message: lost })
  await t.rejects(tables.tasks.addRow({ owner, approver }), { message: /^tasks\.owner or tasks\.approver: the row to link to is not there/ })
})

t.test('every value that is accepted is read as it was written, from the row itself and from the database', { skip: takesLong('it tries hundreds of values') }, async (t) => {
  const { tables } = await openTables(t, declare())
  const wellFormed = anyText().filter((value) => !value.includes('\0') && !/\p{Surrogate}/u.test(value))
  const positive = (value: number): number => (value === 0 ? 0 : value)
  const jsonValue = fc.jsonValue().filter((value) => !/\\u0000|\\ud[89a-f]|"__proto__":/i.test(JSON.stringify(value)))
  const values = fc.record({
    title: fc.option(wellFormed),
    done: fc.option(fc.boolean()),
    number: fc.option(fc.maxSafeInteger().map(positive)),
    weight: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true }).map(positive)),
    day: fc.option(fc.date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }).map((each) => each.toISOString().slice(0, 10))),
    due: fc.option(fc.date({ noInvalidDate: true })),
    data: fc.option(jsonValue),
  })
  const task = await tables.tasks.addRow({})
  await fc.assert(
    fc.asyncProperty(values, async (given) => {
      // What was generated is JSON; the generator's own type does not say so.
      const written = { ...given, data: given.data as JsonValue }
      const expected = JSON.parse(JSON.stringify(written)) as object
      const added = await tables.tasks.addRow(written)
      await task.update(written)
      for (const row of [added, task, await tables.tasks.getById(added.id)]) {
        const { title, done, number: whole, weight, day, due, data } = row ?? task
        t.strictSame(JSON.parse(JSON.stringify({ title, done, number: whole, weight, day, due, data })), expected)
        if (due !== null) t.equal(due.getTime(), given.due?.getTime())
      }
      await added.delete()
    }),
    { numRuns: 150 },
  )
})

t.test('a Media keeps its bytes, content type and name, and an empty one is no null', async (t) => {
  const { tables } = await openTables(t, declare())
  const bytes = Uint8Array.from({ length: 256 }, (_, index) => index)
  const picture = new Media(bytes, { contentType: 'image/png', name: 'käse „1“.png' })
  const added = await tables.tasks.addRow({ picture })
  const empty = await tables.tasks.addRow({ picture: new Media('') })
  for (const row of [added, await tables.tasks.getById(added.id)]) {
    t.strictSame(new Uint8Array(row?.picture?.bytes ?? []), bytes)
    t.equal(row?.picture?.length, 256)
    t.equal(row?.picture?.contentType, 'image/png')
    t.equal(row?.picture?.name, 'käse „1“.png')
    t.strictSame(new Uint8Array((await row?.picture?.arrayBuffer()) ?? new ArrayBuffer()), bytes)
  }
  t.equal((await tables.tasks.getById(empty.id))?.picture?.length, 0)
  t.equal(JSON.stringify(added.toJSON(['picture'])), JSON.stringify({ id: added.id, picture: { contentType: 'image/png', name: 'käse „1“.png', length: 256 } }))
})

/** How many bytes this process has read from files so far (proc(5)). */
function bytesRead(): number {
  return Number(/^rchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1])
}

t.test('the bytes of media are not even read from the disk for a list, in tables of an older version too', { skip: needs('/proc') }, async (t) => {
  const declareFiles = () => defineTables({ files: table({ first: media(), title: text(), second: media(), note: text() }) })
  const count = 20
  const mebibyte = 1024 * 1024
  const readingList = async ({ tables: { files } }: { readonly tables: ReturnType<typeof declareFiles> }): Promise<number> => {
    const before = bytesRead()
    const rows = await files.search({}, { orderBy: { note: 'desc' } }).all()
    t.same(rows.map(({ title, note }) => [title, note]), Array.from({ length: count }, (_, index) => [String(index), `note ${String(99 - index)}`]))
    for (const [index, { first, second }] of rows.entries()) {
      t.match(first?.toJSON(), { name: `first ${String(index)}`, length: mebibyte })
      t.match(second?.toJSON(), index === 0 ? undefined : { name: `second ${String(index)}`, length: 2 * mebibyte })
    }
    return bytesRead() - before
  }
  const opened = await openTables(t, declareFiles())
  for (let index = 0; index < count; index++) {
    const first = new Media(Buffer.alloc(mebibyte, 'abc'), { name: `first ${String(index)}` })
    const second = index === 0 ? null : new Media(Buffer.alloc(2 * mebibyte, 'abc'), { name: `second ${String(index)}` })
    await opened.tables.files.addRow({ first, second, title: String(index), note: `note ${String(99 - index)}` })
  }
  const few = mebibyte
  // A checkpoint reads, too, so nothing may have been written just now.
  await opened.database.close()
  const reopened = await openTables(t, declareFiles(), { directory: opened.directory })
  t.ok((await readingList(reopened)) < few)
  await reopened.database.close()

  // As versions before this one have made it, but for the order of its columns.
  const file = new BetterSqlite3(join(opened.directory, 'rowhouse.db'))
  const names = file.prepare("SELECT name FROM sqlite_schema WHERE name LIKE 'rowhouse_media%'").pluck().all()
  t.equal(names.length, 2)
  for (const name of names) file.exec(`DROP INDEX ${String(name)}`)
  file.close()
  const again = await openTables(t, declareFiles(), { directory: opened.directory })
  t.same(again.log, ['database: added an index on the headers of files.first', 'database: added an index on the headers of files.second'])
  t.ok((await readingList(again)) < few)
  const [row] = await again.tables.files.search({ title: '0' }).all()
  t.match((await row?.update({ second: new Media(Buffer.alloc(mebibyte, 'd'), { name: 'another' }) }))?.second?.toJSON(), { name: 'another', length: mebibyte })
  t.equal((await again.tables.files.search({ title: '0' }).first())?.second?.name, 'another')
  await again.database.close()
  t.same((await openTables(t, declareFiles(), { directory: opened.directory })).log, [])
})

t.test('a Media can be read any number of times, as text, JSON, bytes and stream', async (t) => {
  const greeting = new Media('{"grüß": "Gott"}', { contentType: 'application/json' })
  for (let round = 0; round < 2; round++) {
    t.equal(await greeting.text(), '{"grüß": "Gott"}')
    t.strictSame(await greeting.json(), { grüß: 'Gott' })
    const pieces: Uint8Array[] = []
    for await (const piece of greeting.stream()) pieces.push(piece)
    t.equal(Buffer.concat(pieces).toString(), '{"grüß": "Gott"}')
  }
  t.equal(greeting.name, null)
  await t.rejects(new Media('{').json(), SyntaxError)
  t.throws(() => new Media(Object(1)), /content must be a Uint8Array/)
  t.throws(() => new Media('', { contentType: 'text/plain\r\nx: y' }), /contentType/)
  t.throws(() => new Media('', { name: 'a\0b' }), /name/)
  t.throws(() => Object.assign(greeting, { name: 'changed' }), TypeError)
})

t.test('values that a column cannot hold exactly are refused and named by their type, never by their content', async (t) => {
  const { tables } = await openTables(t, declare())
  const cycle: unknown[] = []
  cycle.push(cycle)
  const refused: [string, unknown, RegExp][] = [
    ['title', 'secret\0', /tasks\.title: expected a text of well-formed Unicode without NUL, got a text that has NUL or half a surrogate pair in it$/],
    ['title', 'secret\ud800', /half a surrogate pair/],
    ['title', ['secret'], /expected a text, got a list$/],
    ['title', { secret: 1 }, /expected a text, got a plain object$/],
    ['title', Symbol('secret'), /expected a text, got a symbol$/],
    ['done', 0, /expected true or false, got a number$/],
    ['number', 1.5, /expected a whole number between .* got a number that is not$/],
    ['number', 2 ** 53, /a whole number between/],
    ['number', Infinity, /got Infinity$/],
    ['number', 1n, /expected a whole number, got a BigInt$/],
    ['weight', NaN, /tasks\.weight: expected a finite number, got NaN$/],
    ['weight', -Infinity, /got -Infinity$/],
    ['weight', new Number(1), /got an object of class Number$/],
    ['day', '2023-02-29', /tasks\.day: expected a date of the calendar, YYYY-MM-DD, got another text$/],
    ['day', '2024-2-1', /date of the calendar/],
    ['day', '2024-02-01T00:00', /date of the calendar/],
    ['day', '0000-01-01', /date of the calendar/],
    ['due', new Date('secret'), /expected a valid Date, got an invalid Date$/],
    ['due', 0, /expected a valid Date, got a number$/],
    ['data', { inner: [1, undefined] }, /tasks\.data: expected a JSON value, got undefined at \.inner\[1\]$/],
    ['data', { inner: { deep: 1n } }, /got a BigInt at \.inner\.deep$/],
    ['data', [NaN], /got NaN at \[0\]$/],
    ['data', Array(1), /got undefined at \[0\]$/],
    ['data', new Map(), /got an object of class Map$/],
    ['data', () => 1, /got a function$/],
    ['data', cycle, /expected JSON of at most 99 levels, got a value that is deeper or contains itself$/],
    ['data', { 'a\0': 1 }, /NUL/],
    ['picture', 'x', /expected a Media, got a text$/],
    ['tags', 'x', /expected a list of rows of table projects, got a text$/],
  ]
  for (const [column, value, message] of refused) {
    const error = await tables.tasks.addRow({ [column]: value }).then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    t.match(error, { name: 'TableError', code: 'wrong-type', message }, `${column}: ${String(message)}`)
    t.notMatch(String(error), 'secret')
  }
  t.equal(await tables.tasks.search().count(), 0)
})

t.test('values come as plain objects: lists, rows, Maps and inherited or poisoned members never get in', async (t) => {
  const { tables } = await openTables(t, declare())
  const task = await tables.tasks.addRow({ title: 'x' })
  const noObjects: unknown[] = [null, undefined, 'title', 1, [], [['title', 'x']], new Map([['title', 'x']]), task, new (class Values { title = 'x' })()]
  for (const given of noObjects) {
    await t.rejects(tables.tasks.addRow(given as object), { code: 'wrong-type', message: /expected a plain object with a row to add/ })
    await t.rejects(task.update(given as object), { code: 'wrong-type', message: /expected a plain object/ })
  }
  const inherited: object = Object.create({ title: 'inherited' })
  await t.rejects(task.update(inherited), { code: 'wrong-type' })
  const poisoned: object = JSON.parse('{"__proto__": {"done": true}, "title": "y"}')
  await t.rejects(task.update(poisoned), { code: 'unknown-column', message: /has no column "__proto__"/ })
  for (const name of ['constructor', 'toString', 'then', 'hasOwnProperty', 'getId']) {
    await t.rejects(task.update({ [name]: 'x' }), { code: 'unknown-column' }, name)
  }
  t.equal((await task.reload()).title, 'x')
  const withoutPrototype: object = Object.assign(Object.create(null), { title: 'z' })
  t.equal((await task.update(withoutPrototype)).title, 'z')
})

t.test('adding many rows costs the same in a long table as in a short one, in a transaction and outside', { skip: takesLong('it adds a hundred thousand rows') }, async (t) => {
  const shape = { code: text().unique(), label: text().index(), owner: link('users'), parent: link('items') }
  const { tables, database } = await openTables(t, defineTables({ items: table(shape) }))
  const owner = await tables.users.addRow(ann)
  let added = 0
  const addMany = async (): Promise<number> => {
    // In no order, so that each row lies on a page of an index of its own.
    const values = Array.from({ length: 5000 }, () => {
      const code = String((++added * 2_654_435_761) % 4_294_967_296)
      return { code, label: code, owner }
    })
    const before = process.cpuUsage()
    const rows = await (added % 10_000 === 0 ? tables.items.addRows(values) : database.transaction(() => tables.items.addRows(values)))
    const { user, system } = process.cpuUsage(before)
    t.equal(rows[0]?.code, values[0]?.code)
    return user + system
  }
  const costs: number[] = []
  for (let round = 0; round < 20; round++) costs.push(await addMany())
  t.equal(await tables.items.search().count(), 100_000)
  // The cheapest of five, because others use the machine too. It grew fivefold when the ends of savepoints walked through what they held.
  const [short, long] = [Math.min(...costs.slice(0, 5)), Math.min(...costs.slice(-5))]
  t.ok(long < 2.5 * short, `${short} µs for 5000 rows at first, ${long} µs at last`)
})

t.test('addRows adds all rows in order or none, ten thousand as well as none at all', async (t) => {
  const { tables } = await openTables(t, defineTables({ items: table({ code: integer().unique(), label: text().default('x') }) }))
  const many = await tables.items.addRows(Array.from({ length: 10_000 }, (_, index) => ({ code: index })))
  t.equal(many.length, 10_000)
  t.equal(await tables.items.search().count(), 10_000)
  t.ok(many.every((row, index) => row.code === index && row.label === 'x'))
  t.equal((await tables.items.getById(many[9_999]?.id ?? ''))?.code, 9_999)
  t.strictSame(await tables.items.addRows([]), [])
  await t.rejects(tables.items.addRows([{ code: -1 }, { code: 5 }]), { code: 'not-unique', message: /items already has a row with this code/ })
  await t.rejects(tables.items.addRows([{ code: -1 }, { code: 'x' as never }]), { code: 'wrong-type', message: /^row 2: items\.code: expected a whole number, got a text/ })
  await t.rejects(tables.items.addRows(Object({ length: 1 })), { code: 'wrong-type', message: /expected a list of rows/ })
  t.equal(await tables.items.get({ code: -1 }), null, 'nothing of a refused list is there')
  await t.rejects(tables.items.addRow({ code: 5 }), { code: 'not-unique' })
  t.equal((await tables.items.addRows([{ code: null }, { code: null }])).length, 2, 'rows without a value do not count as the same')
  await tables.items.deleteAllRows()
  t.equal(await tables.items.search().count(), 0)
})

t.test('an error of a table carries its name and the columns that it tells, and no hidden one', async (t) => {
  const items = table({ code: integer().unique(), label: text().required(), secret: text().hidden().unique() })
  const { tables } = await openTables(t, defineTables({ items: items.unique('label', 'secret') }))
  const { items: rows } = tables
  const kept = await rows.addRow({ code: 1, label: 'x', secret: 'hush' })
  const refused: readonly (readonly [columns: readonly string[], code: string, run: () => unknown])[] = [
    [['code'], 'not-unique', () => rows.addRow({ code: 1, label: 'y' })],
    [[], 'not-unique', () => rows.addRow({ code: 2, label: 'y', secret: 'hush' })],
    [['label'], 'missing-value', () => rows.addRow({ code: 3 } as never)],
    [['label'], 'missing-value', () => kept.update({ label: null as never })],
    [['label'], 'wrong-type', () => rows.addRows([{ label: 5 as never }])],
    [['labl'], 'unknown-column', () => rows.search({ labl: 1 } as never).all()],
    [[], 'wrong-type', () => rows.addRow([] as never)],
    [[], 'bad-query', () => rows.search({}, { order: 'label' } as never).all()],
    [[], 'bad-cursor', () => rows.search().page({ size: 1, after: 'x' })],
  ]
  for (const [columns, code, run] of refused) {
    const error: unknown = await Promise.resolve().then(run).catch((reason: unknown) => reason)
    t.match(error, { name: 'TableError', code, table: 'items' }, code)
    t.same((error as { columns?: unknown }).columns, columns, code)
  }
  await kept.delete()
  await t.rejects(kept.update({ label: 'z' }), { name: 'RowDeleted', table: 'items', columns: [] })
})

t.test('upsert updates the row with this key or adds one, and never adds two', async (t) => {
  const { tables } = await openTables(t, defineTables({ counters: table({ name: text(), kind: text(), value: integer().default(0) }) }))
  const { counters } = tables
  const added = await counters.upsert({ name: 'a', kind: null }, { value: 1 })
  t.equal(added.value, 1)
  const updated = await counters.upsert({ name: 'a', kind: null }, { value: 2 })
  t.ok(updated.equals(added))
  t.equal(updated.value, 2)
  t.notOk((await counters.upsert({ name: 'a', kind: 'other' }, {})).equals(added))
  await Promise.all(Array.from({ length: 20 }, () => counters.upsert({ name: 'b' }, { value: 3 })))
  t.equal(await counters.search({ name: 'b' }).count(), 1)
  await counters.addRow({ name: 'b' })
  await t.rejects(counters.upsert({ name: 'b' }, { value: 4 }), { code: 'several-rows' })
  await t.rejects(counters.upsert({}, { value: 4 }), { code: 'bad-query', message: /at least one column as the key/ })
  await t.rejects(counters.upsert({ name: 'c' }, null as never), { code: 'wrong-type', message: /expected a plain object with the columns to write, got null/ })
  t.equal(await counters.search({ value: 4 }).count(), 0)
})

t.test('default functions run for each row, and what they give is checked like any other value', async (t) => {
  let calls = 0
  const tables = defineTables({
    items: table({
      order: integer().default(() => ++calls),
      made: datetime().default(() => new Date(5)),
      wrong: text().default(() => (calls > 2 ? Object(1) : null)),
    }),
  })
  await openTables(t, tables)
  const rows = await tables.items.addRows([{}, {}])
  t.strictSame(rows.map(({ order }) => order), [1, 2])
  t.strictSame(rows[0]?.made, new Date(5))
  t.equal((await tables.items.addRow({ order: 9, wrong: 'given' })).order, 9, 'not called for a value that is given')
  t.equal(calls, 2)
  await t.rejects(tables.items.addRow({}), { code: 'wrong-type', message: /items\.wrong: expected a text, got an object of class Number/ })
})

t.test('an error that may be shown to a stranger names no hidden column', async (t) => {
  const { tables } = await openTables(
    t,
    defineTables({
      items: table({
        title: text(),
        secret: text().hidden().unique(),
        needed: text().hidden().default(() => Object(1)),
        holder: link('users', { onDelete: 'restrict' }).hidden(),
      }).unique('title', 'secret'),
    }),
  )
  const { items, users } = tables
  const user = await users.addRow({ email: 'ann@example.com' })
  await t.rejects(users.addRow({ email: 'ANN@example.com' }), { code: 'not-unique', message: 'table users already has a row with this email' })
  await items.addRow({ secret: 'a', needed: 'x', holder: user })
  const refused = { code: 'not-unique', message: 'table items already has a row with a value that only one row can have' }
  await t.rejects(items.addRow({ secret: 'a', needed: 'x' }), refused)
  await t.rejects(items.addRows([{ secret: 'a', needed: 'x' }]), refused)
  const other = await items.addRow({ secret: 'b', needed: 'x' })
  await t.rejects(other.update({ secret: 'a' }), refused)
  await t.rejects(items.search({ secret: 'b' }).update({ secret: 'a' }), refused)
  await t.rejects(items.addRow({ title: 'x' }), { code: 'wrong-type', message: 'items: a hidden column did not get a value that it takes', cause: { message: /items\.needed/ } })
  await t.rejects(user.delete(), { code: 'broken-link', message: /^(?!.*holder).*$/ })
  await user.update({ email: 'b@example.com' })
  await items.search().delete()
  await user.delete()
  await t.rejects(items.addRow({ needed: 'x', holder: user }), { code: 'broken-link', message: /^table items: the row to link to is not there/ })
})

t.test('users are always there; their e-mail address decides what account they are and fills the hidden key', async (t) => {
  const tables = defineTables({ users: usersTable({ displayName: text() }) })
  await openTables(t, tables)
  const user = await tables.users.addRow({ email: ' Ann.Lee@Example.COM', displayName: 'Ann' })
  t.equal(user.email, ' Ann.Lee@Example.COM', 'kept as it was typed')
  t.equal(user.emailKey, 'ann.lee@example.com')
  t.equal(user.enabled, true)
  t.equal(user.confirmedEmail, false)
  t.equal(user.sessionEpoch, 0)
  t.type(user.signedUp, Date)
  t.equal(user.lastLogin, null)
  // @ts-expect-error nobody but the users service writes it
  await t.rejects(user.update({ passwordHash: '$argon2id$stolen' }), { code: 'read-only', message: /^users\.passwordHash is written by the users service alone; set a password with users\.setPassword\(\)/ })
  await user.update(withGuarded({}, { passwordHash: '$argon2id$secret' }))
  t.equal(user.passwordHash, '$argon2id$secret')
  t.notMatch(JSON.stringify(user) + inspect(user), /argon2id|emailKey|sessionEpoch|passwordHash/)
  await t.rejects(tables.users.addRow({ email: 'ANN.LEE@example.com' }), { code: 'not-unique' })
  t.equal((await tables.users.get({ emailKey: 'ann.lee@example.com' }))?.displayName, 'Ann')
  await user.update({ email: 'ann@example.org' })
  t.equal(user.emailKey, 'ann@example.org')
  await tables.users.search({ displayName: 'Ann' }).update({ email: 'Ann@example.net' })
  t.equal((await user.reload()).emailKey, 'ann@example.net')
  await t.rejects(user.update({ email: 'secret spaces @example.org' }), { code: 'wrong-type', message: /^users\.email: expected an e-mail address without spaces.*, got another text$/ })
  await t.rejects(user.update({ email: null as never }), { code: 'missing-value', message: /users\.email is required/ })
  await t.rejects(tables.users.addRow(Object({ displayName: 'x' })), { code: 'missing-value', message: /users\.email is required/ })
})

t.test('addresses that differ in case or in the way they are encoded are one account; those that only look alike never are', async (t) => {
  const same: [string, string][] = [
    ['Kate@Example.com', 'kate@example.com'],
    ['  kate@example.com ', 'kate@example.com'],
    ['JOSÉ@example.com', 'jose\u0301@example.com'],
    ['STRAẞE@example.com', 'straße@example.com'],
    ['ΣΑΣ@example.com', 'σασ@example.com'],
  ]
  for (const [one, other] of same) t.equal(emailKey(one), emailKey(other), `${one} is ${other}`)
  const different: [string, string][] = [
    ['mıke@example.com', 'mike@example.com'],
    ['MİKE@example.com', 'mike@example.com'],
    ['strasse@example.com', 'straße@example.com'],
    ['jose@example.com', 'josé@example.com'],
    ['kаte@example.com', 'kate@example.com'],
    ['kate@example。com', 'kate@example.com'],
  ]
  for (const [one, other] of different) {
    t.ok(emailKey(one))
    t.not(emailKey(one), emailKey(other), `${one} is not ${other}`)
  }
  const none = ['\u212Aate@example.com', 'ｋate@example.com', 'kate＠example.com', 'oﬃce@example.com', 'kate@exam℀ple.com', 'ka te@example.com', 'kate\u200b@example.com', 'kate\0@example.com', 'kate\u202e@example.com', 'kate@example.com\n', '', '   ']
  for (const address of none) t.equal(emailKey(address), null, inspect(address))
  fc.assert(
    fc.property(anyText(), (address) => {
      const key = emailKey(address)
      return key === null || emailKey(key) === key
    }),
  )
})

t.test('a table is used with a database open for it, and with one at a time', async (t) => {
  const tables = declare()
  await t.rejects(tables.tasks.addRow({ title: 'x' }), { code: 'bad-query', message: 'table tasks cannot be used: no database is open for it (not yet, or no longer)' })
  await t.rejects(tables.tasks.getById('[1,1]'), { code: 'bad-query' })
  const { database, directory } = await openTables(t, tables)
  await t.rejects(openTables(t, tables, { directory: `${directory}/second` }), { name: 'SchemaError', message: /table users is already in use by another open database/ })
  const task = await tables.tasks.addRow({ title: 'x' })
  await database.close()
  await t.rejects(task.update({ title: 'y' }), { code: 'bad-query' })
  await openTables(t, tables, { directory })
  t.equal((await tables.tasks.getById(task.id))?.title, 'x')
})
