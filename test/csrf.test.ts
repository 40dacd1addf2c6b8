import t, { type Test } from 'tap'
import { createApp, csrfToken, defineTables, crudEndpoints, errorHandler, HttpResponse, request, route, session, table, text, users } from 'rowhouse'
import { basic, buildApp, temporaryFolder } from './support/app.ts'
import { Jar } from './support/jar.ts'

const password = 'a quiet afternoon'
const page = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' }

async function appWith(t: Test, more: () => void = () => undefined) {
  const app = await buildApp(t, () => {
    route('/token', () => csrfToken())
    route('/change', { methods: ['GET', 'POST', 'PUT', 'DELETE'], csrf: true }, (args) => ({ args, fields: request.formParams, user: users.getUser()?.email ?? null }))
    route('/shared', { methods: ['GET', 'POST'], csrf: true, crossSiteSession: true }, () => csrfToken())
    route('/in', { methods: ['POST'] }, async () => {
      const user = await users.byEmail('ann@example.com')
      if (user !== null) await users.logIn(user)
      return 'in'
    })
    route('/out', { methods: ['POST'] }, () => users.logOut())
    more()
  })
  await app.server.rowhouse.users.add('ann@example.com', password)
  return { ...app, jar: new Jar(app.server) }
}

t.test('what changes something needs a token of the session, in a header or a field, and what does not needs none', async (t) => {
  const { jar } = await appWith(t)
  t.equal((await jar.ask('/change')).statusCode, 200)
  t.equal(jar.cookies.size, 0)
  for (const method of ['POST', 'PUT', 'DELETE'] as const) t.match((await jar.ask('/change', { method, headers: { accept: 'application/json' } })).json(), { status: 403, code: 'missing-csrf-token', message: /page of this app.* header x-csrf-token or the form field _csrf/ })
  const token = await jar.text('/token')
  t.equal(jar.cookies.size, 1, 'a visitor gets a session for it')
  for (const method of ['POST', 'PUT', 'DELETE'] as const) t.equal((await jar.ask('/change', { method, headers: { 'x-csrf-token': token } })).statusCode, 200, method)
  const reply = await jar.ask('/change', { method: 'POST', form: { title: 'a', _csrf: token } })
  t.same(reply.json(), { args: { title: 'a' }, fields: { title: 'a' }, user: null }, 'the handler does not see it')
  const both = await jar.ask('/change', { method: 'POST', form: { title: 'a', _csrf: 'whatever' }, headers: { 'x-csrf-token': token } })
  t.same(both.json(), { args: { title: 'a' }, fields: { title: 'a' }, user: null })
})

t.test('tokens differ from page to page and are all good as long as the session is', async (t) => {
  const { jar } = await appWith(t)
  const tokens = [await jar.text('/token'), await jar.text('/token'), await jar.text('/token')]
  t.equal(new Set(tokens).size, 3)
  for (let round = 0; round < 2; round++) for (const token of tokens) t.equal((await jar.ask('/change', { method: 'POST', headers: { 'x-csrf-token': token } })).statusCode, 200)
})

t.test('a token of another session, an earlier one or none at all is refused, and the answer says what to do', async (t) => {
  const { server, jar } = await appWith(t)
  const stranger = new Jar(server)
  const foreign = await stranger.text('/token')
  const early = await jar.text('/token')
  await jar.text('/in', { method: 'POST' })
  const token = await jar.text('/token')
  const headers = { accept: 'application/json' }
  for (const wrong of [foreign, early, '', 'x', `${token}A`, token.slice(1), `${token.slice(0, -2)}AA`, 'A'.repeat(86), `${token}, ${token}`]) {
    const reply = await jar.ask('/change', { method: 'POST', headers: { ...headers, 'x-csrf-token': wrong } })
    t.match(reply.json(), { status: 403, code: 'outdated-csrf-token', message: /header x-csrf-token or the form field _csrf.* Load it again/ }, wrong.slice(0, 20))
  }
  t.match((await jar.ask('/change', { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers }, payload: `_csrf=${token}&_csrf=${token}` })).json(), { code: 'outdated-csrf-token' })
  t.match((await jar.ask('/change', { method: 'POST', headers, payload: { _csrf: token } })).json(), { code: 'missing-csrf-token' }, 'no member of JSON')
  t.match((await jar.ask('/change?_csrf=' + token, { method: 'POST', headers })).json(), { code: 'missing-csrf-token' }, 'nor of an address, which is told to others')
  t.match((await new Jar(server).ask('/change', { method: 'POST', headers: { ...headers, 'x-csrf-token': token } })).json(), { code: 'outdated-csrf-token' })
  t.equal((await jar.ask('/change', { method: 'POST', headers: { 'x-csrf-token': token } })).json<{ user: string }>().user, 'ann@example.com')
  await jar.text('/out', { method: 'POST' })
  t.equal((await jar.ask('/change', { method: 'POST', headers: { 'x-csrf-token': token } })).statusCode, 403)
  t.equal((await jar.ask('/change', { method: 'POST', headers: { ...basic('ann@example.com', password), ...headers } })).statusCode, 403, 'whatever the credentials')
})

t.test('a form that was refused for its token loses nothing that was typed, and is sent once more by a button', async (t) => {
  const { jar } = await appWith(t)
  const early = await jar.text('/token')
  await jar.text('/in', { method: 'POST' })
  const typed = { title: 'Wash & “dry” <b>"it"</b>\r\nnow', 'na"me': "it's", password: 'hunter2hunter2', _csrf: early }
  const reply = await jar.ask('/change?page=2', { method: 'POST', form: typed, headers: page })
  t.equal(reply.statusCode, 403)
  t.match(String(reply.headers['content-security-policy']), /default-src 'none'; .*form-action 'self'; frame-ancestors 'none'/)
  t.equal(reply.headers['cache-control'], 'no-store')
  t.notMatch(reply.body, /hunter2|<b>|<script|action=/)
  t.match(reply.body, /<input name="password" type="password"/)
  const inputs = [...reply.body.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)].map(([, name = '', value = '']) => [unescape(name), unescape(value)] as const)
  const fields = Object.fromEntries(inputs)
  t.match(fields, { title: typed.title, 'na"me': "it's" })
  const again = await jar.ask('/change?page=2', { method: 'POST', form: { ...fields, password: 'typed again' }, headers: page })
  t.same(again.json(), { args: { title: typed.title, 'na"me': "it's", password: 'typed again', page: '2' }, fields: { title: typed.title, 'na"me': "it's", password: 'typed again' }, user: 'ann@example.com' })
})

t.test('a form from another site gets no button that sends it, and a program no page', async (t) => {
  const { jar } = await appWith(t)
  const foreign = await jar.ask('/change', { method: 'POST', form: { title: 'a' }, headers: { ...page, origin: 'https://evil.example' } })
  t.equal(foreign.statusCode, 403)
  t.notMatch(foreign.body, /<form/)
  t.equal(foreign.headers['set-cookie'], undefined)
  const program = await jar.ask('/change', { method: 'POST', form: { title: 'a' } })
  t.equal(program.statusCode, 403)
  t.notMatch(program.body, /</)
})

t.test('an endpoint with crossSiteSession gives a form from another site no button, no token and no session in place of the real one', async (t) => {
  const { server, jar } = await appWith(t)
  await jar.text('/in', { method: 'POST' })
  const foreign = { ...page, origin: 'https://evil.example' }
  // The cookie of the session stays at home.
  const reply = await new Jar(server).ask('/shared', { method: 'POST', form: { amount: '1' }, headers: foreign })
  t.equal(reply.statusCode, 403)
  t.notMatch(reply.body, /<form|_csrf"/)
  t.equal(reply.headers['set-cookie'], undefined)
  const followed = await new Jar(server).ask('/shared', { headers: { ...page, 'sec-fetch-site': 'cross-site' } })
  t.equal(followed.statusCode, 200)
  t.equal(followed.headers['set-cookie'], undefined)
  const token = await jar.text('/shared', { headers: foreign })
  t.equal((await jar.ask('/change', { method: 'POST', headers: { 'x-csrf-token': token } })).statusCode, 200, 'the session that a browser sends counts')
  t.equal((await jar.ask('/shared', { method: 'POST', headers: { ...foreign, 'x-csrf-token': token } })).statusCode, 200)
})

t.test('an endpoint with crossSiteSession may sign somebody in for another site, and keeps no value for one who is not', async (t) => {
  const { server } = await appWith(t, () => {
    route('/keep', { methods: ['POST'], crossSiteSession: true }, () => session.set('a', 1))
    route('/callback', { methods: ['POST'], crossSiteSession: true }, async () => {
      session.set('a', 1)
      const user = await users.byEmail('ann@example.com')
      if (user !== null) await users.logIn(user)
    })
  })
  const headers = { origin: 'https://evil.example' }
  t.equal((await new Jar(server).ask('/keep', { method: 'POST', headers })).headers['set-cookie'], undefined)
  const jar = new Jar(server)
  await jar.text('/callback', { method: 'POST', headers })
  t.equal(jar.cookies.size, 1)
  t.equal((await jar.ask('/change')).json<{ user: string }>().user, 'ann@example.com')
})

t.test('a route of fastify.ts with crossSiteSession begins no session for another site either', async (t) => {
  const server = await createApp({
    directory: await temporaryFolder(t),
    define: () => undefined,
    plugin: async (fastify) => {
      fastify.get('/token', { config: { crossSiteSession: true } }, () => csrfToken())
    },
    options: { name: 'test' },
    logTo: { write: () => undefined },
  })
  t.teardown(() => server.close())
  t.equal((await new Jar(server).ask('/token', { headers: { origin: 'https://evil.example' } })).headers['set-cookie'], undefined)
  t.not((await new Jar(server).ask('/token')).headers['set-cookie'], undefined)
})

t.test('the page that sends a form once more shows all that it sends', async (t) => {
  const { jar } = await appWith(t)
  const reply = await jar.ask('/change', { method: 'POST', form: { to: 'mallory & co', amount: '<1>' }, headers: page })
  t.match(reply.body, '<dt>to</dt><dd>mallory &amp; co</dd>')
  t.match(reply.body, '<dt>amount</dt><dd>&lt;1&gt;</dd>')
  t.notMatch(reply.body, /<dt>_csrf/)
})

t.test('a form with files keeps its fields, and asks for the files once more', async (t) => {
  const { jar } = await appWith(t)
  const payload = ['--b', 'content-disposition: form-data; name="title"', '', 'kept', '--b', 'content-disposition: form-data; name="photo"; filename="a.png"', '', 'bytes', '--b--', ''].join('\r\n')
  const reply = await jar.ask('/change', { method: 'POST', payload, headers: { ...page, 'content-type': 'multipart/form-data; boundary=b' } })
  t.equal(reply.statusCode, 403)
  t.match(reply.body, /enctype="multipart\/form-data"/)
  t.match(reply.body, /name="title" value="kept"/)
  t.match(reply.body, /<input name="photo" type="file">/)
})

t.test('a page that is rendered for an error has a token of the session that there is', async (t) => {
  const { jar } = await appWith(t, () => {
    errorHandler(404, () => new HttpResponse(404, `<input name="_csrf" value="${csrfToken()}">`, { 'content-type': 'text/html' }))
  })
  await jar.text('/in', { method: 'POST' })
  const reply = await jar.ask('/no-such-page')
  t.equal(reply.statusCode, 404)
  t.equal(reply.headers['set-cookie'], undefined, 'no other session begins')
  const [, token = ''] = /value="([^"]+)"/.exec(reply.body) ?? []
  t.equal((await jar.ask('/change', { method: 'POST', form: { _csrf: token } })).json<{ user: string }>().user, 'ann@example.com')
})

t.test('endpoints for the rows of a table and routes of fastify.ts ask for the token, too', async (t) => {
  const server = await createApp({
    directory: await temporaryFolder(t),
    define: () => {
      const tables = defineTables({ notes: table({ title: text() }) })
      route('/token', () => csrfToken())
      crudEndpoints('/notes', tables.notes, { public: true, csrf: true })
    },
    plugin: async (fastify) => {
      fastify.post('/plugin', { config: { csrf: true } }, async ({ body }) => body)
      fastify.get('/plugin', { config: { csrf: true } }, async () => 'open')
    },
    options: { name: 'test' },
    logTo: { write: () => undefined },
  })
  t.teardown(() => server.close())
  const jar = new Jar(server)
  const token = await jar.text('/token')
  for (const [path, status] of [['/_/api/notes', 201], ['/plugin', 200]] as const) {
    t.equal((await jar.ask(path)).statusCode, 200)
    t.match((await jar.ask(path, { method: 'POST', payload: { title: 'a' }, headers: { accept: 'application/json' } })).json(), { code: 'missing-csrf-token' }, path)
    t.match((await jar.ask(path, { method: 'POST', payload: { title: 'a' }, headers: { 'x-csrf-token': 'x', accept: 'application/json' } })).json(), { code: 'outdated-csrf-token' }, path)
    t.equal((await jar.ask(path, { method: 'POST', payload: { title: 'a' }, headers: { 'x-csrf-token': token } })).statusCode, status, path)
  }
  t.same((await jar.ask('/plugin', { method: 'POST', form: { title: 'a', _csrf: token } })).json(), { title: 'a' })
})

function unescape(html: string): string {
  const entities: Readonly<Record<string, string>> = { '&amp;': '&', '&lt;': '<', '&gt;': '>', '&quot;': '"', '&#39;': "'" }
  return html.replace(/&(?:amp|lt|gt|quot|#39);/g, (entity) => entities[entity] ?? entity)
}
