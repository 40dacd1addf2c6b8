import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { createApp } from 'rowhouse'
import { basic, temporaryFolder } from './support/app.ts'
import { ask } from './support/ask.ts'
import { takesLong } from './support/needs.ts'

const front = 'https://front.example'
const other = 'http://bücher.example:8080'
const otherAsSent = 'http://xn--bcher-kva.example:8080'

/** What may stand in the header, and the origin that is let in by it; null for none. */
const origins: readonly (readonly [string | undefined, string | null])[] = [
  [undefined, null],
  [front, front],
  [otherAsSent, otherAsSent],
  ['https://FRONT.example', front],
  ['HTTPS://front.example', front],
  ['https://front.example:443', front],
  ['http://front.example', null],
  ['https://front.example:80', null],
  ['https://front.example:444', null],
  ['https://front.example:', null],
  ['https://front.example:0443', null],
  ['https://front.example.', null],
  ['https://front.example/', null],
  ['https://front.example/page', null],
  ['https://front.example?', null],
  ['https://front.example#', null],
  ['https://front.example.evil.example', null],
  ['https://front.exampleevil', null],
  ['https://evilfront.example', null],
  ['https://evil-front.example', null],
  ['https://evil.example/front.example', null],
  ['https://sub.front.example', null],
  ['https://example', null],
  ['https://front', null],
  ['https://front-example', null],
  ['https://frontxexample', null],
  ['https://front.example@evil.example', null],
  ['https://user@front.example', null],
  ['https://front.example%00.evil.example', null],
  ['https://fr%6fnt.example', null],
  ['https:front.example', null],
  ['https:\\\\front.example', null],
  ['//front.example', null],
  ['front.example', null],
  ['null', null],
  ['NULL', null],
  ['', null],
  ['*', null],
  [`${front}, ${otherAsSent}`, null],
  [`${front} ${otherAsSent}`, null],
  [`${front},https://evil.example`, null],
  [Buffer.from(other).toString('latin1'), null],
  ['http://xn--bcher-kva.example', null],
  ['http://xn--bcher-kva.example:80', null],
  ['http://bucher.example:8080', null],
  [`https://${'front.example.'.repeat(500)}`, null],
  ['file://', null],
  ['https://localhost', null],
  ['https://127.0.0.1', null],
]

const rules: Readonly<Record<string, string>> = {
  all: 'true',
  exact: `['${front}', '${other}']`,
  trusted: `{ origins: ['${front}', '${other}'], credentials: true, exposed: ['X-A'] }`,
  closed: 'false',
}
const kinds: Readonly<Record<string, number>> = { ok: 200, missing: 404, failed: 500, same: 304, stream: 200, away: 302 }

const answers = `
import { abort, HttpResponse, redirect } from 'rowhouse'
async function* pieces() { yield 'one'; yield 'two' }
export const answer = (kind: string): unknown => {
  if (kind === 'missing') return abort(404)
  if (kind === 'failed') throw new Error('no')
  if (kind === 'same') return new HttpResponse(304)
  if (kind === 'away') return redirect('/')
  return kind === 'stream' ? pieces() : { kind }
}
`

function files(): Record<string, string> {
  const each = (line: (rule: string, option: string) => string): string => Object.entries(rules).map(([rule, option]) => line(rule, option)).join('\n')
  return {
    'answers.ts': answers,
    'tables.ts': `import { defineTables, table, text } from 'rowhouse'\nexport const tables = defineTables({ rows: table({ name: text() }) })`,
    'modules/app.ts': [
      `import { crudEndpoints, httpEndpoint, route } from 'rowhouse'`,
      `import { tables } from '../tables.js'`,
      `import { answer } from '../answers.js'`,
      each((rule, option) => `httpEndpoint('/${rule}/:kind', { enableCors: ${option} }, ({ kind }) => answer(kind))`),
      each((rule, option) => `route('/route/${rule}/:kind', { enableCors: ${option} }, ({ kind }) => answer(kind))`),
      each((rule, option) => `crudEndpoints('/rows-${rule}', tables.rows, { public: true, enableCors: ${option} })`),
    ].join('\n'),
    'fastify.ts': [
      `import { Readable } from 'node:stream'`,
      `import type { FastifyInstance, FastifyReply } from 'rowhouse'`,
      `async function answer(kind: string, reply: FastifyReply): Promise<unknown> {`,
      `  if (kind === 'failed') throw new Error('no')`,
      `  if (kind === 'missing') return reply.code(404).send({ error: 'none' })`,
      `  if (kind === 'same') return reply.code(304).send()`,
      `  if (kind === 'away') return reply.redirect('/')`,
      `  return kind === 'stream' ? reply.send(Readable.from(['one', 'two'])) : { kind }`,
      `}`,
      `export default async (app: FastifyInstance): Promise<void> => {`,
      each((rule, option) => `app.get('/plugin/${rule}/:kind', { config: { enableCors: ${option} } }, (request, reply) => answer((request.params as { kind: string }).kind, reply))`),
      `}`,
    ].join('\n'),
    ...Object.fromEntries(
      Object.entries(rules).map(([rule, option]) => [
        `pages/api/${rule}/[kind].ts`,
        `import { answer } from '../../../answers.js'\nexport const config = { enableCors: ${option} }\nexport const get = (_: unknown, { kind }: { readonly kind: string }) => answer(kind)`,
      ]),
    ),
  }
}

async function start(t: Test): Promise<number> {
  const directory = await temporaryFolder(t)
  for (const [name, content] of Object.entries(files())) {
    await mkdir(join(directory, dirname(name)), { recursive: true })
    await writeFile(join(directory, name), content)
  }
  const app = await createApp({ directory, options: { name: 'test' }, logTo: { write: () => undefined } })
  t.teardown(() => app.close())
  return Number(new URL(await app.listen({ port: 0, host: '127.0.0.1' })).port)
}

const doors = ['/_/api/', '/route/', '/api/', '/plugin/']

function* targets(rule: string): Generator<readonly [path: string, status: number]> {
  for (const door of doors) for (const [kind, status] of Object.entries(kinds)) yield [`${door}${rule}/${kind}`, status]
  yield [`/_/api/rows-${rule}`, 200]
  yield [`/_/api/rows-${rule}?limit=x`, 400]
  yield [`/_/api/rows-${rule}/nothing`, 404]
}

/** What an answer says of CORS, but for a `Vary` of another origin. */
function expectation(rule: string, origin: string | null): Readonly<Record<string, string>> {
  if (rule === 'all') return { 'access-control-allow-origin': '*' }
  if (rule === 'closed' || origin === null) return {}
  const open = { 'access-control-allow-origin': origin }
  return rule === 'exact' ? open : { ...open, 'access-control-allow-credentials': 'true', 'access-control-expose-headers': 'X-A' }
}

t.test('no door lets an origin in that is not named, whatever is answered, and nothing is sent twice', { skip: takesLong('it sends ten thousand requests') }, async (t) => {
  const port = await start(t)
  const wrong: string[] = []
  let count = 0
  for (const [origin, allowed] of origins)
    for (const credentials of [{}, { ...basic('ann@example.com', 'nothing'), cookie: 'a=b' }])
      for (const rule of Object.keys(rules)) {
        const expected = expectation(rule, allowed)
        await Promise.all(
          Array.from(targets(rule), async ([path, status]) => {
            count++
            const { status: got, headers } = await ask(port, { path, headers: { ...credentials, ...(origin !== undefined && { origin }) } })
            const told = Object.entries(headers).filter(([name]) => name.startsWith('access-control-'))
            const vary = headers['vary'] ?? []
            const varies = vary.join(',').split(/\s*,\s*/).filter((name) => name === 'Origin').length
            const right =
              got === status &&
              told.length === Object.keys(expected).length &&
              told.every(([name, lines]) => lines.length === 1 && lines[0] === expected[name]) &&
              vary.length <= 1 &&
              varies === (rule === 'exact' || rule === 'trusted' ? 1 : 0)
            if (!right) wrong.push(`${path} ${JSON.stringify(origin?.slice(0, 60))}: ${got} ${JSON.stringify(told)} ${JSON.stringify(vary)}`)
          }),
        )
      }
  t.ok(count > 5000, `${count} requests`)
  t.same(wrong.slice(0, 20), [])
})
