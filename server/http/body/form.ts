import { isContentType, Media } from '../../../db/values/media.js'
import { markReceived } from '../../../db/values/received-bytes.js'
import { refusal } from '../http-error.js'
import type { BodyContent } from './body-store.js'
import { decoderFor, isCharset } from './charset.js'
import { readContentDisposition } from './content-disposition.js'
import type { Part } from './multipart-scanner.js'
import { NamedValues } from './named-values.js'
import { parseUrlEncodedBytes } from './url-encoded.js'

/** Fields by name: a text, or a list of them where the name was repeated. */
export type FieldValues = Readonly<Record<string, string | readonly string[] | undefined>>

/** Files by name: a file, or a list of them where there are several of one name. */
export type FileValues = Readonly<Record<string, Media | readonly Media[] | undefined>>

/** The fields and files of a form by name; a list where the name was repeated. */
export type FormFields = Readonly<Record<string, string | Media | readonly (string | Media)[] | undefined>>

/** A form, decoded: its fields, its files, and both together. */
export interface Form {
  readonly fields: FieldValues
  readonly files: FileValues
  readonly all: FormFields
}

const nothing: Readonly<Record<string, never>> = Object.freeze(Object.create(null) as Record<string, never>)

/** The form of a request that has none. */
export const emptyForm: Form = Object.freeze({ fields: nothing, files: nothing, all: nothing })

/** More fields than any form has; each costs far more to take apart than to send. */
const mostFields = 1000
const ampersand = 0x26

/**
 * Decodes a form (application/x-www-form-urlencoded, WHATWG URL Standard, 5.1).
 *
 * @param limit how long it may be, in bytes: it is held in memory, and everybody waits while it is decoded
 * @throws HttpError 400 when it has more than 1000 fields, 413 when it is longer than the limit
 */
export function parseForm(content: BodyContent, limit: number): Form {
  checkTextLength(content.length, limit)
  const bytes = bytesOf(content)
  let fields = 1
  for (let position = bytes.indexOf(ampersand); position !== -1; position = bytes.indexOf(ampersand, position + 1)) {
    if (++fields > mostFields) throw refusal('too-many-fields', `the form has more than ${mostFields} fields`)
  }
  const values = parseUrlEncodedBytes(bytes)
  return { fields: values, files: nothing, all: values }
}

/**
 * Decodes the parts of a form (multipart/form-data, RFC 7578). A part with a file name is a file, any other a field. A file without name and content is what
 * browsers send for a file input in which nothing was chosen, and is left out.
 *
 * @param limit how long the fields may be together, in bytes; unlike files they are held in memory
 * @throws HttpError 413 when they are longer, 400 when the form is in an encoding that is not known
 */
export function readMultipart(content: BodyContent, parts: readonly Part[], limit: number): Form {
  checkTextLength(textLength(parts), limit)
  const decode = decoderFor(formCharset(content, parts))
  const [fields, files, all] = [new NamedValues<string>(), new NamedValues<Media>(), new NamedValues<string | Media>()]
  for (const part of parts) {
    const { headers, start, end } = part
    // The scanner has refused parts of which this is not true.
    const { name, fileName } = readContentDisposition(headers.disposition, (latin1) => decode(Buffer.from(latin1, 'latin1'))) as { name: string; fileName: string | null }
    if (!headers.isFile) {
      const value = (headers.charset === null ? decode : decoderFor(headers.charset))(bytesOf(content, start, end))
      fields.add(name, value)
      all.add(name, value)
    } else if (fileName !== '' || end > start) {
      const contentType = isContentType(headers.contentType) ? headers.contentType : undefined
      const slice = sliceOf(content, start, end)
      const file = new Media(Buffer.isBuffer(slice) ? markReceived(slice) : slice, { ...(contentType !== undefined && { contentType }), name: fileName === '' ? null : fileName })
      files.add(name, file)
      all.add(name, file)
    }
  }
  return { fields: fields.byName, files: files.byName, all: all.byName }
}

/** The encoding that a form says it is in, with a field of this name (RFC 7578, 4.6). */
function formCharset(content: BodyContent, parts: readonly Part[]): string {
  const isIt = ({ headers: { isFile, disposition } }: Part): boolean =>
    !isFile && disposition.includes('_charset_') && readContentDisposition(disposition, (text) => text)?.name === '_charset_'
  const part = parts.find(isIt)
  const charset = part === undefined ? '' : bytesOf(content, part.start, Math.min(part.end, part.start + 100)).toString('latin1')
  if (charset === '') return 'utf-8'
  if (isCharset(charset)) return charset
  throw refusal('malformed-multipart', `the multipart form is malformed: no encoding is called ${JSON.stringify(charset)}, which it says in _charset_`)
}

/** How long the fields of a multipart form are together, in bytes. */
function textLength(parts: readonly Part[]): number {
  return parts.reduce((sum, { headers, start, end }) => sum + (headers.isFile ? 0 : end - start), 0)
}

function checkTextLength(length: number, limit: number): void {
  if (length <= limit) return
  const what = `the texts of the form are longer than the ${limit} bytes that this endpoint decodes (decodeLimit)`
  throw refusal('body-too-large', `${what}; send large contents as files`)
}

function bytesOf(content: BodyContent, start = 0, end: number = content.length): Buffer {
  const slice = sliceOf(content, start, end)
  return Buffer.isBuffer(slice) ? slice : slice.readSync()
}

function sliceOf(content: BodyContent, start: number, end: number): BodyContent {
  return Buffer.isBuffer(content) ? content.subarray(start, end) : content.slice(start, end)
}
