import { get } from 'node:http'
import t, { type Test } from 'tap'
import type { FastifyInstance } from 'fastify'
import { createApp, getApiOrigin, httpEndpoint, request } from 'rowhouse'
import { basic, buildApp, startApp, temporaryFolder, type Settings } from './support/app.ts'
import { takesLong } from './support/needs.ts'

const api = '/_/api'

/** Asks with the headers of a proxy, in lines of their own where one is a list. */
function ask(url: string, headers: Readonly<Record<string, string | string[]>>): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, { headers }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (text: string) => (body += text)).on('end', () => resolve(body))
    }).on('error', reject)
  })
}

/** Asks a Fastify plugin and an endpoint beside it the same, and gives what both say. */
async function startBoth(t: Test, settings: Settings) {
  const server = await createApp({
    directory: await temporaryFolder(t),
    define: () => httpEndpoint('/who', () => [request.remoteAddress, new URL(request.url).origin]),
    plugin: async (fastify: FastifyInstance) => {
      fastify.get('/who', (given) => [given.ip, `${given.protocol}://${given.host}`, given.hostname])
    },
    options: { name: 'test', ...settings },
    logTo: { write: () => undefined },
  })
  t.teardown(() => server.close())
  const url = await server.listen({ port: 0, host: '127.0.0.1' })
  return async (headers: Readonly<Record<string, string | string[]>>) => {
    const endpoint = JSON.parse(await ask(`${url}${api}/who`, { host: 'own.example', ...headers })) as string[]
    const plugin = JSON.parse(await ask(`${url}/who`, { host: 'own.example', ...headers })) as string[]
    t.same(plugin.slice(0, 2), endpoint, `the plugin is told the same of ${JSON.stringify(headers)}`)
    return endpoint
  }
}

t.test('the address that a trusted proxy tells is read in every way in which it is written, and what is none is dropped with all before it', { skip: takesLong('it tries hundreds of spellings') }, async (t) => {
  const who = await startBoth(t, { trustedProxies: ['127.0.0.1', '10.0.0.0/8', '2001:db8:aaaa::/48'] })
  for (const [header, address] of [
    ['203.0.113.8', '203.0.113.8'],
    ['203.0.113.8:40001', '203.0.113.8'],
    ['2001:DB8::7', '2001:db8::7'],
    ['[2001:db8::7]', '2001:db8::7'],
    ['[2001:db8::7]:40001', '2001:db8::7'],
    ['"[2001:db8::7]:40001"', '2001:db8::7'],
    ['::ffff:203.0.113.8', '203.0.113.8'],
    ['[::ffff:203.0.113.8]:1', '203.0.113.8'],
    ['198.51.100.1, 203.0.113.8', '203.0.113.8'],
    ['198.51.100.1, 203.0.113.8, 10.1.1.1:90', '203.0.113.8'],
    ['198.51.100.1, [2001:db8:aaaa::1]:7', '198.51.100.1'],
    ['198.51.100.1,, 203.0.113.8 , ', '203.0.113.8'],
    ['', '127.0.0.1'],
    [',', '127.0.0.1'],
    ['unknown', '127.0.0.1'],
    ['_hidden', '127.0.0.1'],
    ['_hidden:80', '127.0.0.1'],
    ['198.51.100.1, unknown', '127.0.0.1'],
    ['198.51.100.1, _x, 10.1.1.1', '10.1.1.1'],
    ['203.0.113.8:x', '127.0.0.1'],
    ['203.0.113.8:123456', '127.0.0.1'],
    ['203.0.113.800', '127.0.0.1'],
    ['203.0.113.8/24', '127.0.0.1'],
    ['example.com', '127.0.0.1'],
    ['[203.0.113.8]', '127.0.0.1'],
    ['fe80::1%eth0', '127.0.0.1'],
    ["1' OR '1'='1", '127.0.0.1'],
  ] as const) {
    t.equal((await who({ 'x-forwarded-for': header }))[0], address, header)
  }
  t.equal((await who({ 'x-forwarded-for': ['198.51.100.1', '203.0.113.8:1'] }))[0], '203.0.113.8', 'several lines are one list')
  t.equal((await who({ forwarded: 'for=203.0.113.8' }))[0], '127.0.0.1', 'another header is not read')
})

t.test('a host and a scheme that a trusted proxy tells are taken only if they are one', { skip: takesLong('it tries hundreds of spellings') }, async (t) => {
  const who = await startBoth(t, { trustedProxies: ['127.0.0.1'] })
  for (const [headers, origin] of [
    [{ 'x-forwarded-host': 'shop.example' }, 'http://shop.example'],
    [{ 'x-forwarded-host': 'shop.example:8443', 'x-forwarded-proto': 'https' }, 'https://shop.example:8443'],
    [{ 'x-forwarded-host': '[2001:db8::7]:81' }, 'http://[2001:db8::7]:81'],
    [{ 'x-forwarded-host': 'forged.example, shop.example', 'x-forwarded-proto': 'http, HTTPS' }, 'https://shop.example'],
    [{ 'x-forwarded-host': ['forged.example', 'shop.example'] }, 'http://shop.example'],
  ] as const) {
    t.equal((await who({ ...headers } as Record<string, string>))[1], origin, JSON.stringify(headers))
  }
  for (const host of ['', 'exa mple.com/evil', 'evil.example/path', 'user@evil.example', 'evil.example:99999', 'evil.example:b', 'evil.example%00', 'evil.example?', 'evil.example#', '[::1', '999.1.1.1', 'a\\b', '_,']) {
    t.equal((await who({ 'x-forwarded-host': host }))[1], 'http://own.example', host)
  }
  for (const scheme of ['', 'javascript', 'file', 'https:', 'https://evil.example', 'http s']) {
    t.equal((await who({ 'x-forwarded-proto': scheme }))[1], 'http://own.example', scheme)
  }
  t.equal((await who({ 'x-forwarded-port': '99999' }))[1], 'http://own.example', 'a port by itself is not read')
})

t.test('nothing of it is believed from anybody else', async (t) => {
  const who = await startBoth(t, { trustedProxies: ['10.0.0.0/8'] })
  t.same(await who({ 'x-forwarded-for': '203.0.113.8', 'x-forwarded-host': 'shop.example', 'x-forwarded-proto': 'https' }), ['127.0.0.1', 'http://own.example'])
})

t.test('who guesses passwords through a proxy is told to wait, whatever port each guess comes from; others behind it are not', { skip: takesLong('it guesses twenty passwords') }, async (t) => {
  const { server, log } = await buildApp(t, () => httpEndpoint('/mine', { authenticateUsers: true }, () => 1), { trustedProxies: ['127.0.0.1'] })
  await server.rowhouse.users.add('me@example.com', 'my password')
  const guess = async (address: string, secret: string): Promise<number> => (await server.inject({ url: `${api}/mine`, headers: { ...basic('me@example.com', secret), 'x-forwarded-for': address } })).statusCode
  const statuses: number[] = []
  for (let port = 40_001; port <= 40_020; port++) statuses.push(await guess(`203.0.113.8:${port}`, `guess ${port}`))
  t.equal(statuses.at(-1), 429, statuses.join(' '))
  t.equal(await guess('[2001:db8::7]:4711', 'my password'), 200)
  t.same(new Set(log.filter(({ status }) => status === 401 || status === 429).map(({ network }) => network)), new Set(['203.0.113.8']))
})

t.test('a link is made of the host that a trusted proxy tells only where that is one of the app', async (t) => {
  const { server } = await buildApp(t, () => httpEndpoint('/origin', () => getApiOrigin()), { trustedProxies: ['127.0.0.1'], origin: 'https://shop.example', alternateOrigins: ['https://www.shop.example'] })
  const originFor = async (host: string, scheme = 'https'): Promise<string> => (await server.inject({ url: `${api}/origin`, headers: { 'x-forwarded-host': host, 'x-forwarded-proto': scheme } })).body
  t.equal(await originFor('www.shop.example'), `https://www.shop.example${api}`)
  t.equal(await originFor('evil.example'), `https://shop.example${api}`)
  t.equal(await originFor('www.shop.example', 'javascript'), `https://shop.example${api}`)
})

const warned = /^a request from 127\.0\.0\.1 came with (\S+), which is not believed/

t.test('where no proxy is named, the first request that came through one is warned of, once, with the header and the setting', { skip: takesLong('it starts five apps and asks each over connections of their own') }, async (t) => {
  for (const [name, value, shown] of [['x-forwarded-for', '203.0.113.8', 'X-Forwarded-For'], ['forwarded', 'for=203.0.113.8', 'Forwarded'], ['x-real-ip', '203.0.113.8', 'X-Real-IP'], ['x-forwarded-proto', 'https', 'X-Forwarded-Proto']] as const) {
    const { url, log } = await startApp(t, () => httpEndpoint('/ip', () => request.remoteAddress))
    t.equal(await ask(`${url}${api}/ip`, {}), '127.0.0.1')
    const warnings = (): string[] => log.flatMap(({ message }) => (warned.test(String(message)) ? [String(message)] : []))
    t.same(warnings(), [], 'without such a header there is nothing to say')
    for (let number = 0; number < 3; number++) t.equal(await ask(`${url}${api}/ip`, { [name]: value }), '127.0.0.1')
    t.equal(warnings().length, 1)
    t.equal(warned.exec(warnings()[0] ?? '')?.[1], shown)
    t.match(warnings()[0], "trustedProxies: ['127.0.0.1']")
    t.equal(warnings()[0]?.includes('203.0.113.8'), false, 'what anybody may have sent is not repeated')
  }
  const named = await startApp(t, () => httpEndpoint('/ip', () => request.remoteAddress), { trustedProxies: ['127.0.0.1'] })
  await ask(`${named.url}${api}/ip`, { 'x-forwarded-for': '203.0.113.8' })
  t.notMatch(JSON.stringify(named.log), /not believed/)
})
