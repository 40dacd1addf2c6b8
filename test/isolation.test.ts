import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { defineTables, httpEndpoint, HttpError, integer, onCommit, request, table, text, transaction, users } from 'rowhouse'
import { basic, buildApp, startApp } from './support/app.ts'
import { takesLong } from './support/needs.ts'

const api = '/_/api'

/** Tables and their type, for a test that uses them outside of the endpoints too. */
const shop = () =>
  defineTables({
    items: table({ name: text().required().unique(), left: integer().required() }),
    sales: table({ buyer: text().required() }),
  })

t.test('200 interleaved requests never see the request, the user or the transaction of another', { skip: takesLong('it sends hundreds of requests') }, async (t) => {
  let tables!: ReturnType<typeof shop>
  const { server } = await buildApp(t, () => {
    tables = shop()
    httpEndpoint('/mix/:n', { authenticateUsers: true }, async ({ n }) => {
      const seen: unknown[] = []
      const look = (): void => void seen.push([request.path, users.getUser()?.email, request.queryParams['q']])
      const work = async (): Promise<void> => {
        look()
        await tables.items.addRow({ name: `item ${n}`, left: Number(n) })
        await delay(Math.random() * 2)
        look()
        if ((await tables.items.search({ name: `item ${n}` }).count()) !== 1) throw new Error('a transaction does not see its own write')
        await tables.sales.addRow({ buyer: String(n) })
      }
      // A third runs outside of transactions, a third in one, and a third in one that is rolled back.
      if (Number(n) % 3 === 0) await work()
      else if (Number(n) % 3 === 1) await transaction(work)
      else await transaction(async () => { await work(); throw new Error('no') }).catch(() => undefined)
      await delay(Math.random() * 5)
      look()
      return seen
    })
  })
  const names = ['ann', 'bob', 'cid', 'dan']
  for (const name of names) await server.rowhouse.users.add(`${name}@example.com`, `password of ${name}`)
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, n) => {
      const name = names[n % names.length] ?? ''
      return server.inject({ url: `${api}/mix/${n}?q=${n}`, headers: basic(`${name}@example.com`, `password of ${name}`) })
    }),
  )
  answers.forEach((answer, n) => {
    t.equal(answer.statusCode, 200)
    t.same(answer.json(), Array.from({ length: 3 }, () => [`/mix/${n}`, `${names[n % names.length]}@example.com`, String(n)]))
  })
  const kept = Array.from({ length: 200 }, (_, n) => n).filter((n) => n % 3 !== 2)
  t.same((await tables.sales.search().map(({ buyer }) => Number(buyer))).toSorted((a, b) => a - b), kept, 'what was rolled back is gone, the rest is there once')
  t.equal(await tables.items.search().count(), kept.length)
})

t.test('100 parallel buyers of the last item make one sale', async (t) => {
  let tables!: ReturnType<typeof shop>
  const { server } = await buildApp(t, () => {
    tables = shop()
    httpEndpoint('/buy/:buyer', ({ buyer }) =>
      transaction(async () => {
        const item = await tables.items.get({ name: 'last' })
        await delay(1)
        if (item === null || item.left < 1) throw new HttpError(409, 'sold out')
        await item.update({ left: item.left - 1 })
        await tables.sales.addRow({ buyer })
        return 'yours'
      }),
    )
  })
  await tables.items.addRow({ name: 'last', left: 1 })
  const answers = await Promise.all(Array.from({ length: 100 }, (_, n) => server.inject({ method: 'POST', url: `${api}/buy/${n}` })))
  t.equal(answers.filter(({ statusCode }) => statusCode === 200).length, 1)
  t.equal(answers.filter(({ statusCode }) => statusCode === 409).length, 99)
  t.equal(await tables.sales.search().count(), 1)
  t.equal((await tables.items.get({ name: 'last' }))?.left, 0)
})

t.test('100 parallel increments lose none', async (t) => {
  let tables!: ReturnType<typeof shop>
  const { server } = await buildApp(t, () => {
    tables = shop()
    httpEndpoint('/up', () =>
      transaction(async () => {
        const item = await tables.items.get({ name: 'counter' })
        await item?.update({ left: item.left + 1 })
      }),
    )
  })
  await tables.items.addRow({ name: 'counter', left: 0 })
  await Promise.all(Array.from({ length: 100 }, () => server.inject({ method: 'POST', url: `${api}/up` })))
  t.equal((await tables.items.get({ name: 'counter' }))?.left, 100)
})

t.test('a transaction that awaits 500 ms keeps the writes of others out of it and their reads unblocked', { skip: takesLong('it waits') }, async (t) => {
  let tables!: ReturnType<typeof shop>
  const order: string[] = []
  const { url } = await startApp(t, () => {
    tables = shop()
    httpEndpoint('/long', () =>
      transaction(async () => {
        await tables.items.addRow({ name: 'from the transaction', left: 1 })
        order.push('transaction wrote')
        await delay(500)
        const seen = await tables.items.search().map(({ name }) => name)
        order.push('transaction ends')
        return seen
      }),
    )
    httpEndpoint('/write', async () => {
      await tables.items.addRow({ name: 'from another', left: 1 })
      order.push('another wrote')
    })
    httpEndpoint('/read', () => tables.items.search().map(({ name }) => name))
  })
  const long = fetch(`${url}${api}/long`)
  while (order.length === 0) await delay(5)
  const write = fetch(`${url}${api}/write`)
  for (let n = 0; n < 10; n++) {
    t.same(await (await fetch(`${url}${api}/read`)).json(), [], 'a read is answered at once, and sees nothing of the half-done transaction')
  }
  t.same(order, ['transaction wrote'], 'all those reads were answered while the transaction was open')
  t.same(await (await long).json(), ['from the transaction'], 'the transaction sees nobody else')
  await write
  t.same(order, ['transaction wrote', 'transaction ends', 'another wrote'])
  t.same(await (await fetch(`${url}${api}/read`)).json(), ['from the transaction', 'from another'])
})

t.test('a handler that fails after its transaction leaves the transaction in place, and one that fails in it nothing', async (t) => {
  let tables!: ReturnType<typeof shop>
  const told: string[] = []
  const { server, log } = await buildApp(t, () => {
    tables = shop()
    httpEndpoint('/after', async () => {
      await transaction(async () => {
        await tables.sales.addRow({ buyer: 'after' })
        onCommit(() => told.push('after'))
      })
      throw new Error('after the transaction')
    })
    httpEndpoint('/inside', () =>
      transaction(async () => {
        await tables.sales.addRow({ buyer: 'inside' })
        onCommit(() => told.push('inside'))
        throw new HttpError(418)
      }),
    )
    httpEndpoint('/forgotten', () => {
      void tables.sales.addRow({ buyer: 'forgotten' })
      return 'answered'
    })
  })
  t.equal((await server.inject(`${api}/after`)).statusCode, 500)
  t.equal((await server.inject(`${api}/inside`)).statusCode, 418)
  t.equal((await server.inject(`${api}/forgotten`)).statusCode, 200)
  t.same(await tables.sales.search().map(({ buyer }) => buyer), ['after', 'forgotten'], 'a write that nobody awaited is on the disk too when the answer leaves')
  t.same(told, ['after'])
  t.match(JSON.stringify(log), /after the transaction/)
})

t.test('what is wrong with a row answers 4xx, names the column and writes nothing', async (t) => {
  let tables!: ReturnType<typeof shop>
  const { server } = await buildApp(t, () => {
    tables = shop()
    const untyped = (values: unknown): Promise<unknown> => tables.items.addRow(values as { name: string; left: number })
    httpEndpoint('/items', { methods: ['POST'] }, () => untyped(request.bodyJson))
  })
  const post = (payload: object) => server.inject({ method: 'POST', url: `${api}/items`, payload })
  t.match(await post({ name: 'a', left: 1 }), { statusCode: 200, body: /"name":"a"/ })
  const cases: [object, number, RegExp][] = [
    [{ name: 'b', left: '1' }, 400, /left.*whole number/],
    [{ name: 5, left: 1 }, 400, /name.*text/],
    [{ name: 'b' }, 400, /left/],
    [{ name: 'b', left: 1, colour: 'red' }, 400, /colour/],
    [{ name: 'a\0', left: 1 }, 400, /name/],
    [{ name: 'a', left: 2 }, 409, /name/],
    [[], 400, /./],
  ]
  for (const [payload, status, message] of cases) {
    const answer = await post(payload)
    t.equal(answer.statusCode, status, answer.body)
    t.match(answer.body, message)
  }
  t.equal(await tables.items.search().count(), 1)
})
