import t from 'tap'
import { crudEndpoints, defineTables, HttpError, httpEndpoint, request, route, table, text, type StandardSchema } from 'rowhouse'
import { buildApp, startApp } from './support/app.ts'
import { ask } from './support/ask.ts'

const api = '/_/api'
const anything = { '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => (value === null ? { issues: [{ message: 'nothing' }] } : { value }) } } satisfies StandardSchema
const [plain, json, html] = ['text/plain; charset=utf-8', 'application/json', 'text/html; charset=utf-8']

t.test('the form of an error is chosen by type and weight, with whatever parameters a client names a type', async (t) => {
  const { port } = await startApp(t, () => route('/known', () => 1))
  const cases: readonly (readonly [accept: string, type: string])[] = [
    ['application/json; charset=utf-8', json],
    ['application/json;charset="utf-8"', json],
    ['APPLICATION/JSON;Charset=UTF-8', json],
    ['application/json;profile="a,b;c"', json],
    ['text/html;level=1', html],
    ['text/html;level=1;q=0.3, application/json;indent=4;q=0.4', json],
    ['text/html;q=0.3;level=1, application/json;q=0.2', html],
    ['text/plain;format=flowed, application/json;q=0.9', plain],
    ['text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8', html],
    ['application/json, text/plain, */*', json],
    ['application/*', json],
    ['text/*;q=0.5, application/json;version=1;q=0.1', plain],
    ['application/json;q=0, */*', plain],
    ['text/plain;q=0, */*;q=0.1', json],
    ['image/png', plain],
    ['*/*', plain],
    ['', plain],
    [`application/json;a=${'b'.repeat(400)}`, json],
    [`application/json, ${'a/b,'.repeat(200)}`, plain],
    [`text/html, ${'a/b,'.repeat(3000)}`, plain],
  ]
  for (const [accept, type] of cases) {
    const answer = await ask(port, { path: '/none', headers: { accept } })
    t.same([answer.status, answer.headers['content-type'], answer.headers['vary']], [404, [type], ['Accept']], accept.slice(0, 70))
  }
})

t.test('a client that takes anything gets its errors in JSON where it or the endpoint speaks JSON', async (t) => {
  const { url, port } = await startApp(t, () => {
    const { tasks } = defineTables({ tasks: table({ title: text() }) })
    crudEndpoints('/tasks', tasks, { columns: ['title'], public: true })
    httpEndpoint('/schema', { methods: ['POST'], body: anything }, () => {
      throw new HttpError(409, 'no')
    })
    route('/page', { methods: ['GET', 'POST'] }, () => {
      throw new Error('secret')
    })
  })
  const fetched = async (path: string, init: RequestInit = {}): Promise<unknown[]> => {
    const answer = await fetch(url + path, init)
    const body = await answer.text()
    t.notMatch(body, /secret/)
    return [answer.status, answer.headers.get('content-type'), answer.headers.get('content-type') === json ? (JSON.parse(body) as { code: string }).code : null]
  }
  const sent = (type: string, method = 'POST', body = '{}'): RequestInit => ({ method, body, headers: { 'content-type': type } })
  t.same(await fetched(`${api}/tasks/none`), [404, json, 'not-found'], 'the rows of a table')
  t.same(await fetched(`${api}/tasks?x=1`), [400, json, 'invalid-input'])
  t.same(await fetched(`${api}/tasks`, { method: 'DELETE' }), [405, json, 'method-not-supported'], 'the method is not known, but what answers there')
  t.same(await fetched(`${api}/tasks`, sent('text/csv')), [415, json, 'unsupported-media-type'])
  t.same(await fetched(`${api}/schema`, { method: 'POST' }), [400, json, 'invalid-input'], 'a schema for a JSON body')
  t.same(await fetched(`${api}/schema`), [405, json, 'method-not-supported'])
  t.same(await fetched('/page', sent('application/json')), [500, json, 'internal'], 'a JSON body')
  t.same(await fetched('/page', sent('application/problem+json; charset=utf-8')), [500, json, 'internal'])
  t.same(await fetched('/none', sent('Application/JSON')), [404, json, 'no-endpoint'])
  t.same(await fetched('/page', sent('application/jsonx')), [500, plain, null])
  t.same(await fetched('/page', sent('application/json x')), [500, plain, null])
  t.same(await fetched('/page'), [500, plain, null])
  t.same(await fetched('/page', { method: 'DELETE' }), [405, plain, null])
  t.same(await fetched('/none'), [404, plain, null])
  t.same(await fetched('/page', { ...sent('application/json'), headers: { 'content-type': 'application/json', accept: 'text/html, */*;q=0.1' } }), [500, html, null], 'a browser has said what it wants')
  const long = await ask(port, { path: `${api}/tasks/none`, headers: { accept: `text/html, ${'a/b,'.repeat(1000)}` } })
  t.same(long.headers['content-type'], [json], 'what is too long to be read stands for anything')
  const silent = await ask(port, { path: `${api}/tasks/none` })
  t.same(silent.headers['content-type'], [plain], 'who does not say what they take gets plain text')
})

t.test('an empty body of a JSON type is malformed JSON, and no body is none', async (t) => {
  const { server, port } = await startApp(t, () => {
    httpEndpoint('/json', { methods: ['GET', 'POST', 'PUT', 'DELETE'] }, () => ({ got: request.bodyJson }))
    httpEndpoint('/either', { params: { a: text().default('none') } }, ({ a }) => a)
    httpEndpoint('/schema', { methods: ['POST'], body: anything }, () => 1)
  })
  const headers = { 'content-type': 'application/json', accept: 'application/json' }
  for (const method of ['POST', 'PUT'] as const) {
    const answer = await server.inject({ method, url: `${api}/json`, headers })
    t.match([answer.statusCode, answer.json()], [400, { code: 'malformed-json', message: 'the body is not valid JSON: it is empty' }], method)
  }
  for (const type of ['application/json; charset=utf-8', 'application/problem+json']) {
    const answer = await ask(port, { method: 'POST', path: `${api}/json`, body: '', headers: { 'content-type': type } })
    t.equal(answer.status, 400, type)
  }
  t.equal((await ask(port, { method: 'DELETE', path: `${api}/json`, body: '', chunked: true, headers: { ...headers, 'transfer-encoding': 'chunked' } })).status, 400, 'an empty body of chunks')
  for (const method of ['DELETE', 'GET']) {
    const answer = await ask(port, { method, path: `${api}/json`, body: '', headers })
    t.same([answer.status, answer.body], [200, '{"got":null}'], `${method} with a length of 0 has no body`)
  }
  t.same((await server.inject({ url: `${api}/json`, headers })).json(), { got: null }, 'many clients name a type with every GET')
  t.same((await server.inject({ method: 'POST', url: `${api}/json` })).json(), { got: null })
  t.same((await server.inject({ method: 'POST', url: `${api}/json`, headers: { 'content-type': 'text/plain' } })).json(), { got: null })
  t.equal((await server.inject({ method: 'POST', url: `${api}/either`, headers })).body, 'none', 'parameters may be sent in other ways')
  t.match((await server.inject({ method: 'POST', url: `${api}/schema`, headers })).json(), { code: 'invalid-input', problems: [{ code: 'missing-body' }] })
})

t.test('a content type that cannot be read is not the same as none', async (t) => {
  const { server } = await buildApp(t, () => {
    httpEndpoint('/json', { methods: ['POST'] }, () => ({ got: request.bodyJson }))
    httpEndpoint('/form', { methods: ['POST'] }, async () => ({ got: [request.formParams, request.files, await request.form()] }))
    httpEndpoint('/declared', { methods: ['POST'], params: { a: text() } }, ({ a }) => a)
    httpEndpoint('/schema', { methods: ['POST'], body: anything }, () => 1)
    httpEndpoint('/upload', { methods: ['POST'] }, async (args, { body }) => [Object.keys(args), body?.contentType, await body?.text()])
  })
  const types = ['application/json x', 'application/json, text/plain', 'application/json(x)', 'json', '/', 'application/x-www-form-urlencoded x', 'multipart/form-data x; boundary=x', `x${'b'.repeat(1000)}/y`]
  for (const type of types) {
    const send = (path: string) => server.inject({ method: 'POST', url: api + path, payload: '{"a":"b"}', headers: { 'content-type': type, accept: 'application/json' } })
    for (const path of ['/json', '/form', '/declared', '/schema']) {
      const answer = await send(path)
      t.match([answer.statusCode, answer.json()], [400, { code: 'malformed-header', message: /^content-type: expected a media type such as application\/json, got "/ }], `${path} ${type.slice(0, 60)}`)
      t.ok(answer.body.length < 500)
    }
    t.same((await send('/upload')).json(), [[], 'application/octet-stream', '{"a":"b"}'], `whoever takes any bytes takes these: ${type.slice(0, 60)}`)
  }
  for (const type of ['text/plain', 'application/jsonx', 'application/json;', 'text/plain; charset']) {
    const answer = await server.inject({ method: 'POST', url: `${api}/json`, payload: '{"a":"b"}', headers: { 'content-type': type } })
    t.same([answer.statusCode, answer.json()], [200, { got: type === 'application/json;' ? { a: 'b' } : null }], type)
  }
})

t.test('a name of a body that cannot be read is not the same as none', async (t) => {
  const { server } = await buildApp(t, () => {
    httpEndpoint('/b', { methods: ['POST'] }, (_args, { body }) => [body?.name])
    httpEndpoint('/other', { methods: ['POST'] }, () => 'not asked for')
  })
  const send = (path: string, disposition: string) =>
    server.inject({ method: 'POST', url: api + path, payload: 'x', headers: { 'content-disposition': disposition, accept: 'application/json' } })
  const broken = ['attachment; filename="a', 'attachment; filename=a; filename=b', 'attachment; filename', "attachment; filename*=UTF-8''%e2%82", "attachment; filename*=no-such''a", 'attachment; filename*0=a', 'attachment, attachment; filename=a=b;;x']
  for (const disposition of [...broken, `attachment; filename="${'a'.repeat(10_000)}`]) {
    const answer = await send('/b', disposition)
    t.match([answer.statusCode, answer.json()], [400, { code: 'malformed-header', message: /^content-disposition: expected one such as attachment; filename="f\.png", got "/ }], disposition.slice(0, 50))
    t.ok(answer.body.length < 500)
    t.equal((await send('/other', disposition)).body, 'not asked for')
  }
  const names = [['attachment', null], ['inline; filename=""', null], ["attachment; filename*=windows-1252''caf%e9.png", 'café.png'], ["attachment; filename*=UTF-8''%e2%82; filename=uber.txt", 'uber.txt']] as const
  for (const [disposition, name] of names) t.same((await send('/b', disposition)).json(), [name], disposition)
})

t.test('an expectation is met to the letter or refused', async (t) => {
  const { port } = await startApp(t, () => httpEndpoint('/b', { methods: ['POST'] }, () => 'done'))
  for (const expect of ['x100-continue', '100-continuex', '100-continue, more', '100']) {
    t.equal((await ask(port, { method: 'POST', path: `${api}/b`, body: 'x', headers: { expect } })).status, 417, expect)
  }
  t.equal((await ask(port, { method: 'POST', path: `${api}/b`, body: 'x', headers: { expect: '100-Continue' } })).body, 'done')
})

t.test('a query whose bytes are no UTF-8 is read as the standard has it', async (t) => {
  const { server } = await buildApp(t, () => route('/query', () => request.queryParams))
  for (const query of ['a=%E0%A4&a=%E0%A4%A', 'a=%zz&%zz=%', '%FF=%+%2B+%25%&b', 'a=%EF%BB%BF%FF&=%F0%9F%92', 'x=%ED%A0%80%41&y=1=%C3%A9%FF', '&&a=%e9&=&%=']) {
    const expected: Record<string, string | string[]> = {}
    for (const [name, value] of new URLSearchParams(query)) expected[name] = name in expected ? [expected[name] ?? [], value].flat() : value
    t.same((await server.inject(`/query?${query}`)).json(), expected, query)
  }
})

t.test('If-Match and If-None-Match are refused beyond 4096 characters', async (t) => {
  const { server } = await buildApp(t, () => {
    const { tasks } = defineTables({ tasks: table({ title: text() }) })
    crudEndpoints('/tasks', tasks, { columns: ['title'], public: true })
  })
  const created = await server.inject({ method: 'POST', url: `${api}/tasks`, payload: { title: 'a' } })
  const { location, etag } = created.headers
  const ask = (header: string, value: string) => server.inject({ url: String(location), headers: { [header]: value, accept: 'application/json' } })
  const others = '"other", '
  const short = others.repeat(Math.floor((4096 - String(etag).length) / others.length)) + String(etag)
  t.equal((await ask('if-match', short)).statusCode, 200)
  t.equal((await ask('if-none-match', short)).statusCode, 304)
  for (const header of ['if-match', 'if-none-match']) {
    for (const value of [`${others.repeat(500)}${String(etag)}`, ' '.repeat(100) + ','.repeat(5000), 'x'.repeat(5000)]) {
      const answer = await ask(header, value)
      t.match([answer.statusCode, answer.json()], [400, { code: 'malformed-condition', message: / is longer than 4096 characters; send fewer ETags$/ }], header)
      t.ok(answer.body.length < 400)
    }
  }
})

t.test('an encoding that is not known is told in a short message', async (t) => {
  const { server } = await buildApp(t, () => httpEndpoint('/b', { methods: ['POST'] }, () => 1))
  for (const encoding of ['gzip, gzip', 'gzip, identity', ',', 'gzip;q=1', 'x'.repeat(10_000), `${' '.repeat(200)}gzip, gzip`]) {
    const answer = await server.inject({ method: 'POST', url: `${api}/b`, payload: 'x', headers: { 'content-encoding': encoding, accept: 'application/json' } })
    t.match([answer.statusCode, answer.json()], [415, { code: 'unsupported-encoding' }], encoding.slice(0, 50))
    t.ok(answer.body.length < 600)
  }
})
