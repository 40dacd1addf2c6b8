import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import {
  HttpError,
  HttpResponse,
  abort,
  authenticate,
  createApp,
  defineTables,
  errorHandler,
  getAppOrigin,
  httpEndpoint,
  log,
  request,
  route,
  table,
  text,
  transaction,
  users,
} from 'rowhouse'
import type { Transaction } from '../dist/db/transactions/transaction.js'
import { CallScope } from '../dist/server/call/call.js'
import { openSqlite } from '../dist/db/sqlite/open.js'
import type { Commit, Engine } from '../dist/db/engine/engine.js'
import { CallWrites } from '../dist/server/call/call-writes.js'
import { basic, buildApp, startApp, temporaryFolder } from './support/app.ts'
import { takesLong } from './support/needs.ts'

const api = '/_/api'

const entriesOf = () => defineTables({ entries: table({ name: text().required() }) })
type Entries = ReturnType<typeof entriesOf>['entries']

/** The names in a table, in alphabetical order. */
async function namesIn(entries: Entries): Promise<string[]> {
  return (await entries.search().all()).map(({ name }) => name).sort()
}

t.test('what runs beside a failing transaction in the same call is not in it', async (t) => {
  let entries: Entries | null = null
  const { server } = await buildApp(t, () => {
    const tables = entriesOf()
    entries = tables.entries
    httpEndpoint('/beside', async () => {
      const failing = transaction(async () => {
        await tables.entries.addRow({ name: 'undone' })
        await pause(20)
        throw new Error('no')
      })
      const [failed] = await Promise.allSettled([failing, tables.entries.addRow({ name: 'kept' })])
      return failed.status
    })
    httpEndpoint('/nested', async () => {
      await transaction(async () => {
        await tables.entries.addRow({ name: 'inside' })
        // It is the same call, of nobody.
        t.equal(users.getUser(), null)
      })
      await tables.entries.addRow({ name: 'after' })
      return null
    })
  })
  t.equal((await server.inject(`${api}/beside`)).body, 'rejected')
  t.equal((await server.inject(`${api}/nested`)).statusCode, 200)
  t.ok(entries)
  t.same(await namesIn(entries as unknown as Entries), ['after', 'inside', 'kept'])
})

t.test('what a transaction has left running is refused once it has ended, and writes nothing', async (t) => {
  let entries: Entries | null = null
  let late: Promise<unknown> = Promise.resolve()
  const { server } = await buildApp(t, () => {
    const tables = entriesOf()
    entries = tables.entries
    httpEndpoint('/left', async () => {
      await transaction(async () => {
        late = pause(30).then(() => tables.entries.addRow({ name: 'late' }))
        late.catch(() => undefined)
        await tables.entries.addRow({ name: 'in time' })
      })
      return null
    })
  })
  t.equal((await server.inject(`${api}/left`)).statusCode, 200)
  await t.rejects(late, { code: 'transaction-ended' })
  t.same(await namesIn(entries as unknown as Entries), ['in time'])
})

t.test('with two apps in one process a transaction of one leaves out what is written to the other, and knows itself again inside of the other', async (t) => {
  const tables: Entries[] = []
  const declare = () => {
    tables.push(entriesOf().entries)
    httpEndpoint('/transact', (_args, request) => transaction(() => work(request.queryParams['in'] === 'b' ? 1 : 0)))
  }
  let work = async (_app: number): Promise<unknown> => undefined
  const a = await buildApp(t, declare)
  const b = await buildApp(t, declare)
  const [inA, inB] = tables as [Entries, Entries]
  work = async () => {
    await inA.addRow({ name: 'of a' })
    await inB.addRow({ name: 'of b' })
    t.same(await namesIn(inB), ['of b'], 'which sees it, since it is in no transaction')
    throw new Error('undone')
  }
  t.equal((await a.server.inject(`${api}/transact`)).statusCode, 500)
  t.same([await namesIn(inA), await namesIn(inB)], [[], ['of b']])

  let depth = 0
  work = async () => {
    if (depth++ === 0) {
      await inA.addRow({ name: 'outer' })
      // A request to the other app is a call of its own, and in no transaction.
      t.equal((await b.server.inject(`${api}/transact?in=b`)).statusCode, 200)
      throw new Error('undone')
    }
    await inB.addRow({ name: 'inner' })
    return null
  }
  t.equal((await a.server.inject(`${api}/transact`)).statusCode, 500)
  t.same([await namesIn(inA), await namesIn(inB)], [[], ['inner', 'of b']])
})

/** An engine whose commits become durable only when they are told to, in whatever order. */
function reluctant(commits: { commit: Commit; release: () => void }[]) {
  return async (options: Parameters<typeof openSqlite>[0]): Promise<Engine> => {
    const held = new WeakMap<Commit, Commit>()
    const hold = (commit: Commit): Commit => {
      const present = held.get(commit)
      if (present !== undefined) return present
      let resolve = (): void => undefined
      const durable = new Promise<void>((settle) => (resolve = settle))
      const late = { durable, isDurable: false }
      held.set(commit, late)
      commits.push({
        commit: late,
        release: () => {
          late.isDurable = true
          resolve()
        },
      })
      return late
    }
    return openSqlite({ ...options, onWrite: (commit) => options.onWrite?.(hold(commit)) })
  }
}

t.test('an answer waits for every commit of its call, in whatever order they reach the disk', async (t) => {
  const commits: { commit: Commit; release: () => void }[] = []
  const directory = await temporaryFolder(t)
  class Odd extends Error {}
  const server = await createApp({
    directory,
    openEngine: reluctant(commits),
    logTo: { write: () => undefined },
    define: () => {
      const { entries } = entriesOf()
      const addThree = async () => {
        for (const name of ['first', 'second', 'third']) await entries.addRow({ name })
      }
      route('/value', async () => (await addThree(), 'done'))
      route('/stream', async function* () {
        yield 'begun'
        await addThree()
        yield 'done'
      })
      route('/refused', async () => {
        await addThree()
        throw new Odd('refused')
      })
      route('/transaction', () => transaction(async () => (await addThree(), 'done')))
      errorHandler(Odd, async () => (await addThree(), 'handled'))
    },
  })
  t.teardown(() => server.close())
  for (const [path, expected, count] of [['/value', 'done', 3], ['/stream', 'begundone', 3], ['/refused', 'handled', 6], ['/transaction', 'done', 1]] as const) {
    commits.length = 0
    let answered = false
    const answer = server.inject(path).then((reply) => {
      answered = true
      return reply
    })
    const releaseBackwards = async (many: number): Promise<void> => {
      while (commits.length < many) await pause(5)
      await pause(30)
      t.equal(answered, false, `${path} waits for its ${many} commits`)
      for (const { release } of commits.splice(0).toReversed()) {
        t.equal(answered, false, `${path} waits for the earliest, though later ones are on the disk`)
        release()
        await pause(5)
      }
    }
    await releaseBackwards(Math.min(count, 3))
    if (count > 3) await releaseBackwards(count - 3)
    t.equal((await answer).body, expected)
  }
})

t.test('a call that writes without end holds on to what the disk has not caught up with, and to no more', async (t) => {
  const writes = new CallWrites()
  const waiting: { durable: Promise<void>; isDurable: boolean }[] = []
  const durable = Promise.resolve()
  let most = 0
  for (let count = 0; count < 1_000_000; count++) {
    const commit = { durable, isDurable: false }
    writes.add(commit)
    waiting.push(commit)
    // The disk is fifty commits behind.
    const done = waiting.length > 50 ? waiting.shift() : undefined
    if (done !== undefined) done.isDurable = true
    if (count % 1000 === 0) most = Math.max(most, writes.size)
  }
  t.ok(most >= 50 && most < 250, `at most ${most} commits were held`)
  for (const commit of waiting) commit.isDurable = true
  t.equal(writes.durable(), null, 'there is nothing to wait for when all of it is on the disk')
})

t.test('what modules start belongs to their app, also while another runs in the same process', async (t) => {
  const logged = { a: [] as unknown[], b: [] as unknown[] }
  const origins: string[] = []
  let tick = (): void => undefined
  const ticked = new Promise<void>((resolve) => (tick = resolve))
  const start = async (name: 'a' | 'b', define: () => void) => {
    const server = await createApp({
      directory: await temporaryFolder(t),
      options: { origin: `https://${name}.example.com` },
      logTo: { write: (line: string) => void logged[name].push((JSON.parse(line) as { message: string }).message) },
      define,
    })
    t.teardown(() => server.close())
    return server
  }
  await start('a', () => {
    log.info('a is loaded')
    const timer = setInterval(() => {
      log.info('a ticks')
      // It is there once the app has started.
      if (logged.a.includes('started')) {
        clearInterval(timer)
        origins.push(getAppOrigin())
        tick()
      }
    }, 5)
    route('/started', () => log.info('started'))
  }).then((server) => server.inject('/started'))
  await start('b', () => log.info('b is loaded'))
  await ticked
  t.same(origins, ['https://a.example.com'])
  t.ok(logged.a.includes('a ticks') && logged.a.includes('a is loaded'))
  t.ok(logged.b.includes('b is loaded') && !logged.b.includes('a ticks'))
})

t.test('apps of one process can be loaded at the same time, and what is declared too late is refused', { skip: takesLong('it loads many apps') }, async (t) => {
  let tooLate: Promise<unknown> = Promise.resolve()
  const apps = await Promise.all(
    ['one', 'two', 'three'].map((name) =>
      buildApp(t, async () => {
        route(`/${name}`, () => name)
        await pause(20)
        route(`/${name}/later`, () => name)
        tooLate = pause(1000).then(() => route('/too/late', () => null))
        tooLate.catch(() => undefined)
      }),
    ),
  )
  for (const [index, name] of ['one', 'two', 'three'].entries()) {
    const server = apps[index]?.server
    t.equal((await server?.inject(`/${name}/later`))?.body, name)
    t.equal((await server?.inject(`/${name === 'one' ? 'two' : 'one'}`))?.statusCode, 404)
  }
  await t.rejects(tooLate, { name: 'DeclarationError', message: /route\(\) was called while no app was loading/ })
})

t.test("paths under /_/ are Rowhouse's own: declaring one stops the start, and no parameter stands for it", async (t) => {
  const refused = async (define: () => unknown, options = {}): Promise<void> => {
    await t.rejects(buildApp(t, define, options), { name: 'DeclarationError', message: /the path \/_\/\S* is Rowhouse's own, as all are that begin with \/_\/; choose another beginning/ })
  }
  await refused(() => route('/_/mine', () => null))
  await refused(() => route('/_/:name', () => null))
  await refused(() => route('/_/health/live', () => null))
  await refused(() => httpEndpoint('/_/mine', () => null), { apiPrefix: '' })
  await refused(() => route('/_/apis', () => null))
  const { url } = await startApp(t, () => {
    route('/:one/:two', ({ one, two }) => `${one} ${two}`)
    route('/<path:rest>', ({ rest }) => rest)
    route('/_/api/by-route', () => 'in the API')
  })
  const get = async (path: string): Promise<[number, string]> => {
    const response = await fetch(url + path)
    return [response.status, await response.text()]
  }
  t.same(await get('/a/b'), [200, 'a b'])
  t.same(await get('/_/mine'), [404, 'Not Found'])
  t.same(await get('/_/health/dead'), [404, 'Not Found'])
  t.same(await get('/_/api/by-route'), [200, 'in the API'], 'the API prefix is the exception')
  t.same(await get('/_x/y'), [200, '_x y'])
  t.equal((await fetch(`${url}/_/mine`, { method: 'OPTIONS' })).status, 404)
})

/** Writes requests to a connection of their own at once, and resolves to all that comes back within a moment after the last byte. */
async function pipelined(port: number, requests: readonly string[], until: (received: string) => boolean): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let received = ''
  socket.on('data', (bytes: Buffer) => (received += bytes.toString('latin1')))
  socket.write(requests.join(''))
  for (let waited = 0; waited < 5000 && !until(received); waited += 10) await pause(10)
  socket.destroy()
  return received
}

t.test('a stream belongs to its own call, whoever made room for its next piece: on a pipelined connection it has its user, and waits for its writes', { skip: takesLong('it receives megabytes piece by piece') }, async (t) => {
  const commits: { commit: Commit; release: () => void }[] = []
  let isHeld = false
  const server = await createApp({
    directory: await temporaryFolder(t),
    openEngine: reluctant(commits),
    logTo: { write: () => undefined },
    define: () => {
      const { entries } = entriesOf()
      route('/me', { authenticateUsers: true }, async function* () {
        for (let piece = 0; piece < 40; piece++) yield Buffer.alloc(100_000, '.')
        yield `<${users.getUser()?.email}>`
      })
      route('/write', async function* () {
        for (let piece = 0; piece < 40; piece++) yield Buffer.alloc(100_000, '.')
        isHeld = true
        await entries.addRow({ name: 'x' })
        yield '<acknowledged>'
      })
    },
  })
  t.teardown(() => server.close())
  const releaseAll = setInterval(() => {
    if (!isHeld) for (const { release } of commits.splice(0)) release()
  }, 5)
  t.teardown(() => clearInterval(releaseAll))
  for (const name of ['ann', 'ben']) await server.rowhouse.users.add(`${name}@example.com`, `password of ${name}`)
  const url = new URL(await server.listen({ port: 0, host: '127.0.0.1' }))
  const ask = (path: string, name: string) => `GET ${path} HTTP/1.1\r\nhost: x\r\nauthorization: ${basic(`${name}@example.com`, `password of ${name}`).authorization}\r\n\r\n`
  const marks = (received: string): string[] => received.match(/<[^>]+>/g) ?? []
  const both = await pipelined(Number(url.port), [ask('/me', 'ann'), ask('/me', 'ben')], (received) => marks(received).length === 2)
  t.same(marks(both), ['<ann@example.com>', '<ben@example.com>'])
  const held = await pipelined(Number(url.port), [ask('/me', 'ann'), ask('/write', 'ben')], (received) => isHeld && marks(received).length === 2)
  t.same(marks(held), ['<ann@example.com>'], 'what was written is not told before it is on the disk')
  isHeld = false
})

t.test('an error handler that writes and then fails is answered when its write is on the disk', async (t) => {
  const commits: { commit: Commit; release: () => void }[] = []
  class Odd extends Error {}
  const server = await createApp({
    directory: await temporaryFolder(t),
    openEngine: reluctant(commits),
    logTo: { write: () => undefined },
    define: () => {
      const { entries } = entriesOf()
      route('/odd', () => {
        throw new Odd()
      })
      errorHandler(Odd, async () => {
        await entries.addRow({ name: 'incident' })
        throw new HttpError(409, 'incident recorded')
      })
      authenticate(async ({ headers }) => {
        if (headers['x-stream'] === undefined) return null
        return abort(
          new HttpResponse(
            200,
            (async function* () {
              await entries.addRow({ name: 'x' })
              yield request.path
            })(),
          ),
        )
      })
      route('/guarded', { authenticateUsers: true }, () => 'in')
    },
  })
  t.teardown(() => server.close())
  for (const [asked, expected] of [[{ url: '/odd' }, 'incident recorded'], [{ url: '/guarded', headers: { 'x-stream': 'yes' } }, '/guarded']] as const) {
    let answered = false
    const answer = server.inject(asked).then((reply) => {
      answered = true
      return reply
    })
    while (commits.length === 0) await pause(5)
    await pause(30)
    t.equal(answered, false)
    for (const { release } of commits.splice(0)) release()
    t.equal((await answer).body, expected)
  }
})

t.test('what code steps into again and again leaves nothing behind', async (t) => {
  const scope = new CallScope()
  const other = new CallScope()
  const inOther = { of: 'other' } as unknown as Transaction
  const depth = (level: number): unknown =>
    level === 0 ? [scope.current(), other.current()] : scope.run(level % 2 === 0 ? undefined : ({ level } as unknown as Transaction), () => depth(level - 1))
  t.same(other.run(inOther, () => depth(300)), [{ level: 1 }, { of: 'other' }])
  const started = performance.now()
  const chain = async (left: number): Promise<void> => {
    if (left > 0) await scope.run(undefined, () => Promise.resolve()).then(() => scope.run(undefined, () => chain(left - 1)))
  }
  await chain(2000)
  t.ok(performance.now() - started < 10_000)
})

t.test('the time of a call belongs to it, and the clock that all share to none', async (t) => {
  const seen: string[] = []
  const { server } = await buildApp(t, () => {
    route('/first', async () => {
      await pause(1)
      return 'first'
    })
    errorHandler(500, () => (async function* () {
      try {
        await pause(600)
        yield 'never'
      } finally {
        seen.push(request.path)
      }
    })())
    route('/odd', { timeout: 150 }, () => {
      throw new Error('odd')
    })
  })
  await server.inject('/first')
  t.equal((await server.inject('/odd')).statusCode, 503)
  while (seen.length === 0) await pause(20)
  t.same(seen, ['/odd'], 'what is let go of when its time is over is let go of as the call that it was')
})
