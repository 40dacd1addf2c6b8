import t, { type Test } from 'tap'
import { abort, cookies, httpEndpoint, HttpResponse, request, route, type CreateAppOptions } from 'rowhouse'
import type { Page } from 'playwright-core'
import { startApp } from './support/app.ts'
import { openPage } from './support/browser.ts'
import { needs } from './support/needs.ts'

const skip = needs('a browser')

interface Asked {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string
  readonly credentials?: string
}

/** What a script of a page has got. */
type Got = { readonly status: number; readonly text: string; readonly headers: Record<string, string> } | 'refused'

interface Fetcher {
  readonly ask: (url: string, asked?: Asked) => Promise<Got>
  /** What stands in the console by now; it is empty from then on. */
  readonly console: () => string[]
}

/** Lets the script of a page, in a frame of its own if that is asked for, fetch from elsewhere. */
async function fetcher(t: Test, page: string): Promise<Fetcher> {
  const tab = await openPage(t)
  const messages: string[] = []
  tab.on('console', (message) => void messages.push(message.text()))
  await tab.goto(page)
  return { ask: (url, asked = {}) => ask(tab, url, asked), console: () => messages.splice(0) }
}

function ask(tab: Pick<Page, 'evaluate'>, url: string, asked: Asked): Promise<Got> {
  const program = `fetch(${JSON.stringify(url)}, ${JSON.stringify(asked)}).then(
    async (response) => ({ status: response.status, text: await response.text(), headers: Object.fromEntries(response.headers) }),
    () => 'refused')`
  return tab.evaluate<Got>(program)
}

const page = (body = ''): HttpResponse => new HttpResponse(200, `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>test</title>${body}`, { 'content-type': 'text/html' })

/** Pages at an origin, and at another of the same server. */
async function startFront(t: Test): Promise<{ readonly origin: string; readonly foreign: string }> {
  const { url, port } = await startApp(t, () => route('/', () => page()))
  return { origin: url, foreign: `http://localhost:${port}` }
}

const everything = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

async function startApi(t: Test, front: string, settings: CreateAppOptions['options'] = {}) {
  const ran: string[] = []
  const app = await startApp(
    t,
    () => {
      const handle = (): HttpResponse => {
        ran.push(`${request.method} ${request.path}`)
        return new HttpResponse(200, `${request.method} ${request.headers['x-key'] ?? ''}`, { 'x-total': '3' })
      }
      httpEndpoint('/all', { methods: everything, enableCors: true }, handle)
      httpEndpoint('/front', { methods: everything, enableCors: front }, handle)
      httpEndpoint('/trusted', { methods: everything, enableCors: { origins: front, credentials: true, exposed: ['X-Total'], maxAge: 5 } }, handle)
      httpEndpoint('/some', { methods: ['PUT'], enableCors: { origins: front, headers: ['X-Key'] } }, handle)
      httpEndpoint('/closed', { methods: everything }, handle)
      httpEndpoint('/signed-in', { methods: everything, enableCors: front, authenticateUsers: true }, handle)
      httpEndpoint('/fail', { enableCors: front }, () => Promise.reject(new Error('no')))
      httpEndpoint('/teapot', { enableCors: front }, () => abort(418, 'short and stout'))
      httpEndpoint('/stream', { enableCors: front }, async function* () {
        yield 'one,'
        yield 'two'
      })
    },
    settings,
  )
  return { api: `${app.url}/_/api`, ran }
}

t.test('a page reads what is open to its origin: every method, headers of its own, errors and streams, and the console stays empty', { skip }, async (t) => {
  const front = await startFront(t)
  const { api } = await startApi(t, front.origin)
  const { ask, console } = await fetcher(t, front.origin)
  for (const path of ['/all', '/front', '/trusted'])
    for (const method of everything) {
      const got = await ask(`${api}${path}`, { method, headers: { 'x-key': 'mine', 'content-type': 'application/json' }, ...(method !== 'GET' && { body: '{}' }) })
      t.match(got, { status: 200, text: `${method} mine` }, `${method} ${path}`)
      t.equal(got === 'refused' ? undefined : got.headers['x-total'], path === '/trusted' ? '3' : undefined)
    }
  t.match(await ask(`${api}/stream`), { status: 200, text: 'one,two' })
  t.match(await ask(`${api}/some`, { method: 'PUT', headers: { 'x-key': 'mine' } }), { text: 'PUT mine' })
  t.match(await ask(`${api}/trusted`, { method: 'PUT', credentials: 'include' }), { status: 200 })
  t.same(console(), [])
  t.match(await ask(`${api}/fail`), { status: 500, text: /exception/ })
  t.match(await ask(`${api}/teapot`), { status: 418, text: 'short and stout' })
  t.match(await ask(`${api}/front`, { method: 'PROPFIND' }), 'refused')
  t.match(console().filter((message) => !message.startsWith('Failed to load resource')), [/Method PROPFIND is not allowed by Access-Control-Allow-Methods/])
  const refused = await ask(`${api}/signed-in`, { method: 'PUT', headers: { authorization: `Basic ${btoa('a@example.com:b')}` } })
  t.match(refused, { status: 401 }, 'the preflight has no credentials, and is let in')
})

t.test('a page of another origin reads nothing, and what it asked for by a preflight is not done', { skip }, async (t) => {
  const front = await startFront(t)
  const { api, ran } = await startApi(t, front.origin)
  const { ask, console } = await fetcher(t, front.foreign)
  for (const path of ['/front', '/trusted', '/closed', '/fail', '/stream'])
    for (const asked of [{}, { credentials: 'include' }]) t.equal(await ask(`${api}${path}`, asked), 'refused', path)
  ran.splice(0)
  for (const path of ['/front', '/trusted', '/closed'])
    for (const method of ['PUT', 'PATCH', 'DELETE']) t.equal(await ask(`${api}${path}`, { method }), 'refused', `${method} ${path}`)
  t.equal(await ask(`${api}/front`, { headers: { 'x-key': 'mine' } }), 'refused')
  t.same(ran, [])
  const blocked = console().filter((message) => !message.startsWith('Failed to load resource'))
  t.equal(blocked.length, 20)
  t.ok(blocked.every((message) => message.includes('blocked by CORS policy')))
  t.match(await ask(`${api}/all`, { method: 'DELETE', headers: { 'x-key': 'theirs' } }), { text: 'DELETE theirs' }, 'what is open to all is open to it, too')
})

t.test('what is open to all, or to an origin without a word of credentials, is not read with them', { skip }, async (t) => {
  const front = await startFront(t)
  const { api, ran } = await startApi(t, front.origin)
  const { ask, console } = await fetcher(t, front.origin)
  for (const path of ['/all', '/front']) {
    t.equal(await ask(`${api}${path}`, { credentials: 'include' }), 'refused', path)
    t.equal(ran.length, 1, 'a browser sends it, and does not hand over the answer')
    t.equal(await ask(`${api}${path}`, { method: 'DELETE', credentials: 'include' }), 'refused', path)
    t.equal(ran.splice(0).length, 1)
  }
  t.equal(await ask(`${api}/some`, { method: 'PUT', headers: { 'x-other': 'mine' } }), 'refused')
  t.match(console().at(-2), /Request header field x-other is not allowed by Access-Control-Allow-Headers/)
})

t.test('cookies come along where credentials are let in, and count where the endpoint says that they do for other sites', { skip }, async (t) => {
  const front = await startFront(t)
  const { url } = await startApp(t, () => {
    const enableCors = { origins: front.origin, credentials: true }
    const count = (): object => ({ seen: cookies.local.get('seen') ?? null })
    route('/set', () => (cookies.local.set({ seen: 'yes' }), page()))
    route('/isolated', { enableCors }, count)
    route('/shared', { methods: ['PUT'], enableCors, crossSiteSession: true }, count)
    route('/open', { enableCors: true, crossSiteSession: true }, count)
  })
  const tab = await openPage(t)
  await tab.goto(`${url}/set`)
  await tab.goto(front.origin)
  t.match(await ask(tab, `${url}/isolated`, { credentials: 'include' }), { text: '{"seen":null}' })
  t.match(await ask(tab, `${url}/shared`, { method: 'PUT', credentials: 'include' }), { text: '{"seen":"yes"}' })
  t.match(await ask(tab, `${url}/shared`, { method: 'PUT' }), { text: '{"seen":null}' })
  t.equal(await ask(tab, `${url}/open`, { credentials: 'include' }), 'refused')
  await tab.goto(front.foreign)
  t.equal(await ask(tab, `${url}/shared`, { method: 'PUT', credentials: 'include' }), 'refused')
})

t.test('a page without an origin, in a sandbox, reads what is open to all and nothing else', { skip }, async (t) => {
  const front = await startFront(t)
  const { api } = await startApi(t, front.origin)
  const tab = await openPage(t)
  await tab.goto(front.origin)
  await tab.setContent('<iframe sandbox="allow-scripts" srcdoc="<title>inside</title>"></iframe>')
  const frame = await (await tab.waitForSelector('iframe')).contentFrame()
  if (frame === null) throw new Error('the frame has no page')
  await frame.waitForLoadState()
  t.equal(await frame.evaluate('origin'), 'null')
  for (const path of ['/front', '/trusted', '/closed']) t.equal(await ask(frame, `${api}${path}`, {}), 'refused', path)
  t.match(await ask(frame, `${api}/all`, { method: 'PUT' }), { status: 200 })
})

t.test('a page at another address of the app reads its answers without a word', { skip }, async (t) => {
  const front = await startFront(t)
  const { api } = await startApi(t, 'https://front.example', { alternateOrigins: [front.origin] })
  const own = await fetcher(t, front.origin)
  t.match(await own.ask(`${api}/closed`, { method: 'PUT', headers: { 'x-key': 'mine' } }), { status: 200, text: 'PUT mine' })
  t.same(own.console(), [])
  const foreign = await fetcher(t, front.foreign)
  t.equal(await foreign.ask(`${api}/closed`), 'refused')
})
