import t from 'tap'
import {
  abort,
  ConfigurationError,
  createApp,
  errorHandler,
  eventStream,
  HttpError,
  httpEndpoint,
  HttpResponse,
  Media,
  middleware,
  redirect,
  request,
  route,
  users,
  type FastifyInstance,
} from 'rowhouse'
import { basic, buildApp, startApp, temporaryFolder, type Settings } from './support/app.ts'
import { openPage } from './support/browser.ts'
import { needs } from './support/needs.ts'

const policy = "base-uri 'self'; frame-ancestors 'none'"
const filePolicy = "frame-ancestors 'self'"
const sandbox = "sandbox; frame-ancestors 'self'"
const referrer = 'strict-origin-when-cross-origin'
const year = 'max-age=31536000'
const names = ['x-content-type-options', 'content-security-policy', 'referrer-policy', 'strict-transport-security', 'cache-control'] as const

type Headers = Readonly<Record<string, unknown>>

/** The headers that this is about, in their order; those that an answer has not are undefined. */
const about = (headers: Headers): unknown[] => names.map((name) => headers[name])

const html = (headers: Record<string, string> = {}): HttpResponse => new HttpResponse(200, '<!doctype html>', { 'content-type': 'text/html', ...headers })

t.test('pages and files cannot be framed or sniffed and tell other sites little; JSON and text have nothing of it', async (t) => {
  const { server } = await buildApp(t, () => {
    route('/page', () => html())
    route('/web', () => new Response('<p>', { headers: { 'content-type': 'Text/HTML; charset=utf-8' } }))
    route('/json-as-page', () => new HttpResponse(200, { a: 1 }, { 'content-type': 'text/html' }))
    route('/svg', () => new HttpResponse(200, '<svg/>', { 'content-type': 'image/svg+xml' }))
    route('/xml', () => new HttpResponse(200, '<a/>', { 'content-type': 'text/xml' }))
    route('/picture', () => new Media(Buffer.from('x'), { contentType: 'image/png' }))
    route('/bytes', () => Buffer.from('x'))
    route('/pieces', async function* () {
      yield 'x'
    })
    route('/untyped', () => new Response(Buffer.from('<p>')))
    route('/upload', () => new Media('<p>', { contentType: 'text/html', name: 'upload.html' }))
    route('/json', () => ({ a: 1 }))
    route('/own-json', () => new HttpResponse(200, '{}', { 'content-type': 'application/problem+json; charset=utf-8' }))
    route('/text', () => 'text')
    route('/style', () => new HttpResponse(200, 'a{}', { 'content-type': 'text/css' }))
    route('/events', () => eventStream(events()))
    route('/away', () => redirect('/page'))
    route('/nothing', () => new HttpResponse(204))
    async function* events(): AsyncGenerator<string> {
      yield 'x'
    }
  })
  const expected: Readonly<Record<string, readonly unknown[]>> = {
    ...Object.fromEntries(['page', 'web', 'json-as-page'].map((name) => [name, ['nosniff', policy, referrer]])),
    ...Object.fromEntries(['svg', 'xml', 'picture', 'bytes', 'pieces', 'untyped'].map((name) => [name, ['nosniff', filePolicy, referrer]])),
    upload: ['nosniff', sandbox, referrer],
    json: [],
    'own-json': ['nosniff'],
    text: ['nosniff'],
    style: ['nosniff'],
    events: ['nosniff', undefined, undefined, undefined, 'no-store'],
    away: ['nosniff'],
    nothing: [],
  }
  for (const [name, told] of Object.entries(expected)) {
    for (const method of ['GET', 'HEAD'] as const) {
      const { headers } = await server.inject({ method, url: `/${name}` })
      t.same(about(headers), names.map((_, index) => told[index]), `${method} ${name}`)
      t.notOk(headers['server'] ?? headers['x-powered-by'] ?? headers['x-frame-options'], name)
    }
  }
})

t.test('what a handler, a middleware or a web response says itself counts, header by header, and nothing is sent twice', async (t) => {
  const own = { 'content-security-policy': "default-src 'self'", 'referrer-policy': 'no-referrer', 'strict-transport-security': 'max-age=1', 'cache-control': 'private', 'x-content-type-options': 'nosniff' }
  const { port } = await startApp(
    t,
    () => {
      route('/all', { authenticateUsers: 'optional' }, () => html(own))
      route('/web', () => new Response('<p>', { headers: { 'content-type': 'text/html', 'Content-Security-Policy': "default-src 'self'" } }))
      route('/one', () => html({ 'Referrer-Policy': 'origin' }))
      middleware('/around', async (_request, next) => {
        const response = await next()
        response.headers.set('content-security-policy', "img-src 'self'")
        return response
      })
      route('/around', () => html())
      route('/upload', () => new HttpResponse(200, new Media('<p>', { contentType: 'text/html', name: 'x' }), { 'content-security-policy': "frame-ancestors 'self'" }))
    },
    { origin: 'https://app.example' },
  )
  const ask = async (path: string): Promise<unknown[]> => {
    const { headers } = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { 'x-forwarded-proto': 'https' } })
    return names.map((name) => headers.get(name) ?? undefined)
  }
  t.same(await ask('/all'), ['nosniff', "default-src 'self'", 'no-referrer', 'max-age=1', 'private'])
  t.same((await ask('/web')).slice(0, 3), ['nosniff', "default-src 'self'", referrer])
  t.same((await ask('/one')).slice(0, 3), ['nosniff', policy, 'origin'])
  t.same((await ask('/around')).slice(0, 3), ['nosniff', "img-src 'self'", referrer])
  t.same((await ask('/upload')).slice(0, 3), ['nosniff', "sandbox, frame-ancestors 'self'", referrer], 'the sandbox stays')
})

t.test('each of them can be set otherwise, and turned off', async (t) => {
  const answers = async (security: Settings['security']): Promise<{ readonly page: unknown[]; readonly upload: unknown; readonly error: unknown }> => {
    const { server } = await buildApp(
      t,
      () => {
        route('/page', () => html())
        route('/upload', () => new Media('<p>', { contentType: 'text/html', name: 'x' }))
      },
      { security, origin: 'https://app.example' },
    )
    const ask = async (url: string): Promise<Headers> => (await server.inject({ url, headers: { host: 'app.example', accept: 'text/html' } })).headers
    return { page: about(await ask('/page')), upload: (await ask('/upload'))['content-security-policy'], error: (await ask('/unknown'))['content-security-policy'] }
  }
  const strict = /^default-src 'none'; style-src 'sha256-.*frame-ancestors 'none'$/
  t.match(await answers({}), { page: ['nosniff', policy, referrer, year, undefined], upload: sandbox, error: strict })
  t.match(await answers({ contentSecurityPolicy: false, frameAncestors: false, referrerPolicy: false, hsts: false }), { page: ['nosniff', undefined, undefined, undefined, undefined], upload: /^sandbox$/, error: strict })
  t.match(await answers({ contentSecurityPolicy: "default-src 'self';", referrerPolicy: 'same-origin', hsts: 'max-age=63072000; includeSubDomains; preload' }), {
    page: ['nosniff', "default-src 'self'; frame-ancestors 'none'", 'same-origin', 'max-age=63072000; includeSubDomains; preload'],
  })
  t.match(await answers({ frameAncestors: ['self', 'https://*.portal.example:8443'] }), { page: ['nosniff', "base-uri 'self'; frame-ancestors 'self' https://*.portal.example:8443"], upload: "sandbox; frame-ancestors 'self' https://*.portal.example:8443", error: strict })
  t.match(await answers({ contentSecurityPolicy: false, frameAncestors: ['https://portal.example'] }), { page: ['nosniff', 'frame-ancestors https://portal.example'], upload: "sandbox; frame-ancestors 'self' https://portal.example" })
})

t.test('a setting that is no such header stops the start', async (t) => {
  const directory = await temporaryFolder(t)
  const mistakes = async (security: Record<string, unknown>): Promise<readonly string[]> => {
    const thrown: unknown = await createApp({ directory, define: () => undefined, options: { security } as Settings }).catch((reason: unknown) => reason)
    return thrown instanceof ConfigurationError ? thrown.mistakes : ['it started']
  }
  for (const wrong of ['', ' ', "default-src 'self', img-src *", "script-src 'self'; frame-ancestors 'self'", 'a\nb', true, null]) {
    t.match(await mistakes({ contentSecurityPolicy: wrong }), [/^security\.contentSecurityPolicy: expected a policy such as "default-src 'self'", without frame-ancestors, .*, or false, got /], String(wrong))
  }
  for (const wrong of ['self', ["'self'"], ['none'], ['https://a.example/path'], ['*'], true]) t.match(await mistakes({ frameAncestors: wrong }), [/^security\.frameAncestors: expected a list, each member self or an origin /], String(wrong))
  for (const wrong of ['none', 'no-referrer']) t.match(await mistakes({ referrerPolicy: wrong }), [/^security\.referrerPolicy: expected one of same-origin, origin, .*; not no-referrer, with which .*: same-origin tells other sites nothing/], wrong)
  for (const wrong of [31536000, 'max-age', 'max-age=1; includeSubdomain', true]) t.match(await mistakes({ hsts: wrong }), [/^security\.hsts: expected a text such as "max-age=31536000; includeSubDomains", or false/], String(wrong))
})

t.test('https is promised to browsers that came by it, and to nobody else', async (t) => {
  const page = (): void => {
    route('/', () => html())
    httpEndpoint('/json', () => ({ a: 1 }))
    route('/failed', () => abort(418))
  }
  const built = new Map<string, ReturnType<typeof buildApp>>()
  const promises = async (settings: Settings, headers: Record<string, string>, url = '/'): Promise<unknown> => {
    const key = JSON.stringify(settings)
    const app = built.get(key) ?? buildApp(t, page, settings)
    built.set(key, app)
    const { server } = await app
    return (await server.inject({ url, headers })).headers['strict-transport-security']
  }
  const proxy = { trustedProxies: ['127.0.0.1'] }
  const origin = { origin: 'https://app.example' }
  const by = (proto: string, host = 'app.example'): Record<string, string> => ({ host, 'x-forwarded-proto': proto })
  t.equal(await promises(proxy, by('https')), year)
  for (const url of ['/_/api/json', '/failed', '/unknown', '/_/health/live']) t.equal(await promises(proxy, by('https'), url), year, url)
  t.equal(await promises(proxy, { 'x-forwarded-host': 'app.example', ...by('https', 'inner:3030') }), year)
  t.equal(await promises(origin, { host: 'APP.example' }), year, 'whoever asks for the origin has come by it')
  t.equal(await promises(origin, { host: 'app.example:443' }), year)
  t.equal(await promises({ alternateOrigins: ['https://other.example:8443'] }, { host: 'other.example:8443' }), year)
  t.equal(await promises({ ...proxy, ...origin }, by('https')), year)

  t.equal(await promises({}, by('https')), undefined, 'a proxy that nobody trusts')
  t.equal(await promises(proxy, by('http')), undefined)
  t.equal(await promises(proxy, { host: 'app.example' }), undefined)
  t.equal(await promises({ ...proxy, ...origin }, by('http')), undefined, 'the proxy says that the browser came by http')
  t.equal(await promises({ ...proxy, ...origin }, by('https, http')), undefined)
  t.equal(await promises(origin, { host: 'inner:3030' }), undefined)
  t.equal(await promises({ origin: 'http://app.example' }, { host: 'app.example' }), undefined)
  for (const host of ['localhost', 'localhost:3000', 'app.localhost', '127.0.0.1:3030', '[::1]:3030']) t.equal(await promises(proxy, by('https', host)), undefined, host)
  t.equal(await promises({ origin: 'https://localhost:3000' }, by('https', 'localhost:3000')), undefined)
})

t.test('what is for a known caller stays in no cache, errors too, unless the handler says otherwise', async (t) => {
  const { server } = await buildApp(
    t,
    () => {
      route('/mine', { authenticateUsers: true }, () => ({ mine: true }))
      route('/picture', { authenticateUsers: true }, () => new HttpResponse(200, Buffer.from('x'), { 'cache-control': 'private, max-age=60' }))
      route('/optional', { authenticateUsers: 'optional' }, () => 'text')
      route('/open', () => 'text')
      route('/sign-in', { methods: ['POST'] }, async () => {
        const user = await users.byEmail('me@example.com')
        if (user !== null) await users.logIn(user)
      })
      route('/failed', { authenticateUsers: true }, () => {
        throw new HttpError(404, 'no such thing')
      })
      route('/handled', { authenticateUsers: true }, () => abort(418))
      route('/told', { authenticateUsers: true }, () => {
        throw new HttpError(410, 'gone', {}, { 'Cache-Control': 'max-age=5' })
      })
      errorHandler(418, () => ({ handled: true }))
      route('/stream', { authenticateUsers: true }, async function* () {
        yield 'x'
      })
    },
  )
  await server.rowhouse.users.add('me@example.com', 'my long password')
  const known = basic('me@example.com', 'my long password')
  const kept = async (url: string, headers: Record<string, string> = known): Promise<unknown> => (await server.inject({ url, headers })).headers['cache-control']
  for (const url of ['/mine', '/optional', '/failed', '/handled', '/stream']) t.equal(await kept(url), 'no-store', url)
  t.equal(await kept('/picture'), 'private, max-age=60')
  t.equal(await kept('/told'), 'max-age=5')
  for (const url of ['/optional', '/open', '/mine']) t.equal(await kept(url, {}), undefined, `${url} for anybody`)

  const { headers } = await server.inject({ method: 'POST', url: '/sign-in' })
  t.equal(headers['cache-control'], 'no-store')
  const [cookie = ''] = String(headers['set-cookie']).split(';')
  t.equal(await kept('/open', { cookie }), 'no-store', 'whoever has a session is known everywhere')
})

t.test('errors have them in every dress: a page has a strict policy, and what was asked for is not sniffed in a text', async (t) => {
  const { server } = await buildApp(t, () => undefined)
  const ask = async (accept: string): Promise<unknown[]> => about((await server.inject({ url: '/<script>', headers: { accept } })).headers)
  t.match(await ask('text/html'), ['nosniff', /^default-src 'none'; style-src 'sha256-[^;]+'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$/, referrer, undefined, undefined])
  t.same(await ask('text/plain'), ['nosniff', undefined, undefined, undefined, undefined])
  t.same(await ask('application/json'), names.map(() => undefined))
})

t.test('answers of a fastify.ts have them where its plugins have set none', async (t) => {
  const directory = await temporaryFolder(t)
  const plugin = async (app: FastifyInstance): Promise<void> => {
    app.get('/page', (_request, reply) => reply.type('text/html').send('<p>'))
    app.get('/script', (_request, reply) => reply.type('text/javascript').send('1'))
    app.get('/json', () => ({ a: 1 }))
    app.get('/web', () => new Response('<p>', { headers: { 'content-type': 'text/html', 'referrer-policy': 'origin' } }))
    app.get('/web-json', () => Response.json({ a: 1 }))
    app.get('/mine', { config: { authenticateUsers: true } }, () => ({ me: request.path }))
    app.get('/gone', (_request, reply) => reply.code(204).send())
    await app.register(async (scope) => {
      scope.addHook('onRequest', async (_request, reply) => void reply.headers({ 'content-security-policy': "default-src 'self'", 'cache-control': 'private', 'strict-transport-security': 'max-age=9' }))
      scope.get('/helmet', { config: { authenticateUsers: true } }, (_request, reply) => reply.type('text/html').send('<p>'))
    })
  }
  const server = await createApp({ directory, define: () => undefined, plugin, options: { name: 'test', origin: 'https://app.example' }, logTo: { write: () => undefined } })
  t.teardown(() => server.close())
  await server.rowhouse.users.add('me@example.com', 'my long password')
  const ask = async (url: string): Promise<unknown[]> => about((await server.inject({ url, headers: { host: 'app.example', ...basic('me@example.com', 'my long password') } })).headers)
  t.same(await ask('/page'), ['nosniff', policy, referrer, year, undefined])
  t.same(await ask('/script'), ['nosniff', undefined, undefined, year, undefined])
  t.same(await ask('/json'), [undefined, undefined, undefined, year, undefined])
  t.same(await ask('/web'), ['nosniff', policy, 'origin', year, undefined])
  t.same(await ask('/web-json'), [undefined, undefined, undefined, year, undefined])
  t.same(await ask('/gone'), [undefined, undefined, undefined, year, undefined])
  t.same(await ask('/mine'), [undefined, undefined, undefined, year, 'no-store'])
  t.same(await ask('/helmet'), ['nosniff', "default-src 'self'", referrer, 'max-age=9', 'private'])
})

const spa = `<!doctype html><meta charset="utf-8"><title>waiting</title><base href="/">
<style>p { color: rgb(1, 2, 3) }</style>
<p style="margin: 7px">text</p>
<img id="data" src="data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7">
<object id="object" type="image/svg+xml" data="/picture.svg"></object>
<form action="OTHER/form" method="post" target="target"><button>Send</button></form><iframe name="target"></iframe>
<button id="inline" onclick="done.push('handler')"></button>
<script src="OTHER/script.js"></script>
<script type="module">
  window.done = [typeof fromOther]
  document.querySelector('#inline').click()
  done.push((await (await fetch('/data')).json()).a)
  done.push((await (await fetch('OTHER/open')).json()).a)
  done.push(await new Promise((resolve) => {
    const worker = new Worker(URL.createObjectURL(new Blob(['postMessage("worker")'], { type: 'text/javascript' })))
    worker.onmessage = ({ data }) => resolve(data)
  }))
  done.push(new Function('return "evaluated"')())
  done.push((await WebAssembly.compile(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]))) instanceof WebAssembly.Module)
  await document.querySelector('#data').decode()
  done.push(getComputedStyle(document.querySelector('p')).color, document.querySelector('p').style.margin)
  document.title = JSON.stringify(done)
</script>`

t.test('an ordinary page application runs as it does without a policy, and no other origin can show it in a frame', { skip: needs('a browser') }, async (t) => {
  const other = await startApp(t, () => {
    route('/favicon.ico', () => new HttpResponse(204))
    route('/open', () => new HttpResponse(200, { a: 2 }, { 'access-control-allow-origin': '*' }))
    route('/script.js', () => new HttpResponse(200, 'fromOther = 1', { 'content-type': 'text/javascript' }))
    route('/form', { methods: ['POST'] }, () => 'sent')
    route('/frame', () => new HttpResponse(200, `<iframe src="${String(request.queryParams['url'])}"></iframe>`, { 'content-type': 'text/html' }))
  })
  const { url } = await startApp(t, () => {
    route('/', () => new HttpResponse(200, spa.replaceAll('OTHER', other.url), { 'content-type': 'text/html' }))
    route('/data', () => ({ a: 1 }))
    route('/favicon.ico', () => new HttpResponse(204))
    route('/picture.svg', () => new HttpResponse(200, '<svg xmlns="http://www.w3.org/2000/svg"/>', { 'content-type': 'image/svg+xml' }))
  })
  const tab = await openPage(t)
  const complaints: string[] = []
  tab.on('console', (message) => complaints.push(message.text()))
  tab.on('pageerror', (error) => complaints.push(error.message))
  await tab.goto(url)
  await tab.waitForFunction('document.title !== "waiting"')
  t.same(JSON.parse(await tab.title()), ['number', 'handler', 1, 2, 'worker', 'evaluated', true, 'rgb(1, 2, 3)', '7px'])
  await tab.click('form button')
  await tab.frameLocator('iframe[name=target]').locator('text=sent').waitFor()
  t.same(complaints, [])

  await tab.goto(`${other.url}/frame?url=${encodeURIComponent(url)}`)
  t.match(complaints, [/Framing .* violates .* "frame-ancestors 'none'"/])
})
