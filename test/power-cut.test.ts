import { mkdir, realpath, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import { openSqlite } from '../dist/db/sqlite/open.js'
import { temporaryFolder } from './support/app.ts'
import { needs } from './support/needs.ts'
import { plainNode } from './support/plain-node.ts'
import { PowerCut, recorded, snapshot, unsynced } from './support/power-cut.ts'
import { runRowhouse, startServer } from './support/rowhouse-process.ts'
import { Child, started } from './support/sqlite-child.ts'

const program = fileURLToPath(new URL('../dist/bin/rowhouse.js', import.meta.url))

const log = { warn: () => undefined, error: () => undefined }

const tables = `
  import { defineTables, table, text } from 'rowhouse'
  export const tables = defineTables({ entries: table({ marker: text().required().unique() }) })`

/** What every app here has beside the ways of writing that are looked at. */
const common = `
  import { httpEndpoint } from 'rowhouse'
  import { tables } from '../tables.js'
  httpEndpoint('/all', () => Array.fromAsync(tables.entries.search(), ({ marker }) => marker))
  // A signal for strace would not reach what it traces.
  httpEndpoint('/end', () => process.kill(process.pid, 'SIGTERM'))`

interface Recording {
  readonly cut: PowerCut
  /** The folder around the app, of which a power cut may take something. */
  readonly root: string
  /** Where the rebuilt ones go. */
  readonly beside: string
}

/** Runs an app under strace while something is asked of it, and stops it. */
async function recordServer(
  t: Test,
  files: Readonly<Record<string, string>>,
  words: readonly string[],
  ask: (url: string) => Promise<unknown>,
  leftUnsynced: readonly string[] = [],
): Promise<Recording> {
  const beside = await realpath(await temporaryFolder(t))
  const root = join(beside, 'disk')
  for (const folder of ['app/modules', ...leftUnsynced]) await mkdir(join(root, folder), { recursive: true })
  for (const [name, content] of Object.entries({ 'tables.ts': tables, 'modules/common.ts': common, ...files })) await writeFile(join(root, 'app', name), content)
  const before = snapshot(root)
  for (const folder of leftUnsynced) unsynced(before, folder)
  const trace = join(beside, 'trace.txt')
  // Slow disks show what does not wait for them.
  const slow = ['-e', 'inject=fdatasync:delay_enter=3000']
  const child = started(t, new Child(...recorded(trace, [...plainNode(), program, 'start', 'app', '--port', '0', ...words], slow), { cwd: root }))
  const [, url = ''] = / is ready at ([^"]+)"/.exec(await child.line(/ is ready at /)) ?? []
  await ask(url)
  await fetch(`${url}/_/api/end`)
  t.equal(await child.end(), 0)
  return { cut: new PowerCut(root, before, trace), root, beside }
}

/** Cuts the power just after some of the acknowledgements, the first and the last among them, and looks for each row that had been acknowledged by then. */
async function lostRows(t: Test, { cut, beside }: Recording, words: readonly string[], count = 4): Promise<string[]> {
  const acknowledged = cut.acknowledgements()
  const lost: string[] = []
  for (let step = 0; step < count; step++) {
    const { moment = 0 } = acknowledged[Math.round((step * (acknowledged.length - 1)) / (count - 1))] ?? {}
    const root = join(beside, `after-cut-${step}`)
    cut.rebuild(moment, root)
    const server = await startServer(t, 'app', words, { cwd: root })
    const found = new Set((await (await fetch(`${server.url}/_/api/all`)).json()) as string[])
    server.child.kill('SIGKILL')
    await server.ended
    const before = acknowledged.filter((ack) => ack.moment <= moment)
    lost.push(...before.filter(({ marker }) => !found.has(marker)).map(({ marker }) => `${marker} after cut ${step}`))
  }
  return lost
}

const adding = `
  import { httpEndpoint, text } from 'rowhouse'
  import { tables } from '../tables.js'
  httpEndpoint('/add', { methods: ['POST'], params: { marker: text() } }, async ({ marker }) => {
    await tables.entries.addRow({ marker })
    return 'ack ' + marker
  })`

const add = (url: string, marker: string): Promise<Response> => fetch(`${url}/_/api/add?marker=${marker}`, { method: 'POST' })

for (const [what, words] of [
  ["the app's own folder", []],
  ['folders that are not there', ['--data', 'far/away/data']],
] as const) {
  t.test(`a data folder that is made in ${what} survives a power cut, with all that was acknowledged`, { skip: needs('strace') }, async (t) => {
    const recording = await recordServer(t, { 'modules/adding.ts': adding }, words, async (url) => {
      for (const marker of ['one', 'two', 'three']) t.equal(await (await add(url, marker)).text(), `ack ${marker}`)
    })
    t.equal(recording.cut.acknowledgements().length, 3)
    t.same(await lostRows(t, recording, words, 2), [])
  })
}

t.test('a data folder whose maker was killed before it was synced is synced by the next start', { skip: needs('strace') }, async (t) => {
  const files = { 'modules/adding.ts': adding }
  const recording = await recordServer(t, files, [], async (url) => t.equal(await (await add(url, 'one')).text(), 'ack one'), ['app/.rowhouse'])
  t.same(await lostRows(t, recording, [], 2), [])
})

t.test('a log file in the data folder, which is made for it first, takes no data with it', { skip: needs('strace') }, async (t) => {
  const files = { 'modules/adding.ts': adding, 'rowhouse.config.ts': `export default { logging: { file: '.rowhouse/logs/app.log' } }` }
  const recording = await recordServer(t, files, [], async (url) => {
    t.equal(await (await add(url, 'one')).text(), 'ack one')
  })
  t.same(await lostRows(t, recording, [], 2), [])
})

t.test('a user whom the command has added to a new data folder survives a power cut', { skip: needs('strace') }, async (t) => {
  const beside = await realpath(await temporaryFolder(t))
  const root = join(beside, 'disk')
  await mkdir(root)
  const before = snapshot(root)
  const trace = join(beside, 'trace.txt')
  const command = ['sh', '-c', 'echo "a long unguessable phrase" | "$@" | sed "s/added/ack/"', 'sh', ...plainNode(), program, 'users', 'add', 'ada@example.com', '--data', 'new/data']
  const child = started(t, new Child(...recorded(trace, command), { cwd: root }))
  await child.line(/^ack ada@example.com$/)
  await child.end()
  const cut = new PowerCut(root, before, trace)
  const [{ moment } = { moment: 0 }] = cut.acknowledgements()
  cut.rebuild(moment, join(beside, 'after'))
  const { stdout, stderr } = await runRowhouse(t, ['users', 'list', '--data', 'new/data'], { cwd: join(beside, 'after') })
  t.match(stdout, /ada@example\.com/, stderr)
})

t.test('whenever the power is cut, during a start, at work or while the server stops, the next start finds nothing to refuse', { skip: needs('strace') }, async (t) => {
  const first = await recordServer(t, { 'modules/adding.ts': adding }, [], (url) => add(url, 'one'))
  const stopped = first.cut.acknowledgements().at(-1)?.moment ?? 0
  const moments = first.cut.moments()
  t.ok(moments.some((moment) => moment < stopped) && moments.some((moment) => moment > stopped))
  const refused: string[] = []
  for (const [index, moment] of moments.entries()) {
    const root = join(first.beside, `start-${index}`)
    first.cut.rebuild(moment, root)
    const directory = join(root, 'app', '.rowhouse')
    try {
      const engine = await openSqlite({ directory, exclusive: true, log })
      await engine.close()
    } catch (error) {
      refused.push(`at line ${moment}: ${String(error)}`)
    }
  }
  t.same(refused, [])
})

const streaming = `
  import { PassThrough, Readable } from 'node:stream'
  import { setTimeout as pause } from 'node:timers/promises'
  import { abort, errorHandler, eventStream, httpEndpoint, HttpResponse, text, transaction } from 'rowhouse'
  import { tables } from '../tables.js'
  import { pieces, pulled, started } from '../streams.js'
  const declare = (name, handler, methods = ['GET']) => httpEndpoint('/' + name, { methods, params: { marker: text() } }, ({ marker }) => handler(marker))
  declare('generator', pieces)
  declare('unawaited', async function* (marker) {
    for (const n of [1, 2, 3]) {
      void tables.entries.addRow({ marker: marker + n })
      yield 'ack ' + marker + n + '\\n'
    }
  })
  declare('transaction', async function* (marker) {
    for (const n of [1, 2, 3]) {
      await transaction(() => tables.entries.addRow({ marker: marker + n }))
      yield 'ack ' + marker + n + '\\n'
    }
  })
  declare('only-at-the-end', async function* (marker) {
    yield 'nothing yet\\n'
    await tables.entries.addRow({ marker })
    await pause(1)
    yield 'ack ' + marker + '\\n'
  })
  declare('node', (marker) => Readable.from(pieces(marker)))
  declare('node-ahead', (marker) => {
    const through = new PassThrough()
    const work = async () => {
      for await (const piece of pieces(marker)) through.write(piece)
      through.end()
    }
    void work()
    return through
  })
  declare('web', pulled)
  declare('web-ahead', started)
  declare('web-response', (marker) => new Response(pulled(marker)))
  declare('response', (marker) => new HttpResponse(200, pieces(marker)))
  declare('aborted', (marker) => abort(new HttpResponse(200, pieces(marker))))
  declare('events', (marker) => eventStream(pieces(marker)))
  class Refused extends Error {}
  errorHandler(Refused, (error) => pieces(error.message))
  declare('error-handler', (marker) => {
    throw new Refused(marker)
  })
  declare('timer', (marker) => new ReadableStream({
    start(controller) {
      let n = 0
      const timer = setInterval(async () => {
        const name = marker + ++n
        if (n === 3) clearInterval(timer)
        await tables.entries.addRow({ marker: name })
        controller.enqueue('ack ' + name + '\\n')
        if (name.endsWith('3')) controller.close()
      }, 5)
    },
  }))
  declare('head', async (marker) => {
    await tables.entries.addRow({ marker })
    return new HttpResponse(200, pieces(marker + '-not-sent'), { 'x-told': 'ack ' + marker })
  }, ['HEAD'])`

const streams = `
  import { tables } from './tables.js'
  export async function* pieces(marker) {
    for (const n of [1, 2, 3]) {
      await tables.entries.addRow({ marker: marker + n })
      yield 'ack ' + marker + n + '\\n'
    }
  }
  export const pulled = (marker) => {
    const source = pieces(marker)
    return new ReadableStream({
      async pull(controller) {
        const { done, value } = await source.next()
        if (done) controller.close()
        else controller.enqueue(new TextEncoder().encode(value))
      },
    })
  }
  export const started = (marker) => new ReadableStream({
    async start(controller) {
      for await (const piece of pieces(marker)) controller.enqueue(new TextEncoder().encode(piece))
      controller.close()
    },
  })`

const plugin = `
  import { PassThrough, Readable } from 'node:stream'
  import { durable } from 'rowhouse'
  import { pieces, pulled, started } from './streams.js'
  import { tables } from './tables.js'
  export default async (fastify) => {
    fastify.get('/fastify/node', (request, reply) => reply.send(Readable.from(pieces(request.query.marker))))
    fastify.get('/fastify/node-bytes', async (request) => Readable.from(pieces(request.query.marker), { objectMode: false }))
    fastify.get('/fastify/web', async (request) => pulled(request.query.marker))
    fastify.get('/fastify/web-ahead', (request, reply) => reply.send(started(request.query.marker)))
    fastify.get('/fastify/response', async (request) => new Response(pulled(request.query.marker)))
    fastify.get('/fastify/error-handler', { errorHandler: (error, request, reply) => reply.code(200).send(pulled(error.message)) }, async (request) => {
      throw new Error(request.query.marker)
    })
    fastify.get('/fastify/raw', async (request, reply) => {
      reply.hijack()
      reply.raw.writeHead(200)
      for await (const piece of pieces(request.query.marker)) {
        await durable()
        reply.raw.write(piece)
      }
      reply.raw.end()
    })
    fastify.head('/fastify/head', async (request, reply) => {
      await tables.entries.addRow({ marker: request.query.marker })
      return reply.header('x-told', 'ack ' + request.query.marker).send()
    })
  }`

/** Which rows that were acknowledged are not there after a power cut just then, each at its own moment, as SQLite finds them. */
function lostEach({ cut, beside }: Recording): string[] {
  return cut
    .acknowledgements()
    .filter(({ marker, moment }, index) => {
      const root = join(beside, `cut-${index}`)
      cut.rebuild(moment, root)
      const database = new Database(join(root, 'app', '.rowhouse', 'rowhouse.db'))
      try {
        return database.prepare('SELECT 1 FROM entries WHERE marker = ?').get(marker) === undefined
      } finally {
        database.close()
      }
    })
    .map(({ marker }) => marker)
}

t.test('no piece of a stream tells of a write that a power cut would take back, however the stream is made', { skip: needs('strace') }, async (t) => {
  const files = { 'modules/streaming.ts': streaming, 'streams.ts': streams, 'fastify.ts': plugin }
  const own = ['generator', 'unawaited', 'transaction', 'only-at-the-end', 'node', 'node-ahead', 'web', 'web-ahead', 'web-response', 'response', 'aborted', 'events', 'error-handler', 'timer']
  const paths = [
    ...own.map((name) => [`/_/api/${name}`, 'GET']),
    ['/_/api/head', 'HEAD'],
    ...['node', 'node-bytes', 'web', 'web-ahead', 'response', 'error-handler', 'raw'].map((name) => [`/fastify/${name}`, 'GET']),
    ['/fastify/head', 'HEAD'],
  ]
  const recording = await recordServer(t, files, [], async (url) => {
    await Promise.all(
      paths.map(async ([path = '', method], index) => {
        const answer = await fetch(`${url}${path}?marker=stream-${index}-`, { method })
        const told = method === 'HEAD' ? (answer.headers.get('x-told') ?? '') : await answer.text()
        t.match(told, /ack stream-/, `${method} ${path} answers ${answer.status}`)
      }),
    )
  })
  // Three pieces each, but for one that has one and the two that have a header.
  t.equal(recording.cut.acknowledgements().length, 3 * (paths.length - 3) + 3)
  t.same(lostEach(recording), [])
})
