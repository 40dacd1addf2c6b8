import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import { createApp, csrfToken, errorHandler, eventStream, HttpError, httpEndpoint, HttpResponse, request, route, session, transaction, users, users as exported, type UserRow } from 'rowhouse'
import { basic, buildApp, startApp, temporaryFolder, type Settings } from './support/app.ts'
import { Jar } from './support/jar.ts'
import { needs, takesLong } from './support/needs.ts'
import { openTables } from './support/open-tables.ts'
import { defineTables } from '../dist/db/schema/define-tables.js'
import { Users } from '../dist/server/services/accounts/users.js'
import { Sessions } from '../dist/server/services/sessions/sessions.js'

const run = promisify(execFile)
const password = 'a quiet afternoon'
const cookieName = 'rowhouse_test_session'
const own = 'https://app.example'

const logIn = async ({ email }: { readonly email: string }): Promise<string> => {
  const user = await users.byEmail(email)
  if (user === null) throw new HttpError(404)
  await users.logIn(user)
  return users.getUser()?.email ?? 'nobody'
}

/** An app whose pages sign people in and tell who that is. */
function define(): void {
  const who = (): string => users.getUser()?.email ?? 'nobody'
  const post = { methods: ['POST' as const] }
  route('/who', { methods: ['GET', 'POST'] }, who)
  route('/mine', { authenticateUsers: true }, (_args, { user }) => user.email)
  route('/optional', { authenticateUsers: 'optional' }, who)
  route('/shown', { requireCredentials: true }, who)
  route('/shared', { methods: ['GET', 'POST'], crossSiteSession: true }, who)
  // Signs in whoever says so, which no app should do.
  route('/in/<email>', post, logIn)
  route('/sign-in', post, async (args) => {
    const user = await users.verify(String(args['email']), String(args['password']))
    if (user === null) throw new HttpError(403, 'wrong')
    await users.logIn(user)
    return who()
  })
  route('/out', post, async () => {
    await users.logOut()
    return who()
  })
  route('/password/<password>', { methods: ['POST'], authenticateUsers: true }, async (args, { user }) => {
    await users.setPassword(user.email, String(args['password']))
    return who()
  })
  route('/get/<key>', (args) => ({ value: session.get(String(args['key'])) }))
  route('/set/<key>/<value>', { methods: ['GET', 'POST'] }, async (args) => {
    await pause(Math.random() * 5)
    session.set(String(args['key']), args['value'])
    return 'set'
  })
  route('/delete/<key>', post, (args) => {
    session.delete(String(args['key']))
    return 'deleted'
  })
  route('/clear', post, () => {
    session.clear()
    return 'cleared'
  })
  route('/sessions', { authenticateUsers: true }, () => users.sessions())
  route('/end/<handle>', post, (args) => users.endSession(String(args['handle'])))
  route('/end-all', { methods: ['POST'], authenticateUsers: true }, (_args, { user }) => users.endSessions(user))
  route('/end-others', { methods: ['POST'], authenticateUsers: true }, (_args, { user }) => users.endSessions(user, { exceptCurrent: true }))
}

async function appWith(t: Test, settings: Settings = {}, more: () => void = () => undefined, folder?: string) {
  const app = await buildApp(
    t,
    () => {
      define()
      more()
    },
    settings,
    folder,
  )
  for (const name of ['ann', 'bob']) await app.server.rowhouse.users.add(`${name}@example.com`, password).catch(() => undefined)
  /** The stored sessions, seen and changed by another process: what reads in the same turn of the event loop may not know it. */
  const stored = async <Row>(sql: string, ...values: unknown[]): Promise<Row[]> => {
    await nextTurn()
    const database = new Database(join(app.directory, '.rowhouse', 'rowhouse.db'))
    try {
      const statement = database.prepare(sql)
      return statement.reader ? (statement.all(...values) as Row[]) : (statement.run(...values), [])
    } finally {
      database.close()
      await nextTurn()
    }
  }
  const signedIn = async (name = 'ann', headers: Readonly<Record<string, string>> = {}): Promise<Jar> => {
    const jar = new Jar(app.server)
    t.equal(await jar.text(`/in/${name}@example.com`, { method: 'POST', headers }), `${name}@example.com`, 'the call itself is the user’s at once')
    return jar
  }
  return { ...app, users: app.server.rowhouse.users, stored, signedIn }
}

t.test('whoever has signed in is known by the cookie on every endpoint, also where nobody is asked for', async (t) => {
  const { server, signedIn } = await appWith(t)
  const jar = await signedIn()
  for (const path of ['/who', '/mine', '/optional', '/shared']) t.equal(await jar.text(path), 'ann@example.com', path)
  t.equal((await jar.ask('/shown')).statusCode, 401, 'a session is no credentials')
  t.equal(await jar.text('/shown', { headers: basic('whoever', 'x') }), 'ann@example.com')
  const stranger = new Jar(server)
  t.equal(await stranger.text('/who'), 'nobody')
  t.equal((await stranger.ask('/mine')).statusCode, 401)
  t.equal(stranger.cookies.size, 0, 'and nothing begins without being asked for')
})

t.test('a password that was verified signs in', async (t) => {
  const { server } = await appWith(t)
  const jar = new Jar(server)
  t.equal((await jar.ask('/sign-in', { method: 'POST', form: { email: 'ann@example.com', password: 'wrong one here' } })).statusCode, 403)
  t.equal(jar.cookies.size, 0)
  t.equal(await jar.text('/sign-in', { method: 'POST', form: { email: 'Ann@Example.com', password } }), 'ann@example.com')
  t.equal(await jar.text('/mine'), 'ann@example.com')
})

t.test('the cookie is for this host alone, for no script, and for no other site', async (t) => {
  const { server, stored } = await appWith(t, { trustedProxies: ['127.0.0.1'] })
  const plain = await server.inject({ method: 'POST', url: '/in/ann@example.com' })
  t.match(String(plain.headers['set-cookie']), /^rowhouse_test_session=[\w-]{43}; Max-Age=2592000; Path=\/; HttpOnly; SameSite=Lax$/)
  const secure = await server.inject({ method: 'POST', url: '/in/ann@example.com', headers: { 'x-forwarded-proto': 'https' } })
  t.match(String(secure.headers['set-cookie']), /^__Host-rowhouse_test_session=[\w-]{43}; Max-Age=2592000; Path=\/; Secure; HttpOnly; SameSite=Lax$/)
  const ids = [plain, secure].map(({ headers }) => /=([\w-]{43});/.exec(String(headers['set-cookie']))?.[1] ?? '')
  const rows = JSON.stringify(await stored('SELECT * FROM rowhouse_sessions'))
  for (const id of ids) t.notMatch(rows, id, 'no id is stored')
})

t.test('what is damaged, unknown or old counts as no session, without a word', async (t) => {
  const { server, signedIn } = await appWith(t)
  const jar = await signedIn()
  const id = jar.cookies.get(cookieName) ?? ''
  for (const value of ['', 'x', `${id}x`, id.slice(1), `${id.slice(0, -1)}${id.endsWith('A') ? 'B' : 'A'}`, 'A'.repeat(43), `"${id}"`, '%00', 'a'.repeat(3000)]) {
    const damaged = new Jar(server, [[cookieName, value]])
    const open = await damaged.ask('/who')
    t.equal(open.body, 'nobody', value.slice(0, 50))
    t.equal(open.headers['set-cookie'], undefined, 'it may be one that has just been replaced')
    t.equal((await damaged.ask('/mine')).statusCode, 401)
    const out = await damaged.ask('/out', { method: 'POST' })
    t.equal(out.statusCode, 200, 'signing out is no mistake')
    t.match(String(out.headers['set-cookie']), /Max-Age=0/, 'and clears it')
  }
  const planted = await server.inject({ url: '/who', headers: { cookie: `${cookieName}=planted; ${cookieName}=${id}` } })
  t.equal(planted.body, 'ann@example.com', 'one that a neighbour has put in front keeps nobody out')
})

t.test('credentials beside a session have to be right, and the session stays', async (t) => {
  const { signedIn } = await appWith(t)
  const jar = await signedIn()
  for (const path of ['/mine', '/optional']) {
    t.equal((await jar.ask(path, { headers: basic('ann@example.com', 'wrong one here') })).statusCode, 401)
    t.equal((await jar.ask(path, { headers: { authorization: 'Bearer of-nobody' } })).statusCode, 401)
    t.equal(await jar.text(path, { headers: basic('bob@example.com', password) }), 'ann@example.com')
  }
})

t.test('no copy of a cookie is good for anything once its session has ended, whatever has ended it, also after a restart', { skip: takesLong('it hashes many passwords') }, async (t) => {
  const { server, users, signedIn, directory } = await appWith(t)
  const ends: Record<string, (jar: Jar, name: string) => Promise<unknown>> = {
    'a log-out': (jar) => jar.text('/out', { method: 'POST' }),
    'another password': (_jar, name) => users.setPassword(`${name}@example.com`, 'another afternoon'),
    'being disabled': (_jar, name) => users.setEnabled(`${name}@example.com`, false),
    'being disabled and enabled again': (_jar, name) => users.setEnabled(`${name}@example.com`, false).then(() => users.setEnabled(`${name}@example.com`, true)),
    'being deleted': (_jar, name) => users.remove(`${name}@example.com`),
    'another log-in': (jar) => jar.text('/in/bob@example.com', { method: 'POST' }),
    'its end by name': async (jar) => jar.text(`/end/${(JSON.parse(await jar.text('/sessions')) as [{ handle: string }])[0].handle}`, { method: 'POST' }),
    'the end of all': (jar) => jar.text('/end-all', { method: 'POST' }),
  }
  const copies: [string, Jar][] = []
  for (const [index, [what, end]] of Object.entries(ends).entries()) {
    const name = `user${index}`
    await users.add(`${name}@example.com`, password)
    const jar = await signedIn(name)
    const copy = jar.stolen()
    t.equal(await copy.text('/mine'), `${name}@example.com`)
    await end(jar, name)
    copies.push([what, copy])
  }
  const accepted = async (of: typeof server): Promise<string[]> => {
    const asked = copies.flatMap(([what, copy]) => ['/mine', '/who', '/optional'].map(async (path) => [what, (await copy.stolen(of).ask(path)).body] as const))
    return (await Promise.all(asked)).filter(([, body]) => !['Unauthorized', 'nobody'].includes(body)).map(([what]) => what)
  }
  t.same(await accepted(server), [])
  const goesOn = await signedIn('ann')
  await server.close()
  const { server: again } = await appWith(t, {}, undefined, directory)
  t.same(await accepted(again), [])
  t.equal(await goesOn.stolen(again).text('/mine'), 'ann@example.com', 'the others outlast the restart')
})

t.test('what a command does beside the running server ends sessions, too', { skip: takesLong('it starts programs') }, async (t) => {
  const { directory, users, signedIn } = await appWith(t)
  const command = (...words: string[]) => run('bash', ['-c', `echo 'another afternoon' | env NODE_OPTIONS= node dist/bin/rowhouse.js users ${words.join(' ')} --data ${join(directory, '.rowhouse')}`])
  for (const [name, word] of Object.entries({ one: 'password', two: 'disable', three: 'delete' })) {
    await users.add(`${name}@example.com`, password)
    const jar = await signedIn(name)
    await command(word, `${name}@example.com`)
    t.equal((await jar.ask('/mine')).statusCode, 401, word)
    t.equal(await jar.text('/who'), 'nobody', word)
  }
})

t.test('a session that was planted before the log-in is dead after it, and what it kept stays', async (t) => {
  const { server } = await appWith(t)
  const attacker = new Jar(server)
  await attacker.text('/set/color/blue', { method: 'POST' })
  const victim = attacker.stolen()
  await victim.text('/in/ann@example.com', { method: 'POST' })
  t.not(victim.cookies.get(cookieName), attacker.cookies.get(cookieName))
  t.equal(await attacker.text('/who'), 'nobody')
  t.same(JSON.parse(await attacker.text('/get/color')), { value: null })
  t.same(JSON.parse(await victim.text('/get/color')), { value: 'blue' })
  await victim.text('/set/secret/1', { method: 'POST' })
  const other = victim.stolen()
  await other.text('/in/bob@example.com', { method: 'POST' })
  t.same(JSON.parse(await other.text('/get/secret')), { value: null }, 'another user gets nothing of it')
})

t.test('the browser in which the password was changed goes on under a new id, and no other does', async (t) => {
  const { signedIn } = await appWith(t)
  const [here, elsewhere] = [await signedIn(), await signedIn()]
  await here.text('/set/color/blue', { method: 'POST' })
  const before = here.stolen()
  t.equal(await here.text('/password/another%20afternoon', { method: 'POST' }), 'ann@example.com')
  t.equal(await here.text('/mine'), 'ann@example.com')
  t.same(JSON.parse(await here.text('/get/color')), { value: 'blue' })
  for (const each of [before, elsewhere]) t.equal((await each.ask('/mine')).statusCode, 401)
})

t.test('a session that somebody ends while its password is changed stays ended', async (t) => {
  let change = (): void => undefined
  const asked = new Promise<void>((resolve) => (change = resolve))
  const { users, signedIn } = await appWith(t, {}, () => {
    route('/slowly', { methods: ['POST'], authenticateUsers: true }, async (_args, { user }) => {
      await asked
      await exported.setPassword(user.email, 'another afternoon')
      return exported.getUser()?.email ?? 'nobody'
    })
  })
  const jar = await signedIn()
  const slow = jar.text('/slowly', { method: 'POST' })
  const user = await users.byEmail('ann@example.com')
  t.ok(user)
  t.equal(await jar.stolen().text('/end-all', { method: 'POST' }), '1')
  change()
  t.equal(await slow, 'nobody')
  t.equal((await jar.ask('/mine')).statusCode, 401)
})

t.test('a stream that changes the password ends the session, and no more goes wrong', async (t) => {
  const { users, signedIn } = await appWith(t, {}, () => {
    route('/stream', { methods: ['POST'], authenticateUsers: true }, async function* (_args, { user }) {
      yield 'first, '
      await exported.setPassword(user.email, 'another afternoon')
      yield 'changed'
    })
  })
  const jar = await signedIn()
  t.equal(await jar.text('/stream', { method: 'POST' }), 'first, changed')
  t.equal((await jar.ask('/mine')).statusCode, 401)
  t.equal((await users.verify('ann@example.com', 'another afternoon', '127.0.0.1'))?.email, 'ann@example.com')
})

t.test('a user whose row was disabled and enabled again by the app has to sign in again, in whatever way it is written', async (t) => {
  const { server, signedIn } = await appWith(t)
  for (const write of [
    (user: UserRow, enabled: boolean) => user.update({ enabled }),
    (user: UserRow, enabled: boolean) => user.update({ lastLogin: new Date(), enabled }),
  ]) {
    const jar = await signedIn()
    const user = await server.rowhouse.users.byEmail('ann@example.com')
    if (user === null) throw new Error('ann is gone')
    await write(user, false)
    t.equal((await jar.stolen().ask('/mine')).statusCode, 401)
    await write(user, true)
    t.equal((await jar.ask('/mine')).statusCode, 401)
  }
  const jar = await signedIn()
  await (await server.rowhouse.users.byEmail('ann@example.com'))?.update({ enabled: true })
  t.equal(await jar.text('/mine'), 'ann@example.com', 'who was enabled and stays so is not signed out')
})

t.test('inside of a transaction nobody is signed in or out, since the browser would be told what may be rolled back', async (t) => {
  const { log, signedIn } = await appWith(t, {}, () => {
    const ways: Record<string, (user: UserRow) => Promise<unknown>> = {
      in: (user) => exported.logIn(user),
      out: () => exported.logOut(),
      all: (user) => exported.endSessions(user),
      force: () => exported.forceLogin(null),
    }
    route('/inside/<way>', { methods: ['POST'], authenticateUsers: true }, (args, { user }) => transaction(async () => ways[String(args['way'])]?.(user)))
    route('/inside-password', { methods: ['POST'], authenticateUsers: true }, async (_args, { user }) => {
      await transaction(async () => {
        await exported.setPassword(user.email, 'another afternoon')
        throw new HttpError(409, 'no')
      })
    })
  })
  const jar = await signedIn()
  for (const way of ['in', 'out', 'all', 'force']) {
    const answer = await jar.ask(`/inside/${way}`, { method: 'POST' })
    t.equal(answer.statusCode, 500, way)
    t.equal(answer.headers['set-cookie'], undefined, 'the browser is told nothing')
    t.equal(await jar.text('/mine'), 'ann@example.com')
  }
  t.equal(log.filter((line) => JSON.stringify(line).includes('session-in-transaction')).length, 4)
  t.equal((await jar.ask('/inside-password', { method: 'POST' })).statusCode, 409)
  t.equal(await jar.text('/mine'), 'ann@example.com', 'a password that was not changed ends nothing')
})

t.test('what was put into the session of one user does not go on to the next', async (t) => {
  const { users, signedIn } = await appWith(t, {}, () => {
    route('/hand-over', { methods: ['POST'] }, async () => {
      session.set('mine', 'ann')
      const bob = await exported.byEmail('bob@example.com')
      if (bob !== null) await exported.logIn(bob)
      return 'handed over'
    })
  })
  t.ok(await users.byEmail('bob@example.com'))
  const jar = await signedIn()
  t.equal(await jar.text('/hand-over', { method: 'POST' }), 'handed over')
  t.equal(await jar.text('/who'), 'bob@example.com')
  t.same(JSON.parse(await jar.text('/get/mine')), { value: null })
})

t.test('a user sees in which browsers they have signed in, and ends any of them', async (t) => {
  const { server, signedIn } = await appWith(t)
  const [one, two, three] = [await signedIn(), await signedIn(), await signedIn()]
  await signedIn('bob')
  type Listed = { handle: string; created: string; lastSeen: string; userAgent: string; isCurrent: boolean }
  const list = async (jar: Jar): Promise<Listed[]> => JSON.parse(await jar.text('/sessions')) as Listed[]
  const listed = await list(one)
  t.equal(listed.length, 3)
  t.equal(listed.filter(({ isCurrent }) => isCurrent).length, 1)
  t.match(listed[0], { userAgent: /lightMyRequest/, created: /^20\d\d-/, lastSeen: /^20\d\d-/ })
  const handle = (await list(two)).find(({ isCurrent }) => isCurrent)?.handle ?? ''
  t.equal((await new Jar(server, [[cookieName, handle]]).ask('/mine')).statusCode, 401, 'a handle opens nothing')
  t.equal(await one.text(`/end/${handle}`, { method: 'POST' }), 'true')
  t.equal(await one.text(`/end/${handle}`, { method: 'POST' }), 'false')
  t.equal((await two.ask('/mine')).statusCode, 401)
  t.equal(await one.text('/end-others', { method: 'POST' }), '1')
  t.equal((await three.ask('/mine')).statusCode, 401)
  t.equal(await one.text('/mine'), 'ann@example.com')
  t.equal(await one.text('/end-all', { method: 'POST' }), '1')
  t.equal(one.cookies.size, 0)
})

t.test('a session ends after a time without requests, and after its whole life however busy it is', async (t) => {
  const { stored, signedIn } = await appWith(t, { sessionIdleTimeout: 10 * 60_000, sessionLifetime: 60 * 60_000 })
  const minutes = (count: number): number => count * 60_000
  const age = (column: string, by: number): Promise<unknown> => stored(`UPDATE rowhouse_sessions SET ${column} = ${column} - ?`, by)
  const jar = await signedIn()
  await age('last_seen', minutes(9))
  t.equal(await jar.text('/who'), 'ann@example.com')
  await pause(50)
  await age('last_seen', minutes(9))
  t.equal(await jar.text('/who'), 'ann@example.com', 'a request keeps it going')
  await pause(50)
  await age('last_seen', minutes(10) + 1000)
  t.equal(await jar.text('/who'), 'nobody')
  const busy = await signedIn()
  await age('expires', minutes(59))
  t.equal(await busy.text('/who'), 'ann@example.com')
  await age('expires', minutes(1) + 1000)
  t.equal(await busy.text('/who'), 'nobody')
  t.equal((await busy.ask('/mine')).statusCode, 401)
})

t.test('a request of a session writes nothing unless a minute has passed, and what has expired is swept away', async (t) => {
  const { stored, signedIn } = await appWith(t)
  const jar = await signedIn()
  const seen = async (): Promise<number> => (await stored<{ last_seen: number }>('SELECT last_seen FROM rowhouse_sessions'))[0]?.last_seen ?? 0
  const before = await seen()
  for (let count = 0; count < 20; count++) await jar.text('/who')
  t.equal(await seen(), before)
  await stored('UPDATE rowhouse_sessions SET last_seen = last_seen - 61000')
  await jar.text('/who')
  await pause(50)
  t.ok((await seen()) >= before)
  for (let count = 0; count < 7; count++) await signedIn()
  await stored('UPDATE rowhouse_sessions SET last_seen = last_seen - 3600000')
  await signedIn()
  await signedIn()
  await pause(50)
  t.equal((await stored('SELECT 1 FROM rowhouse_sessions')).length, 2)
})

t.test('a session keeps values before and after a log-in, and begins only for what is kept', async (t) => {
  const { server, stored } = await appWith(t)
  const jar = new Jar(server)
  t.same(JSON.parse(await jar.text('/get/color')), { value: null })
  await jar.text('/delete/color', { method: 'POST' })
  await jar.text('/clear', { method: 'POST' })
  t.equal(jar.cookies.size, 0)
  t.equal((await stored('SELECT 1 FROM rowhouse_sessions')).length, 0)
  await jar.text('/set/color/blue', { method: 'POST' })
  await jar.text('/set/size/4', { method: 'POST' })
  t.same(JSON.parse(await jar.text('/get/color')), { value: 'blue' })
  await jar.text('/delete/color', { method: 'POST' })
  t.same(JSON.parse(await jar.text('/get/color')), { value: null })
  t.same(JSON.parse(await jar.text('/get/size')), { value: '4' })
  await jar.text('/clear', { method: 'POST' })
  t.same(JSON.parse(await jar.text('/get/size')), { value: null })
  const version = async (): Promise<unknown> => (await stored<{ version: number }>('SELECT version FROM rowhouse_sessions'))[0]?.version
  const before = await version()
  await jar.text('/clear', { method: 'POST' })
  t.equal(await version(), before, 'nothing is written where nothing changes')
})

t.test('requests that change different keys at the same time do not undo one another', async (t) => {
  const { server } = await appWith(t)
  const jar = new Jar(server)
  await jar.text('/set/first/0', { method: 'POST' })
  await Promise.all(Array.from({ length: 40 }, (_, index) => jar.text(`/set/key${index}/${index}`, { method: 'POST' })))
  for (let index = 0; index < 40; index++) t.same(JSON.parse(await jar.text(`/get/key${index}`)), { value: String(index) })
})

t.test('what the session keeps gets neither into the log nor onto the page of an error, and no token does', async (t) => {
  const tokens: string[] = []
  const { server, lines } = await buildApp(
    t,
    () => {
      route('/keep', () => session.set('card', { number: '4711-0815', names: ['Ann of the hill'] }))
      route('/token', () => csrfToken())
      route('/look', () => {
        const { number, names } = session.get('card', { number: '', names: [''] })
        const token = csrfToken()
        tokens.push(token)
        throw new Error(`nobody has the number ${number}, of ${names[0]}, with ${token}`)
      })
      route('/sent', { methods: ['POST'], csrf: true }, async () => {
        throw new Error(`the body was ${await request.text()}`)
      })
    },
    { debug: true },
  )
  const jar = new Jar(server)
  await jar.text('/keep')
  const token = await jar.text('/token')
  tokens.push(token)
  const pages = [await jar.ask('/look', { headers: { accept: 'text/html' } }), await jar.ask('/sent', { method: 'POST', form: { title: 'shown', _csrf: token }, headers: { accept: 'text/html' } })]
  const told = [...lines, ...pages.map(({ body }) => body)].join('')
  t.match(told, 'nobody has the number [hidden], of [hidden], with [hidden]')
  t.match(told, /the body was title=shown&(?:amp;)?_csrf=\[hidden\]/)
  for (const secret of ['4711-0815', 'Ann of the hill', ...tokens]) t.notOk(told.includes(secret), secret)
})

t.test('a null that was kept is a value, which no default replaces', async (t) => {
  const { server } = await buildApp(t, () => {
    route('/keep', () => session.set('a', null))
    route('/read', () => [session.get('a', 'default'), session.get('b', 'default'), session.has('a')])
  })
  const jar = new Jar(server)
  await jar.text('/keep')
  t.same((await jar.ask('/read')).json(), [null, 'default', true])
})

t.test('values that are no JSON or too long are refused, and what is there stays', async (t) => {
  const codes: unknown[] = []
  const { server } = await appWith(t, {}, () => {
    route('/refused', { methods: ['POST'] }, () => {
      session.set('kept', { list: [1, 'two', null] })
      for (const value of ['x'.repeat(70_000), undefined, () => 1, Number.NaN]) {
        try {
          session.set('refused', value)
        } catch (error) {
          codes.push((error as { code: unknown }).code)
        }
      }
      return { has: session.has('refused'), kept: session.get('kept') }
    })
  })
  const jar = new Jar(server)
  t.same(JSON.parse(await jar.text('/refused', { method: 'POST' })), { has: false, kept: { list: [1, 'two', null] } })
  t.same(codes.slice(0, 3), ['session-too-large', 'session-not-json', 'session-not-json'])
})

t.test('what is kept is written down before the answer, errors included, and a call that has failed keeps what it did', async (t) => {
  const { server } = await appWith(t, {}, () => {
    route('/fails', { methods: ['POST'] }, () => {
      session.set('flash', 'not today')
      throw new HttpError(409, 'no')
    })
    route('/breaks', { methods: ['POST'] }, async () => {
      await logIn({ email: 'ann@example.com' })
      throw new Error('broken')
    })
    route('/missing-page', () => 'there')
    errorHandler(404, () => `nothing here for ${users.getUser()?.email} who likes ${session.get('color', 'no color')}`)
  })
  const jar = new Jar(server)
  t.equal((await jar.ask('/fails', { method: 'POST' })).statusCode, 409)
  t.same(JSON.parse(await jar.text('/get/flash')), { value: 'not today' })
  t.equal((await jar.ask('/breaks', { method: 'POST' })).statusCode, 500)
  t.equal(await jar.text('/who'), 'ann@example.com')
  await jar.text('/set/color/blue', { method: 'POST' })
  t.equal((await jar.ask('/nowhere')).body, 'nothing here for ann@example.com who likes blue', 'a page for an error knows the session')
})

t.test('a stream can change its session until its first piece', async (t) => {
  const late: unknown[] = []
  const { server } = await appWith(t, {}, () => {
    route('/stream', async function* () {
      session.set('first', 1)
      yield 'one'
      try {
        session.set('second', 2)
      } catch (error) {
        late.push((error as { code: unknown }).code)
      }
      yield 'two'
    })
  })
  const jar = new Jar(server)
  t.equal(await jar.text('/stream'), 'onetwo')
  t.same(JSON.parse(await jar.text('/get/first')), { value: 1 })
  t.same(late, ['session-too-late'])
})

t.test('a request from another site has no session, and takes none away', async (t) => {
  const { server, signedIn, stored } = await appWith(t, { origin: own })
  const home = { host: 'app.example' }
  const jar = await signedIn('ann', home)
  const before = [...jar.cookies]
  const foreign = { host: 'app.example', origin: 'https://evil.example' }
  t.equal(await jar.text('/who', { method: 'POST', headers: foreign }), 'nobody')
  t.equal(await jar.text('/shared', { method: 'POST', headers: foreign }), 'ann@example.com', 'unless the endpoint says so')
  t.equal(await jar.text('/who', { headers: { host: 'app.example', referer: 'https://evil.example/page' } }), 'nobody')
  t.equal(await jar.text('/who', { headers: { host: 'app.example', referer: 'not a page' } }), 'nobody')
  t.equal(await jar.text('/who', { method: 'POST', headers: { host: 'app.example', origin: own } }), 'ann@example.com')
  const count = (await stored('SELECT 1 FROM rowhouse_sessions')).length
  for (const path of ['/in/bob@example.com', '/out', '/set/color/red', '/clear']) {
    const reply = await jar.ask(path, { method: 'POST', headers: foreign })
    t.equal(reply.statusCode, 200, path)
    t.equal(reply.headers['set-cookie'], undefined, path)
  }
  t.equal((await new Jar(server).ask('/in/bob@example.com', { method: 'POST', headers: foreign })).body, 'bob@example.com', 'the call itself is the user’s')
  t.same([...jar.cookies], before)
  t.equal((await stored('SELECT 1 FROM rowhouse_sessions')).length, count)
  t.equal(await jar.text('/who', { headers: home }), 'ann@example.com')
  t.same(JSON.parse(await jar.text('/get/color', { headers: home })), { value: null })
})

t.test('an endless answer ends soon after the session has ended in which it was asked for', { skip: takesLong('it waits until sessions are looked at again') }, async (t) => {
  const { server, url } = await startApp(t, () => {
    define()
    route('/events', { authenticateUsers: true }, () =>
      eventStream(
        (async function* () {
          yield 'first'
          await new Promise(() => undefined)
        })(),
        { heartbeat: 60_000 },
      ),
    )
  })
  await server.rowhouse.users.add('ann@example.com', password)
  const open = async (jar: Jar): Promise<{ ended: boolean; leave: () => void }> => {
    await jar.text('/in/ann@example.com', { method: 'POST' })
    const { body } = await fetch(`${url}/events`, { headers: { cookie: [...jar.cookies].map((pair) => pair.join('=')).join('; ') } })
    const reader = body?.getReader()
    await reader?.read()
    const state = { ended: false, leave: () => void reader?.cancel() }
    void reader?.read().then(() => (state.ended = true))
    return state
  }
  const [out, stays] = [new Jar(server), new Jar(server)]
  const [ending, going] = [await open(out), await open(stays)]
  await out.text('/out', { method: 'POST' })
  const begun = Date.now()
  while (!ending.ended && Date.now() - begun < 10_000) await pause(100)
  t.ok(ending.ended, 'within ten seconds')
  t.notOk(going.ended, 'that of another session goes on')
  going.leave()
})

t.test('a browser is not asked for a password by its own window, unless the app wants that; programs are told of HTTP Basic', async (t) => {
  const { server } = await appWith(t)
  const { server: prompting } = await appWith(t, { passwordPrompt: true })
  const challenge = async (of: typeof server, headers: Record<string, string>, url = '/mine'): Promise<unknown> => {
    const reply = await of.inject({ url, headers })
    t.equal(reply.statusCode, 401)
    return reply.headers['www-authenticate']
  }
  const basicChallenge = 'Basic realm="test", charset="UTF-8"'
  const browsers: Record<string, string>[] = [{ 'sec-fetch-mode': 'navigate', 'sec-fetch-site': 'none' }, { 'sec-fetch-mode': 'cors', 'sec-fetch-site': 'same-origin' }, { 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64)' }, { 'x-requested-with': 'XMLHttpRequest' }]
  for (const headers of browsers) {
    for (const url of ['/mine', '/shown']) t.equal(await challenge(server, headers, url), 'Session realm="test"', url)
    t.same(await challenge(prompting, headers), ['Session realm="test"', basicChallenge])
  }
  t.equal(await challenge(server, { 'user-agent': 'curl/8.5.0' }), basicChallenge)
  t.equal(await challenge(prompting, {}), basicChallenge)
})

t.test('the exports say where they work, and what they take', async (t) => {
  const told: Record<string, string> = {}
  const { server, users: service } = await appWith(t, {}, () => {
    route('/mistakes', async () => {
      const attempts: Record<string, () => unknown> = {
        'no row': () => users.logIn({ email: 'ann@example.com' } as unknown as UserRow),
        gone: async () => {
          const bob = await users.byEmail('bob@example.com')
          await service.setEnabled('bob@example.com', false)
          if (bob !== null) await users.logIn(bob)
        },
      }
      for (const [what, attempt] of Object.entries(attempts)) await Promise.resolve().then(attempt).catch((error: Error) => (told[what] = error.message))
      return (users.getUser() as { email: string } | null)?.email ?? 'nobody'
    })
    httpEndpoint('/old-names', async () => {
      await users.force_login(await users.byEmail('ann@example.com'))
      const before = users.get_user()?.email
      await users.logout()
      await users.forceLogin(null)
      return [before, users.getUser(), request.method]
    })
  })
  t.equal((await server.inject('/mistakes')).body, 'nobody')
  t.match(told, { 'no row': /takes a row of users, got an object/, gone: /gone or disabled/ })
  t.same((await server.inject('/_/api/old-names')).json(), ['ann@example.com', null, 'GET'])
  await t.rejects(users.logOut(), /only available while an endpoint runs/)
  t.throws(() => session.get('x'), /only available while an endpoint runs/)
})

t.test('a route of fastify.ts has the session, too', async (t) => {
  const server = await createApp({
    directory: await temporaryFolder(t),
    define,
    plugin: async (fastify) => {
      fastify.post('/plugin/in', async () => logIn({ email: 'ann@example.com' }))
      fastify.get('/plugin/who', async () => `${users.getUser()?.email ?? 'nobody'} ${session.get('color', 'no color')}`)
      fastify.get('/plugin/mine', { config: { authenticateUsers: true } }, async ({ user }) => user?.email)
      fastify.post('/plugin/set', async () => {
        session.set('color', 'blue')
        return 'set'
      })
      fastify.get('/plugin/cookie', async ({ headers }) => headers.cookie ?? 'none')
    },
    options: { name: 'test' },
    logTo: { write: () => undefined },
  })
  t.teardown(() => server.close())
  await server.rowhouse.users.add('ann@example.com', password)
  const jar = new Jar(server)
  t.equal(await jar.text('/plugin/who'), 'nobody no color')
  t.equal((await jar.ask('/plugin/mine')).statusCode, 401)
  await jar.text('/plugin/set', { method: 'POST' })
  t.equal(await jar.text('/plugin/in', { method: 'POST' }), 'ann@example.com')
  t.equal(await jar.text('/plugin/who'), 'ann@example.com blue')
  t.equal(await jar.text('/plugin/mine'), 'ann@example.com')
  t.equal(await jar.text('/who'), 'ann@example.com', 'it is the same session')
  t.equal(await jar.text('/plugin/cookie'), 'none', 'whose cookie no plugin sees')
})

t.test('curl keeps a session in its jar', { skip: needs('curl') }, async (t) => {
  const { server, url } = await startApp(t, define)
  await server.rowhouse.users.add('ann@example.com', password)
  const jar = join(await temporaryFolder(t), 'jar')
  const curl = async (...words: string[]): Promise<string> => (await run('curl', ['-s', '-c', jar, '-b', jar, ...words])).stdout
  t.equal(await curl('-X', 'POST', `${url}/in/ann@example.com`), 'ann@example.com')
  t.equal(await curl(`${url}/who`), 'ann@example.com')
  t.equal(await curl('-H', 'Origin: https://evil.example', `${url}/who`), 'nobody')
  t.equal(await curl(`${url}/who`), 'ann@example.com')
  t.equal(await curl('-X', 'POST', `${url}/out`), 'nobody')
  t.equal(await curl(`${url}/mine`), 'Unauthorized')
})

t.test('by the clock, a session ends at its time and never later, and up to a minute earlier after its last request', async (t) => {
  const { database } = await openTables(t, defineTables({}))
  const people = new Users({ database })
  const user = await people.add('ann@example.com', password)
  let now = Date.parse('2030-01-01')
  const minute = 60_000
  const day = 24 * 60 * minute
  const written: Promise<unknown>[] = []
  const service = new Sessions({ database, settings: { sessionIdleTimeout: 30 * minute, sessionLifetime: day }, currentUser: (id) => people.current(id), aside: (work) => void written.push(work()), now: () => now })
  const { id } = await service.logIn(user, 'a browser', null)
  written.length = 0
  const lives = async (of = id): Promise<boolean> => {
    const found = await service.find(of)
    await Promise.all(written)
    return found !== null
  }
  now += 59_999
  for (let count = 0; count < 10; count++) t.ok(await lives())
  t.equal(written.length, 0, 'within a minute nothing is written')
  now += 1
  await Promise.all([lives(), lives(), lives()])
  t.equal(written.length, 1, 'and once for those that come together')
  now += 30 * minute - 1
  t.ok(await lives(), 'up to the last millisecond')
  now += 59_999
  t.ok(await lives())
  now += 30 * minute - 59_999
  t.notOk(await lives(), 'of the request before nothing was written')

  const busy = await service.logIn(user, '', null)
  const end = now + day
  for (; now < end; now += 20 * minute) t.ok(await lives(busy.id))
  now = end - 1
  t.ok(await lives(busy.id))
  now = end
  t.notOk(await lives(busy.id), 'however busy it is')
})

t.test('an answer that depends on the session is kept by no cache, unless its handler says otherwise', async (t) => {
  const { server } = await appWith(t, {}, () => {
    route('/public', () => 'the same for all')
    route('/own', () => new HttpResponse(200, session.get('color', 'none'), { 'cache-control': 'private, max-age=60' }))
    route('/with-token', () => csrfToken())
  })
  const jar = new Jar(server)
  await jar.text('/set/color/blue', { method: 'POST' })
  const caching = async (path: string): Promise<unknown> => (await jar.ask(path)).headers['cache-control']
  t.equal(await caching('/public'), undefined)
  t.equal(await caching('/get/color'), 'no-store')
  t.equal(await caching('/with-token'), 'no-store')
  t.equal(await caching('/own'), 'private, max-age=60')
  await jar.text('/in/ann@example.com', { method: 'POST' })
  t.equal(await caching('/public'), 'no-store', 'nor what was made for somebody who has signed in')
})
