import t from 'tap'
import { httpEndpoint, Media, request } from 'rowhouse'
import { buildApp, type TestApp } from './support/app.ts'
import { takesLong } from './support/needs.ts'

const api = '/_/api'
const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)
const bytes = (...values: readonly number[]): Buffer => Buffer.from(values)
const quoted = (...values: readonly number[]): Buffer => Buffer.concat([bytes(0x22), bytes(...values), bytes(0x22)])
const utf16 = (text: string): Buffer => Buffer.from(text, 'utf16le')

/** Values, and what they are in JavaScript. Each is tried alone, in a list and in an object, with and without whitespace around it. */
const validValues: readonly (readonly [text: string, value: unknown])[] = [
  // numbers
  ['0', 0], ['-0', -0], ['1', 1], ['-1', -1], ['123', 123], ['-123', -123], ['10', 10], ['1.5', 1.5], ['-1.5', -1.5], ['0.1', 0.1], ['123.456789', 123.456789], ['1e1', 10], ['1E1', 10], ['1e+2', 100],
  ['1E+2', 100], ['1e-2', 0.01], ['1E-2', 0.01], ['0e1', 0], ['0e+1', 0], ['1.5e3', 1500], ['20e1', 200], ['123e65', 123e65], ['0.000000000000000000000000000001', 1e-30], ['9007199254740991', 9007199254740991],
  ['-0.0', -0], ['0e-400', 0], [`0.${'0'.repeat(400)}`, 0], ['1.7976931348623157e308', Number.MAX_VALUE], ['5e-324', Number.MIN_VALUE],
  // literals
  ['true', true], ['false', false], ['null', null],
  // strings
  ['""', ''], ['"a"', 'a'], ['" "', ' '], [String.raw`"\""`, '"'], [String.raw`"\\"`, '\\'], [String.raw`"\/"`, '/'], ['"/"', '/'], [String.raw`"\b\f\n\r\t"`, '\b\f\n\r\t'], [String.raw`"\u0000"`, '\0'],
  [String.raw`"\u0041"`, 'A'], [String.raw`"\u00e9"`, 'é'], [String.raw`"\u00E9"`, 'é'], [String.raw`"\uD83D\uDE00"`, '😀'], [String.raw`"\ud83d\ude00"`, '😀'], [String.raw`"\uDBFF\uDFFF"`, '\u{10ffff}'], [String.raw`"\\u0000"`, '\\u0000'],
  [String.raw`"\u0022"`, '"'], [String.raw`"\u005C"`, '\\'], [String.raw`"\uFFFF"`, '\uffff'], [String.raw`"\uFEFF"`, '\ufeff'], [String.raw`"\u2028\u2029"`, '\u2028\u2029'], ['"é"', 'é'], ['"😀"', '😀'], ['"日本"', '日本'], ['"\u007f"', '\u007f'],
  ['"\u0080"', '\u0080'], ['"\u2028"', '\u2028'], ['"\u2029"', '\u2029'], ['"\ufeff"', '\ufeff'], ['"\uffff"', '\uffff'], ['"\u{10ffff}"', '\u{10ffff}'], ['"// no comment"', '// no comment'], ['"[{"', '[{'], ['"a\u00a0b"', 'a\u00a0b'],
  // structures
  ['[]', []], ['[ ]', []], ['[[]]', [[]]], ['[1,2]', [1, 2]], ['[1 , 2]', [1, 2]], ['[null,1,"1",{}]', [null, 1, '1', {}]], ['[[1],[[2]]]', [[1], [[2]]]], ['{}', {}], ['{ }', {}], ['{"a":1}', { a: 1 }], ['{"a" : 1 , "b" : 2}', { a: 1, b: 2 }],
  ['{"":0}', { '': 0 }], ['{"a":{"b":{}}}', { a: { b: {} } }], ['{"a":[]}', { a: [] }], [String.raw`{"\u0061":1}`, { a: 1 }], ['{"a":1,"a":2}', { a: 2 }], ['{"ключ":"значение"}', { ключ: 'значение' }], ['{"a\\n":1}', { 'a\n': 1 }], ['{"constructor":1}', { constructor: 1 }],
]

/** Values that are none; each is tried alone, in a list and in an object. */
const invalidValues: readonly string[] = [
  // numbers
  '01', '-01', '00', '+1', '++1', '--1', '-', '+', '.', '.5', '-.5', '1.', '-1.', '1.e1', '1e', '1E', '1e+', '1e-', '1ea', '1e1.5', '0x1', '0x', '0b1', '0o7', '1_000', '1 000', '1a', '-a', 'NaN', '-NaN', 'Infinity', '-Infinity', '+Infinity', 'Inf', '1,5', '0.1.2', '2.e3',
  '0.e1', '1n', '\uff11', '- 1', '1 .5', '0e', '.e1',
  // literals
  'nul', 'nulll', 'True', 'TRUE', 'False', 'NULL', 'None', 'undefined', 'tru', 'fals', 'truee', 'true1', 'a', 'nan', '-true',
  // strings
  "'a'", '"a', 'a"', '"', '"""', '"a" "b"', '"a"b', String.raw`"\a"`, String.raw`"\x41"`, String.raw`"\'"`, String.raw`"\0"`, String.raw`"\u"`, String.raw`"\u1"`, String.raw`"\u12"`, String.raw`"\u123"`, String.raw`"\u123g"`, String.raw`"\uD83D\u"`, String.raw`"\uD83D\uDE0"`, String.raw`"\U0041"`,
  String.raw`"\u{41}"`, String.raw`"\\\"`, String.raw`"\ "`, String.raw`"\é"`, '"\n"', '"\r"', '"\t"', '"\0"', '"\u0001"', '"\u001f"', '"a\nb"', '`a`', '“a”', '\\u0041', '\\"a\\"',
  // structures
  '[', ']', '[1', '[1,', '[1,]', '[,1]', '[,]', '[1,,2]', '[1 2]', '[1}', '[1:2]', '[1;2]', '["a"', '[[]', '[]]', '[][]', '[1]2', '(1)', '<1>', '{', '}', '{"a"', '{"a":', '{"a":1', '{"a":1,', '{"a":1,}', '{,"a":1}', '{"a":1,,"b":2}', '{"a" 1}', '{"a"::1}', '{"a":}', '{:1}', '{a:1}',
  "{'a':1}", '{1:1}', '{null:1}', '{"a":1]', '{"a",1}', '{"a":1 "b":2}', '{"a":1;"b":2}', '{"a":1}}', '{}{}', '{"a":1}"b"', '{[1]:1}', '{"a"=1}', '[{]}', '[{}', '{"a":[}', '{"a":"b}', '...', '[...[]]', '@', '#', '*', ':', ',', '&', '\\',
  // whitespace that is none, comments
  '\u00a01', '\u20281', '\f1', '\v1', '\u30001', '\u20601', '\u200b1', '/* */1', '1//', '// 1', '1 /* */', '1 #', '<!-- -->1', '[1/**/]', '{"a":/*b*/1}',
]

/** Whole bodies that are no JSON and that only mean something as a whole. */
const invalidBodies: readonly (string | Buffer)[] = [
  '', ' ', '\n', '\t\r\n ', '1 2', 'true false', '{} []', '1,', ',1', '\ufeff', '\ufeff\ufeff1', '1\ufeff', '[\ufeff]', '\0', '1\0', '\x001', '[1]\0', '\u001a', '[1]\u001a',
  // other encodings than UTF-8
  utf16('{"a":1}'), Buffer.concat([bytes(0xff, 0xfe), utf16('[1]')]), Buffer.concat([bytes(0xfe, 0xff), utf16('[1]').swap16()]), utf16('"é"').swap16(), bytes(0xff), bytes(0xfe, 0xff), bytes(0xef, 0xbb), bytes(0xef, 0xbb, 0xbf),
  quoted(0xe9), quoted(0x80), quoted(0xff), quoted(0xc0, 0x80), quoted(0xc1, 0xbf), quoted(0xe0, 0x80, 0x80), quoted(0xed, 0xa0, 0x80), quoted(0xed, 0xb0, 0x80), quoted(0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80), quoted(0xf4, 0x90, 0x80, 0x80), quoted(0xf0, 0x80, 0x80, 0x80), quoted(0xf5, 0x80, 0x80, 0x80),
  quoted(0xc3), quoted(0xe2, 0x82), quoted(0xf0, 0x9f, 0x98), quoted(0xfc, 0x83, 0xbf, 0xbf, 0xbf, 0xbf), quoted(0xa0, 0xa1), bytes(0x5b, 0xe5, 0x5d), bytes(0x31, 0xe5), bytes(0xc3, 0x28), Buffer.concat([Buffer.from('{"'), bytes(0xb9), Buffer.from('":1}')]),
  // numbers that would become Infinity
  '1e400', '-1e400', '123123e100000', '9'.repeat(400),
  // nesting
  nested(101), nested(500), '['.repeat(101), '['.repeat(100_000), '{"a":'.repeat(100_000), '[{"a":'.repeat(50_000), `${'['.repeat(100_000)}1${']'.repeat(100_000)}`, ']'.repeat(1000), '[]'.repeat(1000),
]

/** What RFC 8259 leaves open, and what becomes of it here. */
const implementationDefined: readonly (readonly [body: string | Buffer, value: unknown])[] = [
  ['100000000000000000000', 1e20], ['9007199254740992', 9007199254740992], ['9223372036854775808', 9223372036854775808], ['-9007199254740994.0', -9007199254740994], ['123456789012345680000', 123456789012345680000], ['6.02214076e23', 6.02214076e23], ['1.7976931348623157e308', Number.MAX_VALUE], ['9.9999999999999992e+22', 1e23], ['0.1234567890123456789012', 0.12345678901234568],
  [String.raw`"\uD800"`, '\ud800'], [String.raw`"\uDC00"`, '\udc00'], [String.raw`"\uDE00\uD83D"`, '\ude00\ud83d'], [String.raw`"\uD800\uD800"`, '\ud800\ud800'], [String.raw`"\uD800a"`, '\ud800a'], [String.raw`"\uD800\n"`, '\ud800\n'],
  ['\ufeff{"a":1}', { a: 1 }], [Buffer.concat([bytes(0xef, 0xbb, 0xbf), Buffer.from('[]')]), []], ['{"a":1,"b":2,"a":3}', { b: 2, a: 3 }], [nested(100), JSON.parse(nested(100))], [`"${'x'.repeat(100_000)}"`, 'x'.repeat(100_000)],
  [`[${'1,'.repeat(99_999)}1]`, Array.from({ length: 100_000 }, () => 1)],
]

/** A body as the name of a test: on one line, and nothing in it means something to the reader of the tests' output. */
function name(body: string | Buffer): string {
  return JSON.stringify(Buffer.from(body).subarray(0, 40).toString('latin1')).replaceAll(/[^\x20-\x7e]|#|\\/g, '.')
}

const inContext = [(value: string) => value, (value: string) => `[${value}]`, (value: string) => `{"k":${value}}`]

/** An app that decodes every body in both ways, and what it made of the last one. */
async function buildDecoder(t: Parameters<typeof buildApp>[0]): Promise<{ readonly app: TestApp; readonly decode: (payload: string | Buffer) => Promise<{ status: number; body: string; value: unknown }> }> {
  let value: unknown
  const app = await buildApp(t, () =>
    httpEndpoint('/j', async () => {
      value = await request.json()
      if (value !== request.bodyJson && !Number.isNaN(value)) throw new Error('json() and bodyJson differ')
      return 'accepted'
    }),
  )
  const decode = async (payload: string | Buffer): Promise<{ status: number; body: string; value: unknown }> => {
    value = undefined
    const answer = await app.server.inject({ method: 'POST', url: `${api}/j`, payload, headers: { 'content-type': 'application/json' } })
    return { status: answer.statusCode, body: answer.body, value }
  }
  return { app, decode }
}

t.test('valid JSON is accepted, alone and in lists and objects', { skip: takesLong('it asks with hundreds of bodies') }, async (t) => {
  const { decode } = await buildDecoder(t)
  const wrapped = [(value: unknown) => value, (value: unknown) => [value], (value: unknown) => ({ k: value })]
  for (const [text, expected] of validValues) {
    for (const [index, wrap] of inContext.entries()) {
      for (const [before, after] of [['', ''], [' \t\r\n', '\n\r\t ']] as const) {
        const { status, value } = await decode(`${before}${wrap(`${before}${text}${after}`)}${after}`)
        t.equal(status, 200, `${name(wrap(text))}${before === '' ? '' : ' with whitespace'}`)
        t.strictSame(value, wrapped[index]?.(expected), name(text))
      }
    }
  }
})

t.test('invalid JSON is refused with 400, alone and in lists and objects', { skip: takesLong('it asks with hundreds of bodies') }, async (t) => {
  const { decode, app } = await buildDecoder(t)
  // In a list or an object, some of it closes or continues what is around it.
  const validInside = new Set(['1,5', '][', '"a" "b"'])
  let cases = 0
  for (const text of invalidValues) {
    for (const [index, wrap] of inContext.entries()) {
      if (index === 1 && validInside.has(text)) continue
      const { status, body, value } = await decode(wrap(text))
      t.match([status, value], [400, undefined], name(wrap(text)))
      t.match(body, /^the body is not (?:valid JSON: .|accepted: )/)
      cases++
    }
  }
  for (const text of invalidBodies) {
    const { status, body } = await decode(text)
    t.equal(status, 400, name(text))
    t.match(body, /^the body is not (?:valid JSON: .|accepted: (?:JSON nested more than 100 levels deep, at position 1?\d\d+|it has a number beyond 1\.8e\+308, the largest that can be read)$)/)
    cases++
  }
  t.ok(validValues.length * 6 + cases + implementationDefined.length > 900, 'none has got lost')
  t.same(app.log.filter(({ level }) => Number(level) >= 50), [], 'none of them was an error of the server')
})

t.test('what the standard leaves open is decided once', async (t) => {
  const { decode } = await buildDecoder(t)
  for (const [body, expected] of implementationDefined) {
    const { status, value } = await decode(body)
    t.equal(status, 200, name(body))
    t.strictSame(value, expected)
  }
})

t.test('a whole number that JavaScript would round is refused, and told with what would become of it', async (t) => {
  const { decode } = await buildDecoder(t)
  const rounded = ['9007199254740993', '-9007199254740993', '9223372036854775807', '-9223372036854775809', '9007199254740993.0', '9007199254740993e0', '9.007199254740993e15', '90071992547409930e-1', '12345678901234567890', `1${'0'.repeat(30)}1`, `${'9'.repeat(300)}`]
  for (const number of rounded) {
    for (const wrap of inContext) {
      const { status, body, value } = await decode(wrap(number))
      t.match([status, value], [400, undefined], number.slice(0, 40))
      t.match(body, /^the body is not accepted: it has the number .+, which would become -?\d+: only between -\(2\^53 - 1\) and 2\^53 - 1 is there every whole number; send it as a text$/)
    }
  }
  t.match((await decode('[1,"9007199254740993",{"\\"9007199254740993":9007199254740991}]')).status, 200, 'in a text they are no numbers')
})

t.test('a number so near to zero that it would become zero is refused, wherever it stands', async (t) => {
  const { app, decode } = await buildDecoder(t)
  for (const number of ['1e-400', '-1e-400', '1E-100000', '2e-324', `0.${'0'.repeat(400)}1`, `0.${'0'.repeat(400)}1e1`]) {
    for (const wrap of inContext) {
      const { status, body, value } = await decode(wrap(number))
      t.match([status, value], [400, undefined], number.slice(0, 40))
      t.match(body, /^the body is not accepted: it has the number .+, which would become 0: it is nearer to 0 than 5e-324, the smallest that can be read; send it as a text$/)
    }
  }
  t.equal((await decode('[0,"1e-400",{"\\"1e-400":0.0}]')).status, 200, 'in a text they are no numbers')
  const told = await app.server.inject({ method: 'POST', url: `${api}/j`, payload: '1e-400', headers: { 'content-type': 'application/json', accept: 'application/json' } })
  t.match(told.json(), { code: 'number-too-small' })
  await t.rejects(new Media(Buffer.from('{"a":[0,1e-400]}')).json(), { name: 'RangeError', message: /^the JSON is not read: it has the number 1e-400, which would become 0/ })
  t.strictSame(await new Media(Buffer.from('[0,1e-7,"1e-400"]')).json(), [0, 1e-7, '1e-400'])
})

t.test('a mistake is told with its position, as the sender counts characters', async (t) => {
  const { decode } = await buildDecoder(t)
  t.match((await decode('{"ü":1,}')).body, /position 7$/)
  t.match((await decode(`["ü😀",${'['.repeat(200)}`)).body, /at position 106$/)
  t.match((await decode('')).body, /it is empty$/)
  t.match((await decode(quoted(0xff))).body, /it is not UTF-8$/)
})

t.test('JSON that is nested to exhaust the server is refused within 20 ms, also where it is read from disk', async (t) => {
  const times: number[] = []
  const { server } = await buildApp(t, () =>
    httpEndpoint('/j', { decodeLimit: 20 * 1024 * 1024 }, () => {
      const start = performance.now()
      try {
        return request.bodyJson
      } finally {
        times.push(performance.now() - start)
      }
    }),
  )
  for (const payload of ['['.repeat(100_000), nested(100_000), '{"a":'.repeat(100_000), '['.repeat(10_000_000), `["${'x'.repeat(60_000)}"${',['.repeat(5_000_000)}`]) {
    times.length = 0
    for (let turn = 0; turn < 5; turn++) {
      const answer = await server.inject({ method: 'POST', url: `${api}/j`, payload, headers: { 'content-type': 'application/json' } })
      if (answer.statusCode !== 400) t.fail(`answered ${answer.statusCode}`)
    }
    // The least of several, because other processes of this machine may take their time, too.
    t.ok(Math.min(...times) < 20, `${payload.slice(0, 6)} of ${payload.length} bytes takes ${times.map((time) => time.toFixed(1)).join(', ')} ms`)
  }
})
