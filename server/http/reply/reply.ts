import type { OutgoingHttpHeaders } from 'node:http'
import { Media } from '../../../db/values/media.js'
import { isMediaType, unknownType } from '../../../db/values/media-type.js'
import { isReceived } from '../../../db/values/received-bytes.js'
import { Search } from '../../../db/rows/search.js'
import { assertOwnLine } from '../cookies/set-cookie.js'
import { discard } from './discard.js'
import { encodeJson, UnsendableValue } from './encode-json.js'
import { headersOfFile, nosniff, withSandbox } from './file-headers.js'
import { HttpResponse, Json, JsonText } from './http-response.js'
import type { SecurityHeaders } from './security-headers.js'
import type { ReplyLimits } from './unread-reply.js'

/** What goes on the wire. */
export interface Reply {
  readonly status: number
  readonly headers: OutgoingHttpHeaders
  /** A string is sent as UTF-8, an iterable piece by piece; null stands for no body at all, not even an empty one. */
  readonly body: ReplyBody
}

type ReplyBody = string | Buffer | AsyncIterable<unknown> | null

type Content = Pick<Reply, 'headers' | 'body'>

/** What replies are made by. */
export interface ReplyRules {
  /** `responseLimit`: how many bytes of rows a search that was returned may read; an answer of more would not be sent. */
  readonly settings: Pick<ReplyLimits, 'responseLimit'>
  readonly securityHeaders: Pick<SecurityHeaders, 'fileSandbox'>
}

const json = { 'content-type': 'application/json' } as const
const text = { 'content-type': 'text/plain; charset=utf-8', ...nosniff } as const
const bytes = { 'content-type': unknownType, ...nosniff } as const

/** Whether a body is sent piece by piece. */
export function isStream(body: ReplyBody): body is AsyncIterable<unknown> {
  return body !== null && typeof body !== 'string' && !Buffer.isBuffer(body)
}

/**
 * Turns whatever a handler returned into the reply. `docs/http.md` has the table.
 *
 * @throws UnsendableValue when a value has no form in which it could be sent
 */
export function toReply(value: unknown, rules: ReplyRules): Reply | Promise<Reply> {
  if (value instanceof HttpResponse) return toCustomReply(value, rules)
  if (value instanceof Response) return fromWebResponse(value, rules)
  const content = toContent(value, rules)
  return content instanceof Promise ? content.then(withOk) : withOk(content)
}

function withOk({ headers, body }: Content): Reply {
  return { status: 200, headers, body }
}

function toCustomReply({ status, body, headers }: HttpResponse, rules: ReplyRules): Reply | Promise<Reply> {
  // These statuses have no body by definition (RFC 9110, 15.3.5, 15.3.6 and 15.4.5).
  if (status === 204 || status === 205 || status === 304) {
    discard(body)
    return { status, headers: ownHeaders(headers.toNode(), status !== 304), body: null }
  }
  const content = toContent(body, rules, headers.get('content-type'))
  const finish = ({ headers: contentHeaders, body: payload }: Content): Reply => {
    // The length of what is held in memory, or on disk, is known here; another one, copied from elsewhere, would cut the answer or hang the client.
    const own = ownHeaders(headers.toNode(), isWhole(payload) || 'content-length' in contentHeaders)
    return { status, headers: withCharset({ ...contentHeaders, ...withSandbox(own, contentHeaders) }, payload), body: payload }
  }
  return content instanceof Promise ? content.then(finish) : finish(content)
}

function fromWebResponse(response: Response, rules: ReplyRules): Reply {
  const headers = ownHeaders(Object.fromEntries(response.headers), true)
  const cookies = response.headers.getSetCookie()
  cookies.forEach(assertOwnLine)
  if (cookies.length > 0) headers['set-cookie'] = cookies
  if (response.url !== '') {
    // It is the answer of another server to fetch(), which has decoded the body.
    delete headers['content-encoding']
    delete headers['date']
  }
  const { status, body } = response
  if (body === null) return { status, headers, body }
  const { 'content-type': _type, ...fileHeaders } = headersOfBytes(body, response.headers.get('content-type'), rules)
  // No type is invented for it. But as long as it may be sniffed, one without a type is a page if its bytes look like one.
  return { status, headers: { ...fileHeaders, ...withSandbox(headers, fileHeaders) }, body }
}

/** Headers that speak of one connection or of how a message is cut into pieces (RFC 9110, 7.6.1): the server decides them, and a second opinion lets two readers of the answer disagree. */
const framing = ['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade']

function ownHeaders(headers: OutgoingHttpHeaders, dropLength: boolean): OutgoingHttpHeaders {
  for (const name of framing) delete headers[name]
  if (dropLength) delete headers['content-length']
  return headers
}

/** A string is sent as UTF-8, which a text type does not say by itself (RFC 6657, 3) and JSON need not. */
function withCharset(headers: OutgoingHttpHeaders, body: Reply['body']): OutgoingHttpHeaders {
  const type = headers['content-type']
  return typeof body === 'string' && typeof type === 'string' && /^text\/[^;]*$/i.test(type) ? { ...headers, 'content-type': `${type.trim()}; charset=utf-8` } : headers
}

function isWhole(body: Reply['body']): boolean {
  return typeof body === 'string' || Buffer.isBuffer(body)
}

/** @param ownType the content type that the author has given to the answer; null where the value's own counts */
function toContent(value: unknown, rules: ReplyRules, ownType: string | null = null): Content | Promise<Content> {
  if (typeof value === 'string') return { headers: text, body: value }
  if (typeof value !== 'object' || value === null) return toJsonContent(value ?? null)
  if (value instanceof JsonText) return { headers: json, body: value.text }
  if (Array.isArray(value)) return toJsonContent(value)
  if (value instanceof Search) return Search.allWithin(value, rules.settings.responseLimit).then(toJsonContent)
  if (value instanceof Json) return toJsonContent(value.value)
  if (value instanceof Media) return fromMedia(value, ownType, rules)
  if (value instanceof Uint8Array) return { headers: headersOfBytes(value, ownType, rules), body: Buffer.from(value.buffer, value.byteOffset, value.byteLength) }
  if (value instanceof ArrayBuffer) return { headers: headersOfBytes(value, ownType, rules), body: Buffer.from(value) }
  if (value instanceof Blob) return fromBlob(value, ownType, rules)
  // Streams of Node.js and of the web are async iterables too.
  if (isAsyncIterable(value)) return { headers: headersOfBytes(value, ownType, rules), body: value }
  if (value instanceof HttpResponse || value instanceof Response) throw new UnsendableValue('cannot send a response as the body of another')
  return toJsonContent(value)
}

function toJsonContent(value: unknown): Content {
  return { headers: json, body: encodeJson(value ?? null) }
}

/** Bytes of the author's own are what the author says; with those that were received, the type may have come as a claim. */
function headersOfBytes(value: object, ownType: string | null, { securityHeaders }: ReplyRules): OutgoingHttpHeaders {
  return ownType === null || !isReceived(value) ? bytes : { ...bytes, ...headersOfFile({ type: ownType, name: null }, securityHeaders) }
}

async function fromBlob(blob: Blob, ownType: string | null, { securityHeaders }: ReplyRules): Promise<Content> {
  const type = isMediaType(blob.type) ? blob.type : unknownType
  const headers = headersOfFile({ type: ownType ?? type, name: blob instanceof File ? blob.name : null }, securityHeaders)
  return { headers: { 'content-type': type, ...headers }, body: Buffer.from(await blob.arrayBuffer()) }
}

function fromMedia(media: Media, ownType: string | null, { securityHeaders }: ReplyRules): Content {
  const { contentType, name, length } = media
  const fileHeaders = Media.isFile(media) ? headersOfFile({ type: ownType ?? contentType, name }, securityHeaders) : nosniff
  const headers = { 'content-type': contentType, ...fileHeaders }
  const pieces = Media.piecesOf(media)
  if (pieces !== null) return { headers: { ...headers, 'content-length': length }, body: pieces }
  return { headers, body: Buffer.from(media.bytes.buffer, media.bytes.byteOffset, media.bytes.byteLength) }
}

function isAsyncIterable(value: object): value is AsyncIterable<unknown> {
  return Symbol.asyncIterator in value
}
