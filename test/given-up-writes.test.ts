import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import { temporaryFolder } from './support/app.ts'
import { takesLong } from './support/needs.ts'
import { startServer } from './support/rowhouse-process.ts'

const files = {
  'tables.ts': `
    import { defineTables, table, text } from 'rowhouse'
    export const tables = defineTables({ entries: table({ marker: text() }) })`,
  'modules/entries.ts': `
    import { setTimeout as pause } from 'node:timers/promises'
    import { errorHandler, httpEndpoint, text, transaction } from 'rowhouse'
    import { tables } from '../tables.js'
    const { entries } = tables
    const params = { marker: text() }
    const brief = { methods: ['POST'], params, timeout: 300 }
    const ended = []
    /** Does the work, and remembers how it ended, which nobody is told who has been answered. */
    const remembering = (work) => async ({ marker }) => {
      try {
        await work(marker)
        ended.push('done')
      } catch (error) {
        ended.push(error.code)
      }
      return 'ok'
    }
    httpEndpoint('/write', brief, remembering((marker) => entries.addRow({ marker })))
    httpEndpoint('/many', brief, remembering((marker) => entries.addRows(Array.from({ length: 1000 }, () => ({ marker })))))
    httpEndpoint('/upsert', brief, remembering((marker) => entries.upsert({ marker }, {})))
    httpEndpoint('/transact', brief, remembering((marker) => transaction(() => entries.addRow({ marker }))))
    httpEndpoint('/unawaited', brief, remembering(async (marker) => {
      void transaction(() => entries.addRow({ marker })).catch(() => undefined)
      await entries.addRow({ marker })
    }))
    httpEndpoint('/in-the-middle', brief, remembering((marker) => transaction(async () => {
      await entries.addRow({ marker })
      await pause(1500)
    })))
    httpEndpoint('/afterwards', brief, remembering(async (marker) => {
      await pause(1500)
      await entries.addRow({ marker })
    }))
    httpEndpoint('/before', brief, remembering(async (marker) => {
      await entries.addRow({ marker })
      await pause(1500)
    }))
    httpEndpoint('/patient', { methods: ['POST'], params, timeout: 60_000 }, async ({ marker }) => {
      await transaction(() => entries.addRow({ marker }), { retries: 0 })
      return 'ok'
    })
    httpEndpoint('/patient-write', { methods: ['POST'], params, timeout: 60_000 }, async ({ marker }) => {
      await entries.addRow({ marker })
      return 'ok'
    })
    httpEndpoint('/unawaited-for-long', { methods: ['POST'], params, timeout: 60_000 }, ({ marker }) => {
      void transaction(() => entries.addRow({ marker }))
      return 'ok'
    })
    httpEndpoint('/ended', () => ended)
    httpEndpoint('/all', () => entries.search().map(({ marker }) => marker))`,
}

async function serve(t: Test) {
  const directory = await temporaryFolder(t)
  await mkdir(join(directory, 'modules'))
  for (const [name, content] of Object.entries(files)) await writeFile(join(directory, name), content)
  const { url } = await startServer(t, directory)
  const lock = new Database(join(directory, '.rowhouse', 'rowhouse.db'))
  t.teardown(() => lock.close())
  const post = async (name: string): Promise<{ status: number; code: string }> => {
    const answer = await fetch(`${url}/_/api/${name}?marker=${name}`, { method: 'POST', headers: { accept: 'application/json' } })
    const text = await answer.text()
    return { status: answer.status, code: text.startsWith('{') ? (JSON.parse(text) as { code: string }).code : text }
  }
  const list = async (name: string): Promise<string[]> => (await (await fetch(`${url}/_/api/${name}`)).json()) as string[]
  return { lock, post, list }
}

const tooLate = { status: 503, code: 'handler-timeout' }

t.test('what a request was still waiting for when it was told 503 is not written once another process lets go of the database', { skip: takesLong('it waits for time limits') }, async (t) => {
  const { lock, post, list } = await serve(t)
  const names = ['write', 'many', 'upsert', 'transact', 'unawaited']
  lock.exec('BEGIN IMMEDIATE')
  for (const answer of await Promise.all(names.map(post))) t.same(answer, tooLate)
  lock.exec('ROLLBACK')
  while ((await list('ended')).length < names.length) await pause(20)
  t.same(await list('ended'), names.map(() => 'transaction-ended'), 'the handlers are told')
  t.same(await list('all'), [])
  t.match(await post('patient'), { status: 200 }, 'and others write')
  t.same(await list('all'), ['patient'])
})

t.test('a request that was told 503 writes no more: its open transaction is rolled back, and what it had written before stays', { skip: takesLong('it waits for time limits') }, async (t) => {
  const { post, list } = await serve(t)
  const names = ['in-the-middle', 'afterwards', 'before']
  // A transaction keeps the writes of others waiting, so each by itself.
  for (const name of names) {
    t.same(await post(name), tooLate, name)
    const known = names.indexOf(name) + 1
    while ((await list('ended')).length < known) await pause(20)
  }
  t.same(await list('ended'), ['transaction-ended', 'transaction-ended', 'done'])
  t.same(await list('all'), ['before'])
})

t.test('what was told 503 because another process kept the database locked is not written later', { skip: takesLong('the lock is waited for 15 s') }, async (t) => {
  const { lock, post, list } = await serve(t)
  lock.exec('BEGIN IMMEDIATE')
  const background = post('unawaited-for-long')
  const answers = await Promise.all([post('patient'), post('patient-write')])
  for (const answer of answers) t.same(answer, { status: 503, code: 'busy' })
  // Long enough for what is tried again to have met the lock a second time.
  await pause(500)
  lock.exec('ROLLBACK')
  t.same(await background, { status: 200, code: 'ok' }, 'what is tried again is waited for')
  t.same(await list('all'), ['unawaited-for-long'])
})
