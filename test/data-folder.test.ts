import { cpSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { defineTables, httpEndpoint, table, text } from 'rowhouse'
import { buildApp } from './support/app.ts'
import { takesLong } from './support/needs.ts'
import { runRowhouse, startServer } from './support/rowhouse-process.ts'

const app = {
  'tables.ts': `import { defineTables, table, text } from 'rowhouse'
export const tables = defineTables({ notes: table({ body: text() }) })
`,
  modules: {
    'notes.ts': `import { httpEndpoint } from 'rowhouse'
import { tables } from '../tables.js'
httpEndpoint('/list', () => tables.notes.search({}).map(({ body }) => body))
httpEndpoint('/add', { methods: ['POST'] }, async () => (await tables.notes.addRow({ body: 'x' })).getId())
`,
  },
}

/** A running server, and its data folder. */
async function start(t: Test) {
  const directory = t.testdir(app)
  const server = await startServer(t, directory)
  const post = (): Promise<number | null> =>
    fetch(`${server.url}/_/api/add`, { method: 'POST' }).then(
      ({ status }) => status,
      () => null,
    )
  t.equal(await post(), 200)
  return { ...server, directory, data: join(directory, '.rowhouse'), post }
}

const losses: Readonly<Record<string, { readonly lose: (data: string) => void; readonly told: RegExp }>> = {
  'the data folder was deleted': {
    lose: (data) => rmSync(data, { recursive: true }),
    told: /the data folder \S+ was deleted, moved or replaced while it was in use; nothing more is accepted; put it back/,
  },
  'the data folder was moved away': {
    lose: (data) => renameSync(data, `${data}.old`),
    told: /the data folder \S+ was deleted, moved or replaced while it was in use/,
  },
  'a copy of the data folder was put in its place': {
    lose: (data) => {
      cpSync(data, `${data}.copy`, { recursive: true })
      renameSync(data, `${data}.old`)
      renameSync(`${data}.copy`, data)
    },
    told: /the data folder \S+ was deleted, moved or replaced while it was in use/,
  },
  'a link to another folder was put in its place': {
    lose: (data) => {
      renameSync(data, `${data}.old`)
      mkdirSync(`${data}.other`)
      symlinkSync(`${data}.other`, data)
    },
    told: /the data folder \S+ was deleted, moved or replaced while it was in use/,
  },
  'the database file was deleted': {
    lose: (data) => rmSync(join(data, 'rowhouse.db')),
    told: /the database file was deleted, moved or replaced while it was in use; nothing more is accepted/,
  },
  'the log of the database was replaced': {
    lose: (data) => {
      rmSync(join(data, 'rowhouse.db-wal'))
      writeFileSync(join(data, 'rowhouse.db-wal'), '')
    },
    told: /the log beside the database file was deleted, moved or replaced while it was in use; nothing more is accepted/,
  },
  'the lock file was deleted': {
    lose: (data) => rmSync(join(data, 'server.lock')),
    told: /the lock file \S+ was deleted, moved or replaced while it was in use; nothing more is accepted; see to it that no second server runs/,
  },
}

for (const [what, { lose, told }] of Object.entries(losses)) {
  t.test(`${what} under a server: nothing more is acknowledged, and it says so and ends`, { skip: takesLong('it starts a server') }, async (t) => {
    const { data, post, ended } = await start(t)
    lose(data)
    const status = await post()
    t.not(status, 200)
    const { code, stdout } = await ended
    t.equal(code, 1)
    t.match(stdout, told)
  })

  t.test(`${what} under a server that only reads: it is noticed all the same`, { skip: takesLong('it waits for a second each time') }, async (t) => {
    const { data, ended } = await start(t)
    lose(data)
    const { code, stdout } = await ended
    t.equal(code, 1)
    t.match(stdout, told)
  })
}

t.test('an app that has lost its data folder is not ready any more, and still alive', async (t) => {
  const { server, directory } = await buildApp(t, () => {
    const tables = defineTables({ notes: table({ body: text() }) })
    httpEndpoint('/add', { methods: ['POST'] }, async () => (await tables.notes.addRow({ body: 'x' })).getId())
  })
  const data = join(directory, '.rowhouse')
  const status = async (url: string, method: 'GET' | 'POST' = 'GET') => (await server.inject({ method, url })).statusCode
  t.equal(await status('/_/health/ready'), 200)
  t.equal(await status('/_/api/add', 'POST'), 200)
  renameSync(data, `${data}.old`)
  t.equal(await status('/_/api/add', 'POST'), 503)
  const { statusCode, body } = await server.inject('/_/health/ready')
  t.same([statusCode, JSON.parse(body)], [503, { status: 'failed' }])
  t.equal(await status('/_/health/live'), 200)
})

t.test('a second server is refused beside a running one whose lock file was deleted', { skip: takesLong('it starts a server') }, async (t) => {
  const { directory, data, child } = await start(t)
  // Before it has noticed, and without the time to.
  child.kill('SIGSTOP')
  rmSync(join(data, 'server.lock'))
  const second = await runRowhouse(t, ['start', directory, '--port', '0'])
  t.equal(second.code, 1)
  t.match(second.stderr, /^another Rowhouse server is running on the data folder \S+; stop it, or give this one a folder of its own\n$/)
  child.kill('SIGCONT')
})

t.test('a missing lock file keeps nobody away where no server runs, and nothing is lost', { skip: takesLong('it starts a server') }, async (t) => {
  const { directory, data, child, ended } = await start(t)
  child.kill('SIGKILL')
  await ended
  rmSync(join(data, 'server.lock'))
  const { url } = await startServer(t, directory)
  t.same(await (await fetch(`${url}/_/api/list`)).json(), ['x'])
})
