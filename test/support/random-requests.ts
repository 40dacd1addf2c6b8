import type { Conversation } from './raw-http.ts'

/** Random choices that a seed decides, so that they can be made again. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0 || 1
  }

  /** A whole number from 0 up to, not including, `end`. */
  below(end: number): number {
    // Marsaglia's xorshift with 32 bits.
    this.#state ^= this.#state << 13
    this.#state ^= this.#state >>> 17
    this.#state ^= this.#state << 5
    return (this.#state >>> 0) % end
  }

  chance(percent: number): boolean {
    return this.below(100) < percent
  }

  pick<Value>(list: readonly Value[]): Value {
    // The index is below the length.
    return list[this.below(list.length)] as Value
  }
}

/** A conversation, with what can be said of it beforehand. */
export interface RandomConversation extends Conversation {
  /** How many requests were put into it. */
  readonly requests: number
  /** Whether all of them are valid, so that each has to be answered. */
  readonly isValid: boolean
}

/** A request that is not yet written out. */
interface Draft {
  method: string
  target: string
  version: string
  headers: [string, string][]
  body: string
}

const api = '/_/api'

/** Texts that something on the way may stumble over. */
const texts = [
  '', ' ', '%', '%zz', '%00', '%0d%0ax-injected:%201', '%E0%A4%A', '%ED%A0%80', '%FF', '%F0%9F%92%A9', '%2f', '%2e%2e%2f', '..', '../../etc/passwd', '//', '\\', '?', '#', '&&==', ';', '+', '*',
  '\0', '\r\nx-injected: 1', '\n', '\t', '\x7f', '\x85', 'é', '\xff\xfe', '__proto__', 'constructor', 'toString', '{"a":', '[1,', '"', "' OR 1=1 --", '<script>', '${7*7}', '{{7*7}}',
  '0', '-0', '007', '1.5', '1e999', '9007199254740993', 'NaN', 'true', 'null', '2024-02-30', '2024-02-29', '2024-02-29T25:00:00Z', '2024-02-29T12:00:00Z', '00000000-0000-0000-0000-000000000000',
  'a'.repeat(5000), '%41'.repeat(1500), '['.repeat(3000), '1'.repeat(4000), 'a[b]'.repeat(500), '/x'.repeat(1000),
]
const methods = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'TRACE', 'CONNECT', 'PROPFIND', 'LOCK', 'QUERY', 'PURGE', 'get', 'Post', 'GETT', 'G T', 'BREW', 'M-SEARCH', 'PRI', '']
const versions = ['0.9', '1.0', '1.0', '1.2', '2.0', '2', '3.0', '11', '1.1 ', '1,1', '-1.1', '1.١']
const headers: readonly (readonly [string, readonly string[]])[] = [
  ['accept', ['text/html', 'application/json;q=0.5, */*;q=0', '*/*;q=x', ',,,', 'a', '/', 'text/html;a="', 'a/b;__proto__=1', 'text/html, '.repeat(1000)]],
  ['authorization', ['Basic', 'Basic !!!', 'Basic bWU6', 'Basic /////w==', 'Bearer x', 'Digest username="me", realm="', 'Basic ' + 'QUFB'.repeat(2000), ':']],
  ['content-type', ['application/json', 'application/x-www-form-urlencoded', 'multipart/form-data', 'multipart/form-data; boundary=', 'multipart/form-data; boundary="x', 'text/plain; charset=utf-7', '\xe9', ';', 'application/problem+json', 'x'.repeat(3000)]],
  ['content-encoding', ['gzip', 'br', 'identity', 'deflate, gzip', 'GZIP', 'x', '']],
  ['content-disposition', ['attachment; filename="a.png"', 'attachment; filename="\xc3\x89\x85"', "inline; filename*=UTF-8''%zz", 'form-data; name="', ';;;', 'attachment; filename=../../x']],
  ['content-length', ['0', '5', '-1', '+5', '5, 5', '0x5', '99999999999999999999', '1000000', '', '3\x0b']],
  ['transfer-encoding', ['chunked', 'Chunked', 'identity', 'gzip, chunked', 'chunked, chunked', 'xchunked', '', 'chunked;x']],
  ['connection', ['close', 'keep-alive', 'upgrade', 'close, keep-alive', 'transfer-encoding', 'content-length, host', 'x']],
  ['host', ['y', '', 'a/b', 'user@host', '[::1]:80', 'x:99999', '\xe9', '<script>', 'a'.repeat(2000)]],
  ['expect', ['100-continue', '100-Continue', 'x', '']],
  ['upgrade', ['websocket', 'h2c', 'TLS/1.0, HTTP/1.1', 'x']],
  ['range', ['bytes=0-', 'bytes=-1', 'bytes=9-1', 'bytes=0-0,1-1,2-2', 'x=', 'bytes=' + '0-,'.repeat(1000)]],
  ['origin', ['null', 'https://evil.example', '*', 'https://[', '']],
  ['cookie', ['a=b', 'a', '=', 'a=b; '.repeat(1000), '__proto__=x', 'a="\x85']],
  ['trailer', ['content-length', 'x']],
  ['te', ['trailers', 'chunked']],
  ['x-forwarded-for', ['1.2.3.4', '::1, x', '\xe9']],
  ['x-request-id', ['1', '\xe9']],
  ['x-http-method-override', ['DELETE']],
  ['if-none-match', ['*', '"']],
  ['', ['x']],
  ['bad name', ['x']],
  ['x-\xe9', ['x']],
  ['__proto__', ['x']],
  ['x-long', ['x'.repeat(9000), 'x'.repeat(20_000)]],
]
const targets = ['*', '', '/', '//', 'x:80', 'http://x', 'http://x/_/api/echo/1', 'http://user@x:0/_/api/echo/1', 'ftp://x/', '*/_/api/echo/1', '_/api/echo/1', '/_/health/live', '/_/health/ready?x', '/_/api', '/_/api/', '/_/', '/%5f/api/echo/1', '/./_/api/echo/1', '/_/api/../api/echo/1', '/_/api/echo/1#x', '/' + 'x/'.repeat(4000), '/' + 'x'.repeat(17_000)]

const typed = ['n', 'day', 'at', 'rate', 'flag', 'data']
const boundary = 'b0undary'
const multipart = (...parts: string[]): string => `${parts.map((part) => `--${boundary}\r\n${part}\r\n`).join('')}--${boundary}--\r\n`
const jsonBodies = ['{"title":"a"}', '[]', 'null', '"x"', '{"title":1,"extra":[{}]}', '{"__proto__":{"x":1}}', '{"a":' + '['.repeat(90) + ']'.repeat(90) + '}']
const multipartBodies = [
  multipart('content-disposition: form-data; name="a"\r\n\r\nvalue'),
  multipart('content-disposition: form-data; name="f"; filename="x.png"\r\ncontent-type: image/png\r\n\r\n\x89PNG', 'content-disposition: form-data; name="a"\r\n\r\n1'),
]

const get = (target: string): Draft => ({ method: 'GET', target, version: '1.1', headers: [['host', 'x']], body: '' })
const post = (path: string, type: string, body: string): Draft => ({ ...get(api + path), method: 'POST', headers: [['host', 'x'], ['content-type', type], ['content-length', String(body.length)]], body })
const form = (path: string, body: string): Draft => post(path, 'application/x-www-form-urlencoded', body)

/** Valid requests for the app under test, which answers each of them with less than 500. */
const valid: readonly ((random: Random) => Draft)[] = [
  () => get(`${api}/echo/1?a=1&b=2&a=3`),
  () => get(`${api}/typed?n=1&day=2024-02-29&at=2024-02-29T12:00:00Z&rate=.5&flag=on&data=[1]`),
  (random) => get(`${api}/typed?${random.pick(typed)}=${encodeURIComponent(random.pick(texts))}`),
  (random) => get(`${api}/echo/${encodeURIComponent(random.pick(texts).slice(0, 1000)) || 'x'}`),
  () => get('/r/7/1.5/00000000-0000-0000-0000-000000000000/a'),
  () => get('/files/a/b/c'),
  (random) => ({ ...get(random.pick([`${api}/echo/1`, '/stream', '/media', '/files/x'])), method: 'HEAD' }),
  () => ({ ...get(`${api}/echo/1`), method: 'OPTIONS' }),
  () => get('/stream'),
  (random) => get(`/redirect?to=${encodeURIComponent(random.pick(texts).slice(0, 2000))}`),
  (random) => get(`/media?name=${encodeURIComponent(random.pick(texts).slice(0, 2000))}`),
  (random) => get(`/headers?value=${encodeURIComponent(random.pick(texts).slice(0, 2000))}`),
  (random) => form('/add', `title=${encodeURIComponent(random.pick(texts))}`),
  () => form('/echo/1', 'a=1&a=2&b=%C3%A9+x'),
  (random) => post('/add', 'application/json', random.pick(jsonBodies)),
  (random) => post('/checked', 'application/json', random.pick(jsonBodies)),
  (random) => post('/form', `multipart/form-data; boundary=${boundary}`, random.pick(multipartBodies)),
  (random) => post('/upload', 'image/png', random.pick(texts) || 'x'),
  (random) => chunked(random, random.pick(['abc', 'title=x', '{"title":"a"}', 'x'.repeat(5000)])),
  () => get(`${api}/mine`),
  () => ({ ...get(`${api}/judged`), headers: [['host', 'x'], ['authorization', 'Basic bWU6eA==']] }),
  () => ({ ...get(`${api}/echo/1`), version: '1.0', headers: [['connection', 'keep-alive']] }),
  () => ({ ...form('/echo/1', 'a=1'), headers: [['host', 'x'], ['expect', '100-continue'], ['content-length', '3']] }),
  () => get(`http://x${api}/echo/1`),
  () => get('/none'),
  () => ({ ...get(`${api}/echo/1`), method: 'PATCH' }),
]

function chunked(random: Random, body: string): Draft {
  let written = ''
  for (let position = 0; position < body.length; ) {
    const size = Math.min(1 + random.below(1 + Math.ceil(body.length / 2)), body.length - position)
    written += `${size.toString(16)}${random.pick(['', ';x', ';a="b"'])}\r\n${body.slice(position, position + size)}\r\n`
    position += size
  }
  return { ...get(`${api}/upload`), method: 'POST', headers: [['host', 'x'], ['transfer-encoding', 'chunked']], body: `${written}0\r\n${random.pick(['', 'x-trailer: 1\r\n'])}\r\n` }
}

/** Ways in which a request becomes odd or wrong. */
const twists: readonly ((draft: Draft, random: Random) => void)[] = [
  (draft, random) => void (draft.method = random.pick(methods)),
  (draft, random) => void (draft.version = random.pick(versions)),
  (draft, random) => void (draft.target = random.pick(targets)),
  (draft, random) => void (draft.target += random.pick(['', '?', '&', '/', '=']) + random.pick(texts)),
  (draft, random) => void (draft.target = draft.target.replaceAll('/', random.pick(['//', '/./', '\\', '%2f', ';/', '/ ']))),
  (draft, random) => void (draft.target += `${random.pick(['?', '&', '/'])}${random.pick(['a=1&', '%61', 'x/', '&', 'a[]=1&'])}`.repeat(1 + random.below(600))),
  (draft, random) => addHeader(draft, random),
  (draft, random) => addHeader(draft, random),
  (draft, random) => addHeader(draft, random),
  (draft, random) => void draft.headers.push(...draft.headers.slice(random.below(draft.headers.length))),
  (draft) => void (draft.headers = []),
  (draft) => void (draft.headers = draft.headers.toReversed()),
  (draft, random) => void (draft.headers = draft.headers.map(([name, value]) => [random.pick([name, name.toUpperCase(), `${name} `, ` ${name}`, `${name}\t`]), random.pick([value, ` ${value} `, `${value}\x0b`, `"${value}"`, `${value}\r\n folded`])])),
  (draft, random) => draft.headers.push(...Array.from({ length: random.pick([50, 999, 1001, 3000]) }, (_, index): [string, string] => [index.toString(36), ''])),
  (draft, random) => void draft.headers.push([random.pick(['x', 'cookie', 'content-type', 'content-disposition', 'accept']), random.pick(texts)]),
  (draft, random) => setLength(draft, String(draft.body.length + random.pick([-1, 1, 5, -5, 1000]))),
  (draft) => setLength(draft, String(300_000)),
  (draft, random) => void (draft.body = draft.body.replace(/^[0-9a-f]+/, random.pick(['0x3', '+3', '-1', 'g', 'fffffffffffffffff', '3 ', '', '3;' + 'x'.repeat(20_000)]))),
  (draft, random) => void (draft.body += random.pick(['\r\n', '0\r\n\r\n', 'GET /none HTTP/1.1\r\nhost: x\r\n\r\n', '\0'.repeat(100), random.pick(texts)])),
  (draft, random) => replaceBody(draft, random.pick(texts).repeat(1 + random.below(3))),
  (draft, random) => replaceBody(draft, random.pick(['x', '[', '{"a":', '"', 'a=1&', '%41', '\r\n--b0undary']).repeat(random.pick([10, 1000, 60_000]))),
  (draft, random) => replaceBody(draft, random.pick(multipartBodies).replace(random.pick(['--b0undary', '\r\n', 'form-data', 'name=', '"', 'content-disposition']), random.pick(texts))),
]

function addHeader(draft: Draft, random: Random): void {
  const [name, values] = random.pick(headers)
  draft.headers.splice(random.below(draft.headers.length + 1), 0, [name, random.pick(values)])
}

function setLength(draft: Draft, length: string): void {
  draft.headers = [...draft.headers.filter(([name]) => name !== 'content-length'), ['content-length', length]]
}

function replaceBody(draft: Draft, body: string): void {
  draft.method = 'POST'
  draft.body = body
  setLength(draft, String(body.length))
}

function write({ method, target, version, headers: lines, body }: Draft): string {
  return `${method} ${target} HTTP/${version}\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`
}

/** Damages a text anywhere: bits turned, stretches lost, doubled, moved or put in. */
function damage(text: string, random: Random): string {
  const at = random.below(text.length + 1)
  const length = random.below(random.pick([2, 20, 200]))
  const piece = text.slice(at, at + length)
  const rest = text.slice(at + length)
  switch (random.below(6)) {
    case 0:
      return text.slice(0, at) + String.fromCharCode((text.charCodeAt(at) || 0) ^ (1 << random.below(8))) + text.slice(at + 1)
    case 1:
      return text.slice(0, at) + rest
    case 2:
      return text.slice(0, at) + piece + piece + rest
    case 3:
      return text.slice(0, at) + Array.from({ length }, () => String.fromCharCode(random.below(256))).join('') + piece + rest
    case 4:
      return text.slice(0, at) + random.pick(['\r', '\n', '\r\n', '\r\n\r\n', '\0', ' ', ':', '\t', '\x80', '%', '0\r\n\r\n']) + piece + rest
    default:
      return text.slice(0, at)
  }
}

const goodbye = `GET /goodbye HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`

/** Makes a conversation of one to four requests, of which most are odd or damaged; the last of all asks for the connection to be closed. */
export function someConversation(random: Random): RandomConversation {
  const isValid = random.chance(15)
  const requests = 1 + random.below(4)
  let text = ''
  for (let count = 0; count < requests; count++) {
    const draft = random.pick(valid)(random)
    for (let twist = isValid ? 0 : random.below(4); twist > 0; twist--) random.pick(twists)(draft, random)
    text += write(draft)
  }
  for (let times = isValid || random.chance(60) ? 0 : 1 + random.below(3); times > 0; times--) text = damage(text, random)
  text += goodbye
  const cut = random.below(text.length)
  const pieces = random.chance(15) ? [text.slice(0, cut), text.slice(cut)] : [text]
  const ending = isValid || random.chance(75) ? 'wait' : random.pick(['finish', 'break'] as const)
  // Behind another request, one with an expectation is the last.
  return { requests: requests + 1, isValid: isValid && !text.includes('\r\nexpect:'), pieces, ending, pause: 1, patience: isValid ? 5000 : 100 }
}
