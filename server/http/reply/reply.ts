import type { OutgoingHttpHeaders } from 'node:http'
import { Media } from '../../../db/values/media.js'
import { Search } from '../../../db/rows/search.js'
import { discard } from './discard.js'
import { encodeJson, UnsendableValue } from './encode-json.js'
import { HttpResponse, Json } from './http-response.js'

/** What goes on the wire. */
export interface Reply {
  readonly status: number
  readonly headers: OutgoingHttpHeaders
  /** A string is sent as UTF-8, an iterable piece by piece; null stands for no body at all, not even an empty one. */
  readonly body: ReplyBody
}

type ReplyBody = string | Buffer | AsyncIterable<unknown> | null

type Content = Pick<Reply, 'headers' | 'body'>

const json = { 'content-type': 'application/json' } as const
const text = { 'content-type': 'text/plain; charset=utf-8' } as const

/** Whether a body is sent piece by piece. */
export function isStream(body: ReplyBody): body is AsyncIterable<unknown> {
  return body !== null && typeof body !== 'string' && !Buffer.isBuffer(body)
}

/**
 * Turns whatever a handler returned into the reply. `docs/http.md` has the table.
 *
 * @throws UnsendableValue when a value has no form in which it could be sent
 */
export function toReply(value: unknown): Reply | Promise<Reply> {
  if (value instanceof HttpResponse) return toCustomReply(value)
  if (value instanceof Response) return fromWebResponse(value)
  const content = toContent(value)
  return content instanceof Promise ? content.then(withOk) : withOk(content)
}

function withOk({ headers, body }: Content): Reply {
  return { status: 200, headers, body }
}

function toCustomReply({ status, body, headers }: HttpResponse): Reply | Promise<Reply> {
  // These statuses have no body by definition (RFC 9110, 15.3.5, 15.3.6 and 15.4.5).
  if (status === 204 || status === 205 || status === 304) {
    discard(body)
    return { status, headers: ownHeaders(headers.toNode(), status !== 304), body: null }
  }
  const content = toContent(body)
  const finish = ({ headers: contentHeaders, body: payload }: Content): Reply => ({
    status,
    // The length of what is held in memory, or on disk, is known here; another one, copied from elsewhere, would cut the answer or hang the client.
    headers: withCharset({ ...contentHeaders, ...ownHeaders(headers.toNode(), isWhole(payload) || 'content-length' in contentHeaders) }, payload),
    body: payload,
  })
  return content instanceof Promise ? content.then(finish) : finish(content)
}

function fromWebResponse(response: Response): Reply {
  const headers = ownHeaders(Object.fromEntries(response.headers), true)
  const cookies = response.headers.getSetCookie()
  if (cookies.length > 0) headers['set-cookie'] = cookies
  if (response.url !== '') {
    // It is the answer of another server to fetch(), which has decoded the body.
    delete headers['content-encoding']
    delete headers['date']
  }
  return { status: response.status, headers, body: response.body }
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

function toContent(value: unknown): Content | Promise<Content> {
  if (typeof value === 'string') return { headers: text, body: value }
  if (typeof value !== 'object' || value === null) return toJsonContent(value ?? null)
  if (Array.isArray(value)) return toJsonContent(value)
  if (value instanceof Search) return value.all().then(toJsonContent)
  if (value instanceof Json) return toJsonContent(value.value)
  if (value instanceof Media) return fromMedia(value)
  if (value instanceof Uint8Array) return bytes(Buffer.from(value.buffer, value.byteOffset, value.byteLength))
  if (value instanceof ArrayBuffer) return bytes(Buffer.from(value))
  if (value instanceof Blob) return fromBlob(value)
  // Streams of Node.js and of the web are async iterables too.
  if (isAsyncIterable(value)) return { headers: { 'content-type': 'application/octet-stream' }, body: value }
  if (value instanceof HttpResponse || value instanceof Response) throw new UnsendableValue('cannot send a response as the body of another')
  return toJsonContent(value)
}

function toJsonContent(value: unknown): Content {
  return { headers: json, body: encodeJson(value ?? null) }
}

function bytes(body: Buffer, contentType = 'application/octet-stream'): Content {
  return { headers: { 'content-type': contentType }, body }
}

async function fromBlob(blob: Blob): Promise<Content> {
  return bytes(Buffer.from(await blob.arrayBuffer()), blob.type === '' ? undefined : blob.type)
}

function fromMedia(media: Media): Content {
  const pieces = Media.piecesOf(media)
  const { headers, body } =
    pieces === null
      ? bytes(Buffer.from(media.bytes.buffer, media.bytes.byteOffset, media.bytes.byteLength), media.contentType)
      : { headers: { 'content-type': media.contentType, 'content-length': media.length }, body: pieces }
  return { headers: { ...headers, 'x-content-type-options': 'nosniff', ...headersOfFile(media) }, body }
}

/** Media types that browsers run as pages. */
const activeType = /^\s*(?:text\/html|text\/xml|application\/xml|[^;]+\+xml)\s*(?:;|$)/i

/** What has a name is a file, which somebody may have uploaded: shown as a page, it must not act in the name of the app (CSP Level 3, 6.3.2). */
function headersOfFile({ name, contentType }: Media): OutgoingHttpHeaders {
  if (name === null) return {}
  const disposition = `inline; filename*=UTF-8''${encodeFileName(name)}`
  return { 'content-disposition': disposition, ...(activeType.test(contentType) && { 'content-security-policy': 'sandbox' }) }
}

/** The extended notation of RFC 8187, which leaves fewer characters bare than encodeURIComponent does. */
function encodeFileName(name: string): string {
  return encodeURIComponent(name.toWellFormed()).replace(/['()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
}

function isAsyncIterable(value: object): value is AsyncIterable<unknown> {
  return Symbol.asyncIterator in value
}
