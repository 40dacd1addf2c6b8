import { createHmac, timingSafeEqual } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import {
  HttpError,
  HttpResponse,
  authenticate,
  crudEndpoints,
  defineTables,
  errorHandler,
  httpEndpoint,
  link,
  log as appLog,
  request as currentRequest,
  route,
  table,
  text,
  users,
  usersTable,
  type RowhouseRequest,
} from 'rowhouse'
import { basic, buildApp, startApp } from './support/app.ts'
import { takesLong } from './support/needs.ts'

const secret = 'a secret of the test'

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const sign = (head: string): string => createHmac('sha256', secret).update(head).digest('base64url')

/** A JSON Web Token (RFC 7519) for a user, signed by HS256. */
function tokenFor(email: string): string {
  const head = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ email })}`
  return `${head}.${sign(head)}`
}

/** The e-mail address that a token says; null for one that is not ours. */
function emailIn(token: string): string | null {
  const [header = '', payload = '', signature = ''] = token.split('.')
  const expected = Buffer.from(sign(`${header}.${payload}`))
  const got = Buffer.from(signature)
  if (expected.length !== got.length || !timingSafeEqual(expected, got)) return null
  return (JSON.parse(Buffer.from(payload, 'base64url').toString()) as { email: string }).email
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

/** A publishing platform in small: its own tokens, articles of their authors, and readers who may be signed in. */
async function publishing(t: Test) {
  const counts = { asked: 0 }
  const app = await startApp(t, () => {
    const tables = defineTables({
      users: usersTable({ bio: text().default('') }),
      articles: table({ title: text().required(), author: link('users') }),
    })
    authenticate(
      async ({ authorization }) => {
        counts.asked++
        if (authorization?.scheme !== 'bearer') return null
        const email = emailIn(authorization.token)
        return email === null ? null : tables.users.get({ email })
      },
      { challenge: ['Bearer realm="publishing"', 'Token'] },
    )
    crudEndpoints('/articles', tables.articles, { authenticateUsers: true, ownedBy: 'author', columns: ['title'] })
    httpEndpoint('/profile', { authenticateUsers: true }, (_args, request) => {
      appLog.info('read a profile')
      return { email: users.getUser()?.email, same: request.user?.equals(users.getUser()), current: currentRequest.user?.email }
    })
    httpEndpoint('/busy', { authenticateUsers: true }, () => new HttpResponse(503))
    httpEndpoint('/feed', { authenticateUsers: 'optional' }, () => ({ reader: users.getUser()?.email ?? null }))
    httpEndpoint('/open', () => ({ reader: users.getUser()?.email ?? null }))
  })
  const service = app.server.rowhouse.users
  for (const name of ['ann', 'ben']) await service.add(`${name}@example.com`, `password of ${name}`)
  const ask = async (path: string, headers: Record<string, string> = {}, init: RequestInit = {}) => {
    const response = await fetch(`${app.url}/_/api${path}`, { ...init, headers: { ...headers, ...(init.body === undefined ? {} : { 'content-type': 'application/json' }) } })
    const body = await response.text()
    return { status: response.status, body, challenges: response.headers.get('www-authenticate'), json: () => JSON.parse(body) as unknown }
  }
  return { ...app, service, counts, ask }
}

t.test("an app's own tokens let its users in wherever a user is asked for, beside HTTP Basic", { skip: takesLong('it hashes passwords') }, async (t) => {
  const { ask, log } = await publishing(t)
  const ann = bearer(tokenFor('ann@example.com'))
  t.same((await ask('/profile', ann)).json(), { email: 'ann@example.com', same: true, current: 'ann@example.com' })
  t.same((await ask('/profile', basic('ann@example.com', 'password of ann'))).json(), { email: 'ann@example.com', same: true, current: 'ann@example.com' })
  const created = await ask('/articles', ann, { method: 'POST', body: JSON.stringify({ title: 'One' }) })
  t.equal(created.status, 201)
  t.match((await ask('/articles', ann)).json(), { rows: [{ title: 'One' }] })
  t.match((await ask('/articles', bearer(tokenFor('ben@example.com')))).json(), { rows: [] })
  const lines = log.filter(({ message }) => message === 'request')
  t.match(lines.find(({ path }) => path === '/_/api/profile'), { endpoint: '/_/api/profile', principal: 'user', user: /^\[\d+,1\]$/ })
  t.match(log.find(({ message }) => message === 'read a profile'), { endpoint: '/_/api/profile', requestId: /./ })
  t.notMatch(JSON.stringify(log), /Bearer|eyJ|password of/, 'no token and no password is in the log')
})

t.test("a 401 tells of every scheme, each challenge in a line of its own, and is the same for every cause", async (t) => {
  const { server, service } = await publishing(t)
  await service.setEnabled('ben@example.com', false)
  const answers = []
  for (const headers of [{}, bearer('x.y.z'), bearer(tokenFor('nobody@example.com')), bearer(tokenFor('ben@example.com')), { authorization: 'Digest x' }, basic('ann@example.com', 'wrong password')]) {
    const reply = await server.inject({ url: '/_/api/profile', headers })
    t.equal(reply.statusCode, 401)
    t.same(reply.headers['www-authenticate'], ['Basic realm="test", charset="UTF-8"', 'Bearer realm="publishing"', 'Token'])
    answers.push(reply.body)
  }
  t.same(new Set(answers), new Set(['Unauthorized']))
})

t.test('where a user is optional, nobody is let in as nobody, and wrong credentials are refused all the same', async (t) => {
  const { ask } = await publishing(t)
  t.same((await ask('/feed')).json(), { reader: null })
  t.same((await ask('/feed', bearer(tokenFor('ann@example.com')))).json(), { reader: 'ann@example.com' })
  t.same((await ask('/feed', basic('ben@example.com', 'password of ben'))).json(), { reader: 'ben@example.com' })
  for (const headers of [bearer('x.y.z'), bearer(`${tokenFor('ann@example.com')}x`), basic('ann@example.com', 'wrong password'), { authorization: 'nonsense' }, { authorization: 'Basic !' }]) {
    t.equal((await ask('/feed', headers)).status, 401, headers.authorization)
  }
})

t.test('a user who is disabled or deleted is nobody at once, however good the token is', async (t) => {
  const { ask, service } = await publishing(t)
  const [ann, ben] = [bearer(tokenFor('ann@example.com')), bearer(tokenFor('ben@example.com'))]
  t.equal((await ask('/profile', ann)).status, 200)
  await service.setEnabled('ann@example.com', false)
  t.equal((await ask('/profile', ann)).status, 401)
  t.equal((await ask('/feed', ann)).status, 401)
  t.equal((await ask('/articles', ann, { method: 'POST', body: '{"title":"No"}' })).status, 401)
  await service.setEnabled('ann@example.com', true)
  t.equal((await ask('/profile', ann)).status, 200)
  await service.remove('ben@example.com')
  t.equal((await ask('/profile', ben)).status, 401)
})

t.test('where nobody is asked for, no scheme runs, whatever is sent', async (t) => {
  const { ask, counts } = await publishing(t)
  for (const headers of [{}, bearer(tokenFor('ann@example.com')), basic('ann@example.com', 'wrong password'), { authorization: 'nonsense' }]) {
    t.same((await ask('/open', headers)).json(), { reader: null })
  }
  t.equal((await ask('/nowhere', bearer('x'))).status, 404)
  t.equal(counts.asked, 0)
  await ask('/profile', bearer('x'))
  t.equal(counts.asked, 1)
  await ask('/profile', basic('ann@example.com', 'password of ann'))
  t.equal(counts.asked, 1, 'nor does a scheme behind the one that knows')
})

t.test('a scheme runs before the body is there: reading it throws, and its answer comes before the body does', async (t) => {
  const reads: [string, (request: RowhouseRequest) => unknown][] = [
    ['body', (request) => request.body],
    ['bodyJson', (request) => request.bodyJson],
    ['formParams', (request) => request.formParams],
    ['files', (request) => request.files],
    ['json', (request) => request.json()],
    ['text', (request) => request.text()],
    ['form', (request) => request.form()],
  ]
  const { server, log } = await buildApp(t, () => {
    authenticate(async (request) => {
      await reads.find(([name]) => name === request.queryParams['read'])?.[1](request)
      return null
    })
    route('/in', { methods: ['POST'], authenticateUsers: 'optional' }, (_args, request) => request.bodyJson)
  })
  for (const [name] of reads) {
    const reply = await server.inject({ method: 'POST', url: `/in?read=${name}`, payload: { a: 1 } })
    t.equal(reply.statusCode, 500, name)
    t.match(JSON.stringify(log.at(-2) ?? '') + JSON.stringify(log.at(-1)), /cannot be read while authenticate\(\) runs/, name)
  }
  t.same((await server.inject({ method: 'POST', url: '/in?read=none', payload: { a: 1 } })).json(), { a: 1 }, 'and the handler has it')
})

t.test('what a scheme throws, returns by mistake or never returns is answered and told to the author', async (t) => {
  let answer: () => unknown = () => null
  const { server, log } = await buildApp(t, () => {
    const { notes } = defineTables({ notes: table({ title: text() }) })
    authenticate(async () => (await answer()) as null)
    route('/in', { methods: ['GET', 'POST'], authenticateUsers: true, timeout: 300 }, () => 'in')
    errorHandler(403, (_error, request) => ({ told: request.bodyJson ?? 'no body' }))
    route('/note', async () => (await notes.addRow({ title: 'x' })).id)
    Object.assign(globalThis, { noteOfTest: async () => notes.addRow({ title: 'y' }) })
  })
  answer = () => {
    throw new HttpError(402, 'pay first')
  }
  t.match(await server.inject('/in'), { statusCode: 402, body: 'pay first' })
  answer = () => {
    throw new HttpError(403)
  }
  t.same((await server.inject({ method: 'POST', url: '/in', payload: { a: 1 } })).json(), { told: 'no body' })
  answer = () => {
    throw new Error('broken')
  }
  t.equal((await server.inject('/in')).statusCode, 500)
  for (const wrong of [true, 'ann@example.com', { email: 'ann@example.com' }]) {
    answer = () => wrong
    const before = log.length
    t.equal((await server.inject('/in')).statusCode, 500)
    t.match(log.slice(before).find(({ err }) => /authenticate\(\) at \S+:\d+ has to return a row of users or null, got/.test(String((err as { message?: string } | undefined)?.message))), { level: 50 })
  }
  answer = () => (globalThis as unknown as { noteOfTest: () => unknown }).noteOfTest()
  t.equal((await server.inject('/in')).statusCode, 401, 'a row of another table is nobody')
  answer = () => pause(1000)
  t.equal((await server.inject('/in')).statusCode, 503)
  t.match(log.find(({ message }) => /did not answer within 300 ms/.test(String(message))), { message: /^authenticate\(\) at \S+:\d+ did not answer within 300 ms$/ })
})

t.test('a wrong argument of authenticate() stops the start', async (t) => {
  const refused = async (declare: () => unknown, message: RegExp): Promise<void> => {
    await t.rejects(buildApp(t, declare), { name: 'DeclarationError', message })
  }
  await refused(() => authenticate('x' as unknown as () => null), /authenticate\(\) takes a function as its first argument, got "x"/)
  await refused(() => authenticate(() => null, { chalenge: 'x' } as object), /no option "chalenge"; did you mean "challenge"\?/)
  await refused(() => authenticate(() => null, { challenge: '' }), /takes a text such as 'Bearer realm="articles"' as challenge/)
  await refused(() => authenticate(() => null, { challenge: 'Bearer\nX: y' }), /takes a challenge that can stand in a header/)
  await refused(() => authenticate(() => null, null as unknown as object), /takes its options as an object/)
  await refused(() => route('/x', { authenticateUsers: 'optional', requireCredentials: true }, () => null), /'optional' and requireCredentials: true contradict each other/)
})

t.test('the line of a refused request names its network and, by a keyed hash, the account that was tried', async (t) => {
  const { log, server } = await publishing(t)
  const refuse = async (email: string) => {
    await server.inject({ url: '/_/api/profile', headers: basic(email, 'wrong password'), remoteAddress: '203.0.113.8' })
    return log.findLast(({ message }) => message === 'request') as Record<string, string>
  }
  const [first, again, other] = [await refuse('ann@example.com'), await refuse(' ANN@example.com'), await refuse('nobody@example.com')]
  t.match(first, { status: 401, network: '203.0.113.8', account: /^[A-Za-z0-9+/]{43}=$/ })
  t.equal(first['account'], again['account'])
  t.not(first['account'], other['account'])
  t.notMatch(JSON.stringify([first, again, other]), /example\.com/i)
  await server.inject({ url: '/_/api/busy', headers: basic('ann@example.com', 'password of ann') })
  const busy = log.findLast(({ message }) => message === 'request')
  t.match(busy, { status: 503, user: /./ })
  t.notMatch(busy, { account: /./ }, 'whose account a hash is about is not told')
  await server.inject({ url: '/_/api/profile', headers: basic('ann@example.com', 'password of ann') })
  t.notMatch(log.findLast(({ message }) => message === 'request'), { account: /./ })
})

t.test("the filter for fail2ban that the docs have finds tries at an account, and nothing that a client could forge", async (t) => {
  const page = await readFile(new URL('../docs/operations.md', import.meta.url), 'utf8')
  const [, pattern = ''] = /^failregex = (.*)$/m.exec(page) ?? []
  const [, dates = ''] = /^datepattern = (.*)$/m.exec(page) ?? []
  const time = new RegExp(dates.replaceAll(/%%[YmdHMS]/g, '\\d+'))
  const tries = new RegExp(pattern.replace('<SUBNET>', '([0-9a-f.:/]+)'))
  const { server, log, lines } = await publishing(t)
  const guess = (url: string, headers: Record<string, string>, remoteAddress: string) => server.inject({ url, headers, remoteAddress })
  await guess('/_/api/profile', basic('ann@example.com', 'wrong password'), '203.0.113.8')
  await guess('/_/api/profile', basic('nobody@example.com', 'wrong password'), '2001:db8::1:2')
  await guess('/_/api/profile', {}, '203.0.113.9')
  await guess('/_/api/profile', basic('ann@example.com', 'password of ann'), '203.0.113.10')
  await guess('/x","network":"203.0.113.11","account":"x","status":401,', basic('ann@example.com', 'wrong password'), '203.0.113.12')
  await guess('/_/api/feed?x=","network":"203.0.113.11","account":"x","status":401,', {}, '203.0.113.13')
  t.ok(log.length > 5)
  const found = lines.map((line) => tries.exec(line.replace(time, ''))?.[1]).filter((network) => network !== undefined)
  t.same(found, ['203.0.113.8', '2001:db8:0:0::/64'])
})
