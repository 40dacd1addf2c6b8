import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join as joinPath } from 'node:path'
import { Readable } from 'node:stream'
import { promisify } from 'node:util'
import * as fc from 'fast-check'
import t from 'tap'
import { httpEndpoint, Media, request } from 'rowhouse'
import { buildApp, startApp, temporaryFolder, type TestApp } from './support/app.ts'
import { needs, takesLong } from './support/needs.ts'
import { field, file, join, multipart, type RawPart } from './support/multipart.ts'

const run = promisify(execFile)
const api = '/_/api'

/** A file, or several, or a text, in a form that can be compared. */
function show(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(show)
  return value instanceof Media ? { name: value.name, type: value.contentType, bytes: showBytes(value.bytes) } : value
}

/** Short ones as text, each byte a character; long ones by their digest. */
function showBytes(bytes: Uint8Array): string {
  return bytes.length < 1000 ? Buffer.from(bytes).toString('latin1') : createHash('sha256').update(bytes).digest('hex')
}

function showAll(values: Readonly<Record<string, unknown>>): unknown {
  return Object.entries(values).map(([name, value]) => [name, show(value)])
}

/** Answers with all that a form brought. */
function defineForm(): void {
  httpEndpoint('/form', async (args, { formParams, files, body }) => ({
    args: Object.entries(args),
    fields: showAll(formParams),
    files: showAll(files),
    all: showAll(await request.form()),
    prototypes: [formParams, files].map((object) => Object.getPrototypeOf(object) as unknown),
    digest: body === null ? null : createHash('sha256').update(body.bytes).digest('hex'),
  }))
}

interface FormAnswer {
  readonly fields: readonly (readonly [string, unknown])[]
  readonly files: readonly (readonly [string, unknown])[]
  readonly digest: string
}

/** Sends a multipart body and gives the status, and what came of it. */
async function send({ server }: TestApp, payload: Buffer | Readable, boundary = 'X', contentType = `multipart/form-data; boundary=${boundary}`): Promise<{ status: number; text: string; form: FormAnswer }> {
  const answer = await server.inject({ method: 'POST', url: `${api}/form`, payload, headers: { 'content-type': contentType, ...(payload instanceof Readable && { 'transfer-encoding': 'chunked' }) } })
  return { status: answer.statusCode, text: answer.body, form: answer.statusCode === 200 ? answer.json<FormAnswer>() : { fields: [], files: [], digest: '' } }
}

const [first, second] = [{ name: 'a.txt', type: 'text/plain', bytes: 'one' }, { name: 'b.bin', type: 'application/octet-stream', bytes: '\x00\xff\r\n' }]

t.test('fields and files of a form are told apart, several of one name are all kept in order, and the body stays byte-exact', async (t) => {
  const app = await buildApp(t, defineForm)
  const body = multipart('X', [
    [field('title'), 'hello'],
    [file('f', 'a.txt', 'text/plain'), 'one'],
    [field('tag'), 'x'],
    [field('mixed'), 'text'],
    [file('f', 'b.bin'), Buffer.from([0, 255, 13, 10])],
    [field('tag'), ''],
    [file('mixed', 'a.txt', 'text/plain'), 'one'],
    [field('__proto__'), 'p'],
  ])
  const { form } = await send(app, body)
  t.same(form, {
    args: [['title', 'hello'], ['tag', ['x', '']], ['mixed', 'text'], ['__proto__', 'p']],
    fields: [['title', 'hello'], ['tag', ['x', '']], ['mixed', 'text'], ['__proto__', 'p']],
    files: [['f', [first, second]], ['mixed', first]],
    all: [['title', 'hello'], ['f', [first, second]], ['tag', ['x', '']], ['mixed', ['text', first]], ['__proto__', 'p']],
    prototypes: [null, null],
    digest: createHash('sha256').update(body).digest('hex'),
  })
})

t.test('fields of a multipart form are arguments like those of any form, below query and path', async (t) => {
  const { server } = await buildApp(t, () => httpEndpoint('/m/:c', (args) => args))
  const payload = multipart('X', [[field('a'), 'form'], [field('b'), 'form'], [field('c'), 'form'], [file('f', 'x'), 'no argument']])
  const answer = await server.inject({ method: 'POST', url: `${api}/m/path?b=query`, payload, headers: { 'content-type': 'Multipart/Form-Data; charset=utf-8; Boundary="X"' } })
  t.same(answer.json(), { a: 'form', b: 'query', c: 'path' })
})

t.test('fetch() and curl send forms that arrive as they were', async (t) => {
  const { url } = await startApp(t, defineForm)
  const form = new FormData()
  form.append('a "quoted"\r\nname', '1')
  form.append('f', new Blob(['one'], { type: 'text/plain' }), 'ü "x".txt')
  form.append('f', new Blob([]))
  const { fields, files } = (await (await fetch(`${url}${api}/form`, { method: 'POST', body: form })).json()) as FormAnswer
  t.same(fields, [['a "quoted"\r\nname', '1']])
  t.same(files, [['f', [{ name: 'ü "x".txt', type: 'text/plain', bytes: 'one' }, { name: 'blob', type: 'application/octet-stream', bytes: '' }]]])
  const empty = (await (await fetch(`${url}${api}/form`, { method: 'POST', body: new FormData() })).json()) as FormAnswer
  t.same([empty.fields, empty.files], [[], []], 'a form without anything in it is one, too')
  const folder = await temporaryFolder(t)
  const path = joinPath(folder, 'm.bin')
  const bytes = randomBytes(100_000)
  await writeFile(path, bytes)
  await t.test('curl', { skip: needs('curl') }, async (t) => {
    const { stdout } = await run('curl', ['-sS', '-F', 'title=hello', '-F', `file=@${path};type=image/x-test`, '-F', `file=@${path};filename="a\\"b;c.bin"`, `${url}${api}/form`])
    const answer = JSON.parse(stdout) as FormAnswer
    t.same(answer.fields, [['title', 'hello']])
    const content = showBytes(bytes)
    t.same(answer.files, [['file', [{ name: 'm.bin', type: 'image/x-test', bytes: content }, { name: 'a"b;c.bin', type: 'application/octet-stream', bytes: content }]]])
  })
})

t.test('the names that browsers send, old ones too, are read as they were meant', async (t) => {
  const app = await buildApp(t, defineForm)
  const disposition = async (parameters: string | Buffer): Promise<unknown> => {
    const { form, text } = await send(app, multipart('X', [[join('Content-Disposition: form-data; ', parameters), 'v']]))
    const [entry] = form.files.length > 0 ? form.files : form.fields
    if (entry === undefined) return text
    const [name, value] = entry
    return typeof value === 'string' ? [name] : [name, (value as { name: unknown }).name]
  }
  const cases: readonly (readonly [what: string, parameters: string | Buffer, expected: readonly (string | null)[]])[] = [
    ['today: quotes and line breaks in percents', 'name="a%22b%0D%0Ac"; filename="x%22y.txt"', ['a"b\r\nc', 'x"y.txt']],
    ['other percents are what somebody typed', 'name="100%25 %41%0a"', ['100%25 %41%0a']],
    ['old Firefox: quotes after a backslash', String.raw`name="say \"hi\""; filename="\"q\".txt"`, ['say "hi"', '"q".txt']],
    ['old Firefox, with a semicolon in it', String.raw`name="\"a\"; b"; filename="c\"; d.txt"`, ['"a"; b', 'c"; d.txt']],
    ['old WebKit: quotes as they are', 'name="say "hi" you"; filename="a"b".txt"', ['say "hi" you', 'a"b".txt']],
    ['old Internet Explorer: a whole path', String.raw`name="f"; filename="C:\Users\me\my file.txt"`, ['f', 'my file.txt']],
    ['old Internet Explorer: a share', String.raw`name="f"; filename="\\server\share\file.txt"`, ['f', 'file.txt']],
    ['a folder of Unix', 'name="f"; filename="../../etc/passwd"', ['f', 'passwd']],
    ['a backslash at the end of a name', String.raw`name="a\"`, ['a\\']],
    ['a backslash at the end, and more behind it', String.raw`name="a\"; filename="b.txt"`, ['a\\', 'b.txt']],
    ['a backslash in a name', String.raw`name="a\b\\c"`, [String.raw`a\b\\c`]],
    ['raw UTF-8', 'name="größe"; filename="日本語 😀.txt"', ['größe', '日本語 😀.txt']],
    ['bytes that are no UTF-8', join('name="f"; filename="', Buffer.from([0x61, 0xff, 0x62]), '"'), ['f', 'a�b']],
    ['the extended notation', "name=\"f\"; filename=\"e.txt\"; filename*=UTF-8''%e2%82%ac%20x.txt", ['f', '€ x.txt']],
    ['the extended notation, first and in Latin-1', "name=f; filename*=iso-8859-1'de'%fcber.txt; filename=uber.txt", ['f', 'über.txt']],
    ['a malformed extended notation', "name=f; filename*=UTF-8''%e2%82; filename=uber.txt", ['f', 'uber.txt']],
    ['one in pieces, which forms do not have', 'name=f; filename*0=ub; filename*1=er.txt; filename=uber.txt', ['f', 'uber.txt']],
    ['the extended notation in another encoding, and alone', "name=f; filename*=windows-1252''caf%e9%80.png", ['f', 'café€.png']],
    ['the extended notation in an encoding of two bytes', "name=f; filename*=Shift_JIS'ja'%93%fa.txt", ['f', '日.txt']],
    ['an extended notation that starts with a byte order mark', "name=f; filename*=UTF-8''%ef%bb%bfa", ['f', '\ufeffa']],
    ['no quotes', 'name=f;filename=a.txt', ['f', 'a.txt']],
    ['spaces and a semicolon too many', ' ; name = "f" ;; filename = "a;b.txt" ;', ['f', 'a;b.txt']],
    ['letter case', 'NAME="f"; FileName="A.txt"', ['f', 'A.txt']],
    ['an empty field name', 'name=""', ['']],
    ['control characters in a file name', 'name="f"; filename="a%0D%0Ab\tc.txt"', ['f', 'a__b_c.txt']],
    ['a name that is too long', `name="f"; filename="dir/${'a'.repeat(8000)}.tar.gz"`, ['f', `${'a'.repeat(252)}.gz`]],
    ['a name that is too long and has no ending', `name="f"; filename*=UTF-8''${'%F0%9F%98%80'.repeat(200)}`, ['f', `${'😀'.repeat(127)}_`]],
    ['no name but a dot', 'name="f"; filename=".."', ['f', null]],
  ]
  for (const [what, parameters, expected] of cases) t.same(await disposition(parameters), expected, what)
})

t.test('whole bodies of browsers are read', async (t) => {
  const app = await buildApp(t, defineForm)
  const firefox = '---------------------------9051914041544843365972754266'
  const { form } = await send(app, multipart(firefox, [[field('text'), 'text default'], [file('file1', 'a.txt', 'text/plain'), 'Content of a.txt.\n'], [file('file2', 'a.html', 'text/html'), '<!DOCTYPE html>\r\n']]), firefox)
  t.same(form.fields, [['text', 'text default']])
  t.same(form.files, [['file1', { name: 'a.txt', type: 'text/plain', bytes: 'Content of a.txt.\n' }], ['file2', { name: 'a.html', type: 'text/html', bytes: '<!DOCTYPE html>\r\n' }]])

  const chrome = '----WebKitFormBoundary7MA4YWxkTrZu0gW'
  const chosen = await send(app, multipart(chrome, [[file('none', ''), ''], [file('empty', 'empty.txt', 'text/plain'), ''], [file('nameless', ''), 'x'], [field('area'), 'one\r\ntwo\r\n']]), chrome)
  t.same(chosen.form.fields, [['area', 'one\r\ntwo\r\n']])
  t.same(
    chosen.form.files,
    [['empty', { name: 'empty.txt', type: 'text/plain', bytes: '' }], ['nameless', { name: null, type: 'application/octet-stream', bytes: 'x' }]],
    'a file input in which nothing was chosen brings no file; an empty file is one',
  )

  const explorer = '---------------------------7d81a516112482'
  const old = await send(app, multipart(explorer, [[`${file('pic', String.raw`C:\Documents and Settings\Me\p.gif`, 'image/pjpeg')}\r\nContent-Transfer-Encoding: 8Bit`, 'GIF8']]), explorer)
  t.same(old.form.files, [['pic', { name: 'p.gif', type: 'image/pjpeg', bytes: 'GIF8' }]], 'a transfer encoding that leaves the bytes as they are')

  const charset = multipart('X', [[field('_charset_'), 'windows-1252'], [join('Content-Disposition: form-data; name="', Buffer.from([0xe4]), '"'), Buffer.from([0x80, 0xfc])]])
  t.same((await send(app, charset)).form.fields, [['_charset_', 'windows-1252'], ['ä', '€ü']], 'a page that is not UTF-8 says so in _charset_')
  t.same((await send(app, multipart('X', [[`${field('a')}\r\nContent-Type: text/plain; charset=iso-8859-15`, Buffer.from([0xa4])]]))).form.fields, [['a', '€']], 'or each part for itself')
  t.same((await send(app, multipart('X', [[field('_charset_'), ''], [field('a'), 'ü']]))).form.fields, [['_charset_', ''], ['a', 'ü']], 'an empty one says nothing')
  const types = multipart('X', [[`${file('f', 'a', 'text/plä')}`, ''], ['content-disposition:form-data;name=f;\r\n filename=folded', ''], [`${field('json')}\r\nContent-Type: application/json`, '{}']])
  const { fields, files } = (await send(app, types)).form
  t.same(fields, [['json', '{}']], 'without a file name it is a field, whatever its type')
  t.same(files, [['f', [{ name: 'a', type: 'application/octet-stream', bytes: '' }, { name: 'folded', type: 'application/octet-stream', bytes: '' }]]])
})

t.test('only a whole line with the boundary ends a part', async (t) => {
  const app = await buildApp(t, defineForm)
  for (const content of ['x--X', '\r\n--', '\r\n--X-', '\r\n--XX', '\r\n--X--X', '\r\n--X \t.', '\r\n--x', '\n--X\n', '\r--X', '\r\n-X', '\r\n\r\n', 'x--X--', '\r\n--X\r', `\r\n--X${' '.repeat(300)}`, '\r', '']) {
    const { form } = await send(app, multipart('X', [[file('f', 'f', 'x/y'), `${content}`], [field('after'), content]]))
    t.same([form.files, form.fields], [[['f', { name: 'f', type: 'x/y', bytes: content }]], [['after', content]]], JSON.stringify(content))
  }
  const a = `${field('a')}\r\n\r\n1`
  const accepted: readonly (readonly [what: string, body: string])[] = [
    ['preamble and epilogue', `preamble\r\n--Xnot\r\n--X\r\n${a}\r\n--X--\r\nepilogue\r\n--X\r\nnothing`],
    ['a line break before the first boundary', `\r\n--X\r\n${a}\r\n--X--\r\n`],
    ['spaces after boundaries', `--X \t\r\n${a}\r\n--X--  \r\n`],
    ['no line break at the end', `--X\r\n${a}\r\n--X--`],
    ['spaces at the end', `--X\r\n${a}\r\n--X-- `],
  ]
  for (const [what, body] of accepted) t.same((await send(app, Buffer.from(body))).form.fields, [['a', '1']], what)
  t.same((await send(app, Buffer.from(`--X\r\n${field('a')}\r\n\r\n--X\r\n${field('b')}\r\n\r\n--X--`))).form.fields, [['a', ''], ['b', '']], 'an empty part may share its line break')
  for (const boundary of ["'()+_,-./:=?", 'a b', 'x'.repeat(70), '-', '--']) {
    const { form } = await send(app, multipart(boundary, [[field('a'), `x--${boundary}`]]), boundary, `multipart/form-data; boundary="${boundary}"; charset=utf-8`)
    t.same(form.fields, [['a', `x--${boundary}`]], `boundary ${boundary}`)
  }
})

t.test('what is malformed answers 400 and says what is wrong', async (t) => {
  const app = await buildApp(t, defineForm)
  const a = `${field('a')}\r\n\r\n1`
  const bodies: readonly (readonly [body: string | Buffer, message: RegExp])[] = [
    [`--X\r\n${a}`, /ends without the closing boundary --X--$/],
    [`--X\r\n${a}\r\n--X\r\n`, /ends without the closing boundary/],
    [`--X\r\n${a}\r\n--X`, /ends without the closing boundary/],
    [`--X\r\n${a}\r\n--X-`, /ends without the closing boundary/],
    [`--X\r\n${a}\r\n--X--x`, /ends without the closing boundary/],
    [`--X\r\n${field('a')}`, /ends without the closing boundary/],
    [`--Y\r\n${a}\r\n--Y--`, /the boundary --X is not in it/],
    ['{}', /the boundary --X is not in it/],
    [`--X\r\n\r\n1\r\n--X--`, /part 1 has no Content-Disposition/],
    [`--X\r\n${a}\r\n--X\r\nContent-Type: text/plain\r\n\r\n1\r\n--X--`, /part 2 has no Content-Disposition/],
    ['--X\r\nContent-Disposition: form-data\r\n\r\n1\r\n--X--', /part 1 has no name: expected/],
    ['--X\r\nContent-Disposition: form-data; filename="x"\r\n\r\n1\r\n--X--', /part 1 has no name/],
    ['--X\r\nContent-Disposition: attachment; name="x"\r\n\r\n1\r\n--X--', /is not form-data/],
    ['--X\r\nContent-Disposition: form-data; name="x\r\n\r\n1\r\n--X--', /cannot be read/],
    ['--X\r\nContent-Disposition: form-data; name="x"; name="y"\r\n\r\n1\r\n--X--', /cannot be read/],
    ...["windows-12520''a", "UTF-8''%e2%82", "UTF-8''caf%e9.png", "UTF-8''%zz", "UTF-8''100%", "''a", 'a.png', "utf-8'a", '', '"UTF-8\'\'%ff"'].map(
      (name): readonly [string, RegExp] => [`--X\r\n${field('a')}; filename*=${name}\r\n\r\n\x89PNG\r\n--X--`, /part 1 has a Content-Disposition that cannot be read; a file is sent as form-data/],
    ),
    ...['filename*0="a"; filename*1="b"', "filename*0*=UTF-8''a", 'filename', 'filename="a', 'filename="a"; filename="b"', 'filename="a"x', 'filename?="a"', '"filename"="a"', 'file name="a"', 'filename\xa0="a"', 'filenam\xe9="a"'].map(
      (parameter): readonly [Buffer, RegExp] => [Buffer.from(`--X\r\n${field('a')}; ${parameter}\r\n\r\n\x89PNG\r\n--X--`, 'latin1'), /part 1 has a Content-Disposition that cannot be read/],
    ),
    ["--X\r\nContent-Disposition: form-data; name*=UTF-8''a\r\n\r\n1\r\n--X--", /part 1 has no name/],
    ...['base64', 'quoted-printable', 'x-uuencode', '', 'binary, base64', 'b'.repeat(10_000)].map(
      (encoding): readonly [string, RegExp] => [`--X\r\n${file('a', 'a.png', 'image/png')}\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\niVBORw==\r\n--X--`, /part 1 has the Content-Transfer-Encoding "b?[^"]{0,60}", which is for mail; send the bytes as they are$/],
    ),
    ...['text/plain; charset="utf-8', 'text/plain; charset=utf-8; charset=latin1', 'text/plain; charset utf-16', 'nonsense', 'text/pl\xe4'].map(
      (type): readonly [Buffer, RegExp] => [Buffer.from(`--X\r\n${field('a')}\r\nContent-Type: ${type}\r\n\r\n1\r\n--X--`, 'latin1'), /part 1 has a Content-Type that cannot be read, ".*"; a field is sent with one such as text\/plain; charset=utf-8, or without$/],
    ),
    ...['text/plain; charset=no-such', 'text/plain; charset='].map(
      (type): readonly [Buffer, RegExp] => [Buffer.from(`--X\r\n${field('a')}\r\nContent-Type: ${type}\r\n\r\n1\r\n--X--`, 'latin1'), /part 1 has a Content-Type whose charset is not known, ".*"; send it in UTF-8$/],
    ),
    [`--X\r\n${field('_charset_')}\r\n\r\nno such\r\n--X\r\n${field('a')}\r\n\r\nü\r\n--X--`, /no encoding is called "no such", which it says in _charset_$/],
    [`--X\r\n${field('a')}\r\n${field('b')}\r\n\r\n1\r\n--X--`, /Content-Disposition twice/],
    [`--X\r\n${field('a')}\r\nnonsense\r\n\r\n1\r\n--X--`, /header line that is none/],
    [`--X\r\n${field('a')}\nX: y\r\n\r\n1\r\n--X--`, /header line that is none/],
    [`--X\r\n${field('a')}\0\r\n\r\n1\r\n--X--`, /header line that is none/],
    [`--X\r\n${field('a')}\r\nX: ${'x'.repeat(20_000)}\r\n\r\n1\r\n--X--`, /headers of part 1 are longer than 16384 bytes/],
    [`--X\r\n${'x'.repeat(2_000_000)}`, /headers of part 1 are longer than 16384 bytes/],
  ]
  for (const [body, message] of bodies) {
    const { status, text } = await send(app, Buffer.from(body))
    t.equal(status, 400, text)
    t.match(text, /^the multipart form is malformed: /)
    t.match(text, message)
  }
  const types: readonly (readonly [contentType: string, message: RegExp])[] = [
    ['multipart/form-data', /names no boundary/],
    ['multipart/form-data; boundary=', /names no boundary/],
    ['multipart/form-data; boundary=""', /names no boundary/],
    [`multipart/form-data; boundary=${'x'.repeat(71)}`, /longer than 70/],
    ['multipart/form-data; boundary="x', /cannot be read/],
    ['multipart/form-data; boundary=x; boundary=y', /cannot be read/],
    ['multipart/form-data; boundary="x "', /ends with a space/],
    ['multipart/form-data; boundary="xé"', /a character that none may have/],
  ]
  for (const [contentType, message] of types) {
    const { status, text } = await send(app, Buffer.from('--x--'), 'x', contentType)
    t.equal(status, 400, contentType)
    t.match(text, message)
  }
})

t.test('a form may have 1000 parts, and ten thousand are refused at once', async (t) => {
  const app = await buildApp(t, defineForm)
  const parts = (count: number): Buffer => multipart('X', Array.from({ length: count }, (_, n): RawPart => (n % 2 === 0 ? [field('a'), '1'] : [file('f', 'f'), '1'])))
  const { form } = await send(app, parts(1000))
  t.equal([...form.fields, ...form.files].flatMap(([, values]) => values).length, 1000)
  for (const count of [1001, 10_000]) {
    const payload = parts(count)
    const before = process.cpuUsage()
    const { status, text } = await send(app, payload)
    const { user } = process.cpuUsage(before)
    t.match([status, text], [400, /more than 1000 parts/])
    t.ok(user < 500_000, `took ${user / 1000} ms`)
  }
})

t.test('a part whose headers are made to be read slowly holds nobody up', async (t) => {
  const app = await buildApp(t, defineForm)
  for (const unit of [' ', '\t', '\\" ', '" ', '; ', ';', '=', 'a', 'a=', '%22', "UTF-8''", '\r\n ']) {
    for (const start of ['form-data; name="a\\"', 'form-data; name="a"', 'form-data; name="a"; filename="', 'form-data; name=', '']) {
      const headers = `Content-Disposition: ${start}${unit.repeat(15_000 / unit.length)}x"`
      const payload = multipart('X', Array.from({ length: 20 }, (): RawPart => [headers, '1']))
      const before = process.cpuUsage()
      const { status } = await send(app, payload)
      const { user } = process.cpuUsage(before)
      t.ok(status === 200 || status === 400)
      t.ok(user < 500_000, `${JSON.stringify(start + unit)} took ${user / 1000} ms`)
    }
  }
})

t.test('texts of a form may be as long together as decodeLimit says; files do not count', { skip: takesLong('it sends forms of 40 MiB') }, async (t) => {
  const { server } = await buildApp(t, () => httpEndpoint('/form', () => [(request.formParams['a'] as string | undefined)?.length, (request.files['f'] as Media).length]), { bodyLimit: 50_000_000, decodeLimit: 20 * 1024 * 1024 })
  const text = 20 * 1024 * 1024
  const post = async (length: number) =>
    await server.inject({ method: 'POST', url: `${api}/form`, payload: multipart('X', [[field('a'), Buffer.alloc(length, 'a')], [file('f', 'f'), Buffer.alloc(text)]]), headers: { 'content-type': 'multipart/form-data; boundary=X' } })
  t.equal((await post(text)).body, `[${text},${text}]`)
  t.match(await post(text + 1), { statusCode: 413, body: /longer than the 20971520 bytes that this endpoint decodes \(decodeLimit\); send large contents as files/ })
  const urlencoded = await server.inject({ method: 'POST', url: `${api}/form`, payload: `a=${'x'.repeat(text)}`, headers: { 'content-type': 'application/x-www-form-urlencoded' } })
  t.equal(urlencoded.statusCode, 413)
})

t.test('however a body is cut into chunks, it is the same form', async (t) => {
  const app = await buildApp(t, defineForm)
  const piece = fc.constantFrom('\r\n', '--', '--X', '\r\n--X', '\r\n--X-', '-', '\r', '\n', 'X', ' ', 'a', '--XX', '\r\n--XX\r\n', '\0', 'é')
  const content = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')).filter((text) => !/(?:^|\r\n)--X(?:--)?[ \t]*(?:\r\n|$)/.test(text) && !/\r\n--X(?:--)?[ \t]*\r?$/.test(text))
  const forms = fc.array(fc.record({ isFile: fc.boolean(), content }), { maxLength: 5 })
  const epilogue = fc.constantFrom('', '\r\n', 'rest', '\r\n--X\r\n')
  await fc.assert(
    fc.asyncProperty(forms, epilogue, fc.array(fc.nat({ max: 40 }), { minLength: 1, maxLength: 30 }), async (parts, end, sizes) => {
      const body = join(multipart('X', parts.map(({ isFile, content }, n) => [isFile ? file(`n${n}`, 'f', 'x/y') : field(`n${n}`), content])), end)
      const { form, text } = await send(app, Readable.from(cut(body, sizes), { objectMode: false }))
      const expected = parts.map(({ isFile, content }, n) => ({ name: `n${n}`, isFile, value: isFile ? { name: 'f', type: 'x/y', bytes: Buffer.from(content).toString('latin1') } : content }))
      t.same(form.fields, expected.filter(({ isFile }) => !isFile).map(({ name, value }) => [name, value]), text)
      t.same(form.files, expected.filter(({ isFile }) => isFile).map(({ name, value }) => [name, value]))
      t.equal(form.digest, createHash('sha256').update(body).digest('hex'))
      return t.passing()
    }),
    { numRuns: 150 },
  )
})

/** Cuts a body into chunks of these sizes, over and over; 0 stands for a single byte. */
function* cut(body: Buffer, sizes: readonly number[]): Generator<Buffer> {
  for (let [at, turn] = [0, 0]; at < body.length; turn++) {
    const size = Math.max(1, sizes[turn % sizes.length] ?? 1)
    yield body.subarray(at, at + size)
    at += size
  }
}
