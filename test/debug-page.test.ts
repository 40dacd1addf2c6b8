import t, { type Test } from 'tap'
import { createApp, errorHandler, HttpError, httpEndpoint } from 'rowhouse'
import { basic, buildApp, type Settings } from './support/app.ts'

const api = '/_/api'
const general = 'An exception was raised. Check the application logs for details.'
const html = { accept: 'text/html,*/*;q=0.8' }
const json = { accept: 'application/json' }

/** An app in a folder, as `rowhouse start` runs it, so that its errors come from source files. */
async function load(t: Test, options: Settings = { debug: true }) {
  const directory = t.testdir({
    '.env.ts': 'THE_SECRET_OF_THE_DOT_FILE',
    lib: { 'seats.ts': `export class SeatError extends Error {}\n\n/** Books a seat. */\nexport function book(seat: string): never {\n  const price: number = 4 // costs less than <b>five</b>\n  throw new SeatError('no seat ' + seat + ' for ' + price, { cause: new RangeError('the hall is "full"') })\n}\n` },
    modules: {
      'boom.ts': `import { httpEndpoint } from 'rowhouse'
import { book } from '../lib/seats.js'
httpEndpoint('/boom', ({ seat }) => book(String(seat)))
httpEndpoint('/say', ({ what }) => { throw new Error(String(what)) })
httpEndpoint('/odd', () => { throw 'a text' })
httpEndpoint('/several', () => { throw new AggregateError([new Error('one'), new Error('two')], 'many') })
httpEndpoint('/circle', () => { const error = new Error('round'); error.cause = error; throw error })
`,
    },
  })
  const log: Record<string, unknown>[] = []
  const server = await createApp({ directory, options, logTo: { write: (line: string) => void log.push(JSON.parse(line) as Record<string, unknown>) } })
  t.teardown(() => server.close())
  return { server, log, directory }
}

/** Sets environment variables until the test ends. */
function setVariables(t: Test, variables: Readonly<Record<string, string>>): void {
  const before = { ...process.env }
  Object.assign(process.env, variables)
  t.teardown(() => {
    for (const name of Object.keys(variables)) {
      const value = before[name]
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  })
}

t.test('with debug, an error that nobody caught shows its class, message, causes, calls and source', async (t) => {
  const { server, directory } = await load(t)
  const page = await server.inject({ url: `${api}/boom?seat=7`, headers: html })
  t.equal(page.statusCode, 500)
  t.match(page.headers, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store', 'content-security-policy': /^default-src 'none'; style-src 'sha256-[\w+/=]+';/ })
  const id = String(page.headers['x-request-id'])
  for (const text of ['SeatError', 'no seat 7 for 4', 'Caused by', 'RangeError', 'the hall is &quot;full&quot;', 'lib/seats.ts:6:9', 'modules/boom.ts:3:', `GET ${api}/boom`, '500 Internal Server Error', id]) {
    t.ok(page.body.includes(text), text)
  }
  t.match(page.body, /<span class="marked"><i>6<\/i> {2}throw new SeatError\(/, 'the line that failed is marked')
  t.match(page.body, '<i>5</i>  const price: number = 4 // costs less than &lt;b&gt;five&lt;/b&gt;', 'the lines around are shown as they were written')
  t.notMatch(page.body, directory, 'files are told relative to the folder of the app')
  t.notMatch(page.body, /<script|<b>/)

  const told = (await server.inject({ url: `${api}/boom?seat=7`, headers: json })).json<Record<string, unknown> & { stack: string[] }>()
  t.match(told, { status: 500, error: 'Internal Server Error', name: 'SeatError', message: 'no seat 7 for 4', requestId: String, causes: [{ relation: 'Caused by', name: 'RangeError', message: 'the hall is "full"' }] })
  t.equal(told.stack[0], 'book (lib/seats.ts:6:9)')
  t.match(told.stack[1], /modules\/boom\.ts:3:\d+/)
  t.ok(told.stack.some((frame) => frame.includes('rowhouse/dist/server/pipeline/pipeline.js:')))

  const plain = await server.inject(`${api}/boom?seat=7`)
  t.equal(plain.headers['content-type'], 'text/plain; charset=utf-8')
  t.match(plain.body, /^SeatError: no seat 7 for 4\n {4}at book \(lib\/seats\.ts:6:9\)\n {4}at .*modules\/boom\.ts:3:[\s\S]*\nCaused by RangeError: the hall is "full"\n[\s\S]*\nRequest [0-9a-f-]{36}\n$/)
})

t.test('everything on the page is escaped, and no message can make it show a file', async (t) => {
  const { server, directory } = await load(t)
  const attack = '<script>alert(1)</script>"\'&'
  const page = await server.inject({ url: `${api}/say/../say?what=${encodeURIComponent(attack)}`, headers: html })
  t.match(page.body, '&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;')
  t.notMatch(page.body, '<script')
  const path = await server.inject({ url: `${api}/say?what=x`, headers: { ...html, host: '"><script>' } })
  t.notMatch(path.body, '<script')
  for (const file of ['.env.ts', 'modules/boom.ts']) {
    const forged = await server.inject({ url: `${api}/say?what=${encodeURIComponent(`x\n    at f (${directory}/${file}:1:1)`)}`, headers: html })
    t.notMatch(forged.body, 'THE_SECRET_OF_THE_DOT_FILE')
    t.notMatch(forged.body, '<span class="marked"><i>1</i>', 'what looks like a call in a message is none')
  }
})

t.test('no secret of the environment or of the headers is shown', async (t) => {
  const secrets = { BILLING_API_KEY: 'sk-billing-0001', DATABASE_URL: 'postgres://app:p%40ssw0rd!@db/main', SESSION_SECRET: 'crimson"ted secret', LITTLE_TOKEN: 'four', SIGNING_KEY: 'first line of it\nlast line of it', BACKENDS: 'amqp://a:backend-1@x,amqp://b:backend-2@y', HARMLESS: 'harmless value' }
  setVariables(t, secrets)
  const headers = { ...basic('ada', 'correct horse'), cookie: 'session=cookie-value-1; theme=darkness', 'x-api-key': 'header-key-1', 'x-note': 'a plain note' }
  const message = [
    ...Object.values(secrets),
    encodeURIComponent(secrets.SESSION_SECRET),
    JSON.stringify(secrets.SESSION_SECRET),
    'p@ssw0rd!',
    'the last line of it',
    'backend-2',
    headers.authorization,
    'ada:correct horse',
    'correct horse',
    headers.cookie,
    'cookie-value-1',
    'header-key-1',
    'a plain note',
  ].join(' | ')
  const { server } = await load(t)
  for (const accept of [html, json, {}]) {
    const answer = await server.inject({ method: 'POST', url: `${api}/say`, payload: `what=${encodeURIComponent(message)}`, headers: { ...headers, ...accept, 'content-type': 'application/x-www-form-urlencoded' } })
    t.equal(answer.statusCode, 500)
    for (const secret of ['sk-billing', 'ssw0rd', 'crimson', 'ted secret', 'ted%20secret', 'line of it', 'backend-', headers.authorization.slice(6), 'correct', 'cookie-value', 'darkness', 'header-key']) t.notMatch(answer.body, secret, secret)
    t.match(answer.body, '[hidden]')
    for (const open of ['harmless value', 'a plain note', 'four']) t.match(answer.body, open, `${open} is no secret, or too short to be one`)
    t.notMatch(answer.body, /x-api-key|BILLING_API_KEY|user-agent/, 'neither headers nor variables are listed')
  }
})

t.test('whatever was thrown is shown as far as it can be', async (t) => {
  const { server } = await load(t)
  const ask = async (path: string) => (await server.inject({ url: api + path, headers: json })).json<unknown>()
  t.match(await ask('/odd'), { message: "a value that is no Error was thrown: 'a text'" })
  t.match(await ask('/several'), { name: 'AggregateError', causes: [{ relation: 'One of', message: 'one' }, { message: 'two' }] })
  t.match(await ask('/circle'), { name: 'Error', message: 'round', causes: undefined })
  t.match(await ask(`/say?what=${'x'.repeat(10_000)}`), { message: /^x{5000}…$/ })
  const { server: hostile } = await buildApp(t, () => {
    httpEndpoint('/hostile', () => { throw new Proxy(new Error('zebra'), { get: () => { throw new Error('trap') } }) })
    httpEndpoint('/long-name', () => { throw Object.assign(new Error('zebra'), { name: 7 }) })
  }, { debug: true })
  t.match(await hostile.inject({ url: `${api}/hostile`, headers: html }), { statusCode: 500, body: /cannot even be looked at/ })
  t.match(await hostile.inject({ url: `${api}/long-name`, headers: html }), { statusCode: 500, body: /zebra/ })
})

t.test('only errors that nobody caught are shown, and a handler of the app goes first', async (t) => {
  const { server } = await buildApp(t, () => {
    httpEndpoint('/refused', () => { throw new HttpError(500, 'on purpose') })
    httpEndpoint('/type', () => { throw new TypeError('zebra') })
    httpEndpoint('/range', () => { throw new RangeError('zebra') })
    errorHandler(TypeError, () => 'own')
    errorHandler(RangeError, () => { throw new Error('second failure') })
  }, { debug: true })
  t.equal((await server.inject(`${api}/refused`)).body, 'on purpose')
  t.equal((await server.inject('/nothing')).body, 'Not Found')
  t.equal((await server.inject(`${api}/type`)).body, 'own')
  t.match((await server.inject(`${api}/range`)).body, /^Error: second failure\n[\s\S]*\nWhile this was being answered RangeError: zebra\n/, 'of an error in an error handler both are shown')
})

t.test('without debug nothing is shown, and in production it has to be asked for by name', async (t) => {
  const shows = async (settings: Settings) => {
    const { server, log } = await load(t, settings)
    const { body } = await server.inject({ url: `${api}/boom`, headers: html })
    t.equal(body.includes('SeatError'), !body.includes(general))
    return { shown: body.includes('SeatError'), warned: log.some(({ level, message }) => level === 40 && String(message).includes('debug')) }
  }
  setVariables(t, { NODE_ENV: 'development' })
  t.same(await shows({}), { shown: false, warned: false })
  t.same(await shows({ debug: true }), { shown: true, warned: false })
  setVariables(t, { NODE_ENV: 'production' })
  t.same(await shows({}), { shown: false, warned: false })
  t.same(await shows({ debug: true }), { shown: false, warned: true })
  t.same(await shows({ debug: 'production' }), { shown: true, warned: false })
  setVariables(t, { ROWHOUSE_DEBUG: 'production' })
  t.same(await shows({}), { shown: true, warned: false })
  setVariables(t, { ROWHOUSE_DEBUG: 'perhaps' })
  await t.rejects(load(t, {}), /ROWHOUSE_DEBUG: expected true, false or production, got "perhaps"/)
})

t.test('the page of an ordinary error loads and runs nothing either', async (t) => {
  const { server } = await buildApp(t, () => undefined)
  const page = await server.inject({ url: '/nothing', headers: html })
  t.match(page.headers['content-security-policy'], /^default-src 'none'; style-src 'sha256-/)
  t.match(page.body, '<h1>404 Not Found</h1>')
})
