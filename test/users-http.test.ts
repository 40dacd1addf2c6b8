import { defineTables, httpEndpoint, request, text, users } from 'rowhouse'
import t from 'tap'
import { basic, buildApp, temporaryFolder } from './support/app.ts'
import { takesLong } from './support/needs.ts'
import { withGuarded } from '../dist/db/rows/guarded-values.js'

const password = 'correct: horse: bättery'
const here = '192.0.2.1'
const elsewhere = '198.51.100.7'
const api = '/_/api'

/** An app with an endpoint for each requirement, and a user. */
async function appWithUser(t: Parameters<typeof buildApp>[0], folder?: string) {
  const seen = () => ({ user: users.getUser()?.email ?? null, same: request.user?.equals(users.getUser()) ?? null, username: request.username, password: request.password })
  const define = () => {
    httpEndpoint('/me', { authenticateUsers: true }, seen)
    httpEndpoint('/row', { authenticateUsers: true }, () => users.getUser())
    httpEndpoint('/judged', { requireCredentials: true }, seen)
    httpEndpoint('/required', { requireAuth: true }, seen)
    httpEndpoint('/open', seen)
  }
  const app = await buildApp(t, define, {}, folder)
  const service = app.server.rowhouse.users
  if (folder === undefined) await service.add('me@example.com', password)
  const get = (path: string, headers: Record<string, string> = {}, remoteAddress = here) => app.server.inject({ url: api + path, headers, remoteAddress })
  const attempt = async (email: string, secret: string, remoteAddress = here) => (await get('/me', basic(email, secret), remoteAddress)).statusCode
  return { ...app, service, get, attempt }
}

t.test('the right credentials make the user known to the handler, and hidden columns stay out of the answer', async (t) => {
  const { get, service } = await appWithUser(t)
  const reply = await get('/me', basic('me@example.com', password))
  t.equal(reply.statusCode, 200)
  t.strictSame(reply.json(), { user: 'me@example.com', same: true, username: 'me@example.com', password })
  const row = await get('/row', basic('ME@example.com', password))
  t.match(row.json(), { email: 'me@example.com', enabled: true, id: /^\[\d+,\d+\]$/ })
  t.notMatch(row.body, /argon2|passwordHash|emailKey|sessionEpoch/)
  await service.add('you@example.com', 'another password')
  t.equal((await get('/me', basic('you@example.com', 'another password'))).json<{ user: string }>().user, 'you@example.com')
})

t.test('users sign in whose hashes were written with their parameters in either order, as argon2 did before 0.45 and does since', async (t) => {
  const stored = {
    'before@example.com': '$argon2id$v=19$m=19456,t=2,p=1$XZx7geVPJITN9G6lAaXv2Q$UjpxRSKybZza4K09VH6Bi92aW3hx7WsYbwGoBW1GryM',
    'since@example.com': '$argon2id$v=19$m=19456,p=1,t=2$XZx7geVPJITN9G6lAaXv2Q$UjpxRSKybZza4K09VH6Bi92aW3hx7WsYbwGoBW1GryM',
  }
  const hashes = new Map<string, string | null>()
  const { server } = await buildApp(t, () => {
    const tables = defineTables({})
    httpEndpoint('/import', { methods: ['POST'] }, async () => {
      for (const [email, passwordHash] of Object.entries(stored)) await (await tables.users.get({ email }))?.update(withGuarded({}, { passwordHash }))
    })
    httpEndpoint('/me', { authenticateUsers: true }, () => {
      const user = users.getUser()
      if (user !== null) hashes.set(user.email, user.passwordHash)
      return user?.email
    })
  })
  for (const email of [...Object.keys(stored), 'new@example.com']) await server.rowhouse.users.add(email, 'a quiet evening')
  t.equal((await server.inject({ method: 'POST', url: `${api}/import` })).statusCode, 200)
  const signIn = async (email: string, secret: string) => (await server.inject({ url: `${api}/me`, headers: basic(email, secret) })).statusCode
  for (const email of Object.keys(stored)) {
    t.equal(await signIn(email, 'a quiet evening'), 401, 'the password that it had before')
    t.equal(await signIn(email, 'a quiet afternoon'), 200, email)
  }
  t.strictSame(Object.fromEntries(hashes), stored, 'and neither hash is written anew for its order')
  t.equal(await signIn('new@example.com', 'a quiet evening'), 200)
  t.match(hashes.get('new@example.com'), /^\$argon2id\$v=19\$m=19456,p=1,t=2\$/)
})

t.test('own code adds users and sets passwords by their methods, and writes no hash in any other way', async (t) => {
  const attempts = (tables: ReturnType<typeof defineTables<Record<never, never>>>, changes: Record<string, unknown>): (() => Promise<unknown>)[] => [
    () => tables.users.addRow({ email: 'new@example.com', ...changes }),
    () => tables.users.addRows([{ email: 'new@example.com', ...changes }]),
    () => tables.users.upsert({ email: 'new@example.com' }, changes),
    () => tables.users.upsert({ email: 'me@example.com' }, changes),
    async () => (await tables.users.get({ email: 'me@example.com' }))?.update(changes),
    () => tables.users.search().update(changes),
    async () => (await tables.users.get({ email: 'me@example.com' }))?.update({ ...withGuarded({}, changes) }),
    () => users.add('new@example.com', password, { sessionEpoch: 7, ...changes }),
  ]
  const hash = '$argon2id$v=19$m=19456,t=2,p=1$XZx7geVPJITN9G6lAaXv2Q$UjpxRSKybZza4K09VH6Bi92aW3hx7WsYbwGoBW1GryM'
  const { server } = await buildApp(t, () => {
    const tables = defineTables({})
    httpEndpoint('/join', { methods: ['POST'], params: { email: text(), password: text() } }, async (args) => (await users.add(args.email, args.password)).email)
    httpEndpoint('/password', { methods: ['POST'], params: { email: text(), password: text() } }, (args) => users.setPassword(args.email, args.password))
    httpEndpoint('/me', { authenticateUsers: true }, () => users.getUser()?.email)
    httpEndpoint('/tries', { methods: ['POST'] }, async () => {
      const told: unknown[] = []
      for (const changes of [{ passwordHash: hash }, { passwordHash: null }, { sessionEpoch: 0 }]) {
        for (const attempt of attempts(tables, changes)) told.push(await attempt().then(() => 'written', (error: unknown) => (error as { code?: unknown }).code))
      }
      return told
    })
    httpEndpoint('/leave', { methods: ['POST'] }, async () => (await tables.users.get({ email: 'me@example.com' }))?.update({ enabled: false, confirmedEmail: true, lastLogin: new Date(0) }))
  })
  const post = (path: string, body?: object) => server.inject({ method: 'POST', url: api + path, ...(body && { payload: body }) })
  const signIn = async (secret: string) => (await server.inject({ url: `${api}/me`, headers: basic('me@example.com', secret) })).statusCode
  t.match(await post('/join', { email: 'me@example.com', password }), { statusCode: 200, body: 'me@example.com' })
  t.match(await post('/join', { email: 'me@example.com', password }), { statusCode: 409 })
  t.match(await post('/join', { email: 'you@example.com', password: 'you@example.com' }), { statusCode: 400, body: /may not be the e-mail address/ })
  t.match(await post('/join', { email: 'a:b@example.com', password }), { statusCode: 400, body: /without spaces, colons/ })
  t.equal(await signIn(password), 200)
  t.strictSame((await post('/tries')).json(), Array(24).fill('read-only'))
  t.equal(await server.rowhouse.users.verify('new@example.com', password, here), null)
  t.equal(await signIn(password), 200, 'nothing was written')
  t.equal(await signIn('a quiet afternoon'), 401)
  t.match(await post('/password', { email: 'me@example.com', password: '00000000' }), { statusCode: 400, body: /tried first/ })
  t.equal((await post('/password', { email: 'me@example.com', password: 'another password' })).statusCode, 200)
  t.equal(await signIn(password), 401)
  t.equal(await signIn('another password'), 200)
  t.match((await post('/leave')).json(), { enabled: false, confirmedEmail: true, lastLogin: '1970-01-01T00:00:00.000Z' }, 'what else is known of a user is for the app to write')
  t.equal(await signIn('another password'), 401)
})

t.test('where credentials are only required, the handler sees them and no user, right or wrong', async (t) => {
  const { get } = await appWithUser(t)
  for (const path of ['/judged', '/required', '/open']) {
    t.strictSame((await get(path, basic('admin', 'a:b'))).json(), { user: null, same: null, username: 'admin', password: 'a:b' })
  }
  for (const path of ['/judged', '/required']) t.equal((await get(path)).statusCode, 401)
  t.strictSame((await get('/open')).json(), { user: null, same: null, username: null, password: null })
})

t.test('every refusal is the same answer, whatever its cause', async (t) => {
  const { get, service, log } = await appWithUser(t)
  await service.add('disabled@example.com', password)
  await service.setEnabled('disabled@example.com', false)
  const refusals = [
    {},
    { authorization: 'Basic' },
    { authorization: 'Basic !' },
    { authorization: `Basic ${Buffer.from([0x6d, 0x3a, 0xff]).toString('base64')}` },
    { authorization: 'Bearer abc' },
    basic('me@example.com', 'wrong password'),
    basic('me@example.com', ''),
    basic('me@example.com', `${password}\0`),
    basic('me@example.com', 'x'.repeat(257)),
    basic('unknown@example.com', password),
    basic('no address', password),
    basic('disabled@example.com', password),
  ]
  const seen = new Set<string>()
  for (const headers of refusals) {
    const { statusCode, headers: answered, body } = await get('/me', headers)
    const { date: _date, 'x-request-id': _id, ...told } = answered
    seen.add(JSON.stringify([statusCode, told, body]))
  }
  t.equal(seen.size, 1)
  t.match([...seen][0], /^\[401,.*"www-authenticate":"Basic realm=\\"test\\", charset=\\"UTF-8\\"".*,"Unauthorized"\]$/)
  t.notMatch(JSON.stringify(log), /horse|wrong password|Basic [A-Za-z0-9]|argon2/, 'and no log line has a password or a header')
})

t.test('a flood of wrong passwords gets 401, 429 and 503 with Retry-After, and the owner gets in from elsewhere meanwhile', { skip: takesLong('it tries hundreds of passwords') }, async (t) => {
  const { get, attempt } = await appWithUser(t)
  const replies = await Promise.all([
    ...Array.from({ length: 200 }, (_, n) => get('/me', basic('me@example.com', `wrong password ${n}`))),
    get('/me', basic('me@example.com', password), elsewhere),
  ])
  t.equal(replies.pop()?.statusCode, 200)
  t.equal(replies.filter(({ statusCode }) => statusCode === 401).length, 10)
  for (const { statusCode, headers, body } of replies) {
    if (statusCode === 401) continue
    t.ok(statusCode === 429 || statusCode === 503, `${statusCode}`)
    t.match(headers['retry-after'], /^[1-9]\d*$/)
    t.equal(headers['www-authenticate'], undefined)
    t.notMatch(body, /me@example|wrong password/)
  }
  const [known, unknown] = [await get('/me', basic('me@example.com', 'still wrong')), await (async () => {
    for (let n = 0; n < 10; n++) await attempt('unknown@example.com', `wrong password ${n}`)
    return get('/me', basic('unknown@example.com', 'still wrong'))
  })()]
  t.equal(known.statusCode, 429)
  t.equal(unknown.statusCode, 429)
  t.equal(known.body, unknown.body, 'an unknown address waits like a known one')
  t.equal(await attempt('me@example.com', password), 200, 'whoever has been verified is not slowed, in the waiting network either')
})

t.test('a changed password, a disabled and a deleted user are refused on the very next request', async (t) => {
  const { attempt, service } = await appWithUser(t)
  t.equal(await attempt('me@example.com', password), 200)
  await service.setPassword('me@example.com', 'another password')
  t.equal(await attempt('me@example.com', password), 401)
  t.equal(await attempt('me@example.com', 'another password'), 200)
  await service.setEnabled('me@example.com', false)
  t.equal(await attempt('me@example.com', 'another password'), 401)
  await service.setEnabled('me@example.com', true)
  t.equal(await attempt('me@example.com', 'another password'), 200)
  await service.remove('me@example.com')
  t.equal(await attempt('me@example.com', 'another password'), 401)
})

t.test('a restart forgets no failure', async (t) => {
  const folder = await temporaryFolder(t)
  const first = await appWithUser(t, folder)
  await first.service.add('me@example.com', password)
  for (let n = 0; n < 10; n++) t.equal(await first.attempt('me@example.com', `wrong password ${n}`), 401)
  await first.server.close()
  const second = await appWithUser(t, folder)
  t.equal(await second.attempt('me@example.com', 'wrong password'), 429)
  t.equal(await second.attempt('me@example.com', password, elsewhere), 200)
})
