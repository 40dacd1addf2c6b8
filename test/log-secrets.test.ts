import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { createApp, httpEndpoint, log, request, text } from 'rowhouse'
import { basic, temporaryFolder } from './support/app.ts'
import { needs, takesLong } from './support/needs.ts'
import { plainNode } from './support/plain-node.ts'
import { runRowhouse, startRowhouse, startServer } from './support/rowhouse-process.ts'

const api = '/_/api'
const program = fileURLToPath(new URL('../dist/bin/rowhouse.js', import.meta.url))

/** Asks until there is an answer, which has to come soon. */
async function until<Result>(find: () => Result | undefined): Promise<Result> {
  for (const deadline = Date.now() + 20_000; ; ) {
    const found = find()
    if (found !== undefined) return found
    if (Date.now() > deadline) throw new Error('it did not happen in time')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

t.test('a terminal shows one event for each that there was, whatever a client has put into it, and obeys none of it', { skip: needs('script') || takesLong('it starts a server') }, async (t) => {
  const directory = t.testdir({
    modules: {
      'a.ts': `import { httpEndpoint, log } from 'rowhouse'
httpEndpoint('/boom/:what', ({ what }) => {
  log.warn({ what, list: [what], ['key ' + what]: 1 }, what)
  throw Object.assign(new Error(what), { what })
})
`,
    },
  })
  const command = [...plainNode(), program, 'start', directory, '--port', '0'].join(' ')
  const terminal = startRowhouse(t, [], { through: ['sh', '-c', `exec script -qefc "${command}" /dev/null`] })
  // oxlint-disable-next-line no-control-regex
  const shown = (): string => terminal.output.stdout.replaceAll(/\u001b\[\d*m/g, '').replaceAll('\r\n', '\n')
  const url = await until(() => /is ready at (http:\S+)/.exec(shown())?.[1])
  const forged = 'x\n[12:00:00.000] FATAL: FORGED\r\u001b[2J\u001b]0;title\u0007\u009b1m\u007f\u2028\u202egnp.exe'
  t.equal((await fetch(`${url}${api}/boom/${encodeURIComponent(forged)}`)).status, 500)
  await until(() => (/INFO: request/.test(shown()) ? true : undefined))
  const text = shown()
  t.match(text, 'Exception on /_/api/boom/x\\n[12:00:00.000] FATAL: FORGED\\u000d\\u001b[2J\\u001b]0;title\\u0007\\u009b1m\\u007f\\u2028\\u202egnp.exe [GET]')
  t.match(text, /WARN: x\\n\[12:00/)
  t.match(text, /key x\\n/)
  t.match(text, /modules\/a\.ts:4/, 'the stack is still one of several lines')
  t.notMatch(text, /^\[12:00/m, 'no line begins with what was sent')
  // oxlint-disable-next-line no-control-regex
  t.notMatch(text, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]/)
})

t.test('what a command says of a mistake has no control characters either', { skip: takesLong('it starts a process') }, async (t) => {
  const directory = t.testdir({ modules: { 'a.ts': `throw new Error('two\\nlines \\u001b[2J\\u009b1m')\n` } })
  for (const words of [['start', directory], ['routes', directory]]) {
    const { code, stderr } = await runRowhouse(t, words)
    t.match({ code, stderr }, { code: 1, stderr: 'two lines \\u001b[2J\\u009b1m' })
    // oxlint-disable-next-line no-control-regex
    t.notMatch(stderr, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/)
  }
})

t.test('what an error says of the credentials, cookies and variables that it was made of is hidden in the log, and its calls are not', { skip: takesLong('it starts several servers') }, async (t) => {
  const headers = { ...basic('ada', 'correct horse'), cookie: 'session=cookie-value-1; file=log-secrets.test.ts', 'x-api-key': 'header-key-1', 'x-note': 'a plain note' }
  process.env['BILLING_API_KEY'] = 'sk-billing-0001'
  t.teardown(() => delete process.env['BILLING_API_KEY'])
  const lines: string[] = []
  const fail = (given: { readonly [name: string]: unknown }): Error => {
    const message = `no: ${JSON.stringify(given)} of ${process.env['BILLING_API_KEY']} for correct horse`
    return Object.assign(new Error(message, { cause: new Error(message) }), { detail: { sent: [message] } })
  }
  const server = await createApp({
    directory: await temporaryFolder(t),
    define: () => {
      httpEndpoint('/boom', (_args, { headers: sent }) => {
        throw fail({ authorization: sent['authorization'], cookie: sent['cookie'], key: sent['x-api-key'], note: sent['x-note'] })
      })
      httpEndpoint('/told', (_args, { headers: sent }) => {
        log.error(fail({ cookie: sent['cookie'], note: sent['x-note'] }))
        log.warn({ err: fail({ key: sent['x-api-key'] }), order: 'correct horse' }, 'the author says: correct horse')
      })
    },
    plugin: async (fastify) => {
      fastify.get('/plugin', async ({ headers: sent }) => {
        throw fail({ ...sent })
      })
    },
    options: { name: 'test' },
    logTo: { write: (line: string) => lines.push(line) },
  })
  t.teardown(() => server.close())
  for (const [url, status] of [[`${api}/boom`, 500], ['/plugin', 500], [`${api}/told`, 200]] as const) {
    lines.length = 0
    t.equal((await server.inject({ url, headers })).statusCode, status)
    const told = lines.filter((line) => line.includes('"err"'))
    t.ok(told.length > 0, url)
    const text = told.join('').replaceAll('"order":"correct horse"', '').replaceAll('the author says: correct horse', '')
    for (const secret of [headers.authorization.slice(6), 'correct horse', 'cookie-value-1', 'header-key-1', 'sk-billing']) t.notOk(text.includes(secret), `${url}: ${secret}`)
    t.match(text, '[hidden]')
    t.match(text, /at [^\n]*log-secrets\.test\.ts:\d+/, 'a client cannot hide where the error was')
  }
  t.ok(lines.some((line) => line.includes('a plain note')), 'what is no secret is told')
  t.ok(lines.some((line) => line.includes('"order":"correct horse"') && line.includes('the author says: correct horse')), "the author's own words are left alone")
})

t.test('what an error says of a field that is called like a secret is hidden in the log and on the debug page, wherever the field was sent', async (t) => {
  const fail = (given: unknown): never => {
    throw Object.assign(new Error(`no: ${JSON.stringify(given)}`, { cause: new Error(`cause: ${JSON.stringify(given)}`) }), { given })
  }
  const lines: string[] = []
  const server = await createApp({
    directory: await temporaryFolder(t),
    define: () => {
      const any = { methods: ['GET', 'POST'] } as const
      httpEndpoint('/args', any, (args) => fail(args))
      httpEndpoint('/json', any, () => fail(request.bodyJson))
      httpEndpoint('/form', any, () => fail(request.formParams))
      httpEndpoint('/declared', { ...any, params: { new_password: text(), note: text() } }, (args) => fail(args))
      httpEndpoint('/told', any, (args) => { log.error(new Error(JSON.stringify(args))); return 'ok' })
      httpEndpoint('/reset/:token', any, (args) => fail(args))
    },
    plugin: async (fastify) => {
      fastify.post('/plugin', async ({ body }) => fail(body))
    },
    options: { name: 'test', debug: true },
    logTo: { write: (line: string) => lines.push(line) },
  })
  t.teardown(() => server.close())
  const sent = { new_password: 'correct horse', accessToken: ['first tok"en', 'second token'], credentials: { pin: 12345, answer: 'blue' }, pass: 'abc', author: 'Ada Lovelace', note: 'a plain note' }
  const flat = { new_password: 'correct horse', accessToken: 'first tok"en', pass: 'abc', author: 'Ada Lovelace', note: 'a plain note' }
  const form = { payload: new URLSearchParams(flat).toString(), headers: { 'content-type': 'application/x-www-form-urlencoded' } }
  const secrets = ['correct horse', 'first tok', 'second token', '12345', 'blue']
  const asked = [
    ['/_/api/json', { payload: sent }], ['/_/api/declared', { payload: sent }], ['/plugin', { payload: sent }],
    ['/_/api/args', form], ['/_/api/form', form], ['/_/api/declared', form], ['/_/api/told', form], ['/plugin', form],
    [`/_/api/args?${form.payload}`, {}], ['/_/api/reset/correct%20horse?note=a+plain+note&author=Ada+Lovelace&pass=abc', {}],
  ] as const
  for (const [url, message] of asked) {
    lines.length = 0
    const answer = await server.inject({ method: 'POST', url, ...message })
    const told = lines.flatMap((line) => {
      const { err } = JSON.parse(line) as { err?: object }
      return err === undefined ? [] : [JSON.stringify(err)]
    })
    t.ok(told.length > 0, url)
    for (const shown of url.includes('reset') || url.includes('plugin') ? told : [...told, answer.body]) {
      for (const secret of secrets) t.notOk(shown.includes(secret), `${url}: ${secret}`)
    }
    t.match(told.join(''), /\[hidden\]/)
    t.match(told.join(''), 'a plain note', 'what is no secret is told')
    if (!url.includes('declared')) for (const open of ['Ada Lovelace', 'abc']) t.match(told.join(''), open, `${open} is no secret, or too short to be one`)
  }
})

t.test('neither does an error that nobody caught tell a secret of the process', { skip: takesLong('it starts a server') }, async (t) => {
  const directory = t.testdir({
    modules: {
      'a.ts': `import { httpEndpoint } from 'rowhouse'
httpEndpoint('/reject', () => void Promise.reject(new Error('rejected with ' + process.env.BILLING_API_KEY)))
httpEndpoint('/throw', () => { setTimeout(() => { throw new Error('thrown with ' + process.env.BILLING_API_KEY) }) })
`,
    },
  })
  const server = await startServer(t, directory, [], { env: { BILLING_API_KEY: 'sk-billing-0001' } })
  await fetch(`${server.url}${api}/reject`)
  await fetch(`${server.url}${api}/throw`).catch(() => undefined)
  t.equal((await server.ended).code, 1)
  t.match(server.output.stdout, /rejected with \[hidden\][^]*thrown with \[hidden\]/)
  t.match(server.output.stdout, join('modules', 'a.ts:3:'))
  t.notMatch(server.output.stdout + server.output.stderr, /sk-billing/)
})
