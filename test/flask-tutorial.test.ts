import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { abort, errorHandler, HttpResponse, jsonify, log, request, requiresAuth, route, urlFor } from 'rowhouse'
import { buildApp, startApp, temporaryFolder } from './support/app.ts'
import { needs } from './support/needs.ts'

// The apps of a tutorial, "Restful API with Flask", chapter by chapter: its paths, its requests, made with curl, and its answers.

const run = promisify(execFile)
const skip = needs('curl')

/** A `curl` that asks one server. The path is the last word. */
function curlFor(url: string, cwd?: string): (...words: string[]) => Promise<string> {
  return async (...words) => {
    const { stdout } = await run('curl', ['--silent', '--show-error', '--max-time', '20', ...words.slice(0, -1), url + words.at(-1)], { cwd })
    return stdout
  }
}

/** An answer of `curl -i`: its status line, its header lines as they were on the wire, and its body. */
function parse(answer: string): { readonly status: string; readonly headers: readonly string[]; readonly body: string } {
  const end = answer.indexOf('\r\n\r\n')
  const [status = '', ...headers] = answer.slice(0, end).split('\r\n')
  return { status, headers, body: answer.slice(end + 4) }
}

t.test('resources: /, /articles and /articles/:id', { skip }, async (t) => {
  const { url } = await startApp(t, () => {
    route('/', function apiRoot() {
      return 'Welcome'
    })
    route('/articles', function apiArticles() {
      return `List of ${urlFor('apiArticles')}`
    })
    route('/articles/<articleid>', function apiArticle({ articleid }) {
      return `You are reading ${articleid}`
    })
    route('/links', () => [urlFor('apiArticle', { articleid: 'a b' }), urlFor('apiArticle', { articleid: 1, page: 2 })])
  })
  const curl = curlFor(url)
  t.equal(await curl('/'), 'Welcome')
  t.equal(await curl('/articles'), 'List of /articles')
  t.equal(await curl('/articles/123'), 'You are reading 123')
  t.equal(await curl('/articles/a%20b'), 'You are reading a b')
  t.equal(await curl('/articles/a%2Fb'), 'You are reading a/b', 'an encoded slash stays inside of its parameter')
  t.equal(await curl('/links'), '["/articles/a%20b","/articles/1?page=2"]')
  for (const path of ['/articles/1/2', '/articles/', '/Articles', '/nothing']) t.match(await curl('-i', path), /^HTTP\/1\.1 404 Not Found\r\n/, path)
})

t.test('a parameter of the query that may be left out', { skip }, async (t) => {
  const { url } = await startApp(t, () => {
    route('/hello', () => ('name' in request.queryParams ? `Hello ${String(request.queryParams['name'])}` : 'Hello John Doe'))
    route('/all', () => request.queryParams)
  })
  const curl = curlFor(url)
  t.equal(await curl('/hello'), 'Hello John Doe')
  t.equal(await curl('/hello?name=Luis'), 'Hello Luis')
  t.equal(await curl('/hello?name='), 'Hello ', 'there, but empty')
  t.equal(await curl('/hello?name=a+b%20c%26'), 'Hello a b c&')
  t.equal(await curl('/all?name=a&name=b&x=1'), '{"name":["a","b"],"x":"1"}', 'a repeated one is a list')
})

t.test('request methods: /echo answers five of them, others are told which', { skip }, async (t) => {
  const methods = ['GET', 'POST', 'PATCH', 'PUT', 'DELETE'] as const
  const { url } = await startApp(t, () => {
    route('/echo', { methods }, () => `ECHO: ${request.method}\n`)
    route('/hello', () => 'Hello John Doe')
    route('/own', { methods: ['GET', 'OPTIONS'] }, () => 'own')
  })
  const curl = curlFor(url)
  for (const method of methods) t.equal(await curl('-X', method, '/echo'), `ECHO: ${method}\n`)
  t.equal(await curl('/echo'), 'ECHO: GET\n')
  const post = parse(await curl('-i', '-X', 'POST', '/hello'))
  t.equal(post.status, 'HTTP/1.1 405 Method Not Allowed')
  t.equal(post.body, 'Method not supported')
  t.ok(post.headers.includes('allow: GET, HEAD, OPTIONS'))
  t.ok(parse(await curl('-i', '-X', 'TRACE', '/hello')).headers.includes('allow: GET, HEAD, OPTIONS'))
  t.match(await curl('-i', '-X', 'FOO', '/hello'), /^HTTP\/1\.1 400 /, 'what is no method of HTTP at all')
  const withoutVarying = (headers: readonly string[]): readonly string[] => headers.filter((line) => !/^(?:date|x-request-id):/i.test(line))
  t.same(withoutVarying(parse(await curl('-I', '/hello')).headers), withoutVarying(parse(await curl('-i', '/hello')).headers), 'HEAD has the headers of GET, Content-Length too')
  t.match(parse(await curl('-I', '/hello')), { status: 'HTTP/1.1 200 OK', body: '' })
  t.ok(parse(await curl('-I', '/hello')).headers.includes('content-length: 14'))
  const options = parse(await curl('-i', '-X', 'OPTIONS', '/echo'))
  t.equal(options.status, 'HTTP/1.1 204 No Content')
  t.ok(options.headers.includes('allow: GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS'))
  t.equal(options.body, '')
  t.match(await curl('-i', '-X', 'OPTIONS', '/nothing'), /^HTTP\/1\.1 404 /)
  t.equal(await curl('-X', 'OPTIONS', '/own'), 'own', 'a handler of its own goes first')
})

t.test('request data and headers: one path takes text, JSON and bytes, and refuses the rest', { skip }, async (t) => {
  const folder = await temporaryFolder(t)
  const bytes = Buffer.concat([Buffer.from([0, 13, 10, 255]), randomBytes(100_000)])
  await writeFile(join(folder, 'message.bin'), bytes)
  const { url } = await startApp(t, () => {
    route('/messages', { methods: ['POST'] }, async () => {
      switch (request.mimetype) {
        case 'text/plain':
          return `Text Message: ${await request.text()}`
        case 'application/json':
          return `JSON Message: ${JSON.stringify(request.bodyJson)}`
        case 'application/octet-stream':
          await writeFile(join(folder, 'binary'), request.body?.bytes ?? '')
          return 'Binary message written!'
        default:
          return new HttpResponse(415, '415 Unsupported Media Type ;)')
      }
    })
    route('/told', { methods: ['POST'] }, () => [request.headers['Content-Type'], request.headers['content-type'], request.mimetype, request.bodyJson, request.formParams])
    route('/upload', { methods: ['POST'] }, ({ title, tag }, { files }) => {
      const shown = [files['file'] ?? []].flat().map(({ name, contentType, bytes: sent }) => ({ name, contentType, identical: bytes.equals(sent) }))
      return { title, tag, files: shown }
    })
  })
  const curl = curlFor(url, folder)
  t.equal(await curl('-H', 'Content-type: text/plain', '-d', 'hi', '/messages'), 'Text Message: hi')
  const json = ['-X', 'POST', '-d', '{"message":"Hello Data"}']
  t.equal(await curl('-H', 'Content-type: application/json', ...json, '/messages'), 'JSON Message: {"message":"Hello Data"}')
  t.equal(await curl('-H', 'Content-type: application/json; charset=utf-8', ...json, '/messages'), 'JSON Message: {"message":"Hello Data"}', 'a parameter makes no other type of it')
  t.equal(await curl('-H', 'Content-type: application/octet-stream', '-X', 'POST', '--data-binary', '@message.bin', '/messages'), 'Binary message written!')
  t.ok(bytes.equals(await readFile(join(folder, 'binary'))), 'byte by byte')
  const refused = parse(await curl('-i', '-d', 'a=1', '/messages'))
  t.equal(refused.status, 'HTTP/1.1 415 Unsupported Media Type')
  t.equal(refused.body, '415 Unsupported Media Type ;)')

  const told = async (type: string, data: string): Promise<unknown> => JSON.parse(await curl('-H', `Content-type: ${type}`, '-d', data, '/told'))
  t.same(JSON.parse(await curl('-d', 'a=1&b=x%20y', '/told')), ['application/x-www-form-urlencoded', 'application/x-www-form-urlencoded', 'application/x-www-form-urlencoded', null, { a: '1', b: 'x y' }])
  t.match(await told('Application/vnd.x+json; v=1', '{"a":1}'), ['Application/vnd.x+json; v=1', String, 'application/vnd.x+json', { a: 1 }, {}])
  t.match(await told('text/plain', '{"a":1}'), ['text/plain', 'text/plain', 'text/plain', null, {}], 'with another type there is no JSON, and no error')
  const malformed = parse(await curl('-i', '-H', 'Content-type: application/json', '-d', '{"a":', '/told'))
  t.match(malformed, { status: 'HTTP/1.1 400 Bad Request', body: /not valid JSON: .* at position 5/ })

  const file = { name: 'message.bin', contentType: 'application/octet-stream', identical: true }
  t.same(JSON.parse(await curl('-F', 'file=@message.bin', '-F', 'title=hello', '/upload')), { title: 'hello', files: [file] })
  const several = await curl('-F', 'file=@message.bin', '-F', 'tag=a', '-F', 'file=@message.bin;type=image/x;filename=b.bin', '-F', 'tag=b', '/upload')
  t.same(JSON.parse(several), { tag: ['a', 'b'], files: [file, { name: 'b.bin', contentType: 'image/x', identical: true }] }, 'several of one name are all kept')
})

t.test('responses: status, type and headers of one’s own, the long form and the short one', { skip }, async (t) => {
  const data = { hello: 'world', number: 3 }
  const { url } = await startApp(t, () => {
    route('/hello', () => {
      const response = new HttpResponse(200, '{"hello": "world", "number": 3}', { 'content-type': 'application/json' })
      response.headers.set('Link', 'http://luisrei.com')
      return response
    })
    route('/short', () => {
      const response = jsonify(data)
      response.status = 202
      return response
    })
    route('/plain', () => data)
    route('/vendor', () => new HttpResponse(200, '{}', { 'content-type': 'application/vnd.example.v2+json' }))
    route('/csv', () => new HttpResponse(200, 'a,b', { 'content-type': 'text/csv' }))
    route('/list', () => ['body', 201, { 'x-a': '1' }])
    route('/nothing', () => undefined)
  })
  const curl = curlFor(url)
  const { status, headers, body } = parse(await curl('-i', '/hello'))
  t.equal(status, 'HTTP/1.1 200 OK')
  for (const line of ['content-type: application/json', 'content-length: 31', 'link: http://luisrei.com']) t.ok(headers.includes(line), line)
  t.ok(headers.some((line) => /^date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/i.test(line)))
  t.notOk(headers.some((line) => /^(?:server|x-powered-by):/i.test(line)), 'what runs here is nobody’s business')
  t.equal(body, '{"hello": "world", "number": 3}')
  t.match(parse(await curl('-i', '/short')), { status: 'HTTP/1.1 202 Accepted', body: '{"hello":"world","number":3}' })
  t.match(parse(await curl('-i', '/plain')), { status: 'HTTP/1.1 200 OK', body: '{"hello":"world","number":3}' })
  const typeOf = async (path: string): Promise<string | undefined> => parse(await curl('-i', path)).headers.find((line) => line.startsWith('content-type:'))
  t.equal(await typeOf('/vendor'), 'content-type: application/vnd.example.v2+json')
  t.equal(await typeOf('/csv'), 'content-type: text/csv; charset=utf-8')
  t.match(parse(await curl('-i', '/list')), { status: 'HTTP/1.1 200 OK', body: '["body",201,{"x-a":"1"}]' }, 'a list is JSON, not body, status and headers')
  t.match(parse(await curl('-i', '/nothing')), { status: 'HTTP/1.1 200 OK', body: 'null' }, 'nothing is JSON too, not an error')
})

/** The users of the chapter on errors, of whom there are three. */
function defineUsers(): void {
  const users = new Map([['1', 'john'], ['2', 'steve'], ['3', 'bill']])
  route('/users/<userid>', ({ userid }) => (users.has(userid) ? jsonify({ [userid]: users.get(userid) }) : abort(404)))
  route('/boom', () => Promise.reject(new Error('boom')))
  route('/teapot', () => abort(418))
  route('/denied', () => abort(jsonify({ no: true }, 402)))
}

t.test('status codes and errors: what is not found is told as JSON, with the whole URL', { skip }, async (t) => {
  const { url } = await startApp(t, () => {
    defineUsers()
    errorHandler(404, (_error, { url: asked }) => jsonify({ status: 404, message: `Not Found: ${asked}` }, 404))
  })
  const curl = curlFor(url)
  t.match(parse(await curl('-i', '/users/2')), { status: 'HTTP/1.1 200 OK', body: '{"2":"steve"}' })
  for (const path of ['/users/4', '/nobody/declared?this=1']) {
    const { status, headers, body } = parse(await curl('-i', path))
    t.equal(status, 'HTTP/1.1 404 Not Found')
    t.ok(headers.includes('content-type: application/json'))
    t.equal(body, `{"status":404,"message":"Not Found: ${url}${path}"}`)
  }
  t.match(parse(await curl('-i', '-X', 'PUT', '/users/2')), { status: 'HTTP/1.1 405 Method Not Allowed', body: 'Method not supported' }, 'other errors are left alone')
  t.match(parse(await curl('-i', '/boom')), { status: 'HTTP/1.1 500 Internal Server Error', body: 'An exception was raised. Check the application logs for details.' })
  t.match(parse(await curl('-i', '/teapot')), { status: "HTTP/1.1 418 I'm a Teapot" })
  t.match(parse(await curl('-i', '/denied')), { status: 'HTTP/1.1 402 Payment Required', body: '{"no":true}' })
})

t.test('default errors: a page for browsers, JSON for those who ask for it, else text', { skip }, async (t) => {
  const { url } = await startApp(t, defineUsers)
  const curl = curlFor(url)
  const typeOf = async (accept: string, path: string): Promise<string | undefined> => parse(await curl('-i', '-H', `Accept: ${accept}`, path)).headers.find((line) => line.startsWith('content-type:'))
  for (const path of ['/nothing', '/users/4', '/boom', '/teapot', '/%zz']) {
    t.equal(await typeOf('text/html,*/*;q=0.8', path), 'content-type: text/html; charset=utf-8', path)
    t.equal(await typeOf('application/json', path), 'content-type: application/json', path)
    t.equal(await typeOf('*/*', path), 'content-type: text/plain; charset=utf-8', path)
  }
})

t.test('Basic authentication: a check of one’s own around a handler', { skip }, async (t) => {
  const checkAuth = (username: string | undefined, password: string | undefined): boolean => username === 'admin' && password === 'secret'
  const { url } = await startApp(t, () => {
    const secret = requiresAuth(({ username, password }) => checkAuth(username, password), { challenge: 'Basic realm="Example"', refusal: { message: 'Authenticate.' } })
    route('/secrets', secret(() => 'Shhh this is top secret spy stuff!'))
    route('/whoami', () => [request.authorization])
    route('/lines', () => {
      const response = new HttpResponse(401, 'Authenticate.')
      response.headers.set('WWW-Authenticate', 'Basic realm="Example"')
      response.headers.append('WWW-Authenticate', 'Bearer realm="Example"')
      return response
    })
    route('/line', () => new HttpResponse(401, '', { 'WWW-Authenticate': 'Basic realm="Example", Bearer realm="Example"' }))
  })
  const curl = curlFor(url)
  for (const words of [[], ['-u', 'admin:wrong'], ['-u', 'other:secret'], ['-u', 'admin:'], ['-H', 'Authorization: Bearer x']]) {
    const { status, headers, body } = parse(await curl('-i', ...words, '/secrets'))
    t.equal(status, 'HTTP/1.1 401 Unauthorized', words.join(' '))
    t.equal(body, '{"message":"Authenticate."}')
    t.same(headers.filter((line) => line.startsWith('www-authenticate:')), ['www-authenticate: Basic realm="Example"'])
  }
  const { stdout, stderr } = await run('curl', ['-s', '-v', '-u', 'admin:secret', `${url}/secrets`])
  t.equal(stdout, 'Shhh this is top secret spy stuff!')
  t.match(stderr, '> Authorization: Basic YWRtaW46c2VjcmV0')
  t.match((await run('curl', ['-s', '-v', `${url}/secrets`])).stderr, '< www-authenticate: Basic realm="Example"')

  const whoami = async (...words: string[]): Promise<unknown> => JSON.parse(await curl(...words, '/whoami'))
  t.same(await whoami('-u', 'admin:se:cret'), [{ scheme: 'basic', username: 'admin', password: 'se:cret' }])
  t.same(await whoami('-H', 'Authorization: bAsIc YWRtaW46c2VjcmV0'), [{ scheme: 'basic', username: 'admin', password: 'secret' }])
  t.same(await whoami('-H', 'Authorization: Bearer x'), [{ scheme: 'bearer', token: 'x' }])
  t.same(await whoami('-H', 'Authorization: Basic YWRtaW4='), [{ scheme: 'basic', username: 'admin', password: '' }], 'without a colon the password is empty')
  for (const value of ['Basic !!!', 'Basic']) t.same(await whoami('-H', `Authorization: ${value}`), [null], `${value} is nobody`)

  const challenges = async (path: string): Promise<readonly string[]> => parse(await curl('-i', path)).headers.filter((line) => line.startsWith('www-authenticate:'))
  t.same(await challenges('/lines'), ['www-authenticate: Basic realm="Example"', 'www-authenticate: Bearer realm="Example"'], 'two lines on the wire')
  t.same(await challenges('/line'), ['www-authenticate: Basic realm="Example", Bearer realm="Example"'], 'one, unchanged')
})

t.test('logging: app.log has what the app says, in order, from its level on, and what nobody caught', { skip }, async (t) => {
  const define = (): void => {
    route('/hello', () => {
      log.info('informing')
      log.warning('warning')
      log.error('screaming bloody murder!')
      return 'check your logs\n'
    })
    route('/boom', () => Promise.reject(new Error('nobody caught this')))
  }
  /** Asks these paths of an app that logs from this level on, and reads its file when it has ended. */
  const logOf = async (level: 'info' | 'warn', ...paths: string[]): Promise<string> => {
    const directory = await temporaryFolder(t)
    const file = join(directory, 'app.log')
    const { server } = await buildApp(t, define, { logging: { file, format: 'message', level } }, directory)
    const curl = curlFor(await server.listen({ port: 0, host: '127.0.0.1' }))
    for (const path of paths) t.equal(await curl(path), path === '/hello' ? 'check your logs\n' : 'An exception was raised. Check the application logs for details.')
    await server.close()
    return readFileSync(file, 'utf8')
  }
  t.equal(await logOf('info', '/hello'), 'informing\nwarning\nscreaming bloody murder!\n')
  t.equal(await logOf('warn', '/hello'), 'warning\nscreaming bloody murder!\n')
  t.match(await logOf('info', '/boom'), /^Exception on \/boom \[GET\]\n {4}request [0-9a-f-]{36}\n {4}Error: nobody caught this\n {8}at .*flask-tutorial\.test\.ts:\d+:\d+/)
})
