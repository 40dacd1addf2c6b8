import { setTimeout as delay } from 'node:timers/promises'
import {
  boolean,
  date,
  datetime,
  defineTables,
  integer,
  json,
  link,
  links,
  media,
  number,
  RowDeleted,
  table,
  TableError,
  text,
  transaction,
  usersTable,
  type StandardSchema,
} from 'rowhouse'

const weather: StandardSchema<string> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) => (value === 'sun' ? { value } : { issues: [{ message: 'no such weather', path: ['kind'] }] }),
  },
}

export const declareTables = () =>
  defineTables({
    users: usersTable({ nickname: text().unique() }),
    projects: table({ name: text().required(), lead: link('users') }).unique('name', 'lead'),
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
      code: text().unique(),
      token: text().hidden().unique(),
      owner: link('users'),
      project: link('projects', { onDelete: 'restrict' }),
      tags: links('tags'),
      pair: text(),
      other: text(),
    }).unique('pair', 'other'),
    broken: table({ label: text(), secret: text().hidden().required() }),
    numbers: table({ value: integer() }),
  })

export type AppTables = ReturnType<typeof declareTables>

/** Endpoints that get a table to refuse, by path. */
export function declareRefused(tables: AppTables): Readonly<Record<string, () => unknown>> {
  const { tasks, tags, projects, users, broken } = tables
  // What an app's author would be told by the compiler can come in a body all the same.
  const unchecked = (values: unknown): never => values as never
  const task = (values: object) => tasks.addRow(unchecked({ title: 'x', ...values }))
  const gone = async () => {
    const tag = await tags.addRow({ label: 'gone' })
    await tag.delete()
    return tag
  }
  return {
    unknownColumn: () => task({ titel: 'y' }),
    unknownFilter: () => tasks.search(unchecked({ nothingLikeIt: 1 })).all(),
    textWanted: () => task({ title: 5 }),
    objectGiven: () => task({ title: {} }),
    dateWanted: () => task({ due: '2026-02-30' }),
    instantWanted: () => task({ at: 'now' }),
    wholeWanted: () => task({ rank: 1.5 }),
    booleanWanted: () => task({ done: 'yes' }),
    mediaWanted: () => task({ picture: 'x' }),
    linkWanted: async () => task({ project: await tags.addRow({ label: 'x' }) }),
    listWanted: () => task({ tags: 'x' }),
    jsonWanted: () => task({ extra: { a: [() => 1] } }),
    validatorSays: () => task({ weather: 'snow' }),
    noObject: () => tasks.addRow(unchecked([1])),
    noList: () => tasks.addRows(unchecked({})),
    secondRow: () => tasks.addRows(unchecked([{ title: 'x' }, { title: 7 }])),
    missing: () => tasks.addRow(unchecked({})),
    nulled: () => task({ title: null }),
    hiddenMissing: () => broken.addRow(unchecked({ label: 'x' })),
    readOnly: () => users.addRow(unchecked({ email: 'a@example.com', emailKey: 'a' })),
    emailWanted: () => users.addRow(unchecked({ email: 'no address' })),
    ownColumn: () => task({ titel: 'y' }),
    ownFilter: () => tasks.search(unchecked([])).all(),
    ownValue: () => task({ title: 5 }),
    ownOption: () => tasks.search({}, unchecked({ order: 'title' })).all(),
    hiddenValue: () => task({ token: 5 }),
    cursor: () => tasks.search().page({ size: 1, after: 'abc' }),
    deleted: async () => (await gone()).update({ label: 'y' }),
    reloaded: async () => (await gone()).reload(),
    twice: async () => {
      await task({ code: 'same' })
      await task({ code: 'same' })
    },
    pairTwice: async () => {
      await task({ pair: 'a', other: 'b' })
      await task({ pair: 'a', other: 'b' })
    },
    hiddenTwice: async () => {
      await task({ token: 'same' })
      await task({ token: 'same' })
    },
    emailTwice: async () => {
      for (let n = 0; n < 2; n++) await users.addRow({ email: 'twice@example.com' })
    },
    lostLink: async () => {
      const project = await projects.addRow({ name: 'x' })
      await project.delete()
      return task({ project })
    },
    stillLinked: async () => {
      const project = await projects.addRow({ name: 'linked to' })
      await task({ project })
      await project.delete()
    },
    several: async () => {
      for (let n = 0; n < 2; n++) await tables.numbers.addRow({ value: 1 })
      return tables.numbers.get({ value: 1 })
    },
    badQuery: () => tasks.search({}, unchecked({ orderBy: 'picture' })).all(),
    badOption: () => tasks.search({}, unchecked({ order: 'title' })).all(),
    hiddenChosen: async () => (await task({})).toJSON(unchecked(['token'])),
    ended: async () => {
      let stray: Promise<unknown> = Promise.resolve()
      await transaction(async () => {
        stray = delay(20).then(() => tasks.search().count())
      })
      return stray
    },
    busy: () => {
      throw new TableError('busy', 'another process kept the database locked; nothing was written, try again')
    },
    full: () => {
      throw new TableError('disk-full', 'the disk that holds the database is full; nothing was written')
    },
    ofMyOwn: () => {
      throw new TableError('wrong-type', 'of my own')
    },
    rowDeleted: () => {
      throw new RowDeleted('tasks', '[1,2]')
    },
  }
}

/** What a caller sends that is to blame for what a table refuses: the name of a column, or a value. */
const toBlame: Readonly<Record<string, string>> = {
  unknownColumn: 'titel',
  unknownFilter: 'nothingLikeIt',
  textWanted: 'title',
  objectGiven: 'title',
  dateWanted: '2026-02-30',
  instantWanted: 'now',
  wholeWanted: '1.5',
  booleanWanted: 'yes',
  mediaWanted: 'x',
  linkWanted: 'project',
  listWanted: 'x',
  jsonWanted: 'extra',
  validatorSays: 'snow',
  noObject: '1',
  secondRow: '7',
  readOnly: 'emailKey',
  emailWanted: 'no address',
  badOption: 'order',
  hiddenChosen: 'token',
  hiddenValue: '5',
}

/** The query with which an endpoint that gets a table to refuse is asked. */
export function sentFor(path: string): string {
  const sent = toBlame[path]
  return sent === undefined ? '' : new URLSearchParams({ sent }).toString()
}
