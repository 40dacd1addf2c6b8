import { authenticate, route, type RowhouseRequest } from 'rowhouse'
import t, { type Test } from 'tap'
import { parseAuthorization } from '../dist/server/http/request/authorization.js'
import { buildApp } from './support/app.js'

const basic = (credentials: string | Uint8Array) => `Basic ${Buffer.from(credentials).toString('base64')}`

t.test('Basic credentials are split at the first colon and read as UTF-8, down to the letter', async (t) => {
  const gives = (header: string, username: string, password: string) => t.strictSame(parseAuthorization(header), { scheme: 'basic', username, password }, header)
  gives('Basic YWRtaW46c2VjcmV0', 'admin', 'secret')
  gives('basic YWRtaW46c2VjcmV0', 'admin', 'secret')
  gives('BASIC   YWRtaW46c2VjcmV0', 'admin', 'secret')
  gives(basic('me@x.io:a:b::c'), 'me@x.io', 'a:b::c')
  gives(basic('me:'), 'me', '')
  gives(basic(':secret'), '', 'secret')
  gives(basic('me'), 'me', '')
  gives(basic('zoë: pass wörd 😀 '), 'zoë', ' pass wörd 😀 ')
  gives(basic('me:e\u0301'), 'me', 'e\u0301')
  gives(basic(`me:${'x'.repeat(12_000)}`), 'me', 'x'.repeat(12_000))
})

t.test('credentials of other schemes are scheme and token', async (t) => {
  t.strictSame(parseAuthorization('Bearer x'), { scheme: 'bearer', token: 'x' })
  t.strictSame(parseAuthorization('Digest username="a", realm="b"'), { scheme: 'digest', token: 'username="a", realm="b"' })
})

const malformed = [
  '',
  ' ',
  'Basic',
  'Basic ',
  'Basic\tYWRtaW46c2VjcmV0',
  'BasicYWRtaW46c2VjcmV0',
  'YWRtaW46c2VjcmV0',
  'Basic YWRtaW46c2VjcmV0, Basic YWRtaW46c2VjcmV0',
  'Basic YWRtaW46c2VjcmV0 trailing',
  'Basic not base64!',
  'Basic YWRtaW46c2VjcmV',
  'Basic YWRtaW46c2VjcmV0=',
  'Basic YWR=aW46c2VjcmV0',
  'Basic ====',
  'Basic YWRtaW4-c2VjcmV_',
  'B@sic(1) YWRtaW46c2VjcmV0',
  basic(Buffer.from([0x6d, 0x65, 0x3a, 0xff, 0xfe])),
  basic(Buffer.from([0x6d, 0x65, 0x3a, 0xc0, 0x80])),
  basic('me:pass\0word'),
  basic('me\r\n:password'),
  basic('me:pass\u007fword'),
]

t.test('a malformed header is nobody, and never throws', async (t) => {
  for (const header of [undefined, ...malformed]) t.equal(parseAuthorization(header), null, String(header))
})

/** An app with an endpoint for each kind of access, and a scheme of its own that counts how often it is asked and knows nobody. */
async function server(t: Test, realm = 'Example') {
  const asked: string[] = []
  const { server: app } = await buildApp(
    t,
    () => {
      authenticate(({ authorization }) => {
        asked.push(authorization?.scheme ?? 'nothing')
        return null
      })
      const told = (_args: object, request: RowhouseRequest) => ({
        user: request.user,
        authorization: request.authorization,
        same: request.authorization === request.authorization,
      })
      const methods = ['GET', 'POST'] as const
      route('/user', { methods, authenticateUsers: true }, told)
      route('/credentials', { methods, requireCredentials: true }, told)
      route('/none', { methods }, told)
    },
    { realm },
  )
  return { app, asked }
}

const credentials = { authorization: basic('me@x.io:correct horse') }

t.test('where a user is needed, missing, malformed and wrong credentials get one and the same 401, before the body is read', async (t) => {
  const { app, asked } = await server(t)
  const replies = []
  for (const authorization of [undefined, ...malformed, 'Bearer x', credentials.authorization]) {
    const headers = authorization === undefined ? {} : { authorization }
    const reply = await app.inject({ method: 'POST', url: '/user', headers: { ...headers, 'content-type': 'application/json' }, payload: '{not json' })
    t.equal(reply.statusCode, 401, String(authorization))
    t.equal(reply.headers['www-authenticate'], 'Basic realm="Example", charset="UTF-8"')
    replies.push(reply.body)
  }
  t.equal(new Set(replies).size, 1)
  t.match(replies[0], /Unauthorized/)
  t.notMatch(replies[0], /horse|me@x/)
  t.notOk(asked.includes('basic'), 'well-formed Basic credentials are judged by the first scheme, and by no other')
})

t.test('where any credentials will do, the handler sees them and nobody looks them up', async (t) => {
  const { app, asked } = await server(t)
  t.equal((await app.inject('/credentials')).statusCode, 401)
  t.equal((await app.inject({ url: '/credentials', headers: { authorization: 'Basic !' } })).statusCode, 401)
  const reply = await app.inject({ url: '/credentials', headers: credentials })
  t.strictSame(reply.json(), { user: null, authorization: { scheme: 'basic', username: 'me@x.io', password: 'correct horse' }, same: true })
  const bearer = await app.inject({ url: '/credentials', headers: { authorization: 'Bearer abc' } })
  t.strictSame(bearer.json(), { user: null, authorization: { scheme: 'bearer', token: 'abc' }, same: true })
  t.strictSame(asked, [])
})

t.test('where nothing is needed, credentials are readable, not checked, and a malformed header is none', async (t) => {
  const { app, asked } = await server(t)
  t.strictSame((await app.inject('/none')).json(), { user: null, authorization: null, same: true })
  t.strictSame((await app.inject({ url: '/none', headers: { authorization: 'Basic !' } })).json(), { user: null, authorization: null, same: true })
  t.match((await app.inject({ url: '/none', headers: credentials })).json(), { user: null, authorization: { username: 'me@x.io' } })
  t.strictSame(asked, [])
})

t.test('a realm is quoted, and what no header can hold stops the start', async (t) => {
  const { app } = await server(t, 'The "best" \\ cafe')
  t.equal((await app.inject('/user')).headers['www-authenticate'], 'Basic realm="The \\"best\\" \\\\ cafe", charset="UTF-8"')
  await t.rejects(server(t, 'café\nX-Evil: 1'), { name: 'ConfigurationError' })
})
