import { existsSync } from 'node:fs'
import { Agent, get, request } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import { takesLong } from './support/needs.ts'
import { runRowhouse, startRowhouse, startServer, type RowhouseServer } from './support/rowhouse-process.ts'

const app = {
  'tables.ts': `import { defineTables, table, text } from 'rowhouse'\nexport const tables = defineTables({ notes: table({ body: text() }) })\n`,
  modules: {
    'a.ts': `import { httpEndpoint } from 'rowhouse'
import { tables } from '../tables.js'
httpEndpoint('/fast', () => 'fast')
httpEndpoint('/write', async () => (await tables.notes.addRow({ body: 'x' })).getId())
httpEndpoint('/slow', async () => { await new Promise((resolve) => setTimeout(resolve, 1000)); await tables.notes.addRow({ body: 'slow' }); return 'slow' })
httpEndpoint('/endless', () => new Promise(() => {}))
httpEndpoint('/reject', () => { void Promise.reject(new Error('nobody waits')); return 'answered' })
httpEndpoint('/throw', () => { setTimeout(() => { throw new Error('nobody catches') }); return 'answered' })
`,
  },
}

const startsOften = takesLong('it starts several servers')
const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** One answer over a connection that is kept, with the header that says whether it will be. */
function ask(url: string, agent: Agent): Promise<{ readonly status: number | undefined; readonly body: string; readonly connection: string | undefined }> {
  return new Promise((resolve, reject) => {
    get(url, { agent }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (text: string) => (body += text))
      response.on('end', () => resolve({ status: response.statusCode, body, connection: response.headers.connection })).on('error', reject)
    }).on('error', reject)
  })
}

/** A client that asks again and again over one connection until it is told that this was the last answer. */
async function askUntilTold(url: string, answers: string[]): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  for (;;) {
    const { status, body, connection } = await ask(url, agent)
    if (status !== 200) throw new Error(`answered with ${status}: ${body}`)
    answers.push(body)
    if (connection === 'close') return
  }
}

async function stop(server: RowhouseServer, signal: NodeJS.Signals = 'SIGTERM') {
  const from = performance.now()
  server.child.kill(signal)
  const { code } = await server.ended
  return { code, took: performance.now() - from }
}

t.test('SIGTERM under 100 keep-alive clients fails no request, keeps every acknowledged row, closes the database and ends with 0', { skip: takesLong('it keeps a hundred clients busy') }, async (t) => {
  const directory = t.testdir(app)
  const server = await startServer(t, directory)
  const ids: string[] = []
  const answers: string[] = []
  const clients = [
    ...Array.from({ length: 50 }, () => askUntilTold(`${server.url}/_/api/write`, ids)),
    ...Array.from({ length: 49 }, () => askUntilTold(`${server.url}/_/api/fast`, answers)),
    askUntilTold(`${server.url}/_/api/slow`, answers),
  ]
  let lastAnswer = 0
  void Promise.allSettled(clients).then(() => (lastAnswer = performance.now()))
  await sleep(700)
  server.child.kill('SIGTERM')
  await Promise.all(clients)
  const { code, stderr } = await server.ended
  t.equal(code, 0)
  t.equal(stderr, '')
  t.ok(performance.now() - lastAnswer < 5000, 'soon after the last answer, and long before keep-alive connections time out')
  t.ok(ids.length > 100)
  t.equal(new Set(ids).size, ids.length)
  const file = join(directory, '.rowhouse', 'rowhouse.db')
  t.notOk(existsSync(`${file}-wal`), 'no write-ahead log is left behind')
  const database = new Database(file, { readonly: true })
  t.equal(database.prepare(`SELECT count(*) FROM notes WHERE body = 'x'`).pluck().get(), ids.length)
  t.equal(database.prepare(`SELECT count(*) FROM notes WHERE body = 'slow'`).pluck().get(), 1)
  t.equal(database.pragma('integrity_check', { simple: true }), 'ok')
  database.close()
})

t.test('new connections are refused while a request in flight is finished, and idle ones are closed without an answer', { skip: takesLong('it waits for a slow request') }, async (t) => {
  const server = await startServer(t, t.testdir(app))
  const port = Number(new URL(server.url).port)
  const silent = connect(port, '127.0.0.1')
  const received: string[] = []
  silent.setEncoding('utf8').on('data', (text: string) => received.push(text))
  const silentEnd = new Promise((resolve) => silent.once('close', resolve))
  const slow = ask(`${server.url}/_/api/slow`, new Agent({ keepAlive: true }))
  await sleep(200)
  server.child.kill('SIGTERM')
  await sleep(200)
  await t.rejects(ask(`${server.url}/_/api/fast`, new Agent()), { code: 'ECONNREFUSED' })
  t.match(await slow, { status: 200, body: 'slow', connection: 'close' })
  await silentEnd
  t.same(received, [])
  t.equal((await server.ended).code, 0)
})

t.test('readiness is given up while stopping, on connections that are still open', { skip: takesLong('it starts and stops a server') }, async (t) => {
  const server = await startServer(t, t.testdir(app))
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.equal((await ask(`${server.url}/_/health/ready`, agent)).status, 200)
  t.equal((await ask(`${server.url}/_/health/live`, agent)).status, 200)
  server.child.kill('SIGTERM')
  await sleep(100)
  t.match(await ask(`${server.url}/_/health/ready`, agent), { status: 503, connection: 'close' })
  t.equal((await server.ended).code, 0)
})

t.test('SIGINT stops as SIGTERM does, and a server without connections ends at once', { skip: takesLong('it starts and stops a server') }, async (t) => {
  const server = await startServer(t, t.testdir(app))
  const { code, took } = await stop(server, 'SIGINT')
  t.equal(code, 0)
  t.ok(took < 5000)
})

t.test('a second signal ends the process at once, though a request is still in flight', { skip: startsOften }, async (t) => {
  for (const [signal, code] of [['SIGTERM', 143], ['SIGINT', 130]] as const) {
    const server = await startServer(t, t.testdir(app))
    const endless = ask(`${server.url}/_/api/endless`, new Agent())
    endless.catch(() => undefined)
    await sleep(200)
    server.child.kill(signal)
    await sleep(300)
    t.match(await stop(server, signal), { code })
    await t.rejects(endless)
  }
})

t.test('a request that does not end is cut when the time for stopping is over, and the database is closed all the same', { skip: takesLong('it waits for the time to be over') }, async (t) => {
  const directory = t.testdir(app)
  const server = await startServer(t, directory, [], { env: { ROWHOUSE_SHUTDOWN_TIMEOUT: '700' } })
  const endless = ask(`${server.url}/_/api/endless`, new Agent())
  endless.catch(() => undefined)
  const half = request(`${server.url}/_/api/fast`, { method: 'POST', headers: { 'content-length': '10' } })
  half.on('error', () => undefined)
  half.write('half')
  await sleep(200)
  t.match(await stop(server), { code: 0 })
  await t.rejects(endless)
  t.match(server.output.stdout, /2 connections were cut/)
  t.notOk(existsSync(join(directory, '.rowhouse', 'rowhouse.db-wal')))
})

t.test('a rejection that nobody handles is logged and the process lives; an exception that nobody catches is logged and ends it with 1', { skip: takesLong('it starts a server and lets it end') }, async (t) => {
  const server = await startServer(t, t.testdir(app))
  const agent = new Agent({ keepAlive: true })
  t.equal((await ask(`${server.url}/_/api/reject`, agent)).body, 'answered')
  t.equal((await ask(`${server.url}/_/api/fast`, agent)).body, 'fast')
  await ask(`${server.url}/_/api/throw`, agent).catch(() => undefined)
  const { code, stdout } = await server.ended
  t.equal(code, 1)
  t.match(stdout, /nobody waits.*modules\/a\.ts:7/)
  t.match(stdout, /nobody catches.*modules\/a\.ts:8/)
})

t.test('a signal during the start ends the process at once', { skip: takesLong('it starts the command') }, async (t) => {
  const waiting = startRowhouse(t, ['start', t.testdir({ modules: { 'a.ts': `process.stdout.write('loading'); await new Promise((resolve) => setTimeout(resolve, 20_000))` } })])
  await new Promise((resolve) => waiting.child.stdout?.once('data', resolve))
  waiting.child.kill('SIGTERM')
  t.match(await waiting.ended, { code: 143 })
})

t.test('a reader of the log that goes away does not end the server', { skip: takesLong('it asks a server for a while') }, async (t) => {
  const server = await startServer(t, t.testdir(app))
  server.child.stdout?.destroy()
  server.child.stderr?.destroy()
  const agent = new Agent({ keepAlive: true })
  for (let count = 0; count < 20; count++) {
    t.equal((await ask(`${server.url}/_/api/fast`, agent)).status, 200)
    await sleep(30)
  }
  t.equal(server.child.exitCode, null)
})

t.test('what was stopped starts again with all its rows', { skip: startsOften }, async (t) => {
  const directory = t.testdir(app)
  const first = await startServer(t, directory)
  const { body } = await ask(`${first.url}/_/api/write`, new Agent())
  t.match(await stop(first), { code: 0 })
  const second = await startServer(t, directory)
  t.not((await ask(`${second.url}/_/api/write`, new Agent())).body, body)
  t.match(await stop(second), { code: 0 })
  t.match(await runRowhouse(t, ['users', 'list', '--data', join(directory, '.rowhouse')]), { code: 0 })
})
