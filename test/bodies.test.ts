import t from 'tap'
import { httpEndpoint, request } from 'rowhouse'
import { buildApp } from './support/app.js'

const api = '/_/api'

t.test('the body is read as JSON, text, form and bytes on one request, each any number of times', async (t) => {
  const { server } = await buildApp(t, () =>
    httpEndpoint('/b/:id', async (_args, own) => ({
      json: await own.json().catch((error: Error) => error.message),
      again: await request.json().catch((error: Error) => error.message),
      text: await request.text(),
      form: await own.form(),
      body: (await own.body?.text()) ?? null,
      length: request.body?.length ?? 0,
      path: request.pathParams,
    })),
  )
  const post = async (payload: string, type: string) => (await server.inject({ method: 'POST', url: `${api}/b/a%2Fb`, payload, headers: { 'content-type': type } })).json<unknown>()
  t.same(await post('{"a":1}', 'text/plain'), { json: { a: 1 }, again: { a: 1 }, text: '{"a":1}', form: {}, body: '{"a":1}', length: 7, path: { id: 'a/b' } })
  t.match(await post('a=1&a=2', 'application/x-www-form-urlencoded'), { json: /not valid JSON: .* at position 0/, text: 'a=1&a=2', form: { a: ['1', '2'] }, body: 'a=1&a=2' })
  t.match(await post('', 'application/json'), { json: /it is empty/, text: '', form: {}, body: null })
})

t.test('json() refuses a malformed body with 400, and an empty one too', async (t) => {
  const { server } = await buildApp(t, () => httpEndpoint('/j', () => request.json()))
  const post = (payload: string) => server.inject({ method: 'POST', url: `${api}/j`, payload, headers: { 'content-type': 'text/plain' } })
  t.equal((await post('[1]')).body, '[1]')
  t.match(await post('[1'), { statusCode: 400, body: /the body is not valid JSON: .* position 2/ })
  t.match(await post(''), { statusCode: 400, body: /it is empty/ })
})

t.test('outside of a call, the methods of request throw like its attributes', async (t) => {
  const reading = 'request is only available while an endpoint runs'
  t.throws(() => request.body, { message: reading })
  t.throws(() => request.pathParams, { message: reading })
  t.throws(() => request.form(), { message: reading })
})
