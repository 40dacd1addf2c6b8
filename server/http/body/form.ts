import { isContentType, Media } from '../../../db/values/media.js'
import { markReceived } from '../../../db/values/received-bytes.js'
import { refusal } from '../http-error.js'
import type { BodyContent } from './body-store.js'
import { readContentDisposition } from './content-disposition.js'
import { readParameters } from './header-parameters.js'
import type { Part } from './multipart-scanner.js'
import { NamedValues } from './named-values.js'
import { parseUrlEncoded } from './url-encoded.js'

/** Fields by name: a text, or a list of them where the name was repeated. */
export type FieldValues = Readonly<Record<string, string | readonly string[]>>

/** Files by name: a file, or a list of them where there are several of one name. */
export type FileValues = Readonly<Record<string, Media | readonly Media[]>>

/** The fields and files of a form by name; a list where the name was repeated. */
export type FormFields = Readonly<Record<string, string | Media | readonly (string | Media)[]>>

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
/** The longest that the texts of a form may be together, in bytes: as long as a whole body usually may be. Unlike files, texts are held in memory. */
const longestTexts = 20 * 1024 * 1024

const [space, plus] = [0x20, 0x2b]

/**
 * Decodes a form (application/x-www-form-urlencoded, WHATWG URL Standard, 5.1).
 *
 * @throws HttpError 400 when it has more than 1000 fields, 413 when it is longer than 20 MiB
 */
export function parseForm(content: BodyContent): Form {
  checkTextLength(content.length)
  const text = withSpaces(bytesOf(content)).toString('utf8')
  let fields = 1
  for (let position = text.indexOf('&'); position !== -1; position = text.indexOf('&', position + 1)) {
    if (++fields > mostFields) throw refusal('too-many-fields', `the form has more than ${mostFields} fields`)
  }
  const values = parseUrlEncoded(text)
  return { fields: values, files: nothing, all: values }
}

/**
 * Decodes the parts of a form (multipart/form-data, RFC 7578). A part with a file name is a file, any other a field. A file without name and content is what
 * browsers send for a file input in which nothing was chosen, and is left out.
 *
 * @throws HttpError 413 when the fields are longer than 20 MiB together
 */
export function readMultipart(content: BodyContent, parts: readonly Part[]): Form {
  checkTextLength(parts.reduce((sum, { headers, start, end }) => sum + (headers.isFile ? 0 : end - start), 0))
  const decode = decoderFor(formCharset(content, parts))
  const [fields, files, all] = [new NamedValues<string>(), new NamedValues<Media>(), new NamedValues<string | Media>()]
  for (const part of parts) {
    const { headers, start, end } = part
    // The scanner has refused parts of which this is not true.
    const { name, fileName } = readContentDisposition(headers.disposition, (latin1) => decode(Buffer.from(latin1, 'latin1'))) as { name: string; fileName: string | null }
    if (!headers.isFile) {
      const charset = readParameters(headers.contentType ?? '')?.get('charset')
      const value = (charset === undefined ? decode : decoderFor(charset))(bytesOf(content, start, end))
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
  return part === undefined ? 'utf-8' : bytesOf(content, part.start, Math.min(part.end, part.start + 100)).toString('latin1')
}

type Decoder = (bytes: Uint8Array) => string

/** What is not in the encoding becomes U+FFFD, as everywhere on the web; an unknown encoding is taken for UTF-8. */
function decoderFor(label: string): Decoder {
  const decoder = createDecoder(label) ?? new TextDecoder('utf-8', { ignoreBOM: true })
  // In two calls, because in one an older Node.js takes windows-1252 for Latin-1.
  return (bytes) => decoder.decode(bytes, { stream: true }) + decoder.decode()
}

function createDecoder(label: string): InstanceType<typeof TextDecoder> | null {
  try {
    return new TextDecoder(label, { ignoreBOM: true })
  } catch {
    return null
  }
}

function checkTextLength(length: number): void {
  if (length <= longestTexts) return
  const what = `the texts of the form are longer than ${longestTexts} bytes together`
  throw refusal('body-too-large', `${what}; send large contents as files`)
}

function bytesOf(content: BodyContent, start = 0, end: number = content.length): Buffer {
  const slice = sliceOf(content, start, end)
  return Buffer.isBuffer(slice) ? slice : slice.readSync()
}

function sliceOf(content: BodyContent, start: number, end: number): BodyContent {
  return Buffer.isBuffer(content) ? content.subarray(start, end) : content.slice(start, end)
}

/** Turns each "+" into the space that it stands for. Byte by byte that takes milliseconds where the parser, which would do it, takes seconds: for a long text of nothing else. */
function withSpaces(bytes: Buffer): Buffer {
  const first = bytes.indexOf(plus)
  if (first === -1) return bytes
  const copy = Buffer.from(bytes)
  for (let position = first; position < copy.length; position++) if (copy[position] === plus) copy[position] = space
  return copy
}
