import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { abort, cookies, CookieError, createApp, errorHandler, HttpError, HttpResponse, httpEndpoint, JSONResponse, Media, redirect, request, route, type FastifyPlugin } from 'rowhouse'
import { buildApp, startApp, temporaryFolder, type Settings, type TestApp } from './support/app.ts'
import { needs, takesLong } from './support/needs.ts'

type Server = TestApp['server']

/** The `Set-Cookie` lines of an answer. */
const linesOf = ({ headers }: { readonly headers: object }): string[] => [(headers as Record<string, string | string[] | undefined>)['set-cookie'] ?? []].flat()

/** What a browser would send back: the first part of each line. */
const pairsOf = (answer: { readonly headers: object }): string => linesOf(answer).map((line) => line.split(';', 1)[0]).join('; ')

async function ask(server: Server, url: string, headers: Readonly<Record<string, string>> = {}) {
  return server.inject({ url, headers })
}

const jar = (): void => {
  route('/set', () => {
    cookies.local.set('visits', cookies.local.get('visits', 0) + 1)
    return null
  })
  route('/get', () => ({ visits: cookies.local.get('visits'), has: cookies.local.has('visits') }))
  route('/shared', () => cookies.shared.get('who', 'nobody'))
  route('/share', () => void cookies.shared.set('who', 'ann'))
}

/** An app with a Fastify plugin. */
async function pluginApp(t: Test, define: () => unknown, plugin: FastifyPlugin): Promise<{ readonly server: Server; readonly lines: string[] }> {
  const lines: string[] = []
  const server = await createApp({ directory: await temporaryFolder(t), define, plugin, options: { name: 'test' }, logTo: { write: (line: string) => void lines.push(line) } })
  t.teardown(() => server.close())
  return { server, lines }
}

t.test('what an endpoint keeps in a cookie is there in the next request of the same browser, and in no other’s', async (t) => {
  const { server } = await buildApp(t, jar)
  let kept = ''
  for (let visit = 1; visit <= 3; visit++) {
    const answer = await ask(server, '/set', { cookie: kept })
    t.equal(linesOf(answer).length, 1)
    kept = pairsOf(answer)
    t.same((await ask(server, '/get', { cookie: kept })).json(), { visits: visit, has: true })
  }
  t.same((await ask(server, '/get')).json(), { visits: null, has: false })
  t.same(linesOf(await ask(server, '/get', { cookie: kept })), [], 'reading sets nothing')
})

t.test('values are those of JSON, several at once, and go when they are taken out', async (t) => {
  const { server } = await buildApp(t, () => {
    route('/fill', () => {
      cookies.local.set({ list: [1, { a: null }], text: 'ä ; =', no: false, ['__proto__']: 1 })
      return cookies.local.get('list')
    })
    route('/read', () => ['list', 'text', 'no', '__proto__', 'toString'].map((key) => cookies.local.get(key)))
    route('/del', () => {
      cookies.local.delete('list')
      cookies.local.del('nothing')
    })
    route('/clear', () => cookies.local.clear())
    route('/nothing', () => {
      cookies.local.set('a', 1)
      cookies.local.delete('a')
      cookies.shared.clear()
    })
  })
  const filled = await ask(server, '/fill')
  t.same(filled.json(), [1, { a: null }], 'it is there in the same call')
  let cookie = pairsOf(filled)
  t.same((await ask(server, '/read', { cookie })).json(), [[1, { a: null }], 'ä ; =', false, 1, null])
  cookie = pairsOf(await ask(server, '/del', { cookie }))
  t.same((await ask(server, '/read', { cookie })).json(), [null, 'ä ; =', false, 1, null])
  const [cleared = ''] = linesOf(await ask(server, '/clear', { cookie }))
  t.match(cleared, /^rowhouse_test_local=; Max-Age=0;/)
  t.same(linesOf(await ask(server, '/clear')), [], 'there is nothing to delete')
  t.same(linesOf(await ask(server, '/nothing')), [])
})

t.test('a null that was put there is a value, which no default replaces', async (t) => {
  const { server } = await buildApp(t, () => {
    route('/fill', () => void cookies.local.set('a', null))
    route('/read', () => [cookies.local.get('a', 'default'), cookies.local.get('b', 'default'), cookies.local.has('a')])
  })
  t.same((await ask(server, '/read', { cookie: pairsOf(await ask(server, '/fill')) })).json(), [null, 'default', true])
})

t.test('an answer with a cookie stays out of the caches of others, whatever its handler says of it', async (t) => {
  const said: Readonly<Record<string, string>> = { 1: 'public, max-age=60', 2: 'max-age=60', 3: 'private, max-age=60', 4: 'no-store', 5: 'private="set-cookie", max-age=60', 6: 'no-cache' }
  const define = (): void => {
    route('/set/:which', ({ which }) => {
      cookies.local.set('a', 1)
      return new HttpResponse(200, 'text', { 'cache-control': said[String(which)] ?? '' })
    })
    route('/plain/:which', ({ which }) => new HttpResponse(200, 'text', { 'cache-control': said[String(which)] ?? '' }))
  }
  const { server } = await pluginApp(t, define, async (fastify) => {
    fastify.get('/plugin', async (_request, reply) => {
      cookies.local.set('a', 1)
      return reply.header('cache-control', 'public').send('text')
    })
  })
  const kept = async (url: string): Promise<unknown> => (await ask(server, url)).headers['cache-control']
  for (const which of ['1', '2', '5', '6']) t.equal(await kept(`/set/${which}`), 'no-store', `${said[which]}`)
  for (const which of ['3', '4']) t.equal(await kept(`/set/${which}`), said[which])
  for (const which of ['1', '5']) t.equal(await kept(`/plain/${which}`), said[which], 'one without a cookie is as its handler says')
  t.equal(await kept('/plugin'), 'no-store')
})

t.test('each value expires by itself, 30 days after it was put there unless told otherwise', async (t) => {
  const { server } = await buildApp(t, () => {
    route('/fill', () => {
      cookies.local.set('short', 1, { days: 2 })
      cookies.local.set('usual', 2)
      cookies.local.set({ long: 3 }, { days: 400 })
    })
    route('/read', () => ['short', 'usual', 'long'].filter((key) => cookies.local.has(key)))
  })
  const filled = await ask(server, '/fill')
  t.match(linesOf(filled)[0], `Max-Age=${400 * 86_400};`, 'the cookie lasts as long as the longest')
  const { now } = Date
  t.teardown(() => Object.assign(Date, { now }))
  const after = async (days: number): Promise<unknown> => {
    Date.now = () => now() + days * 86_400_000
    return (await ask(server, '/read', { cookie: pairsOf(filled) })).json()
  }
  t.same(await after(1.99), ['short', 'usual', 'long'])
  t.same(await after(2.01), ['usual', 'long'])
  t.same(await after(30.01), ['long'])
  t.same(await after(401), [], 'whatever the browser has kept')
})

t.test('nothing of what is in a cookie can be read in it, decoded or not', async (t) => {
  const { server } = await buildApp(t, () => route('/', () => void cookies.local.set('colour', 'turquoise-and-gold')))
  const [line = ''] = linesOf(await ask(server, '/'))
  const value = /=([^;]*)/.exec(line)?.[1] ?? ''
  for (const form of [line, decodeURIComponent(line), Buffer.from(value, 'base64').toString('latin1'), Buffer.from(value, 'base64url').toString('utf8'), Buffer.from(value, 'hex').toString('latin1')]) {
    t.notMatch(form, /turquoise|colour/)
  }
  t.not(pairsOf(await ask(server, '/')), line.split(';')[0], 'and the same looks different each time')
})

t.test('a cookie that was changed, cut, swapped or made elsewhere is as good as none, thousands of times', { skip: takesLong('it sends thousands of requests') }, async (t) => {
  const define = (): void => {
    jar()
    route('/both', () => {
      for (const jar of [cookies.local, cookies.shared]) jar.set({ visits: 7, filler: 'x'.repeat(60) })
    })
    route('/any', () => [cookies.local.get('visits'), cookies.shared.get('visits')])
  }
  const secret = ['the first of several secrets 0000']
  const app = (settings: Settings): Promise<TestApp> => buildApp(t, define, settings)
  const { server } = await app({ secret })
  const others = [await app({ secret, name: 'other' }), await app({ secret: ['another one that is not the same'] })]
  const names = { local: 'rowhouse_test_local', shared: 'rowhouse_test_shared' }
  const made = new Map(pairsOf(await ask(server, '/both')).split('; ').map((pair) => pair.split('=') as [string, string]))
  const local = made.get(names.local) ?? ''
  t.same((await ask(server, '/any', { cookie: `${names.local}=${local}` })).json(), [7, null], 'unchanged it counts')

  const forged: string[] = []
  for (let index = 0; index < local.length; index++) {
    for (let bit = 0; bit < 7; bit++) {
      const character = String.fromCharCode(local.charCodeAt(index) ^ (1 << bit))
      forged.push(local.slice(0, index) + character + local.slice(index + 1))
    }
    forged.push(local.slice(0, index), local.slice(index + 1), local.slice(0, index) + local.slice(index + 1))
    for (const character of 'AZaz09-_+/=%. ') forged.push(local.slice(0, index) + character + local.slice(index), local.slice(0, index) + character + local.slice(index + 1))
  }
  const bytes = Buffer.from(local, 'base64url')
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = Buffer.from(bytes)
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    forged.push(flipped.toString('base64url'))
  }
  forged.push(bytes.toString('base64'), bytes.toString('hex'), `${local}${local}`, `"${local}"`, `${local}=`, made.get(names.shared) ?? '')
  for (const other of others) for (const [, value = ''] of pairsOf(await ask(other.server, '/both')).split('; ').map((pair) => pair.split('='))) forged.push(value)
  // Some of these end the cookie, or are the space that does not count around it.
  const sent = new Set(forged.filter((value) => value.split(';')[0]?.trim() !== local))
  t.ok(sent.size > 5000, `${sent.size} forged cookies`)
  let accepted = 0
  const statuses = new Set<number>()
  for (const value of sent) {
    const answer = await ask(server, '/any', { cookie: `${names.local}=${value}` })
    statuses.add(answer.statusCode)
    if (answer.body !== '[null,null]') accepted++
  }
  t.equal(accepted, 0)
  t.same([...statuses], [200])
  const swapped = await ask(server, '/any', { cookie: `${names.local}=${made.get(names.shared)}; ${names.shared}=${local}` })
  t.same(swapped.json(), [null, null], 'the value of one jar is none of the other')
  t.same((await ask(server, '/any', { cookie: `${names.local}=planted; ${names.local}=${local}` })).json(), [7, null], 'one that a stranger has planted in front of it is passed over')
})

t.test('apps on several ports of one host keep each their own cookies', async (t) => {
  const one = await buildApp(t, jar, { name: 'one' })
  const two = await buildApp(t, jar, { name: 'two' })
  const strange = await buildApp(t, jar, { name: 'ünï; =app' })
  const answers = [await ask(one.server, '/set'), await ask(two.server, '/set'), await ask(strange.server, '/set')]
  const cookie = answers.map(pairsOf).join('; ')
  t.equal(new Set(cookie.split('; ').map((pair) => pair.split('=')[0])).size, 3)
  for (const { server } of [one, two, strange]) t.same((await ask(server, '/get', { cookie })).json(), { visits: 1, has: true })
})

t.test('apps with one shared secret, below one domain, share `shared` and nothing else', async (t) => {
  const sharedSecret = ['what all apps of the house know at length']
  const https = { 'x-forwarded-proto': 'https' }
  const at = (name: string, settings: Settings = {}): Promise<TestApp> =>
    buildApp(t, jar, { name, origin: `https://${name}.example.com`, cookieDomain: 'example.com', trustedProxies: ['127.0.0.1'], sharedSecret, ...settings })
  const shop = await at('shop')
  const blog = await at('blog')
  const stranger = await at('stranger', { sharedSecret: ['what nobody else in the house knows of'] })
  const alone = await buildApp(t, jar, { name: 'alone' })
  const shared = await ask(shop.server, '/share', { ...https, host: 'shop.example.com' })
  t.match(linesOf(shared)[0], /^__Secure-rowhouse_shared=[\w-]+; Max-Age=2592000; Domain=example\.com; Path=\/; Secure; HttpOnly; SameSite=Lax$/)
  const local = await ask(shop.server, '/set', { ...https, host: 'shop.example.com' })
  t.match(linesOf(local)[0], /^__Host-rowhouse_shop_local=[\w-]+; Max-Age=2592000; Path=\/; Secure; HttpOnly; SameSite=Lax$/)
  const cookie = `${pairsOf(shared)}; ${pairsOf(local)}`
  const get = async ({ server }: TestApp, path: string, host: string): Promise<unknown> => (await ask(server, path, { ...https, host, cookie })).body
  t.equal(await get(blog, '/shared', 'blog.example.com'), 'ann')
  t.equal(await get(blog, '/get', 'blog.example.com'), '{"visits":null,"has":false}')
  t.equal(await get(stranger, '/shared', 'stranger.example.com'), 'nobody')
  t.equal(await get(alone, '/shared', 'alone.example.com'), 'nobody')
  t.match(linesOf(await ask(shop.server, '/share', { ...https, host: 'shop.example.net' }))[0], /^__Host-rowhouse_shared=[^;]+; Max-Age=2592000; Path=/, 'a host elsewhere keeps it for itself')
})

t.test('the domain of cookies has to be above the origin', async (t) => {
  for (const [cookieDomain, origin] of [['example.com', null], ['example.org', 'https://app.example.com'], ['app.example.com', 'https://example.com'], ['ample.com', 'https://example.com'], ['com', 'https://example.com'], ['.example.com', 'https://example.com']] as const) {
    await t.rejects(buildApp(t, jar, { cookieDomain, origin }), { name: 'ConfigurationError', message: /^cookieDomain: expected a domain/ }, cookieDomain)
  }
})

t.test('a cookie is for https alone where the browser sees https, and nobody but a trusted proxy says so', async (t) => {
  const trusting = await buildApp(t, jar, { trustedProxies: ['127.0.0.1'] })
  const other = await buildApp(t, jar)
  const headers = { 'x-forwarded-proto': 'https' }
  const [line = ''] = linesOf(await ask(trusting.server, '/set', headers))
  t.match(line, /^__Host-rowhouse_test_local=.*; Path=\/; Secure; HttpOnly; SameSite=Lax$/)
  t.match(linesOf(await ask(trusting.server, '/set'))[0], /^rowhouse_test_local=.*; Path=\/; HttpOnly; SameSite=Lax$/)
  t.match(linesOf(await ask(other.server, '/set', headers))[0], /^rowhouse_test_local=.*; Path=\/; HttpOnly; SameSite=Lax$/)
  const value = pairsOf({ headers: { 'set-cookie': line } }).split('=')[1]
  t.equal((await ask(trusting.server, '/get', { ...headers, cookie: `__Host-rowhouse_test_local=${value}` })).json<{ visits: number }>().visits, 1)
  t.equal((await ask(trusting.server, '/get', { ...headers, cookie: `rowhouse_test_local=${value}` })).json<{ visits: number }>().visits, null, 'a name that any neighbour can set does not count there')
})

t.test('an answer that promises https has cookies for https alone, and what is for https alone is promised it', async (t) => {
  const asked = async (settings: Settings, headers: Record<string, string>): Promise<unknown[]> => {
    const { server } = await buildApp(t, jar, settings)
    const reply = await ask(server, '/set', headers)
    const [line = ''] = linesOf(reply)
    return [line.includes('; Secure;'), line.startsWith('__Host-'), reply.headers['strict-transport-security'] !== undefined]
  }
  const origin = { origin: 'https://app.example' }
  const by = (proto: string): Record<string, string> => ({ host: 'app.example', 'x-forwarded-proto': proto })
  const [secure, plain] = [[true, true, true], [false, false, false]]
  t.same(await asked(origin, { host: 'app.example' }), secure, 'behind a proxy that nobody has named')
  t.same(await asked(origin, { host: 'APP.example:443' }), secure)
  t.same(await asked({ alternateOrigins: ['https://app.example'] }, by('https')), secure)
  t.same(await asked({ trustedProxies: ['127.0.0.1'] }, by('https')), secure)
  t.same(await asked({ ...origin, trustedProxies: ['127.0.0.1'] }, by('http')), plain)
  t.same(await asked(origin, by('http')), plain)
  t.same(await asked(origin, { host: 'inner:3030' }), plain)
  t.same(await asked({ origin: 'http://app.example' }, { host: 'app.example' }), plain)
  t.same(await asked({ origin: 'https://localhost:3000' }, { host: 'localhost:3000' }), plain)
})

t.test('what is set is in every answer of the call, whoever makes it and whatever it tells', async (t) => {
  const { server } = await buildApp(
    t,
    () => {
      const set = (): void => cookies.local.set('a', 1)
      route('/text', () => (set(), 'text'))
      route('/none', () => (set(), new HttpResponse(204)))
      route('/own', () => (set(), new HttpResponse(200, '', { 'set-cookie': ['own=1', 'other=2'] })))
      route('/web', () => (set(), new Response('', { headers: { 'set-cookie': 'own=1' } })))
      route('/early', () => (set(), abort(redirect('/elsewhere'))))
      route('/refused', () => (set(), abort(409)))
      route('/crashed', () => {
        set()
        throw new Error('crashed')
      })
      route('/unsendable', () => (set(), 1n as never))
      route('/late', async () => (set(), new Promise<null>((resolve) => setTimeout(resolve, 200, null))))
      route('/stream', async function* () {
        set()
        yield 'piece'
      } as () => AsyncIterable<string>)
      route('/handled', () => (set(), abort(418)))
      errorHandler(418, () => new HttpResponse(200, 'handled', { 'set-cookie': 'own=1' }))
      errorHandler(410, () => (set(), 'set by the handler of errors'))
      route('/gone', () => abort(410))
      errorHandler(411, () => abort(412))
      route('/twice', () => (set(), abort(411)))
    },
    // An injected stream keeps the timer of a client that does not read.
    { handlerTimeout: 50, sendTimeout: 200 },
  )
  const own = /^rowhouse_test_local=[\w-]+; Max-Age=2592000; Path=\/; HttpOnly; SameSite=Lax$/
  for (const [path, status] of Object.entries({ text: 200, none: 204, early: 302, refused: 409, crashed: 500, unsendable: 500, late: 503, stream: 200, gone: 410, twice: 412 })) {
    const answer = await ask(server, `/${path}`)
    t.equal(answer.statusCode, status, path)
    t.equal(linesOf(answer).length, 1, path)
    t.match(linesOf(answer)[0], own, path)
    t.equal(answer.headers['cache-control'], 'no-store', 'no cache gives it to somebody else')
  }
  for (const [path, others] of Object.entries({ own: ['own=1', 'other=2'], web: ['own=1'], handled: ['own=1'] })) {
    for (let time = 0; time < 2; time++) {
      const lines = linesOf(await ask(server, `/${path}`))
      t.same(lines.slice(0, -1), others, 'the handler’s own are there, too')
      t.match(lines.at(-1), own, path)
    }
  }
})

t.test('a reply that is made once and sent again and again never has the cookies of somebody else', async (t) => {
  const reply = new HttpResponse(200, 'always the same').setCookie('a', '1').setCookie('b', '2')
  const { server } = await buildApp(t, () => {
    route('/with', () => (cookies.local.set('a', 1), reply))
    route('/without', () => reply)
  })
  t.equal(linesOf(await ask(server, '/with')).length, 3)
  t.equal(linesOf(await ask(server, '/with')).length, 3)
  t.same(linesOf(await ask(server, '/without')), ['a=1; Path=/; HttpOnly; SameSite=Lax', 'b=2; Path=/; HttpOnly; SameSite=Lax'])
})

t.test('a request from another site has no cookies, and leaves none behind', async (t) => {
  const { server } = await buildApp(t, () => {
    const handler = (): unknown => {
      const before = [cookies.local.get('a'), cookies.shared.get('a'), request.cookies['plain'] ?? null]
      cookies.local.set('a', 'new')
      cookies.shared.clear()
      if (request.queryParams['fail'] !== undefined) throw new HttpError(409, 'no', {}, { 'set-cookie': 'own=1' })
      return new JSONResponse([...before, cookies.local.get('a')]).setCookie('own', '1')
    }
    route('/isolated', handler)
    route('/open', { crossSiteSession: true }, handler)
    route('/fill', () => {
      cookies.local.set('a', 'kept')
      cookies.shared.set('a', 'kept')
    })
  })
  const cookie = `plain=kept; ${pairsOf(await ask(server, '/fill'))}`
  const others: readonly Record<string, string>[] = [{ origin: 'https://evil.example' }, { 'sec-fetch-site': 'cross-site' }, { referer: 'https://evil.example/' }]
  for (const foreign of others) {
    const isolated = await ask(server, '/isolated', { cookie, ...foreign })
    t.same(isolated.json(), [null, null, null, 'new'])
    t.same(linesOf(isolated), [])
    const failed = await ask(server, '/isolated?fail', { cookie, ...foreign })
    t.same([failed.statusCode, linesOf(failed)], [409, []])
    const open = await ask(server, '/open', { cookie, ...foreign })
    t.same(open.json(), ['kept', 'kept', 'kept', 'new'])
    t.equal(linesOf(open).length, 3)
  }
  t.equal(linesOf(await ask(server, '/isolated?fail', { cookie })).length, 3)
})

t.test('what cannot be kept is refused with a code, and changes nothing', async (t) => {
  const errors: unknown[] = []
  const { server, log } = await buildApp(t, () => {
    const attempt = (work: () => void): void => {
      try {
        work()
      } catch (error) {
        errors.push(error)
      }
    }
    route('/fill', () => {
      cookies.local.set('a', 1)
      attempt(() => cookies.local.set('b', 'x'.repeat(4000)))
      attempt(() => cookies.local.set({ c: 1, picture: new Media('bytes') }))
      attempt(() => cookies.local.set('d', 1n))
      attempt(() => cookies.local.set('e', undefined))
      attempt(() => cookies.local.set('f', () => 1))
      attempt(() => cookies.local.set('h', { files: [new Media('bytes')] }))
      for (const days of [0, -1, 401, Number.NaN, '30' as unknown as number]) attempt(() => cookies.local.set('g', 1, { days }))
      for (const options of [30, { day: 1 }]) attempt(() => cookies.local.set('g', 1, options as object))
    })
    route('/read', () => 'abcdefg'.split('').filter((key) => cookies.local.has(key)))
    route('/uncaught', () => cookies.local.set('b', 'x'.repeat(4000)))
    route('/most', ({ length }) => cookies.local.set('b', 'x'.repeat(Number(length))))
  })
  const cookie = pairsOf(await ask(server, '/fill'))
  t.same((await ask(server, '/read', { cookie })).json(), ['a'])
  t.match(errors, [
    { name: 'CookieError', code: 'cookie-too-big', message: 'Cookie too big' },
    { code: 'cookie-not-json', message: 'cookies.local.set() cannot keep the Media under "picture"; keep it in a table, and its row\'s id here' },
    { code: 'cookie-not-json', message: 'cookies.local.set() takes what JSON can say: cannot send a BigInt as d' },
    { code: 'cookie-not-json', message: 'cookies.local.set() got no value for "e"; take it out with delete()' },
    { code: 'cookie-not-json', message: /cannot send a function as f/ },
    { code: 'cookie-not-json', message: /cannot keep the Media under "h"/ },
    { name: 'RangeError', message: 'cookies.local.set() takes more than 0 and at most 400 days, got 0' },
    { message: /got -1$/ },
    { message: /got 401$/ },
    { message: /got NaN$/ },
    { message: /got "30"$/ },
    { name: 'TypeError', message: 'cookies.local.set() takes how long a value lasts as { days: 30 }, got 30' },
    { name: 'TypeError', message: 'cookies.local.set() takes how long a value lasts as { days: 30 }, got the options day' },
  ])
  t.equal(errors.length, 13)
  t.ok(errors[0] instanceof CookieError)
  const uncaught = await ask(server, '/uncaught')
  t.same([uncaught.statusCode, linesOf(uncaught)], [500, []])
  t.match(log.at(-2), { err: { message: 'Cookie too big', code: 'cookie-too-big' } })
  const lengths = [2900, 2920, 2930, 2940, 2950, 2960, 2980]
  const statuses = await Promise.all(lengths.map(async (length) => {
    const answer = await ask(server, `/most?length=${length}`)
    const [pair = ''] = pairsOf(answer).split(';')
    t.ok(pair.length - pair.indexOf('=') - 1 <= 4000)
    return answer.statusCode
  }))
  t.same([statuses[0], statuses.at(-1)], [200, 500])
})

t.test('there are no cookies where there is no answer for them: outside of a call, and when it has begun', async (t) => {
  let error: unknown = null
  const { server } = await buildApp(t, () => {
    t.throws(() => cookies.local.get('a'), { message: 'cookies.local.get() is only available while an endpoint runs' })
    route('/stream', async function* () {
      cookies.local.set('a', 1)
      yield 'one'
      try {
        cookies.local.set('b', 1)
      } catch (thrown) {
        error = thrown
      }
      yield 'two'
    } as () => AsyncIterable<string>)
  }, { sendTimeout: 200 })
  t.throws(() => cookies.shared.set('a', 1), { message: 'cookies.shared.set() is only available while an endpoint runs' })
  const answer = await ask(server, '/stream')
  t.equal(answer.body, 'onetwo')
  t.equal(linesOf(answer).length, 1)
  t.match(error, { code: 'cookie-too-late', message: /^cookies\.local\.set\(\) came when the answer had begun to be sent; / })
})

t.test('an app reads its own cookies as @fastify/cookie does', async (t) => {
  const { server } = await pluginApp(
    t,
    () => route('/ours', () => request.cookies),
    async (app) => {
      app.get('/theirs', ({ cookies: read }) => read)
    },
  )
  for (const cookie of ['a=1; b=2', 'a=1;a=2', ' a = 1 ;; =x; b', 'a="1"', 'a=%C3%A4%20; b=%; c=%E4', 'a=b=c', '__proto__=1; toString=2', '', 'a', '\ta=\t1', 'a=1;b']) {
    t.same((await ask(server, '/ours', { cookie })).json(), (await ask(server, '/theirs', { cookie })).json(), cookie)
  }
  t.equal((await ask(server, '/ours')).body, '{}')
})

t.test('Rowhouse’s own cookies are shown to nobody', async (t) => {
  const { server } = await pluginApp(
    t,
    () => {
      jar()
      route('/ours', () => ({ header: request.headers['cookie'] ?? null, has: request.headers.has('cookie'), names: Object.keys(request.cookies) }))
    },
    async (app) => {
      app.get('/theirs', ({ headers, cookies: read, raw }) => ({
        header: headers.cookie ?? null,
        names: Object.keys(read),
        raw: [raw.headers.cookie ?? null, raw.headersDistinct['cookie'] ?? null, raw.rawHeaders.filter((each) => each.includes('='))],
        visits: cookies.local.get('visits'),
      }))
    },
  )
  const url = await server.listen({ port: 0, host: '127.0.0.1' })
  const get = async (path: string, cookie: string): Promise<unknown> => (await fetch(url + path, { headers: { cookie } })).json()
  const own = pairsOf(await ask(server, '/set'))
  for (const [cookie, left] of [[own, null], [`a=1; ${own}; b=2`, 'a=1; b=2'], [`${own}; a=1`, 'a=1'], [`a=1; __Host-rowhouse_x=1; __SECURE-ROWHOUSE_y=2; ${own}`, 'a=1'], [`xrowhouse_=1; ${own}`, 'xrowhouse_=1']] as const) {
    const names = left === null ? [] : left.split('; ').map((pair) => pair.split('=')[0])
    t.same(await get('/ours', cookie), { header: left, has: left !== null, names })
    t.same(await get('/theirs', cookie), { header: left, names, raw: [left, [left ?? ''], left === null ? [] : [left]], visits: 1 })
  }
  t.match(await get('/ours', 'a=1; b=2;c=3'), { header: 'a=1; b=2;c=3' }, 'a header without them stays as it came')
  t.same(await get('/get', own), { visits: 1, has: true }, 'the pipeline has them all the same')
})

t.test('what a plugin passes on to the other endpoints has its cookies there', async (t) => {
  const { server } = await pluginApp(
    t,
    () => {
      jar()
      route('/:first/:second', () => ({ visits: cookies.local.get('visits'), header: request.headers['cookie'] ?? null }))
    },
    async (app) => {
      app.get('/visits/:id', ({ headers }, reply) => (headers.cookie === 'a=1' ? reply.callNotFound() : reply.send('seen')))
    },
  )
  const cookie = `a=1; ${pairsOf(await ask(server, '/set'))}`
  t.same((await ask(server, '/visits/7', { cookie })).json(), { visits: 1, header: 'a=1' })
})

t.test('a long Cookie header of whatever is answered as any other', async (t) => {
  const { server } = await buildApp(t, () => {
    jar()
    route('/names', () => Object.keys(request.cookies).length + Number(cookies.local.has('a')))
  })
  for (const cookie of [`a=${' '.repeat(15_000)}x`, `${' '.repeat(15_000)}=x`, ';'.repeat(15_000), 'a='.repeat(7500), 'rowhouse_test_local=AAAA;'.repeat(600), `rowhouse_test_local=${'A'.repeat(15_000)}`]) {
    t.equal((await ask(server, '/names', { cookie })).statusCode, 200, cookie.slice(0, 30))
  }
})

t.test('Rowhouse’s own cookies are set by nobody else', async (t) => {
  const seen: string[] = []
  const note = (error: unknown): void => void seen.push(error instanceof Error ? error.message : String(error))
  const attempts: Readonly<Record<string, () => unknown>> = {
    headers: () => new HttpResponse(200, '', { 'Set-Cookie': 'rowhouse_test_local=1' }),
    append: () => {
      const reply = new HttpResponse()
      reply.headers.append('set-cookie', 'a=1')
      reply.headers.append('set-cookie', ' __Host-rowhouse_x =1; Path=/')
      return reply
    },
    set: () => {
      const reply = new HttpResponse()
      reply.headers.set('SET-COOKIE', 'RowHouse_x=1')
      return reply
    },
    nameless: () => new HttpResponse(200, '', { 'set-cookie': '= rowhouse_x=1' }),
    setCookie: () => new HttpResponse().setCookie('rowhouse_x', '1'),
    clearCookie: () => new HttpResponse().clearCookie('__secure-rowhouse_x'),
    error: () => new HttpError(409, 'no', {}, { 'set-cookie': 'rowhouse_x=1' }),
    web: () => new Response('', { headers: { 'set-cookie': 'rowhouse_x=1' } }),
  }
  const { server, lines } = await pluginApp(
    t,
    () => {
      for (const [name, attempt] of Object.entries(attempts)) route(`/${name}`, attempt as () => string)
      errorHandler(Error, (error) => (note(error), abort(500)))
    },
    async (app) => {
      app.get('/fastify/setCookie', (_request, reply) => reply.setCookie('rowhouse_x', '1').send('x'))
      app.get('/fastify/cookie', (_request, reply) => reply.cookie('rowhouse_x', '1').send('x'))
      app.get('/fastify/clearCookie', (_request, reply) => reply.clearCookie('__Host-rowhouse_x').send('x'))
      app.get('/fastify/header', (_request, reply) => reply.header('set-cookie', ['a=1', 'rowhouse_x=1']).send('x'))
      app.get('/fastify/raw', (_request, reply) => {
        reply.raw.setHeader('set-cookie', 'rowhouse_x=1')
        return reply.send('x')
      })
    },
  )
  for (const name of Object.keys(attempts)) {
    const answer = await ask(server, `/${name}`)
    t.same([answer.statusCode, linesOf(answer)], [500, []], name)
    t.match(seen.pop(), /^the cookie name (__Host-|__secure-)?rowhouse_(x|test_local) is reserved: /i, name)
  }
  for (const name of ['setCookie', 'cookie', 'clearCookie', 'header', 'raw']) {
    const answer = await ask(server, `/fastify/${name}`)
    t.same([answer.statusCode, linesOf(answer)], [500, []], name)
    t.notMatch(answer.body, 'rowhouse_x')
    t.match(lines.findLast((line) => line.includes('"err"')), /the cookie name (__Host-)?rowhouse_x is reserved: /, name)
  }
})

t.test('cookies work in fastify.ts as elsewhere, and are in its errors, too', async (t) => {
  const { server } = await pluginApp(
    t,
    () => route('/ours', () => cookies.local.get('a', 'nothing')),
    async (app) => {
      const set = (): void => cookies.local.set('a', 'from the plugin')
      app.get('/plain', async (_request, reply) => {
        set()
        return reply.setCookie('own', '1').send('x')
      })
      app.get('/refused', () => (set(), abort(409)))
      app.get('/early', () => (set(), abort(new HttpResponse(200, 'early'))))
      app.get('/crashed', () => {
        set()
        throw new Error('crashed')
      })
      app.get('/failing', { onSend: (_request, _reply, _payload, done) => done(new Error('while it is sent')) }, () => (set(), 'x'))
      app.get('/read', () => cookies.local.get('a', 'nothing'))
    },
  )
  const plain = await ask(server, '/plain')
  t.same(linesOf(plain).map((line) => line.split('=')[0]).toSorted(), ['own', 'rowhouse_test_local'])
  const cookie = pairsOf(plain)
  t.equal((await ask(server, '/read', { cookie })).body, 'from the plugin')
  t.equal((await ask(server, '/ours', { cookie })).body, 'from the plugin')
  t.equal((await ask(server, '/read', { cookie, origin: 'https://evil.example' })).body, 'nothing')
  t.same(linesOf(await ask(server, '/refused', { origin: 'https://evil.example' })), [])
  for (const [path, status] of Object.entries({ refused: 409, early: 200, crashed: 500, failing: 500 })) {
    const answer = await ask(server, `/${path}`)
    t.same([answer.statusCode, linesOf(answer).map((line) => line.split('=')[0])], [status, ['rowhouse_test_local']], path)
  }
})

t.test('an app sets plain cookies of its own, by the rules of browsers', async (t) => {
  const line = (...args: Parameters<HttpResponse['setCookie']>): string => new HttpResponse().setCookie(...args).headers.get('set-cookie') ?? ''
  t.equal(line('a', '1'), 'a=1; Path=/; HttpOnly; SameSite=Lax')
  t.equal(line('a', 'ä;, "\\\r\n='), 'a=%C3%A4%3B%2C%20%22%5C%0D%0A%3D; Path=/; HttpOnly; SameSite=Lax')
  t.equal(
    line('a', '1', { maxAge: 60, expires: new Date(0), path: '/x', domain: 'example.com', secure: true, httpOnly: false, sameSite: 'None', partitioned: true }),
    'a=1; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Domain=example.com; Path=/x; Secure; SameSite=None; Partitioned',
  )
  t.equal(line('__Host-a', '1'), '__Host-a=1; Path=/; Secure; HttpOnly; SameSite=Lax')
  t.equal(line('__Secure-a', '1', { domain: 'example.com' }), '__Secure-a=1; Domain=example.com; Path=/; Secure; HttpOnly; SameSite=Lax')
  t.equal(new HttpResponse().clearCookie('a', { path: '/x' }).headers.get('set-cookie'), 'a=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/x; HttpOnly; SameSite=Lax')
  t.same(redirect('/').setCookie('a', '1').setCookie('b', '2').headers.getAll('set-cookie').length, 2)
  const refused: readonly (readonly [Parameters<HttpResponse['setCookie']>, RegExp])[] = [
    [['', '1'], /"" is not the name of a cookie/],
    [['a b', '1'], /is not the name/],
    [['a=b', '1'], /is not the name/],
    [['ä', '1'], /is not the name/],
    [['a', 1 as unknown as string], /takes a text, got a number/],
    [['a', 'x'.repeat(4096)], /is 4097 characters long/],
    [['a', '1', { maxAge: 1.5 }], /whole number of seconds/],
    [['a', '1', { expires: new Date(Number.NaN) }], /takes a Date as expires/],
    [['a', '1', { path: '/;x' }], /path that starts with a slash/],
    [['a', '1', { path: 'x' }], /path that starts with a slash/],
    [['a', '1', { domain: 'a;b' }], /name of a host as domain/],
    [['a', '1', { sameSite: 'lax' as 'Lax' }], /'Strict', 'Lax' or 'None'/],
    [['a', '1', { secure: 1 as unknown as boolean }], /true or false as secure/],
    [['a', '1', { sameSite: 'None' }], /has to be secure where sameSite is 'None'/],
    [['a', '1', { partitioned: true }], /has to be secure where it is partitioned/],
    [['a', '1', { samesite: 'Lax' } as object], /has no attribute "samesite"/],
    [['__Host-a', '1', { path: '/x' }], /has the path \/ and no domain/],
    [['__host-a', '1', { domain: 'example.com' }], /has the path \/ and no domain/],
    [['__Secure-a', '1', { secure: false }], /has to be secure: its name says so/],
  ]
  for (const [args, message] of refused) t.throws(() => line(...args), { name: 'TypeError', message }, String(message))
})

t.test('no cookie gets into the log, nor what is encrypted in it', async (t) => {
  const { server, lines } = await buildApp(t, () => {
    httpEndpoint('/fail', () => {
      const { session = '' } = request.cookies
      cookies.local.set('a', 1)
      throw new Error(`no session ${session}, in ${request.headers['cookie']}`)
    })
    route('/keep', () => void cookies.local.set('card', { number: '4711-0815', names: ['Ann of the hill'] }))
    route('/look', () => {
      const { number, names } = cookies.local.get('card', { number: '', names: [''] })
      throw new Error(`nobody has the number ${number}, of ${names[0]}`)
    })
  })
  await ask(server, '/_/api/fail', { cookie: 'session=abc%20def%20ghi; other=uvw-xyz-123; rowhouse_test_local=forged-forged' })
  t.match(lines.join(''), 'no session [hidden], in session=[hidden]; other=[hidden]')
  t.notMatch(lines.join(''), /abc(?: |%20)def|uvw-xyz|forged|rowhouse_test_local/)
  const cookie = pairsOf(await ask(server, '/keep'))
  await ask(server, '/look', { cookie })
  t.match(lines.join(''), 'nobody has the number [hidden], of [hidden]')
  t.notMatch(lines.join(''), /4711-0815|Ann of the hill/)
})

t.test('curl keeps a cookie in its jar and brings it along', { skip: needs('curl') }, async (t) => {
  const { url } = await startApp(t, jar)
  const kept = join(await temporaryFolder(t), 'jar')
  const curl = async (path: string): Promise<string> => (await promisify(execFile)('curl', ['-s', '-c', kept, '-b', kept, url + path])).stdout
  await curl('/set')
  await curl('/set')
  t.equal(await curl('/get'), '{"visits":2,"has":true}')
})
