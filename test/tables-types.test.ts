import t from 'tap'
import { boolean, date, datetime, integer, json, link, links, media, number, text } from '../dist/db/columns/columns.js'
import { defineTables } from '../dist/db/schema/define-tables.js'
import type { JsonValue } from '../dist/db/values/json-value.js'
import { Media } from '../dist/db/values/media.js'
import type { Row } from '../dist/db/rows/row-types.js'
import type { StandardSchema } from '../dist/db/values/standard-schema.js'
import { table } from '../dist/db/columns/table-declaration.js'
import { usersTable, type UserRow } from '../dist/db/schema/users-table.js'
import { openTables } from './support/open-tables.ts'

interface Settings {
  readonly theme: string
}

const settings: StandardSchema<Settings> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) =>
      typeof value === 'object' && value !== null && 'theme' in value && typeof value.theme === 'string'
        ? { value: { theme: value.theme } }
        : { issues: [{ message: 'no theme', path: ['theme'] }] },
  },
}

const declare = () =>
  defineTables({
    users: usersTable({ displayName: text() }),
    tags: table({ label: text().required() }),
    tasks: table({
      title: text().required(),
      note: text(),
      weight: number(),
      position: integer().default(0),
      done: boolean().default(false).required(),
      day: date(),
      due: datetime(),
      settings: json(settings),
      extra: json(),
      picture: media(),
      owner: link('users'),
      tags: links('tags'),
    }),
  })

/** Compiles only when both types are the same, not merely assignable. */
function same<One, Other>(..._proof: (<T>() => T extends One ? 1 : 2) extends <T>() => T extends Other ? 1 : 2 ? [] : [never]): void {}

t.test('a row has the types that its table declares, null wherever a column is not required', async (t) => {
  const { tables } = await openTables(t, declare())
  const user = await tables.users.addRow({ email: 'ann@example.com', displayName: 'Ann' })
  const tag = await tables.tags.addRow({ label: 'home' })
  const task: Row<typeof tables.tasks> = await tables.tasks.addRow({
    title: 'Wash the car',
    owner: user,
    tags: [tag],
    settings: { theme: 'dark' },
    picture: new Media('x'),
  })
  same<typeof task.title, string>()
  same<typeof task.note, string | null>()
  same<typeof task.weight, number | null>()
  same<typeof task.position, number | null>()
  same<typeof task.done, boolean>()
  same<typeof task.day, string | null>()
  same<typeof task.due, Date | null>()
  same<typeof task.settings, Settings | null>()
  same<typeof task.extra, JsonValue>()
  same<typeof task.picture, Media | null>()
  same<typeof task.id, string>()
  const owner = await task.owner?.load()
  same<typeof owner, Row<typeof tables.users> | null | undefined>()
  t.equal(owner?.displayName, 'Ann', 'the linked row has the columns that the app has added')
  t.equal(owner?.email, 'ann@example.com')
  const [first] = task.tags ?? []
  t.equal((await first?.load())?.label, 'home')
  const anyUser: UserRow = user
  t.ok(task.owner?.equals(anyUser), 'an app’s user is a user')
  const titles = await tables.tasks.search({ owner: anyUser }).map(({ title }) => title)
  same<typeof titles, string[]>()
  t.same(titles, ['Wash the car'])
  const lengths = await tables.tasks.search().map(async ({ title }, index) => title.length + index)
  same<typeof lengths, number[]>()
  t.same(lengths, [12])
})

t.test('what the types forbid is refused at run time too, and nothing is written', async (t) => {
  const { tables } = await openTables(t, declare())
  const { tasks } = tables
  const user = await tables.users.addRow({ email: 'ann@example.com' })
  const tag = await tables.tags.addRow({ label: 'home' })
  const task = await tasks.addRow({ title: 'kept' })

  const wrongUses: [string, string, () => unknown][] = [
    // @ts-expect-error a required column is left out
    ['missing-value', 'tasks.title is required', () => tasks.addRow({ note: 'x' })],
    // @ts-expect-error null in a required column
    ['missing-value', 'tasks.title is required', () => tasks.addRow({ title: null })],
    // @ts-expect-error null in a required column that has a default
    ['missing-value', 'tasks.done is required', () => tasks.addRow({ title: 'x', done: null })],
    // @ts-expect-error an unknown column
    ['unknown-column', 'no column "titel"', () => tasks.addRow({ title: 'x', titel: 'y' })],
    // @ts-expect-error the id is not written
    ['unknown-column', 'no column "id"', () => tasks.addRow({ title: 'x', id: '[1,1]' })],
    // @ts-expect-error a number in a text column
    ['wrong-type', 'tasks.title: expected a text, got a number', () => tasks.addRow({ title: 1 })],
    // @ts-expect-error a text in a number column
    ['wrong-type', 'tasks.weight: expected a finite number, got a text', () => task.update({ weight: '1' })],
    // @ts-expect-error 1 is not true
    ['wrong-type', 'tasks.done: expected true or false, got a number', () => task.update({ done: 1 })],
    // @ts-expect-error a Date in a date column
    ['wrong-type', 'tasks.day: expected a date as text, YYYY-MM-DD, got a Date', () => task.update({ day: new Date() })],
    // @ts-expect-error a text in a datetime column
    ['wrong-type', 'tasks.due: expected a valid Date, got a text', () => task.update({ due: '2024-01-01' })],
    // @ts-expect-error not what the validator takes
    ['wrong-type', 'tasks.settings: expected a value that its validator accepts (.theme: no theme)', () => task.update({ settings: { colour: 'x' } })],
    // @ts-expect-error a Date is no JSON
    ['wrong-type', 'tasks.extra: expected a JSON value, got a Date', () => task.update({ extra: new Date() })],
    // @ts-expect-error bytes without a content type
    ['wrong-type', 'tasks.picture: expected a Media, got an object of class Uint8Array', () => task.update({ picture: new Uint8Array() })],
    // @ts-expect-error a row of another table
    ['wrong-type', 'tasks.owner: expected a row of table users, got a row of table tags', () => task.update({ owner: tag })],
    // @ts-expect-error an id is not a row
    ['wrong-type', 'tasks.owner: expected a row of table users, got a text', () => task.update({ owner: user.id })],
    // @ts-expect-error rows of another table
    ['wrong-type', 'tasks.tags: expected a row of table tags, got a row of table users', () => task.update({ tags: [user] })],
    // @ts-expect-error a row instead of a list
    ['wrong-type', 'tasks.tags: expected a list of rows of table tags, got an object of class Row of tags', () => task.update({ tags: tag })],
    // @ts-expect-error a filter by an unknown column finds nothing, so it is an error
    ['unknown-column', 'no column "ownr"', () => tasks.search({ ownr: user }).all()],
    // @ts-expect-error a filter of the wrong type
    ['wrong-type', 'tasks.done: expected true or false, got a text', () => tasks.search({ done: 'true' }).count()],
    // @ts-expect-error a filter by a row of another table
    ['wrong-type', 'expected a row of table users, got a row of table tags', () => tasks.search({ owner: tag }).all()],
    // @ts-expect-error a filter by json
    ['unsearchable-column', 'tasks.extra: a json column cannot be searched by', () => tasks.search({ extra: 1 }).all()],
    // @ts-expect-error a filter by media
    ['unsearchable-column', 'tasks.picture: a media column cannot be searched by', () => tasks.get({ picture: new Media('x') })],
    // @ts-expect-error an order by an unknown column
    ['unknown-column', 'no column "titel"', () => tasks.search({}, { orderBy: 'titel' }).all()],
    // @ts-expect-error an unknown direction
    ['bad-query', 'orderBy takes', () => tasks.search({}, { orderBy: { title: 'down' } }).all()],
    // @ts-expect-error json has no order
    ['unsearchable-column', 'tasks.extra: a json column has no order', () => tasks.search({}, { orderBy: 'extra' }).all()],
    // @ts-expect-error a misspelt option
    ['bad-query', 'search options have no "orderby"', () => tasks.search({}, { orderby: 'title' }).all()],
    // @ts-expect-error the derived key of users cannot be written
    ['read-only', 'users.emailKey follows users.email', () => user.update({ emailKey: 'x' })],
    // @ts-expect-error upsert without a required column in key or values
    ['missing-value', 'tasks.title is required', () => tasks.upsert({ note: 'x' }, { weight: 1 })],
    // @ts-expect-error an unknown column of a row
    ['unknown-column', 'no column "titel"', () => task.toJSON(['titel'])],
  ]
  for (const [code, message, use] of wrongUses) {
    await t.rejects(async () => use(), { name: 'TableError', code, message: new RegExp(message.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)) }, message)
  }
  // @ts-expect-error reading an unknown column
  t.equal(task.titel, undefined)
  t.throws(() => {
    // @ts-expect-error rows cannot be assigned to
    task.title = 'changed'
  }, TypeError)
  t.throws(() => {
    // @ts-expect-error nor can properties be added
    task.extraProperty = 1
  }, TypeError)
})
