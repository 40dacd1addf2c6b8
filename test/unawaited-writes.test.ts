import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import t, { type Test } from 'tap'
import { temporaryFolder } from './support/app.ts'
import { startServer, type RowhouseServer } from './support/rowhouse-process.ts'
import { takesLong } from './support/needs.ts'

const files = {
  'tables.ts': `
    import { defineTables, table, text } from 'rowhouse'
    export const tables = defineTables({
      entries: table({ marker: text().required().unique() }),
      parents: table({ name: text() }),
    })`,
  'modules/entries.ts': `
    import { setTimeout as pause } from 'node:timers/promises'
    import { abort, errorHandler, httpEndpoint, HttpError, HttpResponse, text, transaction } from 'rowhouse'
    import { tables } from '../tables.js'
    const { entries } = tables
    const taken = { marker: 'taken' }
    const declare = (name, handler) => httpEndpoint('/' + name, { methods: ['POST', 'HEAD'] }, handler)
    const ok = () => 'ok'
    declare('prepare', async () => void (await entries.upsert(taken, {})))
    httpEndpoint('/all', () => entries.search({}, { orderBy: 'marker' }).map(({ marker }) => marker))

    declare('refused', () => {
      void entries.addRow(taken)
      return 'ok'
    })
    declare('wrong', () => {
      void entries.addRow({})
      return 'ok'
    })
    declare('meanwhile', async () => {
      void entries.addRow(taken)
      await pause(30)
      return 'ok'
    })
    declare('rows', () => void entries.addRows([{ marker: 'never' }, taken]) || 'ok')
    declare('changes', async () => {
      const row = await entries.addRow({ marker: 'changing' })
      void row.update(taken).finally(() => row.delete())
      return 'ok'
    })
    declare('found', () => void entries.search(taken).update({ marker: null }) || 'ok')
    declare('upserted', () => void entries.upsert({ marker: 'never' }, { nothing: 7 }) || 'ok')
    declare('transacted', () => void transaction(() => entries.addRow(taken)) || 'ok')
    declare('changed-its-mind', () => void transaction(async () => { throw new Error('no') }) || 'ok')
    declare('deeper', () => {
      const work = async () => {
        try {
          await entries.addRow(taken)
        } catch (error) {
          throw new Error('told in other words', { cause: error })
        }
      }
      void work()
      return 'ok'
    })
    declare('aborted', () => {
      void entries.addRow(taken)
      abort(new HttpResponse(200, 'ok'))
    })
    class Handled extends Error {}
    errorHandler(Handled, () => {
      void entries.addRow(taken)
      return new HttpResponse(200, 'ok')
    })
    declare('handled', () => { throw new Handled('x') })
    declare('stream', async function* () {
      void entries.addRow(taken)
      yield 'ok'
    })
    declare('stream-later', async function* () {
      yield 'first'
      void entries.addRow(taken)
      yield 'second'
    })

    declare('inside', async () => {
      await transaction(async () => {
        await entries.addRow({ marker: 'half of it' })
        void entries.addRow({})
      })
      return 'ok'
    })
    declare('inside-earlier', async () => {
      await transaction(async () => {
        await entries.addRow({ marker: 'half of it' })
        void entries.addRow(taken)
        await pause(20)
      })
      return 'ok'
    })

    declare('caught', async () => {
      void entries.addRow(taken).catch(() => undefined)
      void entries.addRow({}).then(() => undefined, () => undefined)
      await Promise.allSettled([entries.addRow(taken), transaction(() => entries.addRow(taken))])
      return 'ok'
    })
    declare('caught-later', async () => {
      const first = entries.addRow(taken)
      const second = entries.addRow({})
      await pause(30)
      await first.catch(() => undefined)
      await second.catch(() => undefined)
      return 'ok'
    })
    declare('caught-around', async () => {
      const failed = await transaction(async () => {
        void entries.addRow({})
      }).then(() => false, (error) => error.code === 'transaction-ended')
      return failed ? 'ok' : 'it went through'
    })
    declare('caught-inside', async () => {
      await transaction(async () => {
        const added = entries.addRow(taken)
        await pause(20)
        await added.catch(() => undefined)
      })
      return 'ok'
    })
    declare('nothing-to-do-with-it', async () => {
      void Promise.reject(new Error('a mail was not sent'))
      await pause(10)
      return 'ok'
    })
    declare('told-already', () => {
      void entries.addRow(taken)
      throw new HttpError(409, 'told already')
    })
    declare('good', () => {
      void entries.addRow({ marker: 'good' })
      return 'ok'
    })`,
  'fastify.ts': `
    import { Readable } from 'node:stream'
    import { durable } from 'rowhouse'
    import { tables } from './tables.js'
    export default async (fastify) => {
      const refused = () => void tables.entries.addRow({ marker: 'taken' })
      fastify.post('/fastify/refused', async () => {
        refused()
        return 'ok'
      })
      fastify.post('/fastify/wrong', (request, reply) => {
        void tables.entries.addRow({})
        reply.send('ok')
      })
      fastify.post('/fastify/stream', async () => Readable.from((async function* () {
        refused()
        yield 'ok'
      })()))
      fastify.post('/fastify/raw', async (request, reply) => {
        refused()
        await durable()
        reply.raw.end('ok')
        return reply.hijack()
      })
      fastify.post('/fastify/caught', async () => {
        await tables.entries.addRow({ marker: 'taken' }).catch(() => undefined)
        return 'ok'
      })
      fastify.post('/fastify/told-already', async (request, reply) => {
        refused()
        return reply.code(409).send('told already')
      })
    }`,
}

async function serve(t: Test): Promise<RowhouseServer> {
  const directory = await temporaryFolder(t)
  await mkdir(join(directory, 'modules'))
  for (const [name, content] of Object.entries(files)) await writeFile(join(directory, name), content)
  const server = await startServer(t, directory)
  await post(server, '/_/api/prepare')
  return server
}

async function post({ url }: RowhouseServer, path: string): Promise<{ status: number; text: string; id: string }> {
  const answer = await fetch(`${url}${path}`, { method: 'POST' })
  const text = await answer.text().catch(() => 'cut')
  return { status: answer.status, text, id: answer.headers.get('x-request-id') ?? '' }
}

/** The lines of a request, once the last of them is there. */
async function logged({ child, output }: RowhouseServer, id: string): Promise<Record<string, unknown>[]> {
  for (;;) {
    const lines = output.stdout.split('\n').filter((line) => line.endsWith('}') && line.includes(id))
    const read = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
    if (read.some(({ message }) => message === 'request')) return read
    await once(child.stdout as Readable, 'data')
  }
}

t.test('an answer does not tell of a success when a write was refused that nobody awaited', { skip: takesLong('it waits for twenty failures to be told') }, async (t) => {
  const server = await serve(t)
  const own = ['refused', 'wrong', 'meanwhile', 'rows', 'changes', 'found', 'upserted', 'transacted', 'changed-its-mind', 'deeper', 'aborted', 'handled', 'stream', 'inside', 'inside-earlier']
  const plugins = ['refused', 'wrong', 'stream', 'raw']
  const paths = [...own.map((name) => `/_/api/${name}`), ...plugins.map((name) => `/fastify/${name}`)]
  for (const path of paths) {
    const { status, text } = await post(server, path)
    t.equal(status, 500, path)
    t.notMatch(text, /ok|taken/, `${path} tells nothing of it`)
  }
  t.same(await (await fetch(`${server.url}/_/api/all`)).json(), ['taken'], 'and nothing is left of what was refused')
  t.equal((await fetch(`${server.url}/_/api/refused`, { method: 'HEAD' })).status, 500)
})

t.test('a stream is cut when a write was refused that nobody awaited, and the piece after it is not sent', { skip: takesLong('it tries many ways of writing') }, async (t) => {
  const server = await serve(t)
  t.match(await post(server, '/_/api/stream-later'), { status: 200, text: 'cut' })
})

t.test('the log has the refused write under the id of its request, with the place of the handler and what was refused', { skip: takesLong('it tries many ways of writing') }, async (t) => {
  const server = await serve(t)
  const { id } = await post(server, '/_/api/refused')
  const errors = (lines: readonly Record<string, unknown>[]): unknown[] => lines.filter(({ level }) => Number(level) >= 50)
  const refused = [{ level: 50, message: /^a write was refused and nobody awaited it, in the handler at modules\/entries\.ts:\d+$/, err: { message: /already has a row with this marker/ } }]
  t.match(errors(await logged(server, id)), refused)
  for (const path of ['/_/api/refused', '/_/api/stream', '/_/api/deeper', '/_/api/handled', '/fastify/refused', '/fastify/stream']) {
    const lines = errors(await logged(server, (await post(server, path)).id))
    t.equal(lines.length, path === '/_/api/handled' ? 2 : 1, `${path}: one line for one write, beside that of the error that was handled`)
  }
  const handled = await logged(server, (await post(server, '/_/api/handled')).id)
  t.ok(handled.some(({ message }) => /^a write was refused and nobody awaited it, in the error handler at modules\/entries\.ts:\d+$/.test(String(message))))
  const wrong = await post(server, '/_/api/wrong')
  const [line] = await logged(server, wrong.id)
  const at = files['modules/entries.ts'].split('\n').findIndex((text) => text.includes('addRow({})')) + 1
  t.match(line, { err: { stack: `modules/entries.ts:${at}:` } }, 'and, where it was refused at once, of the write')
})

t.test('a write whose failure somebody has caught, however late, makes no answer worse; nor does what is no write', { skip: takesLong('it tries many ways of writing') }, async (t) => {
  const server = await serve(t)
  for (const path of ['/_/api/caught', '/_/api/caught-later', '/_/api/caught-around', '/_/api/caught-inside', '/_/api/nothing-to-do-with-it', '/_/api/good', '/fastify/caught']) {
    t.match(await post(server, path), { status: 200, text: 'ok' }, path)
  }
  for (const path of ['/_/api/told-already', '/fastify/told-already']) t.match(await post(server, path), { status: 409, text: 'told already' }, path)
  t.same(await (await fetch(`${server.url}/_/api/all`)).json(), ['good', 'taken'])
})

t.test('requests whose writes share a transaction with one that was refused are answered as if it had not been', { skip: takesLong('it tries many ways of writing') }, async (t) => {
  const server = await serve(t)
  const answers = await Promise.all(Array.from({ length: 40 }, (_, n) => post(server, n % 2 === 0 ? '/_/api/refused' : '/_/api/caught')))
  t.same(answers.map(({ status }) => status), Array.from({ length: 40 }, (_, n) => (n % 2 === 0 ? 500 : 200)))
})
