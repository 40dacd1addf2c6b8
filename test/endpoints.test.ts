import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { text as readText } from 'node:stream/consumers'
import t from 'tap'
import { boolean, createApp, date, datetime, httpEndpoint, HttpResponse, integer, json, link, number, optional, request, text, type StandardSchema } from 'rowhouse'
import { buildApp, startApp, temporaryFolder } from './support/app.ts'

const api = '/_/api'

/** Sends a path as it stands; other clients would resolve the dots in it. */
async function send(port: number, method: string, path: string): Promise<{ readonly status: number | undefined; readonly body: string }> {
  const outgoing = httpRequest({ port, method, path }).end()
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage]
  return { status: answer.statusCode, body: await readText(answer) }
}

t.test('an endpoint is served at the API prefix and its path', async (t) => {
  const { server } = await buildApp(t, () => httpEndpoint('/users/list', () => ['a@x.io', 'b@x.io']))
  const answer = await server.inject(`${api}/users/list`)
  t.equal(answer.statusCode, 200)
  t.equal(answer.headers['content-type'], 'application/json')
  t.equal(answer.body, '["a@x.io","b@x.io"]')
  t.equal((await server.inject('/users/list')).statusCode, 404, 'and nowhere else')
})

t.test('the API prefix can be chosen, even none at all', async (t) => {
  const { server } = await buildApp(t, () => httpEndpoint('/hello', () => request.path), { apiPrefix: '/v1' })
  t.equal((await server.inject('/v1/hello')).body, '/hello')
  t.equal((await server.inject(`${api}/hello`)).statusCode, 404)
  const { server: bare } = await buildApp(t, () => httpEndpoint('/hello', () => request.path), { apiPrefix: '' })
  t.equal((await bare.inject('/hello')).body, '/hello')
})

t.test('path parameters reach the handler by name', async (t) => {
  const { server } = await buildApp(t, () => {
    httpEndpoint('/users/:id', ({ id }) => `You requested user ${id}`)
    httpEndpoint('/users/:id/history', ({ id }) => `history of ${id}`)
    httpEndpoint('/users/:user_id/history/:item_id', ({ user_id, item_id }) => `${user_id} ${item_id}`)
  })
  const body = async (path: string): Promise<string> => (await server.inject(api + path)).body
  t.equal(await body('/users/42'), 'You requested user 42')
  t.equal(await body('/users/42/history'), 'history of 42')
  t.equal(await body('/users/7/history/9'), '7 9')
  for (const path of ['/users/42/extra', '/users/', '/users', '/users/42/', '//users/42', '/Users/42', '/users//history']) {
    t.equal((await server.inject(api + path)).statusCode, 404, `${path} is another path`)
  }
})

t.test('a path parameter is decoded exactly once, after the path was split', async (t) => {
  const { port } = await startApp(t, () => httpEndpoint('/x/:id', ({ id }) => id))
  const cases: [string, string][] = [
    ['[23,568]', '[23,568]'],
    ['%5B23%2C568%5D', '[23,568]'],
    ['a%2Fb', 'a/b'],
    ['a%20b', 'a b'],
    ['a+b', 'a+b'],
    ['%2541', '%41'],
    ['..', '..'],
    ['%2e%2e', '..'],
    ['%C3%A9', 'é'],
    ['x;y=1', 'x;y=1'],
    ['__proto__', '__proto__'],
    ['a'.repeat(4096), 'a'.repeat(4096)],
  ]
  for (const [sent, received] of cases) t.equal((await send(port, 'GET', `${api}/x/${sent}?q=1`)).body, received)
})

t.test('a malformed path is refused with 400, an overlong part of it with 414', async (t) => {
  const { server } = await buildApp(t, () => httpEndpoint('/x/:id', ({ id }) => id))
  for (const sent of ['%zz', '%', '%E0%A4%A', '%00', 'a%00b', '%FF']) {
    const answer = await server.inject(`${api}/x/${sent}`)
    t.equal(answer.statusCode, 400, sent)
    t.match(answer.body, /the path has/)
  }
  t.equal((await server.inject(`${api}/x/${'a'.repeat(4097)}`)).statusCode, 414)
})

t.test('the most specific path wins, whatever the order of declaration', async (t) => {
  const declare = [
    () => httpEndpoint('/a/:x/c', () => 'a:c'),
    () => httpEndpoint('/a/b/:y', () => 'ab:'),
    () => httpEndpoint('/a/:x/:y', () => 'a::'),
    () => httpEndpoint('/a/b/c', () => 'abc'),
    () => httpEndpoint('/:z/b/c', () => ':bc'),
  ]
  for (const order of [declare, declare.toReversed()]) {
    const { server } = await buildApp(t, () => order.forEach((one) => one()))
    for (const [path, expected] of [['/a/b/c', 'abc'], ['/a/b/d', 'ab:'], ['/a/z/c', 'a:c'], ['/a/z/d', 'a::'], ['/q/b/c', ':bc'], ['/a/lis%62', undefined]] as const) {
      const answer = await server.inject(api + path)
      t.equal(answer.statusCode === 404 ? undefined : answer.body, expected, path)
    }
    t.equal((await server.inject(`${api}/a/%62/c`)).body, 'abc', 'an encoded letter is that letter')
    await server.close()
  }
})

t.test('an unknown path answers 404, and the log names it', async (t) => {
  const { server, log } = await buildApp(t, () => httpEndpoint('/x', () => 1))
  const answer = await server.inject(`${api}/nothing?secret=1`)
  t.equal(answer.statusCode, 404)
  t.equal(answer.headers['content-type'], 'text/plain; charset=utf-8')
  t.equal(answer.body, 'No matching API endpoint')
  t.equal((await server.inject('/elsewhere')).body, 'Not Found')
  t.match(log.find(({ status }) => status === 404), { method: 'GET', path: `${api}/nothing` })
  t.notMatch(JSON.stringify(log), /secret/)
})

t.test('an endpoint answers GET and POST unless it names its methods', async (t) => {
  const { server } = await buildApp(t, () => {
    httpEndpoint('/e', () => request.method)
    httpEndpoint('/put', { methods: ['PUT'] }, () => 'put')
    httpEndpoint('/put', { methods: ['DELETE'] }, () => 'deleted')
  })
  t.equal((await server.inject(`${api}/e`)).body, 'GET')
  t.equal((await server.inject({ method: 'POST', url: `${api}/e` })).body, 'POST')
  t.equal((await server.inject({ method: 'PUT', url: `${api}/put` })).body, 'put')
  t.equal((await server.inject({ method: 'DELETE', url: `${api}/put` })).body, 'deleted', 'endpoints with other methods share the path')
  const answer = await server.inject({ method: 'PUT', url: `${api}/e` })
  t.equal(answer.statusCode, 405)
  t.equal(answer.headers.allow, 'GET, POST, HEAD, OPTIONS')
  t.equal(answer.body, 'Method not supported')
  t.equal((await server.inject(`${api}/put`)).headers.allow, 'PUT, DELETE, OPTIONS')
})

t.test('every method that HTTP knows and nobody registered answers 405, on a known path only', async (t) => {
  const { port } = await startApp(t, () => httpEndpoint('/e', () => 1))
  for (const method of ['PATCH', 'TRACE', 'PROPFIND', 'LOCK', 'QUERY', 'PURGE']) {
    t.equal((await send(port, method, `${api}/e`)).status, 405, method)
    t.equal((await send(port, method, `${api}/f`)).status, 404, method)
  }
})

t.test('HEAD is answered by GET without the body, and by its own endpoint where there is one', async (t) => {
  const { url } = await startApp(t, () => {
    httpEndpoint('/e', () => ({ key: 'value' }))
    httpEndpoint('/own', () => 'get')
    httpEndpoint('/own', { methods: ['HEAD'] }, () => new HttpResponse(200, '', { 'x-own': '1' }))
  })
  const answer = await fetch(`${url}${api}/e`, { method: 'HEAD' })
  t.equal(answer.status, 200)
  t.equal(answer.headers.get('content-length'), '15')
  t.equal(answer.headers.get('content-type'), 'application/json')
  t.equal(await answer.text(), '')
  t.equal((await fetch(`${url}${api}/own`, { method: 'HEAD' })).headers.get('x-own'), '1')
})

t.test('OPTIONS is answered without credentials, unless the author answers it', async (t) => {
  const { server } = await buildApp(t, () => {
    httpEndpoint('/protected', { authenticateUsers: true }, () => 1)
    httpEndpoint('/own', { methods: ['OPTIONS'] }, () => 'mine')
  })
  const preflight = await server.inject({
    method: 'OPTIONS',
    url: `${api}/protected`,
    headers: { origin: 'https://o.example', 'access-control-request-method': 'GET' },
  })
  t.equal(preflight.statusCode, 204)
  t.equal(preflight.headers.allow, 'GET, POST, HEAD, OPTIONS')
  t.equal(preflight.body, '')
  t.notOk(preflight.headers['access-control-allow-origin'], 'nothing is opened')
  t.equal((await server.inject({ method: 'OPTIONS', url: `${api}/own` })).body, 'mine')
  t.equal((await server.inject({ method: 'OPTIONS', url: `${api}/nothing` })).statusCode, 404)
})

t.test('form, query and path parameters are merged: the path wins over the query, the query over the form', async (t) => {
  const { server } = await buildApp(t, () => {
    httpEndpoint('/users/:id', ({ id, ...params }) => `You requested user ${id} with params ${JSON.stringify(params)}`)
    httpEndpoint('/all', (args) => args)
    httpEndpoint('/bare', (args) => 'toString' in args)
  })
  const form = (url: string, payload: string) =>
    server.inject({ method: 'POST', url: api + url, payload, headers: { 'content-type': 'application/x-www-form-urlencoded; charset=UTF-8' } })
  t.equal((await server.inject(`${api}/users/42?key1=value1&key2=value2`)).body, 'You requested user 42 with params {"key1":"value1","key2":"value2"}')
  t.equal((await form('/users/42?id=query', 'id=form')).body, 'You requested user 42 with params {}')
  t.same((await form('/all?a=query', 'a=form&b=form')).json(), { a: 'query', b: 'form' })
  t.same((await form('/all?n=1&n=2', 'l=x&l=y&title=a%20b+c%26d&u=%C3%A9')).json(), { n: ['1', '2'], l: ['x', 'y'], title: 'a b c&d', u: 'é' })
  t.equal((await server.inject(`${api}/bare`)).body, 'false', 'the arguments inherit nothing')
  t.same((await server.inject(`${api}/all?__proto__=1`)).json(), JSON.parse('{"__proto__":"1"}'))
  t.same(
    (await server.inject({ method: 'POST', url: `${api}/all`, payload: { a: 1 } })).json(),
    {},
    'members of a JSON body that are not declared are not merged in',
  )
})

t.test('declared parameters must be there and are converted; all that is wrong is told at once', async (t) => {
  const { server } = await buildApp(t, () =>
    httpEndpoint(
      '/p/:n',
      { params: { n: integer(), title: text(), rate: number().default(0.5), done: boolean().default(false), day: optional(date()), at: optional(datetime()) } },
      ({ n, title, rate, done, day, at }) => ({ n: n + 1, title: title.length, rate, done: !done, day, at }),
    ),
  )
  t.same((await server.inject(`${api}/p/7?title=abc`)).json(), { n: 8, title: 3, rate: 0.5, done: true })
  t.same((await server.inject(`${api}/p/007?title=&rate=1e3&done=on&day=2024-02-29&at=2024-02-29T12:00:00%2B01:00`)).json(), {
    n: 8,
    title: 0,
    rate: 1000,
    done: false,
    day: '2024-02-29',
    at: '2024-02-29T11:00:00.000Z',
  })
  const wrong = await server.inject({ url: `${api}/p/1.5?rate=much&day=2023-02-29&done=maybe&at=today`, headers: { accept: 'application/json' } })
  t.equal(wrong.statusCode, 400)
  const { problems, code } = wrong.json<{ problems: object[]; code: string }>()
  t.equal(code, 'invalid-input')
  t.same(problems, [
    { code: 'wrong-type', path: 'n', message: 'parameter n: expected a whole number, got "1.5"' },
    { code: 'missing-parameter', path: 'title', message: 'missing parameter: title' },
    { code: 'wrong-type', path: 'rate', message: 'parameter rate: expected a number, got "much"' },
    { code: 'wrong-type', path: 'done', message: 'parameter done: expected true or false, got "maybe"' },
    { code: 'invalid-value', path: 'day', message: 'parameter day: expected a date of the calendar, YYYY-MM-DD, from 0001 to 9999, got "2023-02-29"' },
    {
      code: 'wrong-type',
      path: 'at',
      message: 'parameter at: expected an instant as 2026-01-31T12:00:00Z, got "today"',
    },
  ])
  t.equal((await server.inject(`${api}/p/9007199254740993?title=a`)).statusCode, 400, 'a number that JavaScript cannot hold is not rounded')
  const range = 'expected a whole number between -(2^53 - 1) and 2^53 - 1, got'
  const beyond = await server.inject({ url: `${api}/p/9007199254740993?title=a&rate=9007199254740993`, headers: { accept: 'application/json' } })
  t.match(beyond.json(), {
    problems: [
      { code: 'invalid-value', path: 'n', message: `parameter n: ${range} "9007199254740993"` },
      { code: 'invalid-value', path: 'rate', message: 'parameter rate: expected a number that can be kept as it is (every whole number between -(2^53 - 1) and 2^53 - 1), got "9007199254740993"' },
    ],
  })
  t.match((await server.inject(`${api}/p/1?title=a&rate=1e999`)).body, 'parameter rate: expected a number between -1.8e+308 and 1.8e+308, got "1e999"')
  t.match((await server.inject(`${api}/p/1?title=a&rate=-1e-400`)).body, 'parameter rate: expected 0, or a number that is at least 5e-324 away from it, got "-1e-400"')
  t.same((await server.inject(`${api}/p/1?title=a&rate=-0.0e9`)).json<{ rate: number }>().rate, 0, 'zero is zero, however it is written')
  t.match((await server.inject(`${api}/p/1?title=a&at=2023-02-29T10:00:00Z`)).body, 'parameter at: expected a day of the calendar and a time of the day, as 2026-01-31T12:00:00Z, got "2023-02-29T10:00:00Z"')
  t.match((await server.inject(`${api}/p/1?title=a&title=b`)).body, 'parameter title: expected text once, got it 2 times')
  t.match((await server.inject(`${api}/p/1?title=%00`)).body, 'parameter title: expected text of well-formed Unicode without NUL, got "\\u0000"')
})

t.test('what is wrong with JSON in a parameter is told by its name, in a query and in a form', async (t) => {
  const { server } = await buildApp(t, () => httpEndpoint('/j', { methods: ['GET', 'POST'], params: { filter: json() } }, ({ filter }) => ({ filter })))
  const wrong: readonly (readonly [string, string, string])[] = [
    ['{"a":[{"__proto__":1}]}', 'forbidden-name', 'expected JSON without a member called __proto__, which means something else in JavaScript, got one with such a member'],
    ['[1e-400]', 'invalid-value', 'expected JSON with numbers that can be kept as they are, got one that would become 0; send it as a text'],
    ['[1e400]', 'invalid-value', 'expected JSON with numbers that can be kept as they are, got one that is too large; send it as a text'],
    ['[', 'wrong-type', 'expected JSON of at most 100 levels, got "["'],
  ]
  for (const [text, code, what] of wrong) {
    const sent = new URLSearchParams({ filter: text }).toString()
    const message = `parameter filter: ${what}`
    const form = { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' }
    for (const answer of [
      await server.inject({ url: `${api}/j?${sent}`, headers: { accept: 'application/json' } }),
      await server.inject({ method: 'POST', url: `${api}/j`, payload: sent, headers: form }),
    ]) {
      t.match([answer.statusCode, answer.json()], [400, { problems: [{ code, path: 'filter', message }] }], text)
    }
  }
  t.same((await server.inject(`${api}/j?filter=${encodeURIComponent('{"proto":"__proto__","n":0}')}`)).json(), { filter: { proto: '__proto__', n: 0 } })
})

t.test('a declared parameter may also come as a member of a JSON body, with its JSON type', async (t) => {
  const { server } = await buildApp(t, () =>
    httpEndpoint('/new', { methods: ['POST'], params: { title: text(), count: integer().default(1) } }, ({ title, count }) => ({ title, count })),
  )
  const post = (payload: object | string, type = 'application/json') => server.inject({ method: 'POST', url: `${api}/new`, payload, headers: { 'content-type': type } })
  t.same((await post({ title: 'a', other: 1 })).json(), { title: 'a', count: 1 })
  t.same((await post('title=b&count=2', 'application/x-www-form-urlencoded')).json(), { title: 'b', count: 2 })
  const range = /^the body is not accepted: it has the number 9007199254740993, which would become 9007199254740992: only between -\(2\^53 - 1\) and 2\^53 - 1/
  t.match((await post('{"title":"a","count":9007199254740993}')).body, range)
  t.match((await post('{"title":"a","count":9007199254740992}')).body, 'parameter count: expected a whole number between -(2^53 - 1) and 2^53 - 1, got 9007199254740992')
  t.match((await post('{"title":"a","count":1.5}')).body, 'parameter count: expected a whole number, got 1.5')
  t.match((await post({ title: 5, count: '2' })).body, 'parameter title: expected text, got a number; parameter count: expected a whole number, got "2"')
  t.match((await post('{"title":"a"}', 'text/plain')).body, 'missing parameter: title')
  t.match((await post([])).body, 'missing parameter: title')
  t.match((await post('{"title":')).body, /not valid JSON: .* at position 9/)
})

t.test('a Standard Schema validator checks a parameter or the body, and its issues are told', async (t) => {
  const short = {
    '~standard': {
      version: 1 as const,
      vendor: 'test',
      validate: (value: unknown) => (typeof value === 'string' && value.length < 4 ? { value: value.toUpperCase() } : { issues: [{ message: 'must be short' }] }),
    },
  }
  const named: StandardSchema<unknown, { name: string }> = {
    '~standard': {
      version: 1 as const,
      vendor: 'test',
      validate: async (value: unknown) => {
        await new Promise((resolve) => setTimeout(resolve, 1))
        const name = (value as { name?: unknown } | null)?.name
        return typeof name === 'string' ? { value: { name } } : { issues: [{ message: 'must be text', path: ['name'] }] }
      },
    },
  }
  const { server } = await buildApp(t, () => {
    httpEndpoint('/s', { params: { code: short } }, ({ code }) => code)
    httpEndpoint('/b', { methods: ['POST'], body: named }, (_args, { bodyJson }) => bodyJson.name)
  })
  t.equal((await server.inject(`${api}/s?code=abc`)).body, 'ABC')
  t.match((await server.inject(`${api}/s?code=abcd`)).body, 'code: must be short')
  t.match((await server.inject(`${api}/s`)).body, 'missing parameter: code')
  t.equal((await server.inject({ method: 'POST', url: `${api}/b`, payload: { name: 'Ada', extra: 1 } })).body, 'Ada')
  const wrong = await server.inject({ method: 'POST', url: `${api}/b`, payload: { name: 1 } })
  t.equal(wrong.statusCode, 400)
  t.match(wrong.body, 'body.name: must be text')
  const missing = await server.inject({ method: 'POST', url: `${api}/b` })
  t.equal(missing.statusCode, 400)
  t.match(missing.body, 'missing body: expected JSON')
})

t.test('any method that Node.js reads can be answered, and TypeScript knows them', async (t) => {
  const { server } = await buildApp(t, () => {
    httpEndpoint('/x', { methods: ['PROPFIND', 'M-SEARCH'] }, () => 'found')
  })
  const untold = () => {
    // @ts-expect-error it is misspelt
    httpEndpoint('/x', { methods: ['GTE'] }, () => 1)
    // @ts-expect-error methods are written in capitals
    httpEndpoint('/x', { methods: ['get'] }, () => 1)
  }
  t.throws(untold, /no app was loading/)
  t.match(await server.inject({ method: 'PROPFIND' as 'GET', url: `${api}/x` }), { statusCode: 200, body: 'found' })
})

t.test('a mistake in a declaration stops the start with one sentence and its place', async (t) => {
  const directory = await temporaryFolder(t)
  const starting = (define: () => unknown) => createApp({ directory, define, options: { name: 'test' }, logTo: { write: () => undefined } })
  const untyped = httpEndpoint as unknown as (...args: unknown[]) => void
  const handler = () => 1
  const cases: [RegExp, () => unknown][] = [
    [/unknown option "mehtods"; did you mean "methods"\?/, () => untyped('/x', { mehtods: ['GET'] }, handler)],
    [/: the endpoint \/x: the option "methods" has "GETT", which is no method that an endpoint can answer; did you mean "GET"\?$/, () => untyped('/x', { methods: ['GETT'] }, handler)],
    [/the option "methods" has "get", which .*; did you mean "GET"\?; the option "methods" has "propfnd", which .*; did you mean "PROPFIND"\?; the option "methods" has 7, which is no method that an endpoint can answer$/, () => untyped('/x', { methods: ['get', 'propfnd', 7] }, handler)],
    [/has "CONNECT", which is no method .*; usual are GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS$/, () => untyped('/x', { methods: ['CONNECT'] }, handler)],
    [/the option "methods" has a method twice$/, () => untyped('/x', { methods: ['GET', 'GET'] }, handler)],
    [/the option "methods" takes a list of methods, such as \['GET', 'PUT'\], got an empty list$/, () => untyped('/x', { methods: [] }, handler)],
    [/the option "methods" takes a list of methods, such as \['GET', 'PUT'\], got "GET"$/, () => untyped('/x', { methods: 'GET' }, handler)],
    [/the option "authenticateUsers" takes true, false or 'optional', got "yes"$/, () => untyped('/x', { authenticateUsers: 'yes' }, handler)],
    [/the option "params" takes column types or validators by name, such as { title: text\(\) }, but title is the class String, and page is "1"$/, () => untyped('/x', { params: { title: String, page: '1' } }, handler)],
    [/the option "params" takes .*, got a list$/, () => untyped('/x', { params: ['title'] }, handler)],
    [/owner is a link column, which no parameter can hold \(use one of text, /, () => untyped('/x', { params: { owner: link('users') } }, handler)],
    [/option "bodyLimit" takes a whole number of bytes above 0, got -1/, () => untyped('/x', { bodyLimit: -1 }, handler)],
    [/option "authenticateUsers" takes true, false or 'optional', got undefined/, () => untyped('/x', { authenticateUsers: undefined }, handler)],
    [/the option "requireCredentials" is given twice, under two names$/, () => untyped('/x', { requireAuth: true, requireCredentials: false }, handler)],
    [/option "body" takes a Standard Schema/, () => untyped('/x', { body: { '~standard': 1 } }, handler)],
    [/which no client can send/, () => untyped('/a/../b', handler)],
    [/has no handler/, () => untyped('/x', {})],
    [/a path starts with "\/", got "x"/, () => untyped('x', handler)],
    [/two parameters called "id"/, () => untyped('/:id/:id', handler)],
    [/has a parameter ":a-:b"/, () => untyped('/:a-:b', handler)],
    [/which no request can match/, () => untyped('/a{id}', handler)],
    [/takes a path such as "\/tasks"/, () => untyped(undefined, handler)],
    [/GET \/_\/api\/x\/:b is declared twice: here and at .*endpoints\.test\.ts:\d+ \(\/_\/api\/x\/:a\)/, () => {
      untyped('/x/:a', handler)
      untyped('/x/:b', handler)
    }],
  ]
  for (const [message, define] of cases) await t.rejects(starting(define), { name: 'DeclarationError', message })
  await t.rejects(
    starting(() => untyped('/x', { mehtods: [], authenticateUser: 1, timeout: 0 }, handler)),
    { message: /endpoints\.test\.ts:\d+: .*"mehtods".*"authenticateUser".*"timeout"/ },
    'all mistakes at once',
  )
  t.throws(() => httpEndpoint('/late', handler), /no app was loading/)
})

t.test('other names for the authentication options mean the same', async (t) => {
  const { server } = await buildApp(t, () => {
    httpEndpoint('/1', { require_auth: true }, () => request.username)
    httpEndpoint('/2', { requireAuth: true }, () => request.password)
    httpEndpoint('/3', { authenticate_users: true }, () => 1)
  })
  for (const path of ['/1', '/2', '/3']) t.equal((await server.inject(api + path)).statusCode, 401)
  const headers = { authorization: `Basic ${Buffer.from('me:a:b').toString('base64')}` }
  t.equal((await server.inject({ url: `${api}/1`, headers })).body, 'me')
  t.equal((await server.inject({ url: `${api}/2`, headers })).body, 'a:b')
  t.equal((await server.inject({ url: `${api}/3`, headers })).statusCode, 401)
})
