import { readFileSync, readdirSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { abort, authenticate, createApp, errorHandler, HttpResponse, httpEndpoint, request, route, text, users, type FastifyPlugin } from 'rowhouse'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { Limiter, type Claim, type LimiterOptions, type Standing } from '../dist/server/services/limits/limiter.js'
import { TableError } from '../dist/db/errors/errors.js'
import { defineTables } from '../dist/db/schema/define-tables.js'
import { basic, buildApp, startApp, temporaryFolder } from './support/app.ts'
import { takesLong } from './support/needs.ts'
import { openTables } from './support/open-tables.ts'

const api = '/_/api'
const here = '192.0.2.1'
const elsewhere = '198.51.100.7'
const minute = 60_000

type App = Awaited<ReturnType<typeof buildApp>>
type TapTest = Parameters<typeof openTables>[0]

/** Asks again and again, and gives the status of each answer. */
async function statuses({ server }: App, times: number, path: string, options: object = {}): Promise<number[]> {
  const found: number[] = []
  for (let n = 0; n < times; n++) found.push((await server.inject({ url: api + path, remoteAddress: here, ...options })).statusCode)
  return found
}

t.test('more requests of one network than the limit get 429, and other networks and endpoints go on', async (t) => {
  let calls = 0
  const app = await buildApp(t, () => {
    httpEndpoint('/limited', { rateLimit: { max: 3, per: 'minute' } }, () => ++calls)
    httpEndpoint('/also', { rate_limit: { max: 1, per: 60_000 } }, () => 'also')
    httpEndpoint('/free', () => 'free')
  })
  t.strictSame(await statuses(app, 5, '/limited'), [200, 200, 200, 429, 429])
  t.equal(calls, 3, 'no code of the app runs for the others')
  t.strictSame(await statuses(app, 4, '/limited', { remoteAddress: elsewhere }), [200, 200, 200, 429])
  t.strictSame(await statuses(app, 2, '/also'), [200, 429])
  t.strictSame(await statuses(app, 5, '/free'), [200, 200, 200, 200, 200])
})

t.test('a 429 says three times after how long the next request is let through, to each caller in the form that it reads', async (t) => {
  const { server } = await buildApp(t, () => {
    httpEndpoint('/slow', { rateLimit: { max: 2, per: 'hour' } }, () => 'done')
  })
  const ask = (accept?: string) => server.inject({ url: `${api}/slow`, remoteAddress: here, headers: accept === undefined ? {} : { accept } })
  const first = await ask()
  t.match(first.headers, { 'ratelimit-policy': '"ip";q=2;w=3600', ratelimit: '"ip";r=1;t=1800' })
  t.equal(first.headers['retry-after'], undefined)
  t.match((await ask()).headers, { ratelimit: /^"ip";r=0;t=(1800|17\d\d)$/ })
  const refused = await ask()
  t.equal(refused.statusCode, 429)
  const { 'retry-after': seconds } = refused.headers
  t.match(seconds, /^(1800|17\d\d)$/)
  t.equal(refused.headers['content-type'], 'text/plain; charset=utf-8')
  t.equal(refused.body, `Rate limit exceeded: 2 requests in 3600 s; try again in ${seconds} s`)
  t.equal(refused.headers['ratelimit'], `"ip";r=0;t=${seconds}`)
  const json = await ask('application/json')
  t.match(json.json(), { status: 429, code: 'rate-limited', error: 'Too Many Requests', message: /^Rate limit exceeded: / })
  t.equal(json.headers['ratelimit'], `"ip";r=0;t=${json.headers['retry-after']}`)
  t.match(await ask('text/html'), { statusCode: 429, headers: { 'content-type': /^text\/html/, ratelimit: /r=0/ } })
})

t.test('every answer of a limited endpoint tells how the limit stands, errors and streams included, unless its handler says otherwise', async (t) => {
  const rateLimit = { max: 100, per: 'minute' } as const
  const { server } = await buildApp(t, () => {
    httpEndpoint('/thrown', { rateLimit }, () => {
      throw new Error('a mistake')
    })
    httpEndpoint('/aborted', { rateLimit }, () => abort(404))
    httpEndpoint('/early', { rateLimit }, () => abort(new HttpResponse(418, 'early')))
    httpEndpoint('/parameter', { rateLimit, params: { title: text() } }, () => 'fine')
    httpEndpoint('/user', { rateLimit, authenticateUsers: true }, () => 'fine')
    httpEndpoint('/large', { rateLimit, bodyLimit: 1 }, () => 'fine')
    httpEndpoint('/late', { rateLimit, timeout: 20 }, () => delay(300))
    httpEndpoint('/stream', { rateLimit }, async function* () {
      yield await Promise.resolve('piece')
    })
    httpEndpoint('/own', { rateLimit }, () => new HttpResponse(200, 'own', { RateLimit: '"mine";r=7;t=1' }))
    httpEndpoint('/free', () => 'free')
  })
  const told: [string, number][] = [['thrown', 500], ['aborted', 404], ['early', 418], ['parameter', 400], ['user', 401], ['late', 503], ['stream', 200]]
  for (const [name, status] of told) {
    const { statusCode, headers } = await server.inject({ url: `${api}/${name}` })
    t.equal(statusCode, status, name)
    t.match(headers, { 'ratelimit-policy': '"ip";q=100;w=60', ratelimit: /^"ip";r=99;t=1$/ }, name)
  }
  t.match(await server.inject({ method: 'POST', url: `${api}/large`, payload: 'xx' }), { statusCode: 413, headers: { ratelimit: /r=99/ } })
  t.match((await server.inject({ url: `${api}/own` })).headers, { ratelimit: '"mine";r=7;t=1', 'ratelimit-policy': /q=100/ })
  t.notMatch(Object.keys((await server.inject({ url: `${api}/free` })).headers).join(' '), /ratelimit/)
})

t.test('by user, whoever is signed in has a quota for all networks, and whoever is not has that of the network', async (t) => {
  const app = await buildApp(t, () => {
    httpEndpoint('/mine', { authenticateUsers: true, rateLimit: { max: 2, per: 'minute', by: 'user' } }, () => users.getUser()?.email)
    httpEndpoint('/anybody', { authenticateUsers: 'optional', rateLimit: { max: 2, per: 'minute', by: 'user' } }, () => 'hello')
  })
  for (const name of ['me', 'you']) await app.server.rowhouse.users.add(`${name}@example.com`, 'a quiet evening')
  const me = { headers: basic('me@example.com', 'a quiet evening') }
  t.strictSame(await statuses(app, 2, '/mine', me), [200, 200])
  t.strictSame(await statuses(app, 1, '/mine', { ...me, remoteAddress: elsewhere }), [429])
  t.strictSame(await statuses(app, 1, '/mine', { headers: basic('you@example.com', 'a quiet evening') }), [200])
  t.strictSame(await statuses(app, 3, '/anybody'), [200, 200, 429])
  t.strictSame(await statuses(app, 1, '/anybody', { remoteAddress: elsewhere }), [200])
  t.strictSame(await statuses(app, 1, '/anybody', me), [200])
  const refused = app.log.find(({ status }) => status === 429)
  t.match(refused, { principal: 'user', network: elsewhere })
  t.notMatch(JSON.stringify(app.log), /a quiet evening/)
})

t.test('by network, a request is refused before its credentials are looked at', async (t) => {
  let asked = 0
  const app = await buildApp(t, () => {
    authenticate(() => {
      asked++
      return null
    })
    httpEndpoint('/mine', { authenticateUsers: true, rateLimit: { max: 2, per: 'minute' } }, () => 'mine')
  })
  t.strictSame(await statuses(app, 4, '/mine'), [401, 401, 429, 429])
  t.equal(asked, 2)
})

t.test('while a network has to wait because of its guesses, a session of the account goes on there, and its owner signs in from elsewhere', { skip: takesLong('it makes a dozen hashes') }, async (t) => {
  const app = await buildApp(t, () => {
    httpEndpoint('/sign-in', { methods: ['POST'], params: { password: text() } }, async (args) => {
      const user = await users.verify('me@example.com', args.password)
      if (user === null) abort(403)
      return (await users.logIn(user)).email
    })
    httpEndpoint('/mine', { authenticateUsers: true }, () => users.getUser()?.email)
  })
  await app.server.rowhouse.users.add('me@example.com', 'a quiet evening')
  const signIn = (secret: string, remoteAddress = here) => app.server.inject({ method: 'POST', url: `${api}/sign-in`, payload: { password: secret }, remoteAddress })
  const cookie = String((await signIn('a quiet evening')).headers['set-cookie']).split(';')[0] ?? ''
  for (let n = 0; n < 10; n++) t.equal((await signIn(`a wrong guess ${n}`)).statusCode, 403)
  t.match(await signIn('another guess'), { statusCode: 429, headers: { 'retry-after': /^\d+$/ } })
  t.strictSame(await statuses(app, 1, '/mine', { headers: { cookie } }), [200])
  t.equal((await signIn('a quiet evening', elsewhere)).statusCode, 200)
})

t.test('by function, what it says of a request is counted; what it says is not stored, and it sees no body', async (t) => {
  const app = await buildApp(t, () => {
    httpEndpoint('/keyed', { rateLimit: { max: 1, per: 'minute', by: ({ headers }) => String(headers['x-api-key']) } }, () => 'fine')
    httpEndpoint('/body', { rateLimit: { max: 1, per: 'minute', by: ({ bodyJson }) => JSON.stringify(bodyJson) } }, () => 'fine')
    httpEndpoint('/wrong', { rateLimit: { max: 1, per: 'minute', by: (() => 7) as never } }, () => 'fine')
    httpEndpoint('/refuses', { rateLimit: { max: 1, per: 'minute', by: () => abort(403) } }, () => 'fine')
  })
  const secret = 'a-secret-key'.repeat(100)
  t.strictSame(await statuses(app, 2, '/keyed', { headers: { 'x-api-key': secret } }), [200, 429])
  t.strictSame(await statuses(app, 1, '/keyed', { headers: { 'x-api-key': 'another' } }), [200])
  t.strictSame(await statuses(app, 1, '/body', { method: 'POST', payload: { a: 1 } }), [500])
  t.strictSame(await statuses(app, 1, '/wrong'), [500])
  t.strictSame(await statuses(app, 1, '/refuses'), [403])
  t.match(app.lines.join(''), /the \\"by\\" of a rate limit has to give a text, got 7/)
  await app.server.close()
  const data = `${app.directory}/.rowhouse`
  const stored = readdirSync(data).filter((name) => name.includes('.db') || name.includes('sqlite')).map((name) => readFileSync(`${data}/${name}`, 'latin1'))
  t.ok(stored.length > 0)
  t.ok(stored.some((bytes) => bytes.includes('/keyed')), 'the count is there')
  t.notOk(stored.some((bytes) => bytes.includes('a-secret-key')))
})

t.test('several limits of an endpoint all hold, and a request that one of them refuses takes nothing from the others', async (t) => {
  const app = await buildApp(t, () => {
    httpEndpoint('/both', { rateLimit: [{ max: 4, per: 'day' }, { max: 2, per: 'hour' }] }, () => 'fine')
  })
  t.strictSame(await statuses(app, 6, '/both'), [200, 200, 429, 429, 429, 429])
  const { headers } = await app.server.inject({ url: `${api}/both`, remoteAddress: here })
  t.match(headers, { 'ratelimit-policy': '"ip";q=4;w=86400, "ip-2";q=2;w=3600', ratelimit: /^"ip";r=2;t=21\d{3}, "ip-2";r=0;t=1[78]\d\d$/ })
  t.equal(headers['retry-after'], headers['ratelimit']?.toString().split('t=').at(-1))
})

t.test('the whole network of an IPv6 address is counted, and what a stranger writes into X-Forwarded-For is not', async (t) => {
  const rateLimit = { max: 1, per: 'minute' } as const
  const define = (): void => httpEndpoint('/limited', { rateLimit }, () => request.remoteAddress)
  const app = await buildApp(t, define)
  t.strictSame(await statuses(app, 1, '/limited', { remoteAddress: '2001:db8:1:1::1' }), [200])
  t.strictSame(await statuses(app, 1, '/limited', { remoteAddress: '2001:db8:1:1:ffff::2' }), [429], 'the same /64')
  const around: number[] = []
  for (let n = 2; n < 40; n++) around.push(...(await statuses(app, 1, '/limited', { remoteAddress: `2001:db8:1:${(n * 256).toString(16)}::1` })))
  t.equal(around.filter((status) => status === 200).length, 9, 'a /48 has ten times as much, and no more')
  t.strictSame(await statuses(app, 1, '/limited', { remoteAddress: '2001:db8:2::1' }), [200], 'another /48')
  t.strictSame(await statuses(app, 3, '/limited', { headers: { 'x-forwarded-for': '203.0.113.9' } }), [200, 429, 429])
  t.strictSame(await statuses(app, 1, '/limited', { headers: { 'x-forwarded-for': '203.0.113.10' } }), [429])
  const behind = await buildApp(t, define, { trustedProxies: [here] })
  for (const client of ['203.0.113.9', '203.0.113.10']) {
    t.strictSame(await statuses(behind, 2, '/limited', { headers: { 'x-forwarded-for': client } }), [200, 429])
    t.strictSame(await statuses(behind, 1, '/limited', { headers: { 'x-forwarded-for': `198.51.100.1, ${client}` } }), [429])
  }
})

t.test('the setting limits all endpoints together that say nothing themselves, but for those of Rowhouse, and false takes one out', async (t) => {
  const app = await buildApp(
    t,
    () => {
      httpEndpoint('/one', () => 1)
      httpEndpoint('/two', () => 2)
      httpEndpoint('/own', { rateLimit: { max: 2, per: 'minute' } }, () => 3)
      httpEndpoint('/free', { rateLimit: false }, () => 4)
    },
    { rateLimit: { max: 3, per: '2 minutes' } },
  )
  t.strictSame([...(await statuses(app, 2, '/one')), ...(await statuses(app, 2, '/two')), ...(await statuses(app, 1, '/one'))], [200, 200, 200, 429, 429])
  t.match((await app.server.inject({ url: `${api}/one`, remoteAddress: elsewhere })).headers, { 'ratelimit-policy': '"app";q=3;w=120' })
  t.strictSame(await statuses(app, 3, '/own'), [200, 200, 429])
  t.strictSame(await statuses(app, 5, '/free'), [200, 200, 200, 200, 200])
  for (let n = 0; n < 5; n++) t.equal((await app.server.inject({ url: '/_/health/live', remoteAddress: here })).statusCode, 200)
})

t.test('what OPTIONS is answered by itself is not counted, and HEAD is as its GET', async (t) => {
  const origin = 'https://elsewhere.example'
  const app = await buildApp(t, () => {
    httpEndpoint('/limited', { rateLimit: { max: 2, per: 'minute' } }, () => 'fine')
    httpEndpoint('/opened', { enableCors: origin, rateLimit: { max: 2, per: 'minute' } }, () => 'fine')
  })
  const preflight = { origin, 'access-control-request-method': 'GET' }
  for (const path of ['/limited', '/opened']) {
    t.strictSame(await statuses(app, 3, path, { method: 'OPTIONS', headers: preflight }), [204, 204, 204])
    t.strictSame(await statuses(app, 1, path, { method: 'HEAD' }), [200])
    t.strictSame(await statuses(app, 2, path), [200, 429])
    t.strictSame(await statuses(app, 1, path, { method: 'HEAD' }), [429])
  }
  const refused = await app.server.inject({ url: `${api}/opened`, headers: { origin }, remoteAddress: here })
  t.match(refused, { statusCode: 429, headers: { 'access-control-allow-origin': origin, ratelimit: /r=0/, 'retry-after': /^\d+$/ } }, 'pages of other origins learn why')
})

t.test("an app's own answer to a 429 has its status and headers, and knows who was refused", async (t) => {
  const app = await buildApp(t, () => {
    errorHandler(429, (error, { user }) => ({ slower: error.message, user: user?.email ?? null }))
    httpEndpoint('/mine', { authenticateUsers: true, rateLimit: { max: 1, per: 'day', by: 'user' } }, () => 'fine')
  })
  await app.server.rowhouse.users.add('me@example.com', 'a quiet evening')
  const ask = () => app.server.inject({ url: `${api}/mine`, headers: basic('me@example.com', 'a quiet evening'), remoteAddress: here })
  t.equal((await ask()).statusCode, 200)
  const refused = await ask()
  t.equal(refused.statusCode, 429)
  const { 'retry-after': seconds } = refused.headers
  t.strictSame(refused.json(), { slower: `Rate limit exceeded: 1 request in 86400 s; try again in ${seconds} s`, user: 'me@example.com' })
  t.equal(refused.headers['ratelimit'], `"user";r=0;t=${seconds}`)
})

t.test('a limited request is refused before its body has arrived', async (t) => {
  const { port } = await startApp(t, () => httpEndpoint('/limited', { rateLimit: { max: 1, per: 'minute' } }, () => 'fine'))
  t.equal((await fetch(`http://127.0.0.1:${port}${api}/limited`)).status, 200)
  const answer = await new Promise<string>((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(`POST ${api}/limited HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nbegin`))
    socket.once('data', (piece) => {
      socket.destroy()
      resolve(String(piece))
    })
    socket.once('error', reject)
  })
  t.match(answer, /^HTTP\/1\.1 429 /)
})


t.test('routes, file routes, tables and the routes of fastify.ts have limits, too, on all of their answers', async (t) => {
  const directory = await temporaryFolder(t)
  const limit = "rateLimit: { max: 2, per: 'minute' }"
  const files: Record<string, string> = {
    'package.json': '{ "type": "module" }',
    'tables.ts': "import { defineTables, table, text } from 'rowhouse'\nexport const tables = defineTables({ notes: table({ title: text() }) })",
    'modules/all.ts': `import { crudEndpoints, route } from 'rowhouse'\nimport { tables } from '../tables.js'
      crudEndpoints('/notes', tables.notes, { public: true, ${limit} })\nroute('/page', { ${limit} }, () => 'page')`,
    'pages/api/file.ts': `export const config = { ${limit} }\nexport const get = () => 'file'`,
    'fastify.ts': `export default async (fastify) => {
      fastify.get('/plugin', { config: { ${limit} } }, async () => 'plugin')
      fastify.get('/user', { config: { authenticateUsers: true, rateLimit: { max: 2, per: 'minute', by: 'user' } } }, async () => 'user')
      fastify.get('/fails', { config: { ${limit} } }, async () => { throw new Error('a mistake') })
      fastify.get('/own', { config: { ${limit} } }, async (request, reply) => { reply.header('RateLimit', '"mine";r=7'); return 'own' })
      fastify.get('/free', async () => 'free')
    }`,
  }
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(directory, name)), { recursive: true })
    await writeFile(join(directory, name), content)
  }
  const server = await createApp({ directory, options: { name: 'test' }, logTo: { write: () => undefined } })
  t.teardown(() => server.close())
  const get = (url: string, headers: Record<string, string> = {}) => server.inject({ url, headers })
  await server.rowhouse.users.add('me@example.com', 'a quiet evening')
  const me = basic('me@example.com', 'a quiet evening')
  for (const [url, status, headers] of [[`${api}/notes`, 200], ['/page', 200], ['/api/file', 200], ['/plugin', 200], ['/user', 200, me], ['/fails', 500]] as const) {
    for (const remaining of [1, 0]) {
      const answer = await get(url, headers)
      t.equal(answer.statusCode, status, url)
      t.match(answer.headers, { ratelimit: new RegExp(`^"(ip|user)";r=${remaining};t=(30|2\\d)$`) }, url)
    }
    const refused = await get(url, headers)
    t.equal(refused.statusCode, 429, url)
    t.equal(refused.headers['ratelimit'], `"${url === '/user' ? 'user' : 'ip'}";r=0;t=${refused.headers['retry-after']}`, url)
    t.match(refused.body, `Rate limit exceeded: 2 requests in 60 s; try again in ${refused.headers['retry-after']} s`, url)
  }
  t.equal((await server.inject({ method: 'POST', url: `${api}/notes`, payload: { title: 'a' } })).statusCode, 201, 'each method of a table is an endpoint of its own')
  t.equal((await get('/own')).headers['ratelimit'], '"mine";r=7')
  t.equal((await get('/free')).headers['ratelimit'], undefined)
  t.equal((await get('/user')).statusCode, 401)
})

t.test('the setting counts the routes of fastify.ts, too', async (t) => {
  const plugin: FastifyPlugin = async (fastify) => {
    await Promise.resolve()
    fastify.get('/plugin', () => 'plugin')
    fastify.get('/free', { config: { rateLimit: false } }, () => 'free')
  }
  const server = await createApp({ directory: await temporaryFolder(t), define: () => route('/page', () => 'page'), plugin, options: { rateLimit: { max: 2 } }, logTo: { write: () => undefined } })
  t.teardown(() => server.close())
  for (const [url, status] of [['/plugin', 200], ['/page', 200], ['/plugin', 429], ['/page', 429], ['/free', 200]] as const) t.equal((await server.inject({ url })).statusCode, status)
})

t.test('what @fastify/rate-limit has been told in its own words is left to it, and is a mistake where nobody has registered it', async (t) => {
  const build = async (isRegistered: boolean) => {
    const plugin: FastifyPlugin = async (fastify) => {
      await Promise.resolve()
      // As that plugin does it.
      if (isRegistered) fastify.decorate('rateLimit', () => undefined)
      fastify.get('/theirs', { config: { rateLimit: { max: 1, timeWindow: '1 minute' } as never } }, () => 'theirs')
    }
    return createApp({ directory: await temporaryFolder(t), define: () => undefined, plugin, logTo: { write: () => undefined } })
  }
  const server = await build(true)
  t.teardown(() => server.close())
  for (let n = 0; n < 3; n++) t.equal((await server.inject({ url: '/theirs' })).headers['ratelimit'], undefined)
  await t.rejects(build(false), { message: /the option "rateLimit" has no member "timeWindow"; known are: max, per, by; the option "rateLimit" takes as per a number of milliseconds/ })
})

t.test('a limit that cannot be meant stops the start, with every mistake', async (t) => {
  const mistakes: [unknown, RegExp][] = [
    [{ max: 0, per: 1000 }, /takes as max a whole number of requests from 1 to 1000000000, got 0/],
    [{ max: 1.5, per: 'fortnight' }, /as max .* got 1\.5; .*takes as per a number of milliseconds, or a text such as 'minute' or '10 seconds', up to 366 days, got "fortnight"/],
    [{ max: 5 }, /takes as per .* got undefined/],
    [{ max: 5, per: '1 year' }, /takes as per/],
    [{ max: 5, per: 'minute', by: 'address' }, /takes as by 'ip', 'user' or a function .* got "address"/],
    [{ max: 5, per: 'minute', on: 'ip' }, /has no member "on"/],
    [true, /takes \{ max, per, by \}, such as .* got true/],
    [null, /got null/],
    [undefined, /got undefined/],
    [[], /takes at least one limit in a list/],
    [[{ max: 5, per: 'minute' }, 5], /got 5/],
  ]
  for (const [rateLimit, message] of mistakes) {
    await t.rejects(buildApp(t, () => httpEndpoint('/limited', { rateLimit: rateLimit as never }, () => 'fine')), { message })
  }
  for (const per of ['second', '1 second', '90 minutes', '2 hours', 'day', 250] as const) await t.resolves(buildApp(t, () => httpEndpoint('/limited', { rateLimit: { max: 5, per } }, () => 'fine')))
  await t.rejects(buildApp(t, () => undefined, { rateLimit: { max: 5, per: 'fortnight' as never } }), { message: /rateLimit\.per: expected a number of milliseconds, or a text such as 'minute'.*, got "fortnight"/ })
  await t.rejects(buildApp(t, () => undefined, { rateLimit: { max: 0 } }), { message: /rateLimit\.max: expected a whole number from 1 to/ })
})

t.test('a restart remembers what was counted', async (t) => {
  const folder = await temporaryFolder(t)
  const define = (): void => httpEndpoint('/limited', { rateLimit: { max: 3, per: 'hour' } }, () => 'fine')
  const first = await buildApp(t, define, {}, folder)
  t.strictSame(await statuses(first, 2, '/limited'), [200, 200])
  await first.server.close()
  const second = await buildApp(t, define, {}, folder)
  t.strictSame(await statuses(second, 2, '/limited'), [200, 429])
})

/** A clock that stands still until it is set. */
interface Clock {
  time: number
}

/** A limiter as one process has it, on a database that others may have open, too. */
async function process(t: TapTest, directory: string, clock: Clock, change: (database: LimiterOptions['database']) => LimiterOptions['database'] = (same) => same) {
  const { database } = await openTables(t, defineTables({}), { directory, exclusive: false, undeclared: 'ignore' })
  const warnings: string[] = []
  const warn = (_details: object, message: string): unknown => warnings.push(message)
  const limiter = new Limiter({ database: change(database), log: { warn }, inBackground: (work) => work(), now: () => clock.time })
  const ask = async (claim: Claim): Promise<Standing> => {
    const [standing] = await limiter.count([claim])
    if (standing === undefined) throw new Error('a claim has no standing')
    return standing
  }
  const open = async (claim: Claim, times: number): Promise<number> => {
    let count = 0
    for (let n = 0; n < times; n++) if ((await ask(claim)).isOpen) count++
    return count
  }
  return { limiter, database, ask, open, warnings }
}

const newYear = Date.UTC(2026, 0, 1)

t.test('a quota fills up evenly, to its maximum and no further, and tries that are refused take nothing from it', async (t) => {
  const clock = { time: newYear }
  const { ask, open } = await process(t, t.testdir(), clock)
  const claim = { key: 'a', max: 6, per: minute }
  t.strictSame(await ask(claim), { isOpen: true, remaining: 5, seconds: 10 })
  t.equal(await open(claim, 5), 5)
  for (let n = 0; n < 10; n++) {
    t.strictSame(await ask(claim), { isOpen: false, remaining: 0, seconds: 10 - n })
    t.equal(await open(claim, 100), 0)
    clock.time += 1000
  }
  t.strictSame(await ask(claim), { isOpen: true, remaining: 0, seconds: 10 })
  clock.time += 25_000
  t.equal(await open(claim, 10), 2)
  clock.time += 4999
  t.strictSame(await ask(claim), { isOpen: false, remaining: 0, seconds: 1 })
  clock.time += 1
  t.equal(await open(claim, 10), 1)
  clock.time += 10 * minute
  t.equal(await open(claim, 10), 6)
  clock.time -= minute
  t.equal(await open(claim, 10), 0, 'a clock that is set back gives nothing')
  clock.time += minute + 10_000
  t.equal(await open(claim, 10), 1, 'and takes nothing for longer than it was set back')
})

t.test('what is counted twice is let through by both or taken from neither', async (t) => {
  const clock = { time: newYear }
  const { limiter } = await process(t, t.testdir(), clock)
  const claims = [{ key: 'day', max: 4, per: 24 * 60 * minute }, { key: 'minute', max: 2, per: minute }]
  const remaining = async () => (await limiter.count(claims)).map((standing) => (standing.isOpen ? standing.remaining : 'closed'))
  t.strictSame(await remaining(), [3, 1])
  t.strictSame(await remaining(), [2, 0])
  for (let n = 0; n < 10; n++) t.strictSame(await remaining(), [2, 'closed'])
  clock.time += minute
  t.strictSame(await remaining(), [1, 1])
  t.strictSame(await remaining(), [0, 0])
  clock.time += minute
  for (let n = 0; n < 10; n++) t.strictSame(await remaining(), ['closed', 2])
})

t.test('in a long time nobody gets more than the quota, however fast or slowly the tries come', async (t) => {
  const clock = { time: newYear }
  const { open } = await process(t, t.testdir(), clock)
  for (const step of [7, 113, 999]) {
    const claim = { key: `every ${step}`, max: 30, per: 10_000 }
    let count = 0
    for (let passed = 0; passed < 100_000; passed += step, clock.time += step) count += await open(claim, 1)
    const most = Math.min(30 + 300, Math.ceil(100_000 / step))
    t.ok(count <= most && count >= most - 2, `${count} of ${most}`)
  }
})

t.test('processes share a quota: each overdraws it by a tenth at most, or by one request', async (t) => {
  const directory = t.testdir()
  const clock = { time: newYear }
  const processes = await Promise.all(Array.from({ length: 4 }, () => process(t, directory, clock)))
  for (const [max, part] of [[100, 10], [5, 1]] as const) {
    const inTurn = { key: `in turn ${max}`, max, per: minute }
    let count = 0
    for (let n = 0; n < 2 * max; n++) for (const { open } of processes) count += await open(inTurn, 1)
    t.ok(count >= max && count <= max + 4 * part, `${count} in turn, of ${max}`)
    const atOnce = { key: `at once ${max}`, max, per: minute }
    const opened = await Promise.all(processes.flatMap(({ ask }) => Array.from({ length: 2 * max }, async () => (await ask(atOnce)).isOpen)))
    const together = opened.filter(Boolean).length
    t.ok(together >= max && together <= max + 4 * part, `${together} at once, of ${max}`)
  }
})

t.test('what processes have overdrawn they wait for, so that in a long time they get no more than one would', async (t) => {
  const directory = t.testdir()
  const clock = { time: newYear }
  const processes = await Promise.all([process(t, directory, clock), process(t, directory, clock), process(t, directory, clock)])
  const claim = { key: 'a', max: 50, per: 10_000 }
  let count = 0
  for (let passed = 0; passed < 100_000; passed += 50, clock.time += 50) count += await (processes[(passed / 50) % 3]?.open(claim, 3) ?? 0)
  t.ok(count >= 50 + 500 - 3 && count <= 50 + 500 + 3 * 5, `${count} of ${50 + 500}`)
})

t.test('a request waits for no database: one that is held up by a transaction tells others later, and one that fails, or is full, is told of once', async (t) => {
  const clock = { time: newYear }
  const claim = { key: 'a', max: 10, per: minute }
  const directory = t.testdir()
  const held = await process(t, directory, clock)
  let letGo = (): void => undefined
  const transaction = held.database.transaction(() => new Promise<void>((resolve) => (letGo = resolve)))
  const began = performance.now()
  t.equal(await held.open(claim, 20), 10)
  t.ok(performance.now() - began < 1500, 'the transaction is waited for once, and not long')
  letGo()
  await transaction
  await held.limiter.close()
  t.equal(await (await process(t, directory, clock)).open(claim, 20), 0)

  let isBroken = true
  const full = (): Promise<never> => Promise.reject(new TableError('disk-full', 'there is no room'))
  const broken = await process(t, t.testdir(), clock, (database) => ({
    dialect: database.dialect,
    read: (statement, values) => (isBroken ? full() : database.read(statement, values)),
    write: (statement, values) => (isBroken ? full() : database.write(statement, values)),
    writeMany: (statement, lists) => (isBroken ? full() : database.writeMany(statement, lists)),
  }))
  t.equal(await broken.open(claim, 20), 10)
  t.equal(await broken.open({ ...claim, key: 'b' }, 20), 10)
  t.strictSame(broken.warnings, ['requests are counted in memory only: the database takes no counts at the moment'])
  isBroken = false
  clock.time += 6000
  t.equal(await broken.open(claim, 20), 1)
  t.equal((await broken.database.read({ text: "SELECT 1 FROM rowhouse_rate_limits WHERE key = 'a'" }, [])).length, 1, 'what was counted meanwhile is written')
  t.equal(broken.warnings.length, 1)
})

t.test('the table shrinks again: what says nothing any more is deleted', async (t) => {
  const clock = { time: newYear }
  const { open, database } = await process(t, t.testdir(), clock)
  const size = async () => Number((await database.read({ text: 'SELECT count(*) FROM rowhouse_rate_limits' }, []))[0]?.[0])
  for (let n = 0; n < 50; n++) await open({ key: `early ${n}`, max: 2, per: 1000 }, 2)
  t.equal(await size(), 50)
  clock.time += 2000
  for (let n = 0; n < 20; n++) await open({ key: `late ${n}`, max: 2, per: minute }, 2)
  t.equal(await size(), 20)
})

t.test('a client that asks little costs no write at all, and one that asks much a write for each tenth of the quota', async (t) => {
  const clock = { time: newYear }
  let writes = 0
  let reads = 0
  const { open } = await process(t, t.testdir(), clock, (database) => ({
    dialect: database.dialect,
    read: (statement, values) => (reads++, database.read(statement, values)),
    write: (statement, values) => (writes += statement.text.startsWith('INSERT') ? 1 : 0, database.write(statement, values)),
    writeMany: (statement, lists) => database.writeMany(statement, lists),
  }))
  for (let n = 0; n < 100; n++, clock.time += minute) await open({ key: 'little', max: 100, per: minute }, 9)
  t.equal(writes, 0)
  t.equal(await open({ key: 'much', max: 100, per: minute }, 1000), 100)
  t.equal(writes, 9)
  t.equal(reads, 2, 'and is looked up once')
  writes = 0
  t.equal(await open({ key: 'quick', max: 10, per: 1000 }, 20), 10)
  t.equal(writes, 1, 'nor is a write worth it for what is given back in half a second')
})

t.test('a million keys do not fill the memory', { skip: takesLong('it counts a million requests') }, async (t) => {
  const clock = { time: newYear }
  const { limiter } = await process(t, t.testdir(), clock)
  const name = 'POST /_/api/some/rather/long/path ip 2001:db8:'
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const heap = (): number => {
    collect()
    return globalThis.process.memoryUsage().heapUsed
  }
  const before = heap()
  for (let n = 0; n < 1_000_000; n++) {
    await limiter.count([{ key: `${name}${n}`, max: 5, per: minute }])
    if (n % 1000 === 0) await delay(0)
  }
  const taken = (heap() - before) / 1024 / 1024
  t.ok(taken > 1 && taken < 40, `${Math.round(taken)} MiB`)
  // It has been there until now.
  await limiter.close()
})
