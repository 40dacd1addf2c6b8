import t, { type Test } from 'tap'
import { boolean, Column, date, datetime, integer, json, link, links, media, number, text } from '../dist/db/columns/columns.js'
import { defineTables, type Declarations } from '../dist/db/schema/define-tables.js'
import { Media } from '../dist/db/values/media.js'
import { table } from '../dist/db/columns/table-declaration.js'
import { usersTable } from '../dist/db/schema/users-table.js'
import { openTables } from './support/open-tables.js'

/** Opens the same folder with one declaration after another; each is closed before the next. */
async function openAgain(t: Test, directory: string, declarations: Declarations, undeclared: 'refuse' | 'ignore' = 'refuse') {
  const opened = await openTables(t, defineTables(declarations), { directory, undeclared })
  await opened.database.close()
  return opened.log.filter((line) => line.includes('added'))
}

/** The sentences in which a start with these declarations is refused. */
async function refusal(t: Test, directory: string, declarations: Declarations): Promise<string[]> {
  const error: unknown = await openTables(t, defineTables(declarations), { directory }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof Error)) throw new Error('the start was not refused')
  t.equal(error.name, 'SchemaError')
  t.match(error.message, /^the declared tables do not fit the database:\n {2}- /)
  t.match(error.message, /\nPut the declaration back as it was, or start with a fresh data folder: .* no command for other changes yet\.$/)
  return error.message.split('\n  - ').slice(1).map((line) => line.replace(/\nPut the declaration[^]*$/, ''))
}

t.test('all mistakes of a declaration are told at once, each with its place', async (t) => {
  const wrongTables = ['then', 'toString', 'rowhouse_x', 'SQLITE_stat', 'my table', 'x'.repeat(64)]
  const wrongColumns = ['id', 'ID', 'update', 'getId', 'then', 'constructor', '2nd', 'with space']
  const wrong: Record<string, unknown> = {
    ...Object.fromEntries(wrongTables.map((name) => [name, table({ a: text() })])),
    empty: table({}),
    Notes: table({ a: text() }),
    notes: table({ a: text(), A: text() }),
    raw: { a: text() },
    users: table({ email: text() }),
    people: usersTable(),
    tasks: table({
      ...Object.fromEntries(wrongColumns.map((name) => [name, text()])),
      plain: Object('text'),
      lost: link('nowhere'),
      strange: link('notes', { onDelete: Object('explode') }),
      forced: link('notes').required(),
      data: json().unique(),
      picture: media().index(),
      validated: json(Object({})),
      done: boolean().default(Object(1)),
      day: date().default('2024-02-30'),
      owner: link('notes').default(Object({})),
      list: links('notes').default(Object([1])),
      n: integer(),
    })
      .index('missing' as 'n')
      .unique('n', 'n')
      .index('data')
      .index(),
  }
  const error: unknown = (() => {
    try {
      return defineTables(wrong as Declarations)
    } catch (thrown) {
      return thrown
    }
  })()
  if (!(error instanceof Error)) throw new Error('nothing was refused')
  t.equal(error.name, 'SchemaError')
  const [head, ...mistakes] = error.message.split('\n  - ')
  t.equal(head, 'the declaration of the tables has mistakes:')
  t.strictSame(mistakes.sort(), [
    'tables Notes and notes differ in the case of letters only; databases take them for the same',
    'table then: the name is taken by a member that every object has',
    'table toString: the name is taken by a member that every object has',
    'table rowhouse_x: names that begin with rowhouse_ or sqlite_ are kept for the database\'s own tables',
    'table SQLITE_stat: names that begin with rowhouse_ or sqlite_ are kept for the database\'s own tables',
    'table my table: a name consists of at most 63 letters, digits and _, and does not begin with a digit',
    `table ${'x'.repeat(64)}: a name consists of at most 63 letters, digits and _, and does not begin with a digit`,
    'table empty has no columns',
    'table notes: columns a and A differ in the case of letters only; databases take them for the same',
    'table raw has to be declared with table({ … }), got a plain object',
    'the table users, and only that one, is declared with usersTable({ … })',
    'the table users, and only that one, is declared with usersTable({ … })',
    'table tasks: columns id and ID differ in the case of letters only; databases take them for the same',
    'column tasks.id: the name is taken by a member that every row has',
    'column tasks.ID: the name differs from id in the case of letters only',
    'column tasks.update: the name is taken by a member that every row has',
    'column tasks.getId: the name is taken by a member that every row has',
    'column tasks.then: the name is taken by a member that every row has',
    'column tasks.constructor: the name is taken by a member that every row has',
    'column tasks.2nd: a name consists of at most 63 letters, digits and _, and does not begin with a digit',
    'column tasks.with space: a name consists of at most 63 letters, digits and _, and does not begin with a digit',
    'column tasks.plain has to be declared with text(), number() or another column type, got an object of class String',
    'column tasks.lost links to table nowhere, which is not declared',
    "column tasks.strange: onDelete is one of 'setNull', 'cascade' and 'restrict'",
    "column tasks.forced is required and would become null when the linked row is deleted; declare { onDelete: 'cascade' } or { onDelete: 'restrict' }",
    'column tasks.data: a json column has no index',
    'column tasks.picture: a media column has no index',
    'column tasks.validated: json() takes a Standard Schema validator, such as one of Zod or Valibot',
    'column tasks.done: the default has to be true or false, got an object of class Number',
    'column tasks.day: the default has to be a date of the calendar, YYYY-MM-DD, got another text',
    'column tasks.owner: a default row is given by a function, because there are no rows yet when tables are declared',
    'column tasks.list: the default is an empty list or a function',
    'table tasks: index(missing): there is no column missing',
    'table tasks: unique(n, n) names a column twice',
    'table tasks: index(data): json column data has no index',
    'table tasks: index() names no column',
  ].sort())
  for (const nothing of [null, [], 'tables', table({ a: text() })]) {
    t.throws(() => defineTables(nothing as never), { name: 'SchemaError' })
  }
  t.throws(() => defineTables({ users: usersTable({ email: text(), colour: text() }) }), { message: /column users\.email is built in and cannot be declared again/ })
})

t.test('a new database gets all tables and says so; a second start changes nothing and keeps the ids of tables', async (t) => {
  const directory = t.testdir()
  const declarations = { notes: table({ title: text() }), tasks: table({ note: link('notes'), parent: link('tasks') }) }
  t.strictSame((await openAgain(t, directory, declarations)).sort(), ['database: added table notes', 'database: added table tasks', 'database: added table users'])
  const { tables, log, database } = await openTables(t, defineTables(declarations), { directory })
  t.strictSame(log, [])
  const note = await tables.notes.addRow({ title: 'x' })
  await database.close()
  const reordered = await openTables(t, defineTables({ tasks: declarations.tasks, notes: declarations.notes, added: table({ a: text() }) }), { directory })
  t.equal((await reordered.tables.notes.getById(note.id))?.title, 'x')
  t.strictSame(reordered.log, ['database: added table added'])
})

t.test('tables, columns with or without a default, and indexes are added to a database with rows', async (t) => {
  const directory = t.testdir()
  const first = await openTables(t, defineTables({ notes: table({ title: text() }) }), { directory })
  const [note, other] = await first.tables.notes.addRows([{ title: 'a' }, { title: 'b' }])
  if (!note || !other) throw new Error('two rows were added')
  await first.database.close()
  let made = 0
  const declare = () =>
    defineTables({
      folders: table({ name: text().unique() }),
      notes: table({
        title: text().unique(),
        done: boolean().default(false).required(),
        label: text().default("it's ? new"),
        weight: number().default(1e21),
        rank: integer().default(-1).index(),
        made: integer().default(() => ++made),
        due: datetime().default(new Date(5)).required(),
        stamp: datetime().default(() => new Date(7)).required(),
        data: json().default({ a: ['?1'] }),
        picture: media().default(new Media('x', { contentType: 'text/plain' })),
        folder: link('folders'),
        folders: links('folders').default([]),
        nothing: text(),
      })
        .index('rank', 'due')
        .unique('rank', 'title'),
    })
  const second = await openTables(t, declare(), { directory })
  t.strictSame(second.log.length, 1 + 12 + 5)
  t.ok(second.log.includes('database: added column notes.done'))
  t.ok(second.log.includes('database: added unique index on notes (title)'))
  t.equal(made, 2, 'a default function is called once for each row that exists')
  t.strictSame(await second.tables.notes.search().map((row) => row.made), [1, 2])
  for (const id of [note.id, other.id]) {
    const row = await second.tables.notes.getById(id)
    t.match(row?.toJSON(), { done: false, label: "it's ? new", weight: 1e21, rank: -1, data: { a: ['?1'] }, folder: null, folders: [], nothing: null })
    t.strictSame([row?.due, row?.stamp], [new Date(5), new Date(7)])
    t.equal(await row?.picture?.text(), 'x')
  }
  const third = await second.tables.notes.addRow({ title: 'c' })
  t.equal(third.made, 3, 'and once for each row that is added')
  await t.rejects(second.tables.notes.addRow({ title: 'c' }), { code: 'not-unique' })
  await second.database.close()
  t.strictSame((await openTables(t, declare(), { directory })).log, [])
})

t.test('whatever could lose data is refused, all of it in one message, and nothing is changed', async (t) => {
  const directory = t.testdir()
  const before = {
    gone: table({ a: text() }),
    kept: table({ a: text() }),
    notes: table({
      title: text().index(),
      renamed: text(),
      count: integer(),
      must: text().required(),
      may: text(),
      folder: link('kept'),
      strict: link('kept', { onDelete: 'restrict' }),
      group: text(),
      kind: text(),
    }).unique('title', 'count'),
  }
  const first = await openTables(t, defineTables(before), { directory })
  await first.tables.notes.addRows([{ must: 'x', group: 'a', kind: 'k' }, { must: 'y', group: 'a', kind: 'k' }])
  await first.database.close()
  const after = {
    Kept: table({ a: text() }),
    brandNew: table({ a: text() }),
    notes: table({
      title: text(),
      newName: text(),
      count: number(),
      must: text(),
      may: text().required(),
      folder: link('Kept'),
      strict: link('brandNew', { onDelete: 'cascade' }),
      needed: text().required(),
      neededLink: link('brandNew', { onDelete: 'cascade' }).required().default(() => Object(null)),
      group: text().unique(),
      kind: text(),
      same: text().default('x').unique(),
    }).unique('kind', 'same'),
  }
  const told = await refusal(t, directory, after)
  t.strictSame(told.sort(), [
    'table gone is in the database, but not declared',
    'table kept is in the database, but not declared',
    'table Kept is called kept in the database',
    'column notes.count is of type integer in the database and declared as number',
    'column notes.must is required in the database and not required in its declaration',
    'column notes.may is not required in the database and required in its declaration',
    'column notes.folder links to kept in the database and is declared to link to Kept',
    'column notes.strict links to kept in the database and is declared to link to brandNew',
    'column notes.needed is new and required; rows that exist have no value for it, so give it a default, or do not require it',
    'column notes.neededLink is new and a required link, which cannot be added to a table that has rows; do not require it',
    'column notes.renamed is in the database, but not declared',
    'index on notes (title) is in the database, but not declared',
    'unique index on notes (title, count) is in the database, but not declared',
    'unique index on notes (group) is new, and the table has rows that are the same in it',
    'unique index on notes (same) is new, and the table has rows that are the same in it',
    'unique index on notes (kind, same) is new, and the table has rows that are the same in it',
  ].sort())
  const onlyOnDelete = { ...before, notes: table({ ...before.notes.columns, folder: link('kept', { onDelete: 'cascade' }) }).unique('title', 'count') }
  t.strictSame(await refusal(t, directory, onlyOnDelete), ["column notes.folder has onDelete 'setNull' in the database and 'cascade' in its declaration"])
  const caseOnly = { ...before, notes: table({ ...before.notes.columns, Title: text() }).unique('title', 'count') }
  t.throws(() => defineTables(caseOnly), { name: 'SchemaError' })
  const again = await openTables(t, defineTables(before), { directory })
  t.strictSame(again.log, [], 'the declaration put back, the app starts as before')
  t.equal(await again.tables.notes.search({ group: 'a' }).count(), 2)
})

t.test('a change that fails half-way leaves the database as it was', async (t) => {
  const directory = t.testdir()
  const first = await openTables(t, defineTables({ notes: table({ title: text() }) }), { directory })
  await first.tables.notes.addRow({ title: 'a' })
  await first.database.close()
  const failing = {
    another: table({ a: text() }),
    notes: table({ title: text(), added: text().default('x'), broken: text().default(() => { throw new Error('no default today') }) }),
  }
  await t.rejects(openTables(t, defineTables(failing), { directory }), { message: 'no default today' })
  t.strictSame((await openTables(t, defineTables({ notes: table({ title: text() }) }), { directory })).log, [])
})

t.test('what is nobody’s loss can be changed: hidden, defaults, validators', async (t) => {
  const directory = t.testdir()
  await openAgain(t, directory, { notes: table({ title: text().default('a'), data: json() }) })
  const { tables, log } = await openTables(t, defineTables({ notes: table({ data: json(), title: text().hidden().default('b') }) }), { directory })
  t.strictSame(log, [])
  const note = await tables.notes.addRow({ data: { x: 1 } })
  t.equal(note.title, 'b')
  t.strictSame(note.toJSON(), { id: note.id, data: { x: 1 } })
  t.strictSame((await tables.notes.getById(note.id))?.data, { x: 1 }, 'another order of the columns does not mix up values')
})

t.test('a command that declares no tables works beside the app, on the built-in columns of users, and gets the defaults right', async (t) => {
  const directory = t.testdir()
  const app = await openTables(t, defineTables({ users: usersTable({ plan: text().default('free').required(), theme: text() }), notes: table({ owner: link('users') }) }), { directory })
  const command = await openTables(t, defineTables({}), { directory, exclusive: false, undeclared: 'ignore' })
  t.strictSame(command.log, [])
  const added = await command.tables.users.addRow({ email: 'Ann@example.com' })
  const user = await app.tables.users.getById(added.id)
  t.equal(user?.plan, 'free')
  t.equal(user?.theme, null)
  t.equal(user?.emailKey, 'ann@example.com')
  await user?.update({ theme: 'dark' })
  await added.update({ enabled: false })
  t.match(await user?.reload(), { theme: 'dark', enabled: false })
  await app.database.close()
  await command.database.close()
  t.strictSame(await openAgain(t, directory, { users: usersTable({ plan: text().default('free').required(), theme: text() }), notes: table({ owner: link('users') }) }), [])
})

t.test('a command that runs before the first start leaves a database that the app extends', async (t) => {
  const directory = t.testdir()
  const command = await openTables(t, defineTables({}), { directory, exclusive: false, undeclared: 'ignore' })
  const added = await command.tables.users.addRow({ email: 'ann@example.com' })
  await command.database.close()
  const app = await openTables(t, defineTables({ users: usersTable({ plan: text().default('free').required() }), notes: table({ title: text() }) }), { directory })
  t.equal((await app.tables.users.getById(added.id))?.plan, 'free')
  t.strictSame(app.log, ['database: added table notes', 'database: added column users.plan'])
})

t.test('what a default function makes is for one row: rows that exist get a value each, and none becomes the default of rows that others add', async (t) => {
  const directory = t.testdir()
  const before = await openTables(t, defineTables({ notes: table({ title: text() }) }), { directory })
  await before.tables.notes.addRows(Array.from({ length: 2500 }, () => ({ title: 'x' })))
  await before.tables.users.addRows([{ email: 'a@example.com' }, { email: 'b@example.com' }])
  await before.database.close()
  let made = 0
  const key = () => text().required().default(() => `key ${++made}`)
  const declare = () => defineTables({ users: usersTable({ apiKey: key() }), notes: table({ title: text(), code: key().unique() }) })
  const app = await openTables(t, declare(), { directory })
  t.equal(new Set(await app.tables.notes.search().map(({ code }) => code)).size, 2500)
  t.equal(new Set(await app.tables.users.search().map(({ apiKey }) => apiKey)).size, 2)
  const command = await openTables(t, defineTables({}), { directory, exclusive: false, undeclared: 'ignore' })
  await t.rejects(command.tables.users.addRow({ email: 'c@example.com' }), { code: 'missing-value' }, 'the database itself still requires the column')
  await app.tables.users.addRow({ email: 'd@example.com' })
  await app.database.close()
  await command.database.close()
  t.strictSame((await openTables(t, declare(), { directory })).log, [])
})

t.test('values of a default function that are the same contradict a unique index, and nothing is changed', async (t) => {
  const directory = t.testdir()
  const before = { notes: table({ title: text() }) }
  const first = await openTables(t, defineTables(before), { directory })
  await first.tables.notes.addRows([{}, {}])
  await first.database.close()
  const after = { notes: table({ title: text(), code: text().default(() => 'same').unique() }) }
  t.strictSame(await refusal(t, directory, after), ['unique index on notes (code) is new, and the table has rows that are the same in it'])
  t.strictSame((await openTables(t, defineTables(before), { directory })).log, [])
})

t.test('a required column is added without a default while its table has no rows', async (t) => {
  const directory = t.testdir()
  await openAgain(t, directory, { notes: table({ title: text() }), folders: table({ name: text() }) })
  const after = () =>
    defineTables({
      notes: table({ title: text(), must: text().required(), folder: link('folders', { onDelete: 'cascade' }).required(), made: integer().required().default(() => 7) }),
      folders: table({ name: text() }),
    })
  const { tables, database } = await openTables(t, after(), { directory })
  await t.rejects(database.write({ text: 'INSERT INTO notes (title) VALUES (NULL)' }, []), { code: 'missing-value' })
  const folder = await tables.folders.addRow({ name: 'f' })
  t.equal((await tables.notes.addRow({ must: 'x', folder })).made, 7)
  await database.close()
  t.strictSame((await openTables(t, after(), { directory })).log, [])
})

t.test('a table in the file that Rowhouse did not make is told as such, and left alone', async (t) => {
  const directory = t.testdir()
  const first = await openTables(t, defineTables({ notes: table({ title: text() }) }), { directory })
  await first.database.write({ text: 'CREATE TABLE Folders (a TEXT)' }, [])
  await first.database.write({ text: 'CREATE VIEW recent AS SELECT * FROM notes' }, [])
  await first.database.close()
  const after = { notes: table({ title: text() }), folders: table({ name: text() }), recent: table({ name: text() }), fresh: table({ name: text() }) }
  const words = (name: string) => `table ${name} is new, and the database has something by that name that was not made by Rowhouse; rename the declared table, or remove that one`
  t.strictSame(await refusal(t, directory, after), [words('folders'), words('recent')])
})

t.test('declarations are immutable: each method gives a new one', async (t) => {
  const plain = text()
  t.not(plain.required(), plain)
  t.equal(plain.settings.required, undefined)
  t.type(plain.hidden(), Column)
  t.throws(() => Object.assign(plain, { settings: {} }), TypeError)
  const bare = table({ a: text() })
  bare.unique('a')
  t.strictSame(bare.indexes, [])
  const tables = defineTables({ bare })
  t.throws(() => Object.assign(tables, { bare: null }), TypeError)
  t.throws(() => Object.assign(tables.bare, { search: null }), TypeError)
  t.strictSame(Object.keys(tables), ['users', 'bare'])
})
