import { essenceOf } from '../../../db/values/media-type.js'
import { refusal } from '../http-error.js'
import { isCharset } from './charset.js'
import { readContentDisposition } from './content-disposition.js'
import { readParameters } from './header-parameters.js'
import { token } from '../token.js'

/** What the headers of a part say. Characters beyond ASCII are still bytes, each as one character: in which encoding they are, another part may tell. */
export interface PartHeaders {
  readonly disposition: string
  readonly contentType: string | null
  readonly isFile: boolean
  /** The encoding that a field says it is in; null where it says none. */
  readonly charset: string | null
}

/** The encodings that are none (RFC 2045, 6.2). */
const unchanged = /^(?:7bit|8bit|binary)$/i

/**
 * Reads the headers of a part of a form (RFC 7578, 4.2). Only `Content-Disposition` and `Content-Type` mean something; of `Content-Transfer-Encoding` only what leaves the bytes as they are is accepted, which is what it says in the few places where it still is (RFC 7578, 4.7).
 *
 * @param number the part's place in the body, from 1 on, for messages
 * @throws HttpError 400 when they are malformed or do not name a field
 */
export function readPartHeaders(bytes: Buffer, number: number): PartHeaders {
  const refuse = (problem: string): never => {
    throw refusal('malformed-multipart', `the multipart form is malformed: part ${number} ${problem}`)
  }
  const found = new Map<string, string>()
  // A line that starts with a space continues the one before it (RFC 5322, 2.2.3).
  const lines = bytes.toString('latin1').replace(/\r\n(?=[ \t])/g, '').split('\r\n')
  for (const text of lines) {
    if (text === '') continue
    const colon = text.indexOf(':')
    const name = text.slice(0, Math.max(0, colon)).trimEnd()
    if (!token.test(name) || /[\r\n\0]/.test(text)) return refuse('has a header line that is none')
    const key = name.toLowerCase()
    if (found.has(key) && key.startsWith('content-')) return refuse(`has ${name} twice`)
    found.set(key, text.slice(colon + 1).trim())
  }
  const disposition = found.get('content-disposition')
  if (disposition === undefined) return refuse('has no Content-Disposition')
  const parsed = readContentDisposition(disposition, (text) => text)
  if (parsed === null) return refuse(`has a Content-Disposition that cannot be read; a file is sent as form-data; name="…"; filename="…"`)
  if (parsed.kind !== 'form-data') return refuse('has a Content-Disposition that is not form-data')
  if (parsed.name === null) return refuse('has no name: expected Content-Disposition: form-data; name="…"')
  const transfer = found.get('content-transfer-encoding') ?? 'binary'
  if (!unchanged.test(transfer)) return refuse(`has the Content-Transfer-Encoding ${JSON.stringify(transfer.slice(0, 50))}, which is for mail; send the bytes as they are`)
  const contentType = found.get('content-type') ?? null
  const isFile = parsed.fileName !== null
  // What a file is, its type only claims. A text that is in no known encoding cannot be read.
  const charset = isFile || contentType === null ? null : readCharset(contentType)
  if (charset === undefined) return refuse(`has a Content-Type that cannot be read, ${JSON.stringify(contentType?.slice(0, 100))}; a field is sent with one such as text/plain; charset=utf-8, or without`)
  if (charset !== null && !isCharset(charset)) return refuse(`has a Content-Type whose charset is not known, ${JSON.stringify(contentType?.slice(0, 100))}; send it in UTF-8`)
  return { disposition, contentType, isFile, charset }
}

/** @returns undefined for a type that cannot be read, and null where it names none */
function readCharset(contentType: string): string | null | undefined {
  const parameters = essenceOf(contentType) === null ? null : readParameters(contentType)
  return parameters === null ? undefined : (parameters.get('charset') ?? null)
}
