import { refusal } from '../http-error.js'
import { readContentDisposition } from './content-disposition.js'

/** What the headers of a part say. Characters beyond ASCII are still bytes, each as one character: in which encoding they are, another part may tell. */
export interface PartHeaders {
  readonly disposition: string
  readonly contentType: string | null
  readonly isFile: boolean
}

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/**
 * Reads the headers of a part of a form (RFC 7578, 4.2). Only `Content-Disposition` and `Content-Type` mean something; a `Content-Transfer-Encoding` is not looked at, as in browsers.
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
  if (parsed === null) return refuse('has a Content-Disposition that cannot be read')
  if (parsed.kind !== 'form-data') return refuse('has a Content-Disposition that is not form-data')
  if (parsed.name === null) return refuse('has no name: expected Content-Disposition: form-data; name="…"')
  return { disposition, contentType: found.get('content-type') ?? null, isFile: parsed.fileName !== null }
}
