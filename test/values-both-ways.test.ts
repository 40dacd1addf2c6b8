import * as fc from 'fast-check'
import t, { type Test } from 'tap'
import { boolean, crudEndpoints, date, datetime, defineTables, httpEndpoint, integer, json, link, links, Media, media, number, optional, table, text } from 'rowhouse'
import { buildApp } from './support/app.ts'
import { takesLong } from './support/needs.ts'
import { anyText } from './support/random-text.ts'

const api = '/_/api'
const columns = { title: text(), count: integer(), rate: number(), done: boolean(), day: date(), at: datetime(), data: json() }
type Name = keyof typeof columns
const names = Object.keys(columns) as Name[]

/** Values at the edges of what the columns take, as JSON is written, well-formed and not. */
const edges = [
  'null', 'true', 'false', '0', '-0', '-0.0', '1.5', '1e-400', '1e400', '-1e400', '5e-324', '1.7976931348623157e308', '0.1234567890123456789',
  '9007199254740991', '-9007199254740991', '9007199254740992', '9007199254740993', '9223372036854775807', '9223372036854775808', '1e21', '123456789012345680000', '6.02214076e23',
  String.raw`"a\u0000b"`, String.raw`"\ud800"`, String.raw`"\udc00\ud800"`, '"😀ä"', '""', '"NaN"', '"Infinity"', '"yes"', '"-0"', '"+7"', '" 1"', '"1e3"', '"9007199254740993"',
  '"0000-01-01"', '"0001-01-01"', '"9999-12-31"', '"10000-01-01"', '"+010000-01-01"', '"2024-02-29"', '"2023-02-29"', '"1900-02-29"', '"2024-02-30"', '"2024-13-01"',
  '"9999-12-31T23:59:59-01:00"', '"0000-01-01T00:00:00Z"', '"0001-01-01T00:00:00+14:00"', '"0000-01-01T00:00:00+00:01"', '"+010000-01-01T00:59:59.000Z"', '"-000001-12-31T23:59:59.999Z"', '"-000000-01-01T00:00:00Z"',
  '"+275760-09-13T00:00:00.000Z"', '"+275760-09-13T00:00:00.001Z"', '"-271821-04-20T00:00:00.000Z"', '"-271821-04-19T23:59:59.999Z"', '"-271821-04-20T00:00:00.000-23:59"', '"2024-02-30T00:00:00Z"', '"2024-02-29T24:00:00Z"', '"2024-02-29T25:00:00Z"', '"2024-02-29T12:00:60Z"', '"2024-02-29T12:00:00.123456789Z"', '"2024-02-29T12:00Z"', '"2024-02-29T12:00:00"', '"2024-02-29T12:00:00+24:00"',
  '{"__proto__":{"a":1},"constructor":2,"toJSON":3,"then":4}', '{"constructor":2,"toJSON":3,"then":4}', '{"a":{"__proto__":null}}', '[9007199254740993]', '{"a":[-0,1e400]}', '{"":"","a\\u0000":1}', '[[],{}]',
  `${'['.repeat(98)}${']'.repeat(98)}`, `${'['.repeat(99)}${']'.repeat(99)}`, `${'['.repeat(99)}1${']'.repeat(99)}`, `${'{"a":'.repeat(99)}[]${'}'.repeat(99)}`,
]

const written = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...edges) },
  fc.json(),
  fc.double().map((value) => JSON.stringify(value)),
  fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map(String),
  fc.date({ noInvalidDate: true }).map((value) => JSON.stringify(value)),
  fc.date({ noInvalidDate: true }).map((value) => JSON.stringify(value.toISOString().slice(0, 10))),
  anyText().map((value) => JSON.stringify(value)),
)

async function startDoors(t: Test) {
  const declare = () => defineTables({ things: table({ ...columns, picture: media(), near: link('things'), all: links('things') }) })
  let declared: ReturnType<typeof declare> | null = null
  const { server } = await buildApp(t, () => {
    declared = declare()
    crudEndpoints('/things', declared.things, { public: true, columns: [...names, 'near', 'all'], links: {} })
    for (const name of names) {
      const params: Record<string, ReturnType<typeof optional>> = { value: optional(columns[name]) }
      httpEndpoint(`/echo/${name}`, { methods: ['GET', 'POST'], params }, ({ value }) => ({ value: value ?? null }))
    }
  })
  if (declared === null) throw new Error('no tables were declared')
  const { things }: ReturnType<typeof declare> = declared
  /** What came, as the text between the braces of the answer, so that no number is read on its way; null where it was refused. */
  const send = async (method: 'GET' | 'POST' | 'PATCH', url: string, payload?: string, type = 'application/json'): Promise<string | null> => {
    const reply = await server.inject({ method, url: api + url, ...(payload !== undefined && { payload, headers: { 'content-type': type } }) })
    if (reply.statusCode >= 400) {
      t.equal(reply.statusCode, 400, `${url} ${String(payload)}: ${reply.body}`)
      return null
    }
    return reply.body
  }
  return { send, things, server }
}

/** The value of a member in the text of a flat JSON object whose members before it are known. */
const valueOf = (body: string, name: string): unknown => (JSON.parse(body) as Record<string, unknown>)[name]
const idOf = (body: string): string => encodeURIComponent(String(valueOf(body, 'id')))

t.test('what any door takes for a column comes back, and what comes back is taken again by every door and is the same', { skip: takesLong('it tries hundreds of values') }, async (t) => {
  const { send } = await startDoors(t)
  const checkCame = async (name: Name, came: unknown, how: string): Promise<void> => {
    const again = JSON.stringify({ [name]: came })
    const created = await send('POST', '/things', again)
    t.not(created, null, `${name} by ${how}: ${again.slice(0, 200)} is taken again`)
    if (created === null) return
    t.equal(JSON.stringify(valueOf(created, name)), JSON.stringify(came))
    const changed = await send('PATCH', `/things/${idOf(created)}`, again)
    t.equal(JSON.stringify(valueOf(String(changed), name)), JSON.stringify(came))
    if (came === null) return
    const echoed = await send('POST', `/echo/${name}`, `{"value":${JSON.stringify(came)}}`)
    t.equal(echoed, `{"value":${JSON.stringify(came)}}`, `as a parameter in JSON: ${name}`)
    const asText = name === 'data' ? JSON.stringify(came) : typeof came === 'object' ? null : String(came)
    if (asText === null) return
    const queried = await send('GET', `/echo/${name}?value=${encodeURIComponent(asText)}`)
    t.equal(queried, `{"value":${JSON.stringify(came)}}`, `as a parameter in the query: ${name}`)
    const filled = await send('POST', '/things', `${name}=${encodeURIComponent(asText)}`, 'application/x-www-form-urlencoded')
    t.equal(JSON.stringify(valueOf(String(filled), name)), JSON.stringify(came), `as a field of a form: ${name}`)
  }
  const doors = async (name: Name, value: string): Promise<void> => {
    const created = await send('POST', '/things', `{"${name}":${value}}`)
    if (created !== null) await checkCame(name, valueOf(created, name), 'JSON')
    const echoed = await send('POST', `/echo/${name}`, `{"value":${value}}`)
    if (echoed !== null && name !== 'data') await checkCame(name, valueOf(echoed, 'value'), 'a parameter in JSON')
    const asText = value.startsWith('"') ? String(JSON.parse(value)) : value
    if (!asText.isWellFormed()) return
    const queried = await send('GET', `/echo/${name}?value=${encodeURIComponent(asText)}`)
    if (queried !== null && name !== 'data') await checkCame(name, valueOf(queried, 'value'), 'a query')
    const filled = await send('POST', '/things', `${name}=${encodeURIComponent(asText)}`, 'application/x-www-form-urlencoded')
    if (filled !== null) await checkCame(name, valueOf(filled, name), 'a form')
  }
  for (const value of edges) for (const name of names) await doors(name, value)
  await fc.assert(fc.asyncProperty(written, fc.constantFrom(...names), (value, name) => doors(name, value)), { numRuns: 150 })
})

t.test('what code writes into a column is sent, and what is sent is taken again and is the same', { skip: takesLong('it tries hundreds of values') }, async (t) => {
  const { send, things } = await startDoors(t)
  const values: [Name, unknown][] = [
    ...[8.64e15, -8.64e15, 253_402_304_399_000, -62_135_596_800_001, 0].map((time): [Name, unknown] => ['at', new Date(time)]),
    ...[Number.MAX_VALUE, Number.MIN_VALUE, -0, 2 ** 53, 2 ** 63, 1e21, 0.1].map((value): [Name, unknown] => ['rate', value]),
    ...[Number.MAX_SAFE_INTEGER, -0].map((value): [Name, unknown] => ['count', value]),
    ...[2 ** 64, -0, JSON.parse('{"constructor":[1],"toJSON":1,"then":{}}'), JSON.parse(`${'['.repeat(99)}${']'.repeat(99)}`)].map((value): [Name, unknown] => ['data', value]),
  ]
  for (const [name, value] of values) {
    const row = await things.addRow({ [name]: value })
    const came = await send('GET', `/things/${encodeURIComponent(row.id)}`)
    const again = JSON.stringify({ [name]: valueOf(String(came), name) })
    const changed = await send('PATCH', `/things/${encodeURIComponent(row.id)}`, again)
    t.equal(changed, came, again.slice(0, 100))
  }
  for (const value of [Number.NaN, Infinity, 2n]) await t.rejects(things.addRow({ rate: value as number }), { code: 'wrong-type' })
  await t.rejects(things.addRow({ data: JSON.parse('{"a":{"__proto__":[1]}}') as [] }), { message: /a member called __proto__ at \.a$/ }, 'no body may have it')
  await t.rejects(things.addRow({ data: JSON.parse(`${'['.repeat(100)}${']'.repeat(100)}`) as [] }), { message: /at most 99 levels/ }, 'no body could hold it')
})

t.test('links that are sent are taken again, those that lead nowhere any more among them, and no other of that kind', { skip: takesLong('it tries hundreds of values') }, async (t) => {
  const { send, things } = await startDoors(t)
  const [one, two, gone] = await things.addRows([{ title: 'one' }, { title: 'two' }, { title: 'gone' }])
  const row = await things.addRow({ near: one, all: gone === undefined || two === undefined ? [] : [two, gone, two] })
  await gone?.delete()
  const url = `/things/${encodeURIComponent(row.id)}`
  const came = String(await send('GET', url))
  t.same(valueOf(came, 'all'), [two?.id, gone?.id, two?.id])
  t.equal(await send('PATCH', url, JSON.stringify({ near: valueOf(came, 'near'), all: valueOf(came, 'all') })), came)
  t.equal(await send('PATCH', url, JSON.stringify({ near: gone?.id })), null, 'a column that has not had it')
  t.equal(await send('POST', '/things', JSON.stringify({ all: [gone?.id] })), null, 'a new row')
  t.equal(await send('PATCH', `/things/${encodeURIComponent(String(two?.id))}`, JSON.stringify({ all: [gone?.id] })), null, 'another row')
})

t.test('a Media comes back with the bytes, type and name that it went in with', { skip: takesLong('it tries hundreds of values') }, async (t) => {
  const { things } = await startDoors(t)
  const given = fc.record({
    bytes: fc.uint8Array({ maxLength: 3000 }),
    name: fc.option(anyText({ maxLength: 700 })),
    contentType: fc.constantFrom('text/plain', 'text/plain; charset=utf-8', 'image/svg+xml', 'application/x-anything; a="b;c"', 'nonsense', ''),
  })
  await fc.assert(
    fc.asyncProperty(given, async ({ bytes, name, contentType }) => {
      let picture: Media
      try {
        picture = new Media(bytes, { name, contentType })
      } catch (error) {
        t.type(error, TypeError)
        return
      }
      const { id } = await things.addRow({ picture })
      const read = (await things.getById(id))?.picture
      const again = (await things.getById((await things.addRow({ picture: read })).id))?.picture
      for (const came of [read, again]) {
        t.strictSame([came?.name, came?.contentType, came?.length], [picture.name, picture.contentType, bytes.length])
        t.ok(Buffer.from(came?.bytes ?? []).equals(bytes))
      }
    }),
    { numRuns: 60 },
  )
})
