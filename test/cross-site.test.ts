import t, { type Test } from 'tap'
import { authenticate, createApp, csrfToken, request, route, users, type CreateAppOptions } from 'rowhouse'
import { temporaryFolder } from './support/app.ts'
import { Jar } from './support/jar.ts'
import { takesLong } from './support/needs.ts'

const own = 'https://app.example'
const other = 'https://other.example:8443'

/** What a browser may say of the page that a request comes from, and whether that is the app's own. */
const origins: readonly (readonly [string | undefined, 'own' | 'foreign' | 'none'])[] = [
  [undefined, 'none'],
  [own, 'own'],
  [`${own}:443`, 'own'],
  [other, 'own'],
  ['null', 'foreign'],
  ['', 'foreign'],
  ['http://app.example', 'foreign'],
  ['https://app.example:444', 'foreign'],
  ['https://app.example.', 'foreign'],
  ['https://app.example.evil.example', 'foreign'],
  ['https://evilapp.example', 'foreign'],
  ['https://app.example@evil.example', 'foreign'],
  ['https://app.example/', 'foreign'],
  [`${own}, ${own}`, 'foreign'],
  ['https://sub.app.example', 'foreign'],
  ['file://', 'foreign'],
]
const sites: readonly (readonly [string | undefined, 'own' | 'foreign' | 'none'])[] = [
  [undefined, 'none'],
  ['same-origin', 'own'],
  ['none', 'own'],
  ['same-site', 'foreign'],
  ['cross-site', 'foreign'],
  ['', 'foreign'],
  ['Same-Origin', 'foreign'],
  ['same-origin, none', 'foreign'],
]
const referers: readonly (readonly [string | undefined, 'own' | 'foreign' | 'none'])[] = [
  [undefined, 'none'],
  [`${own}/page?q=1#f`, 'own'],
  [`${other}/`, 'own'],
  ['https://evil.example/app.example', 'foreign'],
  ['', 'foreign'],
  ['about:blank', 'foreign'],
  ['/page', 'foreign'],
]
const credentials = ['basic', 'bearer', 'none'] as const
const methods = ['GET', 'POST', 'PUT', 'DELETE'] as const

type Kind = 'own' | 'foreign' | 'none'

/** The specification of it, as a table: the first line that fits decides. */
const decisions: readonly (readonly [Kind | 'any', Kind | 'any', Kind | 'any', 'same site' | 'cross site'])[] = [
  ['foreign', 'any', 'any', 'cross site'],
  ['own', 'any', 'foreign', 'cross site'],
  ['own', 'any', 'any', 'same site'],
  ['none', 'foreign', 'any', 'cross site'],
  ['none', 'own', 'any', 'same site'],
  ['none', 'none', 'foreign', 'cross site'],
  ['none', 'none', 'own', 'same site'],
  ['none', 'none', 'none', 'same site'],
]

function decide(...kinds: readonly Kind[]): string {
  const line = decisions.find((line) => kinds.every((kind, index) => line[index] === 'any' || line[index] === kind))
  return line?.[3] ?? 'not decided'
}

const define = (): void => {
  const who = (): unknown => ({ user: users.getUser()?.email ?? null, shown: request.authorization?.scheme ?? null })
  route('/optional', { methods: ['GET', 'POST', 'PUT', 'DELETE'], authenticateUsers: 'optional' }, who)
  route('/signed-in', { methods: ['GET', 'POST', 'PUT', 'DELETE'], authenticateUsers: true }, who)
  route('/shown', { methods: ['GET', 'POST', 'PUT', 'DELETE'], requireCredentials: true }, who)
  route('/open', { methods: ['GET', 'POST', 'PUT', 'DELETE'] }, who)
  route('/shared', { methods: ['POST'], authenticateUsers: true, crossSiteSession: true }, who)
}

async function appAt(t: Test, options: CreateAppOptions['options']) {
  const app = await createApp({ directory: await temporaryFolder(t), define, options: { name: 'test', ...options }, logTo: { write: () => undefined } })
  t.teardown(() => app.close())
  await app.rowhouse.users.add('ann@example.com', 'a quiet afternoon')
  return app
}

const basic = `Basic ${Buffer.from('ann@example.com:a quiet afternoon').toString('base64')}`

t.test('a password that a browser attaches by itself counts for nothing in a request from another site, whatever else it says', { skip: takesLong('it sends thousands of requests') }, async (t) => {
  const app = await appAt(t, { origin: own, alternateOrigins: [other] })
  const wrong: string[] = []
  let count = 0
  for (const [origin, o] of origins)
    for (const [site, s] of sites)
      for (const [referer, r] of referers)
        for (const method of methods)
          for (const kind of credentials) {
            count++
            const headers = {
              ...(origin !== undefined && { origin }),
              ...(site !== undefined && { 'sec-fetch-site': site }),
              ...(referer !== undefined && { referer }),
              ...(kind === 'basic' && { authorization: basic }),
              ...(kind === 'bearer' && { authorization: 'Bearer of-nobody' }),
            }
            const counts = kind === 'basic' && decide(o, s, r) === 'same site'
            const expected = { optional: kind === 'bearer' ? 401 : counts ? 'ann@example.com' : 'nobody', 'signed-in': counts ? 'ann@example.com' : 401, open: 'nobody', shown: kind === 'bearer' || counts ? 'nobody' : 401 }
            const path = (['optional', 'signed-in', 'open', 'shown'] as const)[count % 4] ?? 'open'
            const reply = await app.inject({ method, url: `/${path}`, headers: { host: 'app.example', ...headers } })
            const answer = reply.statusCode === 200 ? reply.json<{ user: string | null; shown: string | null }>() : null
            const got = answer === null ? reply.statusCode : (answer.user ?? 'nobody')
            const hidden = answer === null || kind !== 'basic' || (answer.shown === 'basic') === counts
            if (got !== expected[path] || !hidden) wrong.push(`${method} /${path} ${JSON.stringify(headers)}: expected ${expected[path]}, got ${got} ${answer?.shown}`)
          }
  t.ok(count > 2000, `${count} requests`)
  t.same(wrong, [])
})

t.test('an endpoint that says so takes requests from other sites for its own', async (t) => {
  const app = await appAt(t, { origin: own })
  const headers = { origin: 'https://evil.example', authorization: basic }
  t.equal((await app.inject({ method: 'POST', url: '/shared', headers })).json<{ user: string }>().user, 'ann@example.com')
  t.equal((await app.inject({ method: 'POST', url: '/signed-in', headers })).statusCode, 401)
})

t.test('a password from a page that the endpoint is open to counts, but not one that came with a form or an image', async (t) => {
  const app = await createApp({
    directory: await temporaryFolder(t),
    define: () => {
      route('/front', { enableCors: 'https://front.example', authenticateUsers: true }, () => 'front')
      route('/all', { enableCors: true, authenticateUsers: true }, () => 'all')
    },
    options: { name: 'test', origin: own },
    logTo: { write: () => undefined },
  })
  t.teardown(() => app.close())
  await app.rowhouse.users.add('ann@example.com', 'a quiet afternoon')
  const ask = async (url: string, headers: Record<string, string>): Promise<number> => (await app.inject({ url, headers: { host: 'app.example', authorization: basic, ...headers } })).statusCode
  const front = { origin: 'https://front.example' }
  t.equal(await ask('/front', front), 200)
  t.equal(await ask('/front', { ...front, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors', referer: 'https://front.example/' }), 200)
  t.equal(await ask('/all', { origin: 'https://evil.example' }), 200)
  for (const mode of ['navigate', 'no-cors', 'websocket', '']) t.equal(await ask('/front', { ...front, 'sec-fetch-mode': mode }), 401, mode)
  t.equal(await ask('/front', { ...front, referer: 'https://evil.example/' }), 401)
  t.equal(await ask('/front', { origin: own, referer: 'https://front.example/' }), 401)
  t.equal(await ask('/front', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors' }), 401)
  for (const origin of ['https://evil.example', 'null', '', 'https://front.example.evil.example']) t.equal(await ask('/front', { origin }), 401, origin)
})

t.test('where no origin is configured a page of the host that was asked is the app’s own, and no other is', async (t) => {
  const app = await appAt(t, {})
  const ask = async (origin: string, host: string): Promise<number> => (await app.inject({ url: '/signed-in', headers: { host, origin, authorization: basic } })).statusCode
  t.equal(await ask('http://box.lan:3030', 'box.lan:3030'), 200)
  t.equal(await ask('https://box.lan', 'box.lan'), 200, 'behind a proxy that nobody has named')
  t.equal(await ask('https://box.lan', 'box.lan:443'), 200)
  for (const origin of ['http://evil.example', 'http://box.lan:3031', 'http://x.box.lan:3030', 'null', 'box.lan:3030']) t.equal(await ask(origin, 'box.lan:3030'), 401, origin)
})

t.test('where a trusted proxy says https, no page that came by http is the app’s own', async (t) => {
  const app = await appAt(t, { trustedProxies: ['127.0.0.1'] })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const [address] = app.addresses()
  const port = typeof address === 'object' ? address.port : 0
  const ask = async (origin: string, proto: string | undefined, host = 'box.lan'): Promise<number> =>
    (await app.inject({ url: '/signed-in', headers: { host, origin, authorization: basic, ...(proto !== undefined && { 'x-forwarded-proto': proto }) } })).statusCode
  t.equal(await ask('https://box.lan', 'https'), 200)
  t.equal(await ask('https://box.lan:8443', 'https', 'box.lan:8443'), 200)
  for (const origin of ['http://box.lan', 'http://box.lan:443', `http://127.0.0.1:${port}`, `http://localhost:${port}`, `https://127.0.0.1:${port}`, 'https://box.lan:8443']) t.equal(await ask(origin, 'https'), 401, origin)
  for (const proto of [undefined, 'http']) for (const origin of ['http://box.lan', 'https://box.lan', `http://127.0.0.1:${port}`]) t.equal(await ask(origin, proto), 200, `${origin} by ${proto}`)
})

t.test('a route of fastify.ts goes by the same rule', async (t) => {
  const app = await createApp({
    directory: await temporaryFolder(t),
    define: () => undefined,
    plugin: async (fastify) => {
      fastify.get('/mine', { config: { authenticateUsers: true } }, () => 'mine')
      fastify.get('/shared', { config: { authenticateUsers: true, crossSiteSession: true } }, () => 'shared')
    },
    options: { name: 'test', origin: own },
    logTo: { write: () => undefined },
  })
  t.teardown(() => app.close())
  await app.rowhouse.users.add('ann@example.com', 'a quiet afternoon')
  const ask = async (url: string, origin: string): Promise<number> => (await app.inject({ url, headers: { host: 'app.example', origin, authorization: basic } })).statusCode
  t.equal(await ask('/mine', own), 200)
  t.equal(await ask('/mine', 'https://evil.example'), 401)
  t.equal(await ask('/shared', 'https://evil.example'), 200)
})

/** What a request with a token, or without, comes to; the first line that fits decides. */
const outcomes: readonly (readonly [credentials: string, site: string, token: string, method: string, outcome: number | string])[] = [
  ['bearer', 'any', 'any', 'any', 401],
  ['cookie', 'same site', 'any', 'safe', 'ann@example.com'],
  ['basic', 'same site', 'any', 'safe', 'ann@example.com'],
  ['any', 'any', 'any', 'safe', 'nobody'],
  ['cookie', 'same site', 'right', 'unsafe', 'ann@example.com'],
  ['any', 'any', 'any', 'unsafe', 403],
]

t.test('a session and its tokens count in requests of the app’s own pages alone, whatever a browser says', { skip: takesLong('it sends thousands of requests') }, async (t) => {
  const app = await createApp({
    directory: await temporaryFolder(t),
    define: () => {
      const who = (): string => users.getUser()?.email ?? 'nobody'
      const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const
      route('/guarded', { methods, authenticateUsers: 'optional', csrf: true }, who)
      route('/open', { methods }, who)
      route('/token', () => csrfToken())
      route('/in', { methods: ['POST'] }, async () => {
        const user = await users.byEmail('ann@example.com')
        if (user !== null) await users.logIn(user)
      })
    },
    options: { name: 'test', origin: own, alternateOrigins: [other] },
    logTo: { write: () => undefined },
  })
  t.teardown(() => app.close())
  await app.rowhouse.users.add('ann@example.com', 'a quiet afternoon')
  const jar = new Jar(app)
  const headers = { host: 'app.example' }
  await jar.text('/in', { method: 'POST', headers })
  const [cookie, token, foreignToken] = [`__Host-rowhouse_test_session=${jar.cookies.get('__Host-rowhouse_test_session')}`, await jar.text('/token', { headers }), await new Jar(app).text('/token')]
  const tokens: readonly (readonly [string, string | undefined])[] = [['right', token], ['wrong', foreignToken], ['none', undefined]]
  const wrong: string[] = []
  let count = 0
  for (const [origin, o] of origins)
    for (const [site, s] of sites)
      for (const [referer, r] of referers)
        for (const kind of ['cookie', 'basic', 'bearer', 'none']) {
          count++
          const [tokenKind, value] = tokens[count % 3] ?? ['none', undefined]
          const method = (['POST', 'GET', 'DELETE', 'PUT', 'HEAD', 'PATCH', 'POST'] as const)[count % 7] ?? 'POST'
          const headers = {
            host: 'app.example',
            ...(origin !== undefined && { origin }),
            ...(site !== undefined && { 'sec-fetch-site': site }),
            ...(referer !== undefined && { referer }),
            ...(kind === 'cookie' && { cookie }),
            ...(kind === 'basic' && { authorization: basic }),
            ...(kind === 'bearer' && { authorization: 'Bearer of-nobody' }),
            ...(value !== undefined && { 'x-csrf-token': value }),
          }
          const facts = [kind, decide(o, s, r), tokenKind, ['GET', 'HEAD'].includes(method) ? 'safe' : 'unsafe']
          const expected = outcomes.find((line) => facts.every((fact, index) => line[index] === 'any' || line[index] === fact))?.[4]
          const guarded = await app.inject({ method, url: '/guarded', headers })
          const got = guarded.statusCode !== 200 ? guarded.statusCode : method === 'HEAD' ? expected : guarded.body
          const open = await app.inject({ method: 'POST', url: '/open', headers })
          const known = kind === 'cookie' && decide(o, s, r) === 'same site' ? 'ann@example.com' : 'nobody'
          if (got !== expected || open.body !== known || guarded.headers['set-cookie'] !== undefined) wrong.push(`${method} ${tokenKind} ${JSON.stringify(headers)}: expected ${expected} and ${known}, got ${got} and ${open.body}`)
        }
  t.ok(count > 2000, `${count} requests`)
  t.same(wrong.slice(0, 10), [])
})

t.test('a scheme of the app’s own sees no cookie in a request from another site', async (t) => {
  const seen: unknown[] = []
  const app = await createApp({
    directory: await temporaryFolder(t),
    define: () => {
      authenticate(({ headers, cookies }) => {
        seen.push([headers['cookie'], headers.has('cookie'), { ...cookies }])
        return null
      })
      define()
    },
    options: { name: 'test', origin: own },
    logTo: { write: () => undefined },
  })
  t.teardown(() => app.close())
  const cookie = 'token=abc; rowhouse_test_session=x'
  for (const origin of [own, 'https://evil.example']) await app.inject({ url: '/optional', headers: { host: 'app.example', origin, cookie } })
  t.same(seen, [
    ['token=abc', true, { token: 'abc' }],
    [undefined, false, {}],
  ])
})
