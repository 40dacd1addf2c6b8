import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, readlinkSync, statSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { brotliCompressSync, constants, deflateSync, gzipSync } from 'node:zlib'
import t from 'tap'
import { defineTables, HttpResponse, httpEndpoint, integer, media as mediaColumn, Media, request, table } from 'rowhouse'
import { buildApp, startApp, temporaryFolder, type TestApp } from './support/app.ts'
import { field, file, multipart } from './support/multipart.ts'
import { needs, takesLong } from './support/needs.ts'
import { startServer } from './support/rowhouse-process.ts'

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

const mebibyte = 1024 * 1024
const limit = 3 * mebibyte

/** How many files of bodies this process has open. They have no name any more, so the system calls them deleted. */
function openBodies(directory: string): number {
  return readdirSync('/proc/self/fd').filter((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`).startsWith(join(directory, '.rowhouse', 'request-bodies'))
    } catch {
      return false
    }
  }).length
}

/** Waits until no file of a body is open; fails when one stays open. */
async function allClosed(t: { equal(found: unknown, wanted: unknown, message: string): unknown; same(found: unknown, wanted: unknown, message: string): unknown }, { directory }: TestApp, what: string): Promise<void> {
  for (let patience = 100; openBodies(directory) > 0 && patience > 0; patience--) await delay(20)
  t.equal(openBodies(directory), 0, `${what} leaves no file open`)
  t.same(readdirSync(join(directory, '.rowhouse', 'request-bodies')), [], 'and none in the folder')
}

t.test('a large body is on disk, can be read in every way and any number of times, and is sent back as it was', { skip: takesLong('it sends large bodies') }, async (t) => {
  const bytes = randomBytes(limit)
  const app = await startApp(t, () => {
    httpEndpoint('/read', async (_args, { body }) => {
      if (body === null) return null
      const pieces: Uint8Array[] = []
      for await (const piece of body.stream()) pieces.push(piece)
      const whole = await Promise.all([body.bytes, body.bytes, body.arrayBuffer(), Buffer.concat(pieces)])
      return [openBodies(app.directory), pieces.length, body.length, whole.map((copy) => bytes.equals(new Uint8Array(copy))), (await request.text()).length === bytes.toString('utf8').length]
    })
    httpEndpoint('/echo', (_args, { body }) => body)
    httpEndpoint('/wrapped', (_args, { body }) => new HttpResponse(201, body, { 'content-type': 'image/x-own', 'content-length': '1' }))
    httpEndpoint('/part', (_args, { files }) => files['f'])
  })
  const post = (path: string, body: Buffer = bytes, type = 'image/png') => fetch(`${app.url}${api}${path}`, { method: 'POST', body, headers: { 'content-type': type } })
  t.same(await (await post('/read')).json(), [1, 48, limit, [true, true, true, true], true])
  const echo = await post('/echo')
  t.match([echo.status, echo.headers.get('content-length'), echo.headers.get('content-type')], [200, String(limit), 'image/png'])
  t.ok(bytes.equals(Buffer.from(await echo.arrayBuffer())))
  const wrapped = await post('/wrapped')
  t.match([wrapped.status, wrapped.headers.get('content-length'), wrapped.headers.get('content-type')], [201, String(limit), 'image/x-own'])
  t.ok(bytes.equals(Buffer.from(await wrapped.arrayBuffer())))
  const part = await post('/part', multipart('X', [[field('a'), 'x'], [file('f', 'ü.png', 'image/png'), bytes]]), 'multipart/form-data; boundary=X')
  t.match([part.headers.get('content-length'), part.headers.get('content-disposition')], [String(limit), "inline; filename*=UTF-8''%C3%BC.png"])
  t.ok(bytes.equals(Buffer.from(await part.arrayBuffer())), 'a file in a form is as good as a body')
  await allClosed(t, app, 'an answered request')
  t.equal(statSync(join(app.directory, '.rowhouse', 'request-bodies')).mode & 0o777, 0o700, 'nobody else may look into the folder')
})

t.test('a body is on disk from one byte beyond 1 MiB on', async (t) => {
  const app = await buildApp(t, () => httpEndpoint('/count', () => openBodies(app.directory)))
  const post = async (length: number) => (await app.server.inject({ method: 'POST', url: `${api}/count`, payload: Buffer.alloc(length) })).body
  t.equal(await post(mebibyte), '0')
  t.equal(await post(mebibyte + 1), '1')
})

t.test('a large body can be read until the handler has ended and the answer is out, and says so afterwards', { skip: takesLong('it sends large bodies') }, async (t) => {
  const kept: Media[] = []
  const copies: Media[] = []
  let finished: (() => void) | null = null
  const seen: string[] = []
  const app = await startApp(t, () => {
    httpEndpoint('/keep', (_args, { body }) => {
      if (body === null) return
      kept.push(body)
      copies.push(new Media(body.bytes, { contentType: body.contentType }))
    })
    httpEndpoint('/slow', { timeout: 100 }, async (_args, { body, signal }) => {
      await new Promise<void>((resolve) => (finished = resolve))
      seen.push(`${signal.aborted} ${(await body?.text())?.length} ${body?.bytes.length}`)
    })
    httpEndpoint('/generate', async function* (_args, { body }) {
      yield 'start '
      await delay(20)
      yield String((await body?.arrayBuffer())?.byteLength)
    })
  })
  const post = (path: string, signal?: AbortSignal) => fetch(`${app.url}${api}${path}`, { method: 'POST', body: Buffer.alloc(limit, 'a'), ...(signal && { signal }) })
  await (await post('/keep')).text()
  await allClosed(t, app, 'an answered request')
  const gone = /this body is gone, because its request has been answered and the handler has ended; read it before, or keep a copy/
  const media = kept[0] ?? new Media('')
  t.throws(() => media.bytes, gone, 'although its bytes were read before')
  await t.rejects(media.text(), gone)
  await t.rejects(media.stream().getReader().read(), gone)
  t.equal(media.length, limit, 'what it was is still known')
  t.equal(copies[0]?.bytes.length, limit, 'a copy stays')

  t.equal((await post('/slow')).status, 503)
  t.equal(openBodies(app.directory), 1, 'the handler still runs after the timeout was told')
  const finish = async (): Promise<void> => {
    while (finished === null) await delay(5)
    finished()
    finished = null
  }
  await finish()
  await allClosed(t, app, 'a handler that ended after its timeout')
  const client = new AbortController()
  const broken = post('/slow', client.signal)
  await delay(50)
  client.abort()
  await t.rejects(broken)
  await finish()
  while (seen.length < 2) await delay(5)
  t.match(seen, [`false ${limit} ${limit}`, /^(?:true|false) 3145728 3145728$/])
  await allClosed(t, app, 'a handler whose client went away')
  t.equal(await (await post('/generate')).text(), `start ${limit}`, 'a stream that is the answer reads it while it is sent')
  await allClosed(t, app, 'a streamed answer')
})

t.test('an uploaded file can be kept in a media column', { skip: takesLong('it uploads large files') }, async (t) => {
  const bytes = randomBytes(limit)
  const app = await startApp(t, () => {
    const { pictures } = defineTables({ pictures: table({ file: mediaColumn() }) })
    httpEndpoint('/pictures', async (_args, { files }) => (await pictures.addRow({ file: files['f'] as Media })).id)
    httpEndpoint('/picture', async () => (await pictures.get({}))?.file)
  })
  const form = multipart('X', [[file('f', 'p.png', 'image/png'), bytes]])
  const kept = await fetch(`${app.url}${api}/pictures`, { method: 'POST', body: form, headers: { 'content-type': 'multipart/form-data; boundary=X' } })
  t.equal(kept.status, 200)
  const answer = await fetch(`${app.url}${api}/picture`)
  t.match([answer.headers.get('content-type'), answer.headers.get('content-disposition')], ['image/png', "inline; filename*=UTF-8''p.png"])
  t.ok(bytes.equals(Buffer.from(await answer.arrayBuffer())))
  await allClosed(t, app, 'a kept upload')
})

t.test('no file stays open, however a request ends', { skip: takesLong('it ends many requests in many ways') }, async (t) => {
  const app = await startApp(
    t,
    () => {
      httpEndpoint('/ok', { decompress: true }, ({ fail }, { body }) => {
        if (fail !== undefined) throw new Error('on purpose')
        return body?.length
      })
      httpEndpoint('/typed', { params: { n: integer() } }, () => 1)
      httpEndpoint('/echo', (_args, { body }) => body)
      httpEndpoint('/unsendable', (_args, { body }) => [body, 1n as unknown])
    },
    // One client gets half of the disk: were anything of an earlier body still counted, there would be no room for the next.
    { bodyLimit: limit, bodyDiskLimit: 2 * limit, requestTimeout: 1000, headersTimeout: 900, shutdownTimeout: 300 },
  )
  const post = (path: string, body: Buffer, headers: Record<string, string> = {}) => fetch(`${app.url}${api}${path}`, { method: 'POST', body, headers })
  const form = { 'content-type': 'multipart/form-data; boundary=X' }
  const cases: readonly (readonly [what: string, status: number, answer: () => Promise<{ readonly status: number }>])[] = [
    ['an answer', 200, () => post('/ok', Buffer.alloc(limit))],
    ['a body that is too long', 413, () => fetch(`${app.url}${api}/ok`, { method: 'POST', body: Readable.from([Buffer.alloc(limit), Buffer.alloc(1)]), duplex: 'half' } as unknown as RequestInit)],
    ['a form without an end', 400, () => post('/ok', Buffer.from(`--X\r\n${field('a')}\r\n\r\n${'x'.repeat(2 * mebibyte)}`), form)],
    ['a form with a malformed part after a large one', 400, () => post('/ok', multipart('X', [[file('f', 'f'), Buffer.alloc(2 * mebibyte)], ['x', '']]), form)],
    ['a wrong parameter', 400, () => post('/typed?n=x', Buffer.alloc(limit))],
    ['an error', 500, () => post('/ok?fail=1', Buffer.alloc(limit))],
    ['a value that cannot be sent', 500, () => post('/unsendable', Buffer.alloc(limit))],
    ['a bomb', 413, () => post('/ok', gzipSync(Buffer.alloc(limit + 1)), { 'content-encoding': 'gzip' })],
    ['corrupt compression', 400, () => post('/ok', Buffer.concat([gzipSync(randomBytes(2 * mebibyte)), Buffer.from('x')]), { 'content-encoding': 'gzip' })],
  ]
  for (const [what, status, answer] of cases) {
    t.equal((await answer()).status, status, what)
    await allClosed(t, app, what)
  }
  const head = (length: number): string => `POST ${api}/echo HTTP/1.1\r\nhost: x\r\ncontent-length: ${length}\r\n\r\n`
  const upload = connect(app.port, '127.0.0.1').on('error', () => undefined)
  upload.write(head(limit))
  upload.write(Buffer.alloc(2 * mebibyte))
  while (openBodies(app.directory) === 0) await delay(5)
  upload.destroy()
  await allClosed(t, app, 'an upload that breaks off')
  const slow = connect(app.port, '127.0.0.1').on('error', () => undefined).resume()
  slow.write(head(limit))
  slow.write(Buffer.alloc(2 * mebibyte))
  await once(slow, 'close')
  await allClosed(t, app, 'an upload that takes too long')
  const reader = connect(app.port, '127.0.0.1').on('error', () => undefined)
  reader.write(head(limit))
  reader.write(Buffer.alloc(limit))
  await once(reader, 'readable')
  reader.destroy()
  await allClosed(t, app, 'a download that breaks off')
  const last = connect(app.port, '127.0.0.1').on('error', () => undefined)
  last.write(head(limit))
  last.write(Buffer.alloc(2 * mebibyte))
  while (openBodies(app.directory) === 0) await delay(5)
  await app.server.close()
  await allClosed(t, app, 'the end of the server')
})

t.test('a handler that never ends keeps its body for as long again as it may take, not for ever', { skip: takesLong('it waits for time limits') }, async (t) => {
  const app = await startApp(t, () => httpEndpoint('/stuck', { timeout: 200, bodyLimit: limit }, () => new Promise(() => undefined)))
  const answer = await fetch(`${app.url}/_/api/stuck`, { method: 'POST', body: randomBytes(2 * mebibyte) })
  t.equal(answer.status, 503)
  t.equal(openBodies(app.directory), 1, 'it may still be reading')
  await answer.text()
  await allClosed(t, app, 'a handler that never ends')
})

t.test('what a killed process may have left in the folder is removed', async (t) => {
  const directory = await temporaryFolder(t)
  const folder = join(directory, '.rowhouse', 'request-bodies')
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, '11111111-2222-4333-8444-555555555555.body'), 'x')
  await writeFile(join(folder, 'of somebody else'), 'x')
  const { server } = await buildApp(t, () => httpEndpoint('/b', (_args, { body }) => body?.length), {}, directory)
  t.equal((await server.inject({ method: 'POST', url: `${api}/b`, payload: Buffer.alloc(limit) })).body, String(limit))
  t.same(readdirSync(folder), ['of somebody else'])
})

t.test('a body that cannot be put on disk answers 500, and small ones are still served', async (t) => {
  const app = await buildApp(t, () => httpEndpoint('/b', (_args, { body }) => body?.length))
  const folder = join(app.directory, '.rowhouse', 'request-bodies')
  const post = (length: number) => app.server.inject({ method: 'POST', url: `${api}/b`, payload: Buffer.alloc(length) })
  t.equal((await post(limit)).statusCode, 200)
  await rm(folder, { recursive: true })
  t.equal((await post(limit)).statusCode, 200, 'a folder that somebody has removed is made again')
  await rm(folder, { recursive: true })
  await writeFile(folder, '')
  const refused = await post(limit)
  t.equal(refused.statusCode, 500)
  t.notMatch(refused.body, /EEXIST|request-bodies/)
  t.match(JSON.stringify(app.log), /EEXIST/)
  t.equal((await post(5)).body, '5')
})

t.test('a full disk answers 507 and tells the operator, and all is well again with less', { skip: takesLong('it fills a disk three times') || needs('a small disk') }, async (t) => {
  const directory = await temporaryFolder(t)
  const data = join(directory, 'small')
  await mkdir(join(directory, 'modules'))
  await mkdir(data)
  await writeFile(join(directory, 'modules', 'length.ts'), "import { httpEndpoint } from 'rowhouse'\nhttpEndpoint('/length', { bodyLimit: 2 ** 29 }, (_args, { body }) => body?.length)")
  const mount = 'mount -t tmpfs -o size=32m,mode=700 none "$0" && exec "$@"'
  const through = ['unshare', '--map-root-user', '--mount', 'sh', '-c', mount, data]
  const { url, child, output, ended } = await startServer(t, directory, ['--data', data], { through })
  const post = (length: number) => fetch(`${url}${api}/length`, { method: 'POST', body: Buffer.alloc(length) })
  for (let turn = 0; turn < 3; turn++) {
    const refused = await post(30 * mebibyte)
    t.match([refused.status, await refused.text()], [507, 'there is no room for the body at the moment'])
    const taken = await post(8 * mebibyte)
    t.equal(await taken.text(), String(8 * mebibyte), 'what was refused has left its room')
  }
  while (!output.stdout.includes('the disk is full: a request body was refused')) await delay(20)
  child.kill('SIGTERM')
  t.equal((await ended).code, 0)
})

t.test('compressed bodies are decompressed, whatever is in them', async (t) => {
  const { server } = await buildApp(t, () =>
    httpEndpoint('/b', { decompress: true }, async (args, own) => [Object.entries(args), own.bodyJson, own.body?.length ?? null, Object.keys(own.files), own.headers['content-encoding'] ?? null]),
  )
  const post = async (payload: Buffer, encoding: string, type = 'application/json') =>
    (await server.inject({ method: 'POST', url: `${api}/b`, payload, headers: { 'content-encoding': encoding, 'content-type': type } })).json<unknown>()
  const json = Buffer.from(JSON.stringify({ a: 'x'.repeat(500) }))
  const compressors: readonly (readonly [string, (bytes: Buffer) => Buffer])[] = [
    ['gzip', gzipSync],
    ['x-gzip', gzipSync],
    ['GZIP', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
    ['identity', (bytes) => bytes],
    ['', (bytes) => bytes],
  ]
  for (const [encoding, compress] of compressors) {
    t.same(await post(compress(json), encoding), [[], { a: 'x'.repeat(500) }, json.length, [], encoding === '' ? '' : encoding], encoding)
    t.match(await post(compress(Buffer.from('a=1')), encoding, 'application/x-www-form-urlencoded'), [[['a', '1']], null, 3])
    const form = multipart('X', [[field('a'), '1'], [file('f', 'f'), Buffer.alloc(2 * mebibyte)]])
    t.match(await post(compress(form), encoding, 'multipart/form-data; boundary=X'), [[['a', '1']], null, form.length, ['f']])
    t.match(await post(compress(Buffer.alloc(0)), encoding, 'text/plain'), [[], null, null])
  }
})

t.test('a compression that is not known, or several, answers 415 with those that are', async (t) => {
  const { server } = await buildApp(t, () => httpEndpoint('/b', { decompress: true }, () => 'reached'))
  for (const encoding of ['zstd', 'compress', 'gzip, gzip', 'gzip,br', 'toString', '__proto__', 'identity, gzip']) {
    const answer = await server.inject({ method: 'POST', url: `${api}/b`, payload: 'x', headers: { 'content-encoding': encoding } })
    t.match([answer.statusCode, answer.headers['accept-encoding']], [415, 'gzip, deflate, br'], encoding)
    t.match(answer.body, /send it uncompressed, or with one of gzip, deflate, br/)
  }
})

t.test('a truncated, corrupt or prolonged compressed body answers 400', async (t) => {
  const { server } = await buildApp(t, () => httpEndpoint('/b', { decompress: true }, () => 'reached'))
  const compressors = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync }
  for (const [encoding, compress] of Object.entries(compressors)) {
    const whole = compress(randomBytes(50_000))
    const damaged = Buffer.from(whole)
    damaged.fill(0x55, 20_000, 20_100)
    for (const payload of [whole.subarray(0, -1), whole.subarray(0, 10), Buffer.from('not compressed'), Buffer.concat([whole, Buffer.from('rest')]), ...(encoding === 'br' ? [] : [damaged])]) {
      const answer = await server.inject({ method: 'POST', url: `${api}/b`, payload, headers: { 'content-encoding': encoding } })
      t.equal(answer.statusCode, 400, `${encoding} ${payload.length}`)
      t.match(answer.body, /^the body (?:is not what its content-encoding says|has something behind its compressed content)/)
    }
  }
})

t.test('a bomb is refused before it has gone off', async (t) => {
  const { server } = await buildApp(t, () => httpEndpoint('/b', { decompress: true }, () => 'reached'))
  const zeros = Buffer.alloc(10 * mebibyte)
  const bombs = { gzip: Buffer.concat(Array<Buffer>(400).fill(gzipSync(zeros))), br: brotliCompressSync(Buffer.alloc(100 * mebibyte), { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } }) }
  for (const [encoding, payload] of Object.entries(bombs)) {
    const before = process.memoryUsage().rss
    const start = process.cpuUsage()
    const answer = await server.inject({ method: 'POST', url: `${api}/b`, payload, headers: { 'content-encoding': encoding, 'content-type': 'multipart/form-data; boundary=X' } })
    t.match([answer.statusCode, answer.body], [413, /longer than the 20971520 bytes/], `${encoding}, ${payload.length} bytes`)
    const time = process.cpuUsage(start).user / 1000
    const growth = (process.memoryUsage().rss - before) / mebibyte
    t.ok(time < 2000, `took ${time} ms`)
    t.ok(growth < 64, `took ${growth} MiB`)
  }
})

t.test('a file of 200 MiB arrives and goes back in constant memory', { skip: takesLong('it sends hundreds of megabytes') || needs('/proc') }, async (t) => {
  const directory = await temporaryFolder(t)
  await mkdir(join(directory, 'modules'))
  await writeFile(
    join(directory, 'modules', 'large.ts'),
    `import { readFileSync } from 'node:fs'
    import { httpEndpoint } from 'rowhouse'
    httpEndpoint('/peak', () => Number(/VmHWM:\\s*(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024)
    httpEndpoint('/echo', { bodyLimit: 2 ** 29, timeout: 120_000 }, (_args, { files }) => files.f)`,
  )
  const { url } = await startServer(t, directory)
  const peak = async (): Promise<number> => Number(await (await fetch(`${url}${api}/peak`)).text())
  const piece = randomBytes(mebibyte)
  /** Sends a file of so many MiB and reads it as it comes back. */
  const echo = async (mebibytes: number): Promise<void> => {
    const [sent, received] = [createHash('sha256'), createHash('sha256')]
    const body = Readable.from(
      (function* () {
        yield Buffer.from(`--X\r\n${file('f', 'f')}\r\n\r\n`)
        for (let count = 0; count < mebibytes; count++) {
          sent.update(piece)
          yield piece
        }
        yield Buffer.from('\r\n--X--\r\n')
      })(),
    )
    // fetch() of Node.js takes a stream as a body; the type of its options does not know it.
    const answer = await fetch(`${url}${api}/echo`, { method: 'POST', body, duplex: 'half', headers: { 'content-type': 'multipart/form-data; boundary=X' } } as unknown as RequestInit)
    t.equal(answer.headers.get('content-length'), String(mebibytes * mebibyte))
    for await (const part of answer.body ?? []) received.update(part)
    t.equal(received.digest('hex'), sent.digest('hex'))
  }
  const idle = await peak()
  // What a first upload takes once, for buffers and the young generation of the heap, depends on the version of Node.js: 35 to 60 MiB.
  await echo(50)
  const warm = await peak()
  await echo(200)
  const end = await peak()
  t.ok(end - warm < 50, `150 MiB more took ${Math.round(end - warm)} MiB more`)
  t.ok(end - idle < 128, `the peak grew by ${Math.round(end - idle)} MiB in all`)
})

t.test('a body that arrives byte by byte costs little more than one that arrives at once', { skip: takesLong('it sends a body byte by byte') }, async (t) => {
  const { port } = await startApp(t, () => httpEndpoint('/b', ({ a }, { body }) => [body?.length, String(a).length]))
  const parts = Array.from({ length: 20 }, () => `--X\r\n${field('b')}\r\nx: ${'x'.repeat(16_000)}\r\n\r\n1\r\n`)
  const payload = `${parts.join('')}--X\r\n${field('a')}\r\n\r\n${'a'.repeat(100_000)}\r\n--X--`
  const socket = connect(port, '127.0.0.1').setEncoding('utf8')
  const before = process.memoryUsage()
  const start = process.cpuUsage()
  socket.write(`POST ${api}/b HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\nconnection: close\r\ncontent-type: multipart/form-data; boundary=X\r\n\r\n`)
  socket.write(`${payload.replace(/[^]/g, (byte) => `1\r\n${byte}\r\n`)}0\r\n\r\n`)
  let answer = ''
  for await (const text of socket) answer += String(text)
  t.match(answer, new RegExp(`200 OK[\\s\\S]*\\[${payload.length},100000\\]$`))
  const time = process.cpuUsage(start).user / 1000
  const growth = (process.memoryUsage().rss - before.rss) / mebibyte
  t.ok(time < 5000, `took ${time} ms`)
  t.ok(growth < 200, `took ${growth} MiB`)
})

t.test('exactly the limit passes and one byte more answers 413, for every kind of body and in chunks', { skip: takesLong('it compresses dozens of bodies') }, async (t) => {
  const most = 1_200_000
  const { server } = await buildApp(t, () => httpEndpoint('/b', { decompress: true }, (_args, { body }) => body?.length), { bodyLimit: most })
  const wrap = (before: string, after: string, type: string) => ({ make: (length: number) => Buffer.concat([Buffer.from(before), Buffer.alloc(length - before.length - after.length, 'a'), Buffer.from(after)]), type })
  const kinds = [
    wrap('', '', 'image/png'),
    wrap('"', '"', 'application/json'),
    wrap('a=', '', 'application/x-www-form-urlencoded'),
    wrap(`--X\r\n${field('a')}\r\n\r\n`, '\r\n--X--\r\n', 'multipart/form-data; boundary=X'),
    wrap(`--X\r\n${file('f', 'f')}\r\n\r\n`, '\r\n--X--\r\n', 'multipart/form-data; boundary=X'),
  ]
  for (const { make, type } of kinds) {
    for (const [name, compress] of [['none', null], ['gzip', gzipSync], ['br', brotliCompressSync]] as const) {
      for (const chunked of [false, true]) {
        const post = async (length: number): Promise<number> => {
          const bytes = compress === null ? make(length) : compress(make(length))
          const payload = chunked ? Readable.from([bytes.subarray(0, 7), bytes.subarray(7)], { objectMode: false }) : bytes
          const headers = { 'content-type': type, ...(chunked && { 'transfer-encoding': 'chunked' }), ...(compress !== null && { 'content-encoding': name }) }
          return (await server.inject({ method: 'POST', url: `${api}/b`, payload, headers })).statusCode
        }
        t.same([await post(most), await post(most + 1)], [200, 413], `${type}, compression ${name}, ${chunked ? 'chunked' : 'whole'}`)
      }
    }
  }
  const sent = gzipSync(randomBytes(most), { level: 0 })
  t.equal((await server.inject({ method: 'POST', url: `${api}/b`, payload: sent, headers: { 'content-encoding': 'gzip' } })).statusCode, 413, 'the compressed bytes count, too')
})

t.test('a header that Media could not hold does not keep a body from being read', async (t) => {
  const { port } = await startApp(t, () => httpEndpoint('/b', (_args, { body }) => [body?.contentType, body?.name, body?.length]))
  const socket = connect(port, '127.0.0.1').setEncoding('latin1')
  socket.write(Buffer.from(`POST ${api}/b HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\nconnection: close\r\ncontent-type: text/\xe9\r\ncontent-disposition: attachment; filename="a\tb\xc3\xbc.txt"\r\n\r\nx`, 'latin1'))
  let answer = ''
  for await (const text of socket) answer += String(text)
  t.match(answer, /200 OK[\s\S]*\["application\/octet-stream","a_bÃ¼\.txt",1\]$/)
})
