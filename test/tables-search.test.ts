import * as fc from 'fast-check'
import t from 'tap'
import { boolean, datetime, integer, json, link, links, number, text } from '../dist/db/columns/columns.js'
import { defineTables } from '../dist/db/schema/define-tables.js'
import type { SqlValue, Statement } from '../dist/db/engine/engine.js'
import { SqliteEngine } from '../dist/db/sqlite/sqlite-engine.js'
import { table } from '../dist/db/columns/table-declaration.js'
import { openTables } from './support/open-tables.ts'
import { takesLong } from './support/needs.ts'

const declare = () =>
  defineTables({
    tasks: table({
      title: text(),
      done: boolean().default(false),
      rank: integer(),
      weight: number(),
      due: datetime(),
      data: json(),
      secret: text().hidden(),
      owner: link('users'),
      tags: links('tags'),
    }),
    tags: table({ label: text() }),
  })

t.test('a search finds the rows that are equal in every column of its filter, and nobody else’s', async (t) => {
  const { tables } = await openTables(t, declare())
  const ann = await tables.users.addRow({ email: 'ann@example.com' })
  const bob = await tables.users.addRow({ email: 'bob@example.com' })
  const car = await tables.tasks.addRow({ title: 'Wash the car', owner: ann, due: new Date(86_400_000), weight: 0.1 + 0.2 })
  await tables.tasks.addRow({ title: 'Do the dishes', owner: ann, done: true })
  await tables.tasks.addRow({ title: 'Wash the car', owner: bob })
  await tables.tasks.addRow({ title: 'nobody’s', rank: 0 })
  const titles = (filter: Parameters<typeof tables.tasks.search>[0]) => tables.tasks.search(filter).map(({ title }) => title)
  t.strictSame(await titles({ owner: ann }), ['Wash the car', 'Do the dishes'])
  t.strictSame(await titles({ owner: bob }), ['Wash the car'])
  t.strictSame(await titles({ owner: car.owner }), ['Wash the car', 'Do the dishes'], 'a reference is as good as a row')
  t.strictSame(await titles({ owner: null }), ['nobody’s'], 'null equals null')
  t.strictSame(await titles({ title: 'Wash the car', owner: ann }), ['Wash the car'])
  t.strictSame(await titles({ owner: ann, title: 'nobody’s' }), [])
  t.strictSame(await titles({ done: true }), ['Do the dishes'])
  t.strictSame(await titles({ rank: 0 }), ['nobody’s'])
  t.strictSame(await titles({ due: new Date(86_400_000) }), ['Wash the car'])
  t.strictSame(await titles({ weight: 0.1 + 0.2 }), ['Wash the car'])
  t.strictSame(await titles({ title: 'wash the car' }), [], 'letter case counts')
  t.strictSame(await titles({ title: "'; DROP TABLE tasks; --" }), [])
  t.equal((await titles({})).length, 4)
  t.equal((await tables.tasks.get({ owner: bob }))?.owner?.getId(), bob.id)
  t.equal(await tables.tasks.get({ title: 'nowhere' }), null)
  await t.rejects(tables.tasks.get({ owner: ann }), { name: 'TableError', code: 'several-rows', message: 'tasks: expected one row at most, found several' })
})

t.test('a filter by a list of links finds the rows whose list contains all of them', async (t) => {
  const { tables } = await openTables(t, defineTables({ tags: table({ label: text() }), tasks: table({ value: links('tags'), key: text() }) }))
  const [a, b, c] = await tables.tags.addRows([{ label: 'a' }, { label: 'b' }, { label: 'c' }])
  if (!a || !b || !c) throw new Error('three rows were added')
  await tables.tasks.addRows([{ key: 'ab', value: [a, b] }, { key: 'ba', value: [b, a] }, { key: 'abc', value: [c, a, b] }, { key: 'none', value: [] }, { key: 'null' }])
  const keys = (value: Parameters<typeof tables.tasks.search>[0]) => tables.tasks.search(value).map(({ key }) => key)
  t.strictSame(await keys({ value: [a, b] }), ['ab', 'ba', 'abc'])
  t.strictSame(await keys({ value: [c] }), ['abc'])
  t.strictSame(await keys({ value: [a, a] }), ['ab', 'ba', 'abc'])
  t.strictSame(await keys({ value: [] }), ['ab', 'ba', 'abc', 'none'], 'every list contains nothing')
  t.strictSame(await keys({ value: null }), ['null'])
  t.strictSame(await keys({ value: [a], key: 'ab' }), ['ab'])
})

t.test('wrong filters and options are errors at once, never an empty result', async (t) => {
  const { tables } = await openTables(t, declare())
  const { tasks } = tables
  await tasks.addRow({ title: 'x' })
  const search = (filter: unknown, options?: unknown) => tasks.search(filter as object, options as object)
  t.throws(() => search({ owner: undefined }), { code: 'bad-query', message: 'tasks.owner: a filter compares with undefined; look whether there is a value, or compare with null' })
  t.throws(() => search({ owner: '[1,1]' }), { code: 'wrong-type' })
  t.throws(() => search({ titel: 'x' }), { code: 'unknown-column', message: /^table tasks has no column "titel"; its columns are title, done,(?!.*secret).*; did you mean title\?$/ })
  t.throws(() => search({ TITLE: 'x' }), { message: /did you mean title\?$/ })
  t.throws(() => search({ sun: 'x' }), { message: /^table tasks has no column "sun"; its columns are [^;]*$/ }, 'short names are all alike')
  t.throws(() => search({ secre: 'x' }), { message: /^(?!.*secret).*$/ }, 'a hidden column is neither listed nor suggested')
  t.throws(() => search({ id: '[1,1]' }), { code: 'unknown-column' })
  t.throws(() => search(JSON.parse('{"__proto__":{"title":"x"}}')), { code: 'unknown-column' })
  t.throws(() => search({ constructor: 'x' }), { code: 'unknown-column' })
  for (const filter of [null, 'title', 1, [], [{ title: 'x' }], new Map(), () => true]) t.throws(() => search(filter), { code: 'bad-query' })
  for (const limit of [-1, 1.5, NaN, Infinity, '1', null, 2 ** 53]) t.throws(() => search({}, { limit }), { code: 'bad-query' }, String(limit))
  for (const orderBy of [null, 1, {}, { title: 'down' }, { title: undefined }, { title: 1 }, [['title']], new Map([['title', 'asc']])]) {
    t.throws(() => search({}, { orderBy }), { code: 'bad-query', message: /orderBy takes/ })
  }
  t.throws(() => search({}, { orderBy: 'titel' }), { code: 'unknown-column' })
  t.throws(() => search({}, { orderBy: ['title; DROP TABLE tasks'] }), { code: 'unknown-column' })
  t.throws(() => search({}, { orderBy: ['title', { title: 'desc' }] }), { code: 'bad-query', message: /names a column twice/ })
  t.throws(() => search({}, { offset: 1 }), { code: 'bad-query', message: 'tasks: search options have no "offset"; there are orderBy and limit' })
  t.throws(() => search({}, null), { code: 'bad-query' })
  for (const size of [0, -1, 1.5, 1001, '10', null, undefined]) await t.rejects(tasks.search().page({ size: size as number }), { code: 'bad-query' })
  await t.rejects(tasks.search().page({ size: 1, before: 'x' } as { size: number }), { code: 'bad-query' })
  await t.rejects(tasks.search({}, { limit: 5 }).page({ size: 1 }), { code: 'bad-query', message: /takes size instead of limit/ })
  await t.rejects(tasks.search({}, { orderBy: 'secret' }).page({ size: 1 }), { code: 'bad-query', message: /cannot be ordered by hidden column secret/ })
  t.equal((await tasks.search({}, { orderBy: 'secret' }).all()).length, 1)
})

t.test('a search gives all, the first, the only one, their number or whether there is any, within its limit', async (t) => {
  const { tables } = await openTables(t, declare())
  const { tasks } = tables
  await tasks.addRows([{ rank: 3 }, { rank: 1 }, { rank: 2 }, { rank: null }])
  const ranks = async (search: ReturnType<typeof tasks.search>) => search.map(({ rank }) => rank)
  t.strictSame(await ranks(tasks.search()), [3, 1, 2, null], 'in the order in which they were added')
  t.strictSame(await ranks(tasks.search({}, { orderBy: 'rank' })), [null, 1, 2, 3], 'null comes first')
  t.strictSame(await ranks(tasks.search({}, { orderBy: { rank: 'desc' } })), [3, 2, 1, null], 'null comes last')
  t.strictSame(await ranks(tasks.search({}, { orderBy: { id: 'desc' } })), [null, 2, 1, 3])
  t.strictSame(await ranks(tasks.search({}, { orderBy: { rank: 'desc' }, limit: 2 })), [3, 2])
  t.strictSame(await ranks(tasks.search({}, { limit: 0 })), [])
  t.equal((await tasks.search({}, { orderBy: 'rank' }).first())?.rank, null)
  t.equal(await tasks.search({ rank: 9 }).first(), null)
  t.equal(await tasks.search({}, { limit: 0 }).first(), null)
  t.equal((await tasks.search({ rank: 3 }).one())?.rank, 3)
  t.equal(await tasks.search({ rank: 9 }).one(), null)
  await t.rejects(tasks.search().one(), { code: 'several-rows' })
  t.equal((await tasks.search({}, { orderBy: { rank: 'desc' }, limit: 1 }).one())?.rank, 3)
  t.equal(await tasks.search().count(), 4)
  t.equal(await tasks.search({ rank: null }).count(), 1)
  t.equal(await tasks.search({}, { limit: 3 }).count(), 3)
  t.equal(await tasks.search({ rank: 3 }).exists(), true)
  t.equal(await tasks.search({ rank: 9 }).exists(), false)
  t.equal(await tasks.search({}, { limit: 0 }).exists(), false)
  const search = tasks.search({ rank: 7 })
  await tasks.addRow({ rank: 7 })
  t.equal(await search.count(), 1, 'a search asks when it is asked')
  await t.rejects(tasks.search().map(() => Promise.reject(new Error('mine'))), /mine/)
})

t.test('text is ordered by code point', async (t) => {
  const { tables } = await openTables(t, declare())
  const titles = ['b', 'a', 'B', 'ä', 'Z', '', '\u{1f600}', '\uff5e', 'aa', 'é', '10', '9']
  await tables.tasks.addRows(titles.map((title) => ({ title })))
  const expected = [...titles].sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)))
  t.strictSame(await tables.tasks.search({}, { orderBy: 'title' }).map(({ title }) => title), expected)
})

t.test('update and delete change exactly the rows that a search finds, and say how many', async (t) => {
  const { tables } = await openTables(t, declare())
  const { tasks } = tables
  await tasks.addRows([{ rank: 1 }, { rank: 2 }, { rank: 2 }, { rank: 3 }])
  t.equal(await tasks.search({ rank: 2 }).update({ done: true, title: 'two' }), 2)
  t.strictSame(await tasks.search({ done: true }).map(({ title }) => title), ['two', 'two'])
  t.equal(await tasks.search({}, { orderBy: { rank: 'desc' }, limit: 1 }).update({ title: 'last' }), 1)
  t.equal((await tasks.get({ rank: 3 }))?.title, 'last')
  t.equal(await tasks.search({ rank: 9 }).update({ title: 'x' }), 0)
  t.equal(await tasks.search({ rank: 2 }).update({}), 2, 'nothing to write')
  await t.rejects(tasks.search({ rank: 2 }).update({ done: 1 as never }), { code: 'wrong-type' })
  t.equal(await tasks.search({}, { orderBy: 'rank', limit: 1 }).delete(), 1)
  t.equal(await tasks.search({ done: true }).delete(), 2)
  t.strictSame(await tasks.search().map(({ rank }) => rank), [3])
})

const columns = ['rank', 'weight', 'title', 'done', 'due'] as const
const smallRow = fc.record({
  rank: fc.option(fc.integer({ min: -1, max: 1 })),
  weight: fc.option(fc.constantFrom(-0.5, 0, 1e300)),
  title: fc.option(fc.constantFrom('', 'a', 'B', 'é', '\u{1f600}', '\uff5e')),
  done: fc.option(fc.boolean()),
  due: fc.option(fc.constantFrom(0, 1).map((each) => new Date(each))),
})
const anyOrder = fc
  .uniqueArray(fc.record({ column: fc.constantFrom(...columns, 'id' as const), direction: fc.constantFrom('asc' as const, 'desc' as const) }), {
    selector: ({ column }) => column,
    maxLength: 3,
  })
  .map((steps) => steps.map(({ column, direction }) => ({ [column]: direction })))

/** What the order means, said once more in another language: null below everything, text by code point, then by id. */
function compareValues(one: unknown, other: unknown): number {
  if (one === null || other === null) return Number(other === null) - Number(one === null) === 0 ? 0 : one === null ? -1 : 1
  if (typeof one === 'string' && typeof other === 'string') return Buffer.compare(Buffer.from(one), Buffer.from(other))
  return Number(one) - Number(other)
}

t.test('pages of any size in any order, and for await, give exactly what all() gives: no row twice, none missing', { skip: takesLong('it reads a table in hundreds of ways') }, async (t) => {
  const { tables } = await openTables(t, declare())
  const { tasks } = tables
  await fc.assert(
    fc.asyncProperty(fc.array(smallRow, { maxLength: 30 }), anyOrder, fc.integer({ min: 1, max: 7 }), fc.boolean(), async (rows, orderBy, size, filtered) => {
      await tasks.deleteAllRows()
      await tasks.addRows(rows)
      const search = tasks.search(filtered ? { done: true } : {}, { orderBy })
      const all = await search.all()
      const sorted = [...all].sort((one, other) => {
        for (const [name, direction] of orderBy.flatMap((step) => Object.entries(step))) {
          const [a, b] = [one, other].map((row) => (name === 'id' ? Number(row.id.slice(1, -1).split(',')[1]) : row[name as 'rank']))
          const difference = compareValues(a, b)
          if (difference !== 0) return direction === 'asc' ? difference : -difference
        }
        return Number(one.id.slice(1, -1).split(',')[1]) - Number(other.id.slice(1, -1).split(',')[1])
      })
      const ids = all.map(({ id }) => id)
      t.strictSame(ids, sorted.map(({ id }) => id), 'all() is in order')
      const paged: string[] = []
      let after: string | null = null
      do {
        const page: Awaited<ReturnType<typeof search.page>> = await search.page({ size, after })
        paged.push(...page.rows.map(({ id }) => id))
        t.equal(page.rows.length === size || page.cursor === null, true, 'only the last page is short')
        after = page.cursor
      } while (after !== null)
      t.strictSame(paged, ids)
      const walked: string[] = []
      for await (const { id } of search) walked.push(id)
      t.strictSame(walked, ids)
      t.equal(paged.length, filtered ? rows.filter(({ done }) => done === true).length : rows.length)
    }),
    { numRuns: 200 },
  )
})

t.test('a cursor is good for its own table and order only, and a forged one does no harm', async (t) => {
  const { tables } = await openTables(t, declare())
  await tables.tasks.addRows([{ title: 'a' }, { title: 'b' }, { title: 'c' }])
  await tables.tags.addRows([{ label: 'a' }, { label: 'b' }])
  const { cursor } = await tables.tasks.search({}, { orderBy: 'title' }).page({ size: 1 })
  if (cursor === null) throw new Error('there are more rows')
  t.match(cursor, /^[A-Za-z0-9_-]+$/, 'fits into a query string as it is')
  t.equal(cursor, 'WyJBUUU4VHVXOCIsImEiLDFd', 'stays good for whoever got it from an earlier version')
  const next = await tables.tasks.search({}, { orderBy: 'title' }).page({ size: 5, after: cursor })
  t.strictSame(next.rows.map(({ title }) => title), ['b', 'c'])
  t.equal(next.cursor, null)
  const { tasks, tags } = tables
  const others: (() => Promise<unknown>)[] = [
    () => tasks.search().page({ size: 1, after: cursor }),
    () => tasks.search({}, { orderBy: { title: 'desc' } }).page({ size: 1, after: cursor }),
    () => tasks.search({}, { orderBy: ['title', 'rank'] }).page({ size: 1, after: cursor }),
    () => tags.search({}, { orderBy: 'label' }).page({ size: 1, after: cursor }),
  ]
  for (const other of others) await t.rejects(other(), { name: 'TableError', code: 'bad-cursor', message: /^t[a-z]+: "after" is not the cursor of a page/ })
  const [mark] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as [string]
  const forged = [[mark], [mark, 1, 1], [mark, 'a', 'x'], [mark, 'a', null], [mark, 'a', 1.5], [mark, { a: 1 }, 1], [mark, 'a', 1, 1], {}, 'x', null, 1]
  for (const place of forged) {
    const after = Buffer.from(JSON.stringify(place)).toString('base64url')
    await t.rejects(tables.tasks.search({}, { orderBy: 'title' }).page({ size: 1, after }), { code: 'bad-cursor' }, JSON.stringify(place))
  }
  for (const after of ['', 'x', '%', `${cursor}x`, cursor.slice(0, -2), 1 as never, {} as never]) {
    await t.rejects(tables.tasks.search({}, { orderBy: 'title' }).page({ size: 1, after }), { code: 'bad-cursor' })
  }
})

t.test('for await walks all rows in pieces, whatever is added, changed and deleted on the way, and repeats none', async (t) => {
  const { tables } = await openTables(t, declare())
  const { tasks } = tables
  await tasks.addRows(Array.from({ length: 1000 }, (_, rank) => ({ rank, title: `t${rank % 7}` })))
  const reads: number[] = []
  await recordStatements(async () => {
    const seen: (number | null)[] = []
    for await (const task of tasks.search({}, { orderBy: 'rank' })) {
      seen.push(task.rank)
      if (task.rank === 10) {
        await tasks.search({ title: 't3' }).delete()
        await tasks.addRow({ rank: -5, title: 'behind' })
        await tasks.addRow({ rank: 2000, title: 'ahead' })
      }
      await task.delete()
    }
    t.equal(new Set(seen).size, seen.length)
    t.notOk(seen.includes(-5))
    t.equal(seen.at(-1), 2000)
    t.ok(seen.length > 850 && seen.length < 1001)
  }, (_text, rows) => reads.push(rows))
  t.ok(reads.length > 3, 'in pieces')
  t.ok(Math.max(...reads) <= 200, 'never more than a piece at a time')
  t.strictSame(await tasks.search().map(({ rank }) => rank), [-5])

  await tasks.addRows(Array.from({ length: 450 }, (_, rank) => ({ rank })))
  let count = 0
  for await (const _ of tasks.search({}, { limit: 420 })) count++
  t.equal(count, 420)
  for await (const task of tasks.search()) {
    t.equal(task.rank, -5)
    break
  }
})

/** Notes each statement that is read outside of transactions, and how many rows came. The engine works as ever. */
async function recordStatements(work: () => Promise<void>, note: (text: string, rows: number, values: readonly SqlValue[]) => void): Promise<void> {
  const original = Reflect.get(SqliteEngine.prototype, 'read') as SqliteEngine['read']
  SqliteEngine.prototype.read = async function (this: SqliteEngine, statement: Statement, values: readonly SqlValue[]) {
    const rows = await original.call(this, statement, values)
    note(statement.text, rows.length, values)
    return rows
  }
  try {
    await work()
  } finally {
    SqliteEngine.prototype.read = original
  }
}

t.test('what the platform and common endpoints ask is answered from an index, without scanning or sorting', async (t) => {
  const tables = defineTables({
    tasks: table({ title: text().index(), done: boolean().default(false), due: datetime(), number: integer().required().index(), owner: link('users') }).index('done', 'due'),
  })
  const { database } = await openTables(t, tables)
  const { tasks, users } = tables
  const ann = await users.addRow({ email: 'ann@example.com' })
  const [task] = await tasks.addRows(Array.from({ length: 50 }, (_, number) => ({ title: number % 3 === 0 ? null : `t${number % 5}`, number, owner: ann, due: new Date(number) })))
  const pageBehind = async (orderBy: NonNullable<Parameters<typeof tasks.search>[1]>['orderBy'], filter: Parameters<typeof tasks.search>[0] = {}) => {
    const search = tasks.search(filter, orderBy === undefined ? {} : { orderBy })
    const ids = new Set<string>()
    for (let after: string | null = null, isFirst = true; isFirst || after !== null; isFirst = false) {
      const page: Awaited<ReturnType<typeof search.page>> = await search.page({ size: 8, after })
      t.ok(page.rows.length > 0, 'no page is empty')
      for (const { id } of page.rows) ids.add(id)
      after = page.cursor
    }
    t.equal(ids.size, 50, 'the pages have every row')
  }
  const asked: Record<string, () => Promise<unknown>> = {
    'by id': () => tasks.getById(task?.id ?? ''),
    'by link': () => tasks.search({ owner: ann }).all(),
    'by key of users': () => users.get({ emailKey: 'ann@example.com' }),
    'first page': () => tasks.search().page({ size: 10 }),
    'pages by id': () => pageBehind(undefined),
    'pages by id, newest first': () => pageBehind({ id: 'desc' }),
    'pages of a link': () => pageBehind(undefined, { owner: ann }),
    'pages by an indexed column': () => pageBehind('title'),
    'pages by a required indexed column': () => pageBehind('number'),
    'pages by an indexed column, last first': () => pageBehind({ number: 'desc' }),
    'pages by two indexed columns': () => pageBehind(['done', 'due']),
    'pages by an indexed column with nulls, last first': () => pageBehind({ title: 'desc' }),
    'exists': () => tasks.search({ owner: ann }).exists(),
    'load of a link': async () => (await tasks.search().first())?.owner?.load(),
  }
  for (const [what, ask] of Object.entries(asked)) {
    const statements = new Map<string, readonly SqlValue[]>()
    await recordStatements(async () => void (await ask()), (text, _rows, values) => statements.set(text, values))
    t.ok(statements.size > 0, what)
    for (const [text, values] of statements) {
      const plan = await database.read({ text: `EXPLAIN QUERY PLAN ${text}` }, values)
      const steps = plan.map((step) => String(step[3]))
      // Without a condition a page begins where the index does, and ends after its rows.
      const wanted = text.includes(' WHERE ') ? /^SEARCH / : /^SCAN tasks( USING INDEX .*)?$/
      t.match(steps[0], wanted, `${what}: ${text}`)
      t.strictSame(steps.slice(1).filter((step) => step !== 'USE TEMP B-TREE FOR LAST TERM OF ORDER BY'), [], `${what}: ${text} is not sorted as a whole`)
    }
  }
})
