import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as fc from 'fast-check'
import t from 'tap'
import { createApp, crudEndpoints, defineTables, httpEndpoint, request, requiresAuth, table, text } from 'rowhouse'
import { buildApp, temporaryFolder, type TestApp } from './support/app.ts'
import { field, file, multipart } from './support/multipart.ts'
import { takesLong } from './support/needs.ts'

const api = '/_/api'
const mebibyte = 1024 * 1024
const urlEncoded = 'application/x-www-form-urlencoded'
const withFiles = 'multipart/form-data; boundary=X'

const jsonOf = (length: number): Buffer => Buffer.from(`"${'x'.repeat(length - 2)}"`)
const objectOf = (length: number): Buffer => Buffer.from(`{"title":"${'x'.repeat(length - 12)}"}`)
const formOf = (length: number): Buffer => Buffer.from(`a=${'x'.repeat(length - 2)}`)
const fieldsOf = (length: number): Buffer => multipart('X', [[field('a'), Buffer.alloc(length, 'x')], [file('f', 'f'), Buffer.alloc(2 * mebibyte)]])

interface Sent {
  readonly path: string
  readonly type: string
  readonly payload: Buffer | string
}

async function post({ server }: TestApp, { path, type, payload }: Sent) {
  return server.inject({ method: 'POST', url: api + path, payload, headers: { 'content-type': type } })
}

t.test('1 MiB is decoded, and one byte more answers 413 where it is asked for, whoever asks; its bytes can be read', { skip: takesLong('it decodes dozens of bodies of a MiB and more') }, async (t) => {
  const app = await buildApp(t, () => {
    httpEndpoint('/bytes', (_args, { body }) => body?.length)
    httpEndpoint('/text', async (_args, own) => (await own.text()).length)
    httpEndpoint('/bodyJson', () => [request.bodyJson].length)
    httpEndpoint('/json', async () => [await request.json()].length)
    httpEndpoint('/formParams', () => [request.formParams].length)
    httpEndpoint('/form', async () => [await request.form()].length)
    httpEndpoint('/files', () => [request.files].length)
    httpEndpoint('/args', ({ a }) => [a].length)
    httpEndpoint('/names', (args) => (Object.keys(args), 1))
    httpEndpoint('/declared', { params: { a: text() } }, () => 1)
    httpEndpoint('/title', { params: { title: text() } }, () => 1)
    crudEndpoints('/notes', defineTables({ notes: table({ title: text(), a: text() }) }).notes, { public: true, only: ['create'] })
  })
  const cases: readonly (readonly [type: string, make: (length: number) => Buffer, paths: readonly string[]])[] = [
    ['application/json', jsonOf, ['/bodyJson', '/json']],
    ['application/json', objectOf, ['/title', '/notes']],
    [urlEncoded, formOf, ['/formParams', '/form', '/files', '/args', '/names', '/declared', '/notes']],
    [withFiles, fieldsOf, ['/formParams', '/form', '/files', '/args', '/names', '/declared']],
  ]
  for (const [type, make, paths] of cases) {
    for (const path of paths) {
      t.ok((await post(app, { path, type, payload: make(mebibyte) })).statusCode < 300, `1 MiB of ${type} to ${path}`)
      const refused = await post(app, { path, type, payload: make(mebibyte + 1) })
      t.match([refused.statusCode, refused.body], [413, /longer than the 1048576 bytes that this endpoint decodes \(decodeLimit\)/], `${type} to ${path}`)
    }
    const payload = make(3 * mebibyte)
    for (const path of ['/bytes', '/text']) {
      t.equal((await post(app, { path, type, payload })).body, String(payload.length), `${type} to ${path}`)
    }
  }
})

t.test('JSON has at most one list or object for each 8 bytes of decodeLimit, since each takes many times its brackets', async (t) => {
  const app = await buildApp(t, () => {
    httpEndpoint('/usual', () => (request.bodyJson as unknown[]).length)
    httpEndpoint('/raised', { decodeLimit: 20 * mebibyte }, () => (request.bodyJson as unknown[]).length)
  })
  const send = (path: string, unit: string, count: number) => post(app, { path, type: 'application/json', payload: `[${Array<string>(count).fill(unit).join(',')}]` })
  for (const unit of ['[]', '{}', '[[[[]]]]']) {
    const refused = await send('/usual', unit, 140_000 / (unit.length / 2))
    t.match([refused.statusCode, refused.body], [413, /more than 131072 lists and objects, one for each 8 bytes that this endpoint decodes \(decodeLimit\)/], unit)
    t.equal((await send('/raised', unit, 140_000 / (unit.length / 2))).statusCode, 200, unit)
  }
  for (const unit of ['[1.25,-3.5]', '{"a":1,"b":2}', '"[[[["', '1']) {
    const count = Math.floor((mebibyte - 2) / (unit.length + 1))
    t.equal((await send('/usual', unit, count)).body, String(count), `1 MiB of ${unit}`)
  }
})

t.test('the limit is set for the app, or for an endpoint by whatever door, down or up to the whole of a body', { skip: takesLong('it decodes bodies of 20 MiB') }, async (t) => {
  const directory = await temporaryFolder(t)
  const write = async (path: string, source: string): Promise<void> => {
    await mkdir(join(directory, path, '..'), { recursive: true })
    await writeFile(join(directory, path), source)
  }
  await write('rowhouse.config.ts', "import { defineConfig } from 'rowhouse'\nexport default defineConfig({ decodeLimit: 100 })")
  await write('tables.ts', `import { defineTables, table, text } from 'rowhouse'
    export const tables = defineTables({ small: table({ title: text() }), large: table({ title: text() }) })`)
  await write('modules/doors.ts', `import { crudEndpoints, httpEndpoint, route } from 'rowhouse'
    import { tables } from '../tables.js'
    for (const [name, options] of [['small', {}], ['large', { decodeLimit: 20 * 1024 * 1024 }]] as const) {
      httpEndpoint('/' + name, { methods: ['POST'], ...options }, (_args, { bodyJson }) => [bodyJson].length)
      route('/' + name, { methods: ['POST'], ...options }, (_args, { bodyJson }) => [bodyJson].length)
      crudEndpoints('/crud-' + name, tables[name], { public: true, ...options })
    }`)
  await write('pages/api/large.ts', 'export const config = { decodeLimit: 20 * 1024 * 1024 }\nexport const post = (request) => [request.bodyJson].length')
  await write('pages/api/small.ts', 'export const post = (request) => [request.bodyJson].length')
  const server = await createApp({ directory, options: { logging: { level: 'silent' } } })
  t.teardown(() => server.close())
  const send = (url: string, length: number) => server.inject({ method: 'POST', url, payload: objectOf(length), headers: { 'content-type': 'application/json' } })
  for (const path of ['/_/api/', '/', '/api/', '/_/api/crud-']) {
    t.ok((await send(`${path}small`, 100)).statusCode < 300, `${path}small`)
    t.equal((await send(`${path}small`, 101)).statusCode, 413, `${path}small`)
    t.ok((await send(`${path}large`, path.includes('crud') ? 2 * mebibyte : 20 * mebibyte)).statusCode < 300, `${path}large`)
  }
})

t.test('a form is decoded only where somebody reads it, so one that cannot be is no mistake elsewhere', async (t) => {
  const app = await buildApp(t, () => {
    httpEndpoint('/nobody', () => 'reached')
    httpEndpoint('/nothing', (_args, { path }) => path)
    httpEndpoint('/one', ({ f1 }) => f1)
    httpEndpoint('/has', (args) => 'f1' in args)
    httpEndpoint('/spread', (args) => ({ ...args }))
    httpEndpoint('/entries', (args) => Object.entries(args))
    httpEndpoint('/each', (args) => { for (const name in args) return name; return 'none' })
    httpEndpoint('/returned', (args) => args)
    httpEndpoint('/query', { params: { q: text() } }, ({ q }) => q)
    httpEndpoint('/guarded', requiresAuth(() => true)(({ a }) => String(a)))
  })
  const tooMany = Array.from({ length: 1001 }, (_, index) => `f${index}=1`).join('&')
  const bad: readonly (readonly [status: number, type: string, payload: string | Buffer])[] = [
    [400, urlEncoded, tooMany],
    [400, urlEncoded, `${tooMany}&f=${'x'.repeat(100_000)}`],
    [413, urlEncoded, formOf(2 * mebibyte)],
    [413, withFiles, fieldsOf(2 * mebibyte)],
  ]
  for (const [status, type, payload] of bad) {
    for (const path of ['/nobody', '/nothing']) t.equal((await post(app, { path, type, payload })).statusCode, 200, path)
    t.equal((await post(app, { path: '/guarded', type, payload })).statusCode, 401, 'who is refused anyway hears of that')
    for (const path of ['/one', '/has', '/query?q=1', '/spread', '/entries', '/each', '/returned']) t.equal((await post(app, { path, type, payload })).statusCode, status, path)
  }
})

t.test('the arguments of a long form are like those of a short one', async (t) => {
  const app = await buildApp(t, () => {
    httpEndpoint('/:id', (args) => {
      const { id, a, list, ...rest } = args as Record<string, unknown>
      const copy = { ...args }
      return {
        id, a, list,
        rest: Object.keys(rest),
        keys: Object.keys(args),
        names: (() => { const names = []; for (const name in args) names.push(name); return names })(),
        has: ['a' in args, 'toString' in args, Object.hasOwn(args, 'a'), Object.hasOwn(args, 'b')],
        prototype: Object.getPrototypeOf(args) === null || Object.getPrototypeOf(Object.getPrototypeOf(args)) === null,
        cloned: Object.keys(structuredClone(args)),
        same: JSON.stringify(copy) === JSON.stringify(args),
        changed: (() => { const own = args as Record<string, unknown>; own['b'] = 1; delete own['a']; return [own['a'], own['b'], Object.keys(own)] })(),
      }
    })
    httpEndpoint('/returned/:id', (args) => args)
  })
  const answer = async (path: string, length: number): Promise<unknown> => {
    const payload = `a=1&list=1&list=2&id=form&q=form&long=${'x'.repeat(length)}`
    const value: unknown = (await post(app, { path, type: urlEncoded, payload })).json()
    return JSON.parse(JSON.stringify(value, (name, inner: unknown) => (name === 'long' ? 'long' : inner)))
  }
  for (const path of ['/path?q=query', '/returned/path?q=query']) t.strictSame(await answer(path, 100_000), await answer(path, 10), path)
})

t.test('a form is decoded as the URL standard says, whatever its bytes', async (t) => {
  const app = await buildApp(t, () => httpEndpoint('/form', () => Object.entries(request.formParams)))
  t.same((await post(app, { path: '/form', type: urlEncoded, payload: '%ffü=%zzü' })).json(), [['\ufffdü', '%zzü']])
  // Nothing beyond ASCII that is not percent-encoded: where something else cannot be decoded, URLSearchParams loses it.
  const piece = fc.constantFrom('%', '%2', '%25', '%zz', '%C3', '%c3%a9', '%F0%9F%98%80', '%ff', '%00', '+', '%2B', '&', '=', '&&', '==', 'a', '?', '#', ';', '\0', '%EF%BB%BF', '__proto__', 'constructor')
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 20 }), async (pieces) => {
      const payload = pieces.join('')
      const expected = new Map<string, string | string[]>()
      for (const [name, value] of new URLSearchParams(`?${payload}`)) {
        const present = expected.get(name)
        expected.set(name, present === undefined ? value : [present, value].flat())
      }
      const sent = (await post(app, { path: '/form', type: urlEncoded, payload })).json<unknown>()
      t.same(new Map(sent as [string, string][]), expected, JSON.stringify(payload))
      return t.passing()
    }),
    { numRuns: 300 },
  )
})

t.test('a form that is made to be decoded slowly takes some milliseconds', async (t) => {
  const times: number[] = []
  const app = await buildApp(t, () =>
    httpEndpoint('/form', () => {
      const start = process.cpuUsage()
      const { length } = Object.keys(request.formParams)
      times.push(process.cpuUsage(start).user / 1000)
      return length
    }),
  )
  for (const unit of ['%25', '%41', '%', '+', '%e4', 'a=%25&', '&', '=', 'x']) {
    times.length = 0
    const count = unit.includes('&') ? 900 : Math.floor((mebibyte - 2) / unit.length)
    for (let turn = 0; turn < 5; turn++) await post(app, { path: '/form', type: urlEncoded, payload: `a=${unit.repeat(count)}` })
    // The least of several, because other processes of this machine may take their time, too.
    t.ok(times.length === 5 && Math.min(...times) < 50, `${unit} took ${times.map((time) => time.toFixed(1)).join(', ')} ms`)
  }
})

t.test('long bodies that arrive together are decoded one in a turn of the event loop, with everything else in between', async (t) => {
  const events: string[] = []
  const app = await buildApp(t, () =>
    httpEndpoint('/long', () => {
      events.push('decoded')
      return [request.bodyJson].length
    }),
  )
  let isOver = false
  const tick = (): void => {
    events.push('turn')
    if (!isOver) setImmediate(tick)
  }
  setImmediate(tick)
  const answers = await Promise.all(Array.from({ length: 20 }, () => post(app, { path: '/long', type: 'application/json', payload: jsonOf(500_000) })))
  isOver = true
  t.same([...new Set(answers.map(({ statusCode }) => statusCode))], [200])
  t.equal(events.filter((event) => event === 'decoded').length, 20)
  t.notOk(events.some((event, index) => event === 'decoded' && events[index + 1] === 'decoded'), 'no two in the same turn')
})
