import { deflateSync, gzipSync } from 'node:zlib'
import { basic } from '../app.ts'
import { api, form, get, jsonType, parts, raw, sent, whole, type Cases } from '../asked.ts'

export const statusCases: Cases = {
  'an unknown path under the prefix': get(`${api}/nothing`),
  'an unknown path elsewhere': get('/nothing'),
  'an unknown path of the platform': get('/_/nothing'),
  'a path that a converter does not take': get('/articles/x'),
  'a slash too many': get(`${api}/me/`),
  'HEAD of an unknown path': { line: 'HEAD /nothing', only: ['text'] },
  'another method than an endpoint has': { line: `DELETE ${api}/me` },
  'another method than a route has': { line: 'PATCH /articles/7' },
  'another method than the platform has': { line: 'POST /_/health/live' },
  'a method that nobody registers': { line: `PROPFIND ${api}/me` },
  'a percent sign that starts nothing': get('/%zz'),
  'a percent-encoding that is no UTF-8': get('/%ff'),
  'a NUL in the path': get('/a%00b'),
  'a part of the path that is too long': get(`/${'x'.repeat(5000)}`),
  'no credentials': get(`${api}/me`),
  'malformed credentials': get(`${api}/me`, { authorization: 'Basic !' }),
  'wrong credentials': get(`${api}/me`, basic('me@example.com', 'wrong password')),
  'credentials of another scheme': get(`${api}/me`, { authorization: 'Bearer abc' }),
  'no credentials where any would do': get(`${api}/judged`),
  'no credentials for a check of the app': get(`${api}/guarded`),
  'credentials that a check of the app refuses': get(`${api}/guarded`, basic('a', 'b')),
  'credentials refused with challenges of the app': get(`${api}/challenged`),
  'a check of the app that gives no answer': get(`${api}/odd-guard`, basic('a', 'b')),
}

const tooMany = Array.from({ length: 1001 }, (_, index) => `f${index}=1`).join('&')

export const bodyCases: Cases = {
  'a body that is too long': whole(`${api}/small`, 'text/plain', '0123456789x'),
  'a chunked body that is too long': {
    line: `POST ${api}/small`,
    headers: { 'transfer-encoding': 'chunked' },
    body: '0123456789x',
  },
  'a body that is too long once decompressed': {
    line: `POST ${api}/small`,
    headers: { 'content-encoding': 'gzip' },
    body: gzipSync('x'.repeat(1000)),
  },
  'a content-encoding that is not known': {
    line: `POST ${api}/json`,
    headers: { ...jsonType, 'content-encoding': 'zstd-x' },
    body: '{}',
  },
  'a compressed body for an endpoint that takes none': {
    line: `POST ${api}/pick`,
    headers: { ...jsonType, 'content-encoding': 'gzip' },
    body: gzipSync('{}'),
  },
  'a body for an endpoint that takes none': { line: 'GET /_/health/live', headers: { 'content-length': '2' }, body: '{}' },
  'a body that is not compressed although it says so': {
    line: `POST ${api}/json`,
    headers: { ...jsonType, 'content-encoding': 'gzip' },
    body: '{}',
  },
  'something behind a compressed body': {
    line: `POST ${api}/json`,
    headers: { ...jsonType, 'content-encoding': 'deflate' },
    body: Buffer.concat([deflateSync('{}'), Buffer.from('x')]),
  },
  'JSON that is empty': { line: `POST ${api}/json`, headers: { ...jsonType, 'content-length': '1' }, body: ' ' },
  'JSON that is malformed': sent(`${api}/json`, '{"a":1,}'),
  'JSON that ends too early': sent(`${api}/json`, '{"a":'),
  'JSON that is no UTF-8': { line: `POST ${api}/json`, headers: jsonType, body: Buffer.from([0x22, 0xff, 0x22]) },
  'JSON that is too deep': sent(`${api}/json`, '['.repeat(200)),
  'JSON with a number that is too large': sent(`${api}/json`, '[1e999]'),
  'JSON with a member __proto__': sent(`${api}/json`, '[{"a":{"__proto__":{"admin":true}}}]'),
  'a form with too many fields': form(`${api}/form`, tooMany),
  'a form whose texts are too long': form(`${api}/short-form`, 'a=123456789'),
  'JSON that is too long to be decoded': sent(`${api}/short-json`, '{"a":12345}'),
  'a multipart form without a boundary': whole(`${api}/form`, 'multipart/form-data', '--x--'),
  'a multipart form with a boundary that cannot be read': whole(
    `${api}/form`,
    'multipart/form-data; boundary="x',
    '--x--',
  ),
  'a multipart form with a boundary that is too long': whole(
    `${api}/form`,
    `multipart/form-data; boundary=${'x'.repeat(71)}`,
    '--x--',
  ),
  'a multipart form with a boundary that none may have': whole(
    `${api}/form`,
    'multipart/form-data; boundary="x "',
    '--x--',
  ),
  'a multipart form without its boundary in it': whole(`${api}/form`, 'multipart/form-data; boundary=x', 'nothing'),
  'a multipart form that does not end': whole(
    `${api}/form`,
    'multipart/form-data; boundary=x',
    '--x\r\ncontent-disposition: form-data; name="a"\r\n\r\n1',
  ),
  'a part with a line that is no header': parts(`${api}/form`, 'nothing\r\n\r\n1'),
  'a part with a header twice': parts(
    `${api}/form`,
    'content-disposition: form-data; name="a"\r\ncontent-disposition: form-data; name="b"\r\n\r\n1',
  ),
  'a part without a disposition': parts(`${api}/form`, 'content-type: text/plain\r\n\r\n1'),
  'a part with a disposition that cannot be read': parts(
    `${api}/form`,
    'content-disposition: form-data; name="a\r\n\r\n1',
  ),
  'a part with another disposition': parts(`${api}/form`, 'content-disposition: attachment; name="a"\r\n\r\n1'),
  'a part without a name': parts(`${api}/form`, 'content-disposition: form-data\r\n\r\n1'),
  'a part with headers that are too long': parts(
    `${api}/form`,
    `content-disposition: form-data; name="a"\r\nx-a: ${'x'.repeat(17_000)}\r\n\r\n1`,
  ),
  'a form with too many parts': parts(
    `${api}/form`,
    ...Array.from({ length: 1001 }, () => 'content-disposition: form-data; name="a"\r\n\r\n1'),
  ),
}

export const parameterCases: Cases = {
  'parameters that are all missing': get(`${api}/typed`),
  'parameters of other types': get(
    `${api}/typed?text=a%00b&number=x&integer=1.5&boolean=maybe&date=2026-02-30&datetime=today&json=%7B`,
  ),
  'one parameter of another type': get(`${api}/typed/7?rank=${'x'.repeat(100)}`),
  'a parameter in the path of another type': get(`${api}/typed/seven`),
  'parameters that are repeated': get(`${api}/typed/7?rank=1&rank=2&note=a&note=b`),
  'parameters of a form': form(`${api}/typed/7`, 'rank=x'),
  'members of a JSON body of other types': sent(`${api}/typed`, {
    text: 5,
    number: 'x',
    integer: 1.5,
    boolean: 1,
    date: [],
    datetime: {},
    json: 1,
  }),
  'members of a JSON body that are null': sent(`${api}/typed`, {
    text: null,
    number: null,
    integer: null,
    boolean: null,
    date: null,
    datetime: null,
    json: null,
  }),
  'a missing parameter with a schema': get(`${api}/schema`),
  'a parameter that a schema refuses': get(`${api}/schema?page=1`),
  'a parameter that a schema refuses later': get(`${api}/later?page=1&count=x`),
  'a missing body': { line: `POST ${api}/body` },
  'a body of another type than JSON': whole(`${api}/body`, 'text/plain', '{}'),
  'a body that a schema refuses': sent(`${api}/body`, { items: [] }),
  'a body and a parameter that are refused': sent(`${api}/both?count=x`, { items: [] }),
  'malformed JSON where a schema waits for it': sent(`${api}/body`, '{'),
  'a list where members are picked': sent(`${api}/pick`, [1]),
  'no body where members are picked': { line: `POST ${api}/pick` },
}

export function rowCases(projectId: string): Cases {
  return {
    'a row without what is required': sent(`${api}/tasks`, {}),
    'a row whose title is null': sent(`${api}/tasks`, { title: null }),
    'a row with values of other types': sent(`${api}/tasks`, {
      title: 5,
      rank: 'x',
      weight: [],
      due: '2026-02-30',
      at: 1,
      code: {},
    }),
    'a row with columns that it does not have': sent(`${api}/tasks`, { title: 'x', titel: 'y', token: 'z', owner: 1 }),
    'a row with columns that cannot be written': sent(`${api}/tasks`, { title: 'x', id: 'y', done: true }),
    'a row with very many unknown columns': sent(
      `${api}/tasks`,
      Object.fromEntries(Array.from({ length: 25 }, (_, index) => [`q${index}`, 1])),
    ),
    'a row that a validator refuses': sent(`${api}/tasks`, { title: 'x', weather: 'snow' }),
    'a row with links that are none': sent(`${api}/tasks`, { title: 'x', project: 'y', tags: ['z'] }),
    'a row with links of another type': sent(`${api}/tasks`, { title: 'x', project: 1, tags: 2 }),
    'a row with too many links': sent(`${api}/tasks`, { title: 'x', tags: Array.from({ length: 1001 }, () => 'x') }),
    'a row with a link to a row that is not there': sent(`${api}/tasks`, {
      title: 'x',
      project: projectId.replace(/,\d+/, ',9999'),
    }),
    'a row whose parameters are in the query': sent(`${api}/tasks?title=x`, { title: 'x' }),
    'a row in a form with a field twice': form(`${api}/tasks`, 'title=a&title=b'),
    'a row in a form with a file': parts(
      `${api}/tasks`,
      'content-disposition: form-data; name="title"; filename="a"\r\n\r\n1',
    ),
    'a row in a form with files that nobody wants': parts(
      `${api}/tasks`,
      'content-disposition: form-data; name="title"\r\n\r\nx',
      'content-disposition: form-data; name="q"; filename="a"\r\n\r\n1',
    ),
    'a list in place of a row': sent(`${api}/tasks`, [1]),
    'a row that is no JSON': sent(`${api}/tasks`, '{'),
    'no row': { line: `POST ${api}/tasks`, headers: jsonType },
    'a row of a type that is not read': whole(`${api}/tasks`, 'text/plain', 'x'),
    'a row that there is already': sent(`${api}/tasks`, { title: 'x', code: 'known' }),
    'a row that the app refuses': sent(`${api}/checked`, { label: 'x' }),
    'a row without its hidden column': sent(`${api}/hiding`, { label: 'x' }),
    'a row that is not there': get(`${api}/tasks/x`),
    'a row of nobody': sent(`${api}/tasks/%5B1,99999%5D`, { title: 'y' }, 'PATCH'),
    'a row of somebody else': get(
      `${api}/own/${encodeURIComponent(projectId)}`,
      basic('me@example.com', 'my password'),
    ),
    'a row that is read with parameters': get(`${api}/tasks/x?title=y`),
    'a row that is linked to': { line: `DELETE ${api}/linked/${encodeURIComponent(projectId)}` },
    'a row that has changed since': sent(`${api}/linked/${encodeURIComponent(projectId)}`, { name: 'y' }, 'PATCH', {
      'if-match': '"other"',
    }),
    'a row that is there already': sent(`${api}/linked/${encodeURIComponent(projectId)}`, { name: 'y' }, 'PATCH', {
      'if-none-match': '*',
    }),
    'a condition that cannot be read': sent(`${api}/linked/${encodeURIComponent(projectId)}`, { name: 'y' }, 'PATCH', {
      'if-match': 'other',
    }),
    'a list with parameters of other types': get(
      `${api}/tasks?rank=x&done=maybe&project=1&limit=0&cursor=a&cursor=b&titel=y`,
    ),
    'a list in an unknown order': get(
      `${api}/tasks?order=titel,-token,title,title&null=nothing,rank&rank=1&limit=many`,
    ),
    'a list from a cursor that is none': get(`${api}/tasks?cursor=abc`),
  }
}

/** Messages that are read in two ways, or are no HTTP at all. */
export const wireCases: Cases = {
  'two hosts': raw(`GET ${api}/json HTTP/1.1`, 'host: a', 'host: b'),
  'no host': raw(`GET ${api}/json HTTP/1.1`),
  'a host that is none': raw(`GET ${api}/json HTTP/1.1`, 'host: a b'),
  'a transfer-encoding that is not known': raw(
    `POST ${api}/json HTTP/1.1`,
    'host: a',
    'transfer-encoding: gzip, chunked',
  ),
  'chunks in HTTP/1.0': raw(`POST ${api}/json HTTP/1.0`, 'connection: keep-alive', 'transfer-encoding: chunked'),
  'another version': raw(`GET ${api}/json HTTP/2.0`, 'host: a'),
  'an expectation that nobody meets': raw(`POST ${api}/json HTTP/1.1`, 'host: a', 'expect: x', 'content-length: 0'),
  'very many headers': raw(
    `GET ${api}/json HTTP/1.1`,
    'host: a',
    ...Array.from({ length: 1000 }, (_, index) => `${index.toString(36)}:`),
  ),
  'headers that are too long': raw(`GET ${api}/json HTTP/1.1`, 'host: a', `x-a: ${'x'.repeat(17_000)}`),
  'a fragment': raw(`GET ${api}/json#x HTTP/1.1`, 'host: a', 'connection: close'),
  'a target that is no path': raw('OPTIONS * HTTP/1.1', 'host: a', 'connection: close'),
  'the method with which HTTP/2 begins': raw(`PRI ${api}/json HTTP/1.1`, 'host: a'),
  'no HTTP at all': { raw: () => 'nothing of the kind\r\n\r\n' },
  'a header line that is none': raw(`GET ${api}/json HTTP/1.1`, 'host: a', 'nothing'),
  'a length that is no number': raw(`POST ${api}/json HTTP/1.1`, 'host: a', 'content-length: x'),
  'a chunk size that is no number': {
    raw: (accept) =>
      `POST ${api}/json HTTP/1.1\r\nhost: a\r\naccept: ${accept}\r\ntransfer-encoding: chunked\r\n\r\nx\r\n`,
  },
}
