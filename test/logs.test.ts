import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { ConfigurationError, createApp, httpEndpoint, HttpResponse, log, request } from 'rowhouse'
import { basic, buildApp, startApp, temporaryFolder } from './support/app.ts'
import { converse, readAnswers, type RawAnswer } from './support/raw-http.ts'
import { needs, takesLong } from './support/needs.ts'
import { runRowhouse, startServer } from './support/rowhouse-process.ts'
import { tampered } from './support/sqlite-trace.ts'

const api = '/_/api'
const linesOf = (file: string): string[] => (existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [])

/** Asks until the answer is yes, which has to come soon. */
async function until(condition: () => boolean): Promise<void> {
  for (let attempt = 0; !condition(); attempt++) {
    if (attempt === 100) throw new Error('it did not happen in time')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

t.test('each request is one line of JSON, whatever the client has sent, and secrets are not in it', { skip: takesLong('it makes and checks hashes of passwords') }, async (t) => {
  const { url, port, log, server } = await startApp(t, () => {
    httpEndpoint('/x/:id', () => 1)
    httpEndpoint('/mine', { authenticateUsers: true }, () => 1)
  })
  const { id } = await server.rowhouse.users.add('me@example.com', 'my password')
  await fetch(`${url}/_/api/x/1?token=secret-in-the-query`)
  await fetch(`${url}/_/api/mine`, { headers: { ...basic('me@example.com', 'my password'), cookie: 'c=secret-cookie' } })
  await fetch(`${url}/_/api/mine`, { headers: basic('me@example.com', 'wrong password') })
  const socket = connect(port, '127.0.0.1')
  socket.write('GET /_/api/x/"\\{},%0A%22level%22:60 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
  socket.resume()
  await once(socket, 'close')
  const requests = log.filter(({ message }) => message === 'request')
  t.match(requests, [
    { level: 30, time: /^\d{4}-\d\d-\d\dT/, requestId: /^[0-9a-f-]{36}$/, method: 'GET', path: '/_/api/x/1', endpoint: '/_/api/x/:id', status: 200, duration: Number },
    { path: '/_/api/mine', endpoint: '/_/api/mine', status: 200, user: id },
    { path: '/_/api/mine', status: 401 },
    { path: '/_/api/x/"\\{},%0A%22level%22:60', status: 200 },
  ])
  t.equal(new Set(requests.map(({ requestId }) => requestId)).size, 4)
  const text = JSON.stringify(log)
  for (const secret of ['secret-in-the-query', 'my password', 'wrong password', 'secret-cookie', basic('me@example.com', 'my password').authorization.slice(6)]) {
    t.notOk(text.includes(secret), secret)
  }
})

t.test('what is below the level of the log is written nowhere, neither by the app nor about requests', async (t) => {
  const directory = await temporaryFolder(t)
  const file = join(directory, 'app.log')
  const tell = (): string => {
    log.debug('debugging')
    log.info('informing')
    log.warn('warn')
    log.warning('warning')
    log.error('screaming')
    return 'done'
  }
  const levels = { debug: 5, info: 4, warn: 3, error: 1, silent: 0 } as const
  for (const [level, count] of Object.entries(levels)) {
    const { server, log: lines } = await buildApp(t, () => httpEndpoint('/tell', tell), { logging: { level: level as keyof typeof levels, file } }, directory)
    await server.inject(`${api}/tell`)
    await server.close()
    const own = ['debugging', 'informing', 'warn', 'warning', 'screaming'].slice(5 - count)
    t.same(lines.filter(({ endpoint, method }) => endpoint === `${api}/tell` && method === undefined).map(({ message }) => message), own, level)
    t.equal(lines.some(({ message }) => message === 'request'), count >= 4, `${level}: the line of the request`)
    t.same(linesOf(file).map((line) => JSON.parse(line) as unknown), lines, `${level}: the file has the same lines`)
    rmSync(file, { force: true })
  }
})

t.test('a line that is logged in a call has the id of the request and the endpoint, however many awaits later; one outside has neither', async (t) => {
  const { server, log: lines } = await buildApp(t, () => {
    setTimeout(() => log.info('outside'), 1)
    httpEndpoint('/say/:text', async ({ text }) => {
      await new Promise((resolve) => setTimeout(resolve, 20))
      log.info(text)
      setTimeout(() => log.info(`after ${text}`), 20)
    })
  })
  const texts = Array.from({ length: 20 }, (_, index) => `text ${index}`)
  const answers = await Promise.all(texts.map((text) => server.inject(`${api}/say/${text}`)))
  await until(() => lines.filter(({ message }) => String(message).startsWith('after')).length === texts.length)
  for (const [index, answer] of answers.entries()) {
    const own = lines.filter(({ requestId }) => requestId === answer.headers['x-request-id'])
    t.same(own.map(({ message }) => message), [texts[index], 'request', `after ${texts[index]}`])
    t.same(new Set(own.map(({ endpoint }) => endpoint)), new Set([`${api}/say/:text`]))
  }
  const outside = lines.find(({ message }) => message === 'outside')
  t.ok(outside)
  t.notOk(outside !== undefined && ('requestId' in outside || 'endpoint' in outside))
})

t.test('what modules log while they load, and later in timers, is in the log of their own app, even among several apps', async (t) => {
  const apps = await Promise.all(
    ['one', 'two', 'three'].map(async (name) => {
      const app = await buildApp(t, () => {
        log.info(`${name} loads`)
        const timer = setInterval(() => log.info(`${name} lives`), 5)
        t.teardown(() => clearInterval(timer))
      })
      return { name, lines: app.log }
    }),
  )
  await until(() => apps.every(({ lines }) => lines.some(({ message }) => String(message).endsWith('lives'))))
  for (const { name, lines } of apps) t.same(new Set(lines.map(({ message }) => message).filter((message) => /loads|lives/.test(String(message)))), new Set([`${name} loads`, `${name} lives`]))
})

t.test('a line says what it was given: fields, errors with their stacks, placeholders, in either order; nothing is lost', async (t) => {
  const cycle: Record<string, unknown> = { a: 1 }
  cycle['self'] = cycle
  const error = Object.assign(new Error('boom', { cause: new Error('the cause') }), { code: 'E_BOOM' })
  const { server, log: lines } = await buildApp(t, () =>
    httpEndpoint('/', () => {
      log.info('text')
      log.info({ orderId: 7 }, 'paid')
      log.info('paid', { orderId: 7 })
      log.info('order %s of %d, 100%', 'a', 2, { orderId: 7 })
      log.info({ orderId: 7 }, 'order %s', 'b')
      log.info('one', 2, ['three'])
      log.error(error)
      log.error(error, 'could not pay')
      log.error('could not pay', error)
      log.error({ error, orderId: 7 }, 'could not pay')
      log.info({ orderId: 7 })
      log.info(undefined, 'no object')
      log.info(['a', 1n])
      log.info({ big: 1n, cycle }, 'odd')
      log.info({ toJSON: () => ({ shown: 1 }), hidden: 2 }, 'as JSON')
      log.info({ message: 'the object has a message' })
    }),
  )
  await server.inject(`${api}/`)
  const told = lines.filter(({ endpoint, method }) => endpoint === `${api}/` && method === undefined).map(({ level: _level, time: _time, requestId: _id, endpoint: _endpoint, ...told }) => told)
  const err = { type: 'Error', message: 'boom: the cause', stack: /^Error: boom\n[^]*logs\.test\.ts[^]*the cause/, code: 'E_BOOM' }
  t.match(told, [
    { message: 'text' },
    { orderId: 7, message: 'paid' },
    { orderId: 7, message: 'paid' },
    { orderId: 7, message: 'order a of 2, 100%' },
    { orderId: 7, message: 'order b' },
    { message: "one 2 [ 'three' ]" },
    { err, message: 'boom' },
    { err, message: 'could not pay' },
    { err, message: 'could not pay' },
    { error: err, orderId: 7, message: 'could not pay' },
    { orderId: 7 },
    { message: 'no object' },
    { message: "[ 'a', 1n ]" },
    { big: 1, cycle: { a: 1, self: '[Circular]' }, message: 'odd' },
    { shown: 1, message: 'as JSON' },
    { message: 'the object has a message' },
  ])
  t.equal(told.length, 16)
  t.notOk(JSON.stringify(told).includes('hidden'))
})

t.test('logging never throws, and what comes from a client passes neither for another level nor for another request', async (t) => {
  const { server, log: lines } = await buildApp(t, () =>
    httpEndpoint('/', () => {
      const trap = { get name(): string { throw new Error('do not look') } }
      log.info(trap, 'a trap')
      log.info('%s', { toString: () => { throw new Error('nor here') } })
      log.info({ toJSON: () => { throw new Error('nor there') } })
      log.info(request.bodyJson, 'got')
      return 'alive'
    }),
  )
  const answer = await server.inject({ method: 'POST', url: `${api}/`, payload: { level: 60, time: 'never', requestId: 'forged', endpoint: '/other', message: 'forged', note: 'kept' } })
  t.equal(answer.body, 'alive')
  const requestId = answer.headers['x-request-id']
  t.match(lines.find(({ message }) => String(message).endsWith('as it was given: a trap')), { level: 30, requestId, err: { message: 'do not look' } })
  t.match(lines.find(({ message }) => message === 'got'), { level: 30, time: /^\d{4}-/, requestId, endpoint: `${api}/`, level_: 60, requestId_: 'forged', message_: 'forged', note: 'kept' })
  t.same(lines.filter((line) => line['requestId'] === 'forged' || line['level'] === 60), [])
})

t.test('a request that is logged is told by method and path, without its headers and its password', async (t) => {
  const { server, log: lines } = await buildApp(t, () =>
    httpEndpoint('/mine', (_args, own) => {
      log.info(request)
      log.info(own)
      log.info({ request, own }, 'asked')
    }),
  )
  await server.inject({ url: `${api}/mine?token=secret-token`, headers: { ...basic('me', 'secret-password'), 'x-api-key': 'secret-key' } })
  t.match(lines.find(({ message }) => message === 'asked'), { request: { method: 'GET', path: '/mine' }, own: { method: 'GET', path: '/mine' } })
  t.equal(lines.filter((line) => 'request' in line).length, 3)
  t.notMatch(JSON.stringify(lines), /secret|bWU6/)
})

t.test('every answer has the id of its log lines in X-Request-Id, whatever the handler has set', async (t) => {
  const { server, port, log: lines } = await startApp(t, () => {
    httpEndpoint('/ok', () => 'ok')
    httpEndpoint('/own', () => new HttpResponse(200, 'own', { 'x-request-id': 'of-another-server' }))
    httpEndpoint('/stream', () => new Response('streamed', { headers: { 'x-request-id': 'of-another-server' } }))
    httpEndpoint('/boom', () => Promise.reject(new Error('boom')))
  })
  for (const [method, path, status] of [['GET', '/ok', 200], ['HEAD', '/ok', 200], ['OPTIONS', '/ok', 204], ['PUT', '/ok', 405], ['GET', '/none', 404], ['GET', '/own', 200], ['GET', '/stream', 200], ['GET', '/boom', 500], ['GET', '/%ff', 400]] as const) {
    const { statusCode, headers } = await server.inject({ method, url: api + path })
    t.equal(statusCode, status)
    t.match(headers['x-request-id'], /^[0-9a-f-]{36}$/, `${method} ${path}`)
    t.ok(lines.some(({ requestId, message }) => requestId === headers['x-request-id'] && /^(request|a request was refused before its path could be read)$/.test(String(message))), `${method} ${path} is in the log under its id`)
  }
  const socket = connect(port, '127.0.0.1', () => socket.write('nonsense\r\n\r\n'))
  let received = ''
  socket.setEncoding('utf8').on('data', (text: string) => (received += text))
  await once(socket, 'close')
  const [, id] = /^x-request-id: (\S+)\r$/im.exec(received) ?? []
  t.ok(id !== undefined && lines.some(({ requestId, message }) => requestId === id && message === 'a request was refused before it could be read'))
})

t.test('a body that is malformed or does not arrive is in the log with method and path, without the query and the key of a private app', { skip: takesLong('it waits for the time of three requests to be over') }, async (t) => {
  const accessKey = 'k-9sYt_3yX0aVbWqPzR7Lm2d'
  const define = (): void => httpEndpoint('/upload', { methods: ['PUT'] }, () => 'never')
  const open = await startApp(t, define, { headersTimeout: 200, requestTimeout: 300 })
  const closed = await startApp(t, define, { headersTimeout: 200, requestTimeout: 300, private: { accessKey } })
  const send = async (port: number, base: string, rest: string): Promise<RawAnswer | undefined> =>
    readAnswers(await converse(port, { pieces: [`PUT ${base}${api}/upload?token=secret HTTP/1.1\r\nhost: x\r\n${rest}`], patience: 3000 }), ['PUT'])[0]
  const [stalled, malformed, hidden, guessed] = await Promise.all([
    send(open.port, '', 'content-length: 10\r\n\r\nhalf'),
    send(open.port, '', 'transfer-encoding: chunked\r\n\r\nnonsense\r\n'),
    send(closed.port, `/${accessKey}`, 'content-length: 10\r\n\r\nhalf'),
    send(closed.port, `/${accessKey}`, 'content-length: 10\r\nx'),
  ])
  t.same([stalled, malformed, hidden, guessed].map((answer) => answer?.status), [408, 400, 408, 408])
  const lineOf = (log: typeof open.log, answer: RawAnswer | undefined) => log.find(({ requestId }) => requestId === answer?.headers['x-request-id'])
  const told = { method: 'PUT', path: `${api}/upload`, message: 'a request was refused while its body arrived' }
  t.match(lineOf(open.log, stalled), { ...told, status: 408 })
  t.match(lineOf(open.log, malformed), { ...told, status: 400 })
  t.match(lineOf(closed.log, hidden), { ...told, status: 408 })
  t.match(lineOf(closed.log, guessed), { status: 408, message: 'a request was refused before it could be read' }, 'what has not come whole is told by nothing that it asked for')
  t.notMatch(JSON.stringify([open.log, closed.log]), /secret|9sYt/)
})

t.test('an id that came with the request is taken over from a trusted proxy alone, and only if it is harmless', async (t) => {
  const define = (): void => httpEndpoint('/', () => log.info('here'))
  const trusting = await buildApp(t, define, { trustedProxies: ['10.0.0.0/8', '2001:db8::1'] })
  const idFor = async ({ server }: typeof trusting, remoteAddress: string, id: string | string[]): Promise<unknown> => (await server.inject({ url: `${api}/`, remoteAddress, headers: { 'x-request-id': id } })).headers['x-request-id']
  const given = 'abc-1.2_3:4/5+6=;,~!#$%&()*<>?@[]^`{|}'
  for (const address of ['10.1.2.3', '::ffff:10.1.2.3', '2001:db8::1']) t.equal(await idFor(trusting, address, given), given, address)
  t.match(trusting.log.filter(({ requestId }) => requestId === given).map(({ message }) => message), ['here', 'request', 'here', 'request', 'here', 'request'])
  for (const address of ['11.0.0.1', '127.0.0.1', '::1', '2001:db8::2', '::ffff:11.0.0.1']) t.match(await idFor(trusting, address, given), /^[0-9a-f-]{36}$/, address)
  t.equal(await idFor(trusting, '10.1.2.3', 'x'.repeat(128)), 'x'.repeat(128))
  for (const bad of ['', 'x'.repeat(129), 'a b', 'a"b', "a'b", 'a\\b', 'a\tb', 'é']) t.match(await idFor(trusting, '10.1.2.3', bad), /^[0-9a-f-]{36}$/, JSON.stringify(bad))
  const { port } = await startApp(t, define, { trustedProxies: ['127.0.0.1'] })
  const overSocket = async (lines: string): Promise<string> => {
    const socket = connect(port, '127.0.0.1', () => socket.write(`GET ${api}/ HTTP/1.1\r\nhost: x\r\n${lines}connection: close\r\n\r\n`))
    let received = ''
    socket.setEncoding('utf8').on('data', (text: string) => (received += text))
    await once(socket, 'close')
    return /^x-request-id: (.*)\r$/im.exec(received)?.[1] ?? ''
  }
  t.equal(await overSocket('X-Request-ID: from-the-proxy\r\n'), 'from-the-proxy')
  t.match(await overSocket('X-Request-ID: a\r\nX-Request-ID: b\r\n'), /^[0-9a-f-]{36}$/, 'two are none')
  t.match(await idFor(await buildApp(t, define), '10.1.2.3', given), /^[0-9a-f-]{36}$/, 'without trusted proxies nobody chooses')
})

const modules = {
  'a.ts': `import { httpEndpoint, log } from 'rowhouse'

log.info('loading')
process.on('exit', () => log.info('goodbye'))
httpEndpoint('/hello', () => {
  log.info('informing')
  log.warning('warning')
  log.error('screaming bloody murder!')
  return 'check your logs\\n'
})
httpEndpoint('/boom', () => {
  throw new Error('boom')
})
httpEndpoint('/evil', () => log.warn('two\\nlines \\u001b[2J\\u2028'))
httpEndpoint('/exit', () => {
  for (let number = 0; number < 1000; number++) log.info('last words ' + number)
  process.exit(3)
})
httpEndpoint('/uncaught', () => {
  setTimeout(() => {
    log.info('just before')
    throw new Error('nobody catches this')
  })
})
`,
}

t.test('a file of bare messages has what the app logs and the exceptions, in order, and neither requests nor starts', { skip: takesLong('it starts and stops a server') }, async (t) => {
  const directory = t.testdir({ modules, 'rowhouse.config.ts': `export default { logging: { file: 'logs/app.log', format: 'message' } }` })
  const file = join(directory, 'logs', 'app.log')
  const { url, child, output, ended } = await startServer(t, directory)
  t.equal(await (await fetch(`${url}${api}/hello`)).text(), 'check your logs\n')
  const boom = await fetch(`${url}${api}/boom`)
  await fetch(`${url}${api}/evil`)
  child.kill('SIGTERM')
  t.equal((await ended).code, 0)
  const [loading, informing, warning, screaming, exception, request, error, frame, ...more] = linesOf(file)
  t.same([loading, informing, warning, screaming], ['loading', 'informing', 'warning', 'screaming bloody murder!'])
  t.same([exception, request, error], [`Exception on ${api}/boom [GET]`, `    request ${boom.headers.get('x-request-id')}`, '    Error: boom'])
  t.match(frame, /^ {8}at .*modules\/a\.ts:12:9\)?$/, 'the stack has the lines of the source')
  t.equal(more.pop(), 'goodbye', 'what is logged while the process ends is there')
  t.equal(more.pop(), 'two\\nlines \\u001b[2J\\u2028', 'one line for each event, whatever it says')
  t.ok(more.length > 0)
  for (const line of more) t.match(line, /^ {8}at /)
  t.equal(statSync(file).mode & 0o777, 0o600)
  const standard = output.stdout.trim().split('\n').map((line) => JSON.parse(line) as { message: string })
  for (const message of ['loading', 'informing', `Exception on ${api}/boom [GET]`, 'request', 'stopped', 'goodbye']) t.ok(standard.some((line) => line.message === message), `standard output has ${message}`)
})

t.test('the last lines before the process ends are in the file, however it ends, and begin on a line of their own after half a line', { skip: takesLong('it starts several servers') }, async (t) => {
  const directory = t.testdir({ modules, 'app.log': 'half a li' })
  const file = join(directory, 'app.log')
  const env = { ROWHOUSE_LOGGING_FILE: file }
  const exiting = await startServer(t, directory, [], { env })
  await fetch(`${exiting.url}${api}/exit`).catch(() => undefined)
  t.equal((await exiting.ended).code, 3)
  const [half, ...lines] = linesOf(file)
  t.equal(half, 'half a li')
  const messages = lines.map((line) => (JSON.parse(line) as { message: string }).message)
  t.same(messages.filter((message) => message.startsWith('last words')), Array.from({ length: 1000 }, (_, number) => `last words ${number}`))
  rmSync(file)
  const crashing = await startServer(t, directory, [], { env })
  await fetch(`${crashing.url}${api}/uncaught`).catch(() => undefined)
  t.equal((await crashing.ended).code, 1)
  t.match(linesOf(file).slice(-4).map((line) => JSON.parse(line) as unknown).filter((line) => (line as { message: string }).message !== 'request'), [
    { message: 'just before', endpoint: `${api}/uncaught` },
    { level: 60, message: 'an exception was not caught; the process ends', err: { stack: /nobody catches this[^]*modules\/a\.ts:/ } },
    { message: 'goodbye' },
  ])
})

t.test('the end of the process waits for lines that a slow disk is still writing, and no line is there twice', { skip: needs('strace') }, async (t) => {
  const directory = t.testdir({
    modules: {
      'a.ts': `import { httpEndpoint, log } from 'rowhouse'

httpEndpoint('/many', () => {
  for (let number = 0; number < 1000; number++) log.info('line ' + number)
})
httpEndpoint('/exit', () => {
  log.info('the last line')
  process.exit(3)
})
httpEndpoint('/stop', () => void process.kill(process.pid, 'SIGTERM'))
`,
    },
  })
  const file = join(directory, 'app.log')
  // The first write of each thread takes long. That of the main thread is the end of the half line that is there.
  const through = tampered(['--seccomp-bpf', '-P', file, '-e', 'trace=write', '-e', 'inject=write:delay_enter=400000:when=1'], []).flat()
  const start = (format: 'json' | 'message') => {
    writeFileSync(file, 'half a li')
    return startServer(t, directory, [], { env: { ROWHOUSE_LOGGING_FILE: file, ROWHOUSE_LOGGING_FORMAT: format }, through })
  }
  const lines = Array.from({ length: 1000 }, (_, number) => `line ${number}`)
  const exiting = await start('message')
  await fetch(`${exiting.url}${api}/many`)
  await fetch(`${exiting.url}${api}/exit`).catch(() => undefined)
  await exiting.ended
  t.same(linesOf(file), ['half a li', ...lines, 'the last line'])
  const stopping = await start('json')
  await fetch(`${stopping.url}${api}/many`)
  await fetch(`${stopping.url}${api}/stop`)
  await stopping.ended
  const messages = linesOf(file).slice(1).map((line) => (JSON.parse(line) as { message: string }).message)
  t.same(messages.filter((message) => /^line|^stopped/.test(message)), [...lines, 'stopped'])
})

t.test('what is logged before a start fails is in the file, and a module that is only looked at leaves standard output alone', { skip: takesLong('it runs the command many times') }, async (t) => {
  const directory = t.testdir({ modules: { 'a.ts': `import { log } from 'rowhouse'\n\nlog.info('this was the last thing')\nthrow new Error('no more')\n` } })
  const file = join(directory, 'app.log')
  const { code, stderr } = await runRowhouse(t, ['start', directory], { env: { ROWHOUSE_LOGGING_FILE: file, ROWHOUSE_LOGGING_FORMAT: 'message' } })
  t.match({ code, stderr }, { code: 1, stderr: /^modules\/a\.ts:4:\d+: Error: no more\n$/ })
  t.same(linesOf(file), ['this was the last thing'])
  const looking = t.testdir({ modules: { 'a.ts': `import { log } from 'rowhouse'\n\nlog.warn('looked at')\n` } })
  const routes = await runRowhouse(t, ['routes', looking, '--json'])
  t.equal(routes.code, 0)
  t.doesNotThrow(() => JSON.parse(routes.stdout) as unknown)
  t.match(JSON.parse(routes.stderr), { level: 40, message: 'looked at' })
})

t.test('a log of many lines at once is put aside as often as needed: every line whole, once, in order, no file above its size, and no more files than are kept', { skip: takesLong('it logs tens of thousands of lines') }, async (t) => {
  const directory = await temporaryFolder(t)
  const file = join(directory, 'logs', 'app.log')
  const logging = { file, format: 'message', maxSize: 20_000, keep: 100 } as const
  const messages = Array.from({ length: 20_000 }, (_, number) => `line ${number} ${'é'.repeat(number % 50)}`)
  messages[5000] = `a long one ${'x'.repeat(50_000)}`
  const { server } = await buildApp(t, () => httpEndpoint('/burst', () => messages.forEach((message) => log.info(message))), { logging }, directory)
  await server.inject(`${api}/burst`)
  await server.close()
  const files = (keep: number): string[] => ['app.log', ...Array.from({ length: keep }, (_, index) => `app.log.${index + 1}`)].filter((name) => existsSync(join(directory, 'logs', name)))
  const all = files(100)
  t.ok(all.length > 30, `${all.length} files`)
  t.same(all.toReversed().flatMap((name) => linesOf(join(directory, 'logs', name))), messages)
  const large = all.filter((name) => statSync(join(directory, 'logs', name)).size > logging.maxSize)
  t.same(large.map((name) => linesOf(join(directory, 'logs', name)).length), [1], 'only a line that is longer than a file may be has a file of its own')
  t.equal(readdirSync(join(directory, 'logs')).length, all.length, 'nothing else is left')
  rmSync(join(directory, 'logs'), { recursive: true })
  for (const keep of [0, 2]) {
    const again = await buildApp(t, () => httpEndpoint('/burst', () => messages.slice(0, 3000).forEach((message) => log.info(message))), { logging: { ...logging, keep } }, directory)
    await again.server.inject(`${api}/burst`)
    await again.server.close()
    t.same(readdirSync(join(directory, 'logs')).toSorted(), files(keep))
    t.equal(linesOf(file).at(-1), messages[2999])
    rmSync(join(directory, 'logs'), { recursive: true })
  }
})

t.test('a file that is moved, deleted or emptied from outside is begun anew, with the rights it had', async (t) => {
  const directory = await temporaryFolder(t)
  const file = join(directory, 'logs', 'app.log')
  mkdirSync(join(directory, 'logs'))
  writeFileSync(file, '', { mode: 0o640 })
  const { server, log: lines } = await buildApp(t, () => httpEndpoint('/say/:text', ({ text }) => log.info(text)), { logging: { file, format: 'message' } }, directory)
  const say = async (text: string): Promise<void> => {
    await server.inject(`${api}/say/${text}`)
    await until(() => linesOf(file).includes(text))
  }
  await say('one')
  renameSync(file, `${file}-20260101`)
  await say('two')
  t.same([linesOf(`${file}-20260101`), linesOf(file)], [['one'], ['two']])
  t.equal(statSync(file).mode & 0o777, 0o640)
  rmSync(join(directory, 'logs'), { recursive: true })
  await say('three')
  t.same(linesOf(file), ['three'])
  truncateSync(file, 0)
  await say('four')
  t.equal(readFileSync(file, 'utf8'), 'four\n')
  t.notMatch(JSON.stringify(lines), /log file/, 'and there was nothing to say about it')
})

t.test('a log file that cannot be written stops the start with one sentence, and leaves what is there alone', { skip: takesLong('it runs the command') }, async (t) => {
  const directory = t.testdir({ modules, 'a-file': 'a file', 'a-folder': {} })
  for (const [file, reason] of [
    [join(directory, 'a-folder'), /it is a folder, a pipe or a device/],
    ['/dev/null', /it is a folder, a pipe or a device/],
    [join(directory, 'a-file', 'app.log'), /a-file is a file where a folder for the log has to be/],
    [join(directory, '.rowhouse', 'rowhouse.db'), /belongs to the database/],
  ] as const) {
    const failure: unknown = await createApp({ directory, options: { logging: { file } } }).catch((error: unknown) => error)
    t.ok(failure instanceof ConfigurationError)
    t.match(failure, { message: /^logging\.file: [^\n]+$/ })
    t.match(failure, { message: reason })
  }
  const { code, stdout, stderr } = await runRowhouse(t, ['start', directory], { env: { ROWHOUSE_LOGGING_FILE: join(directory, 'a-folder') } })
  t.match({ code, stdout }, { code: 1, stdout: '' })
  t.match(stderr, /^logging\.file: [^\n]+\n$/)
  t.ok(statSync('/dev/null').isCharacterDevice())
  t.notOk(existsSync(join(directory, '.rowhouse', 'rowhouse.db')))
})

t.test('a full disk is told once, on standard output; the app goes on, and the lines are in the file once there is room', { skip: takesLong('a full disk is tried again each second') || needs('a small disk') }, async (t) => {
  const directory = t.testdir({
    disk: {},
    modules: {
      'a.ts': `import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { httpEndpoint, log } from 'rowhouse'

const disk = ${JSON.stringify(join(t.testdirName, 'disk'))}
httpEndpoint('/fill', () => {
  try { writeFileSync(disk + '/filler', Buffer.alloc(4 * 1024 * 1024)) } catch (error) { return error.code }
})
httpEndpoint('/say', () => { for (let number = 0; number < 5000; number++) log.info('line ' + number) })
httpEndpoint('/free', () => rmSync(disk + '/filler'))
httpEndpoint('/read', () => readFileSync(disk + '/app.log', 'utf8'))
`,
    },
  })
  const mount = 'mount -t tmpfs -o size=1m none "$0" && exec "$@"'
  const through = ['unshare', '--map-root-user', '--mount', 'sh', '-c', mount, join(directory, 'disk')]
  const env = { ROWHOUSE_LOGGING_FILE: join(directory, 'disk', 'app.log'), ROWHOUSE_LOGGING_FORMAT: 'message' }
  const server = await startServer(t, directory, [], { env, through })
  const ask = async (path: string): Promise<string> => (await fetch(`${server.url}${api}${path}`)).text()
  t.equal(await ask('/fill'), 'ENOSPC')
  await ask('/say')
  await ask('/say')
  await until(() => server.output.stdout.includes('ENOSPC'))
  await ask('/say')
  await new Promise((resolve) => setTimeout(resolve, 1300))
  t.equal(server.output.stdout.match(/cannot be written/g)?.length, 1)
  await ask('/free')
  await until(() => server.output.stdout.includes('can be written again'))
  const expected = [1, 2, 3].flatMap(() => Array.from({ length: 5000 }, (_, number) => `line ${number}\n`)).join('')
  let text = ''
  for (let attempt = 0; attempt < 50 && text.length < expected.length; attempt++) text = await ask('/read')
  t.ok(text === expected, 'every line whole, once, in order')
  t.equal(server.output.stderr, '')
})

t.test('on a disk that is full already the app does not start', { skip: needs('a small disk') }, async (t) => {
  const directory = t.testdir({ modules, disk: {} })
  const mount = 'mount -t tmpfs -o size=1m none "$0" && (head -c 4194304 /dev/zero > "$0"/filler 2>&1 || echo full) && exec "$@"'
  const through = ['unshare', '--map-root-user', '--mount', 'sh', '-c', mount, join(directory, 'disk')]
  const { code, stdout, stderr } = await runRowhouse(t, ['start', directory], { env: { ROWHOUSE_LOGGING_FILE: join(directory, 'disk', 'app.log') }, through })
  t.match(stdout, 'full')
  t.equal(code, 1)
  t.match(stderr, /^logging\.file: [^\n]+ cannot be written \(ENOSPC\)[^\n]+\n$/)
})
