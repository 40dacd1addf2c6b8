import { decoderFor } from './charset.js'
import { readParameters } from './header-parameters.js'

/** A `Content-Disposition` header, taken apart. */
export interface ContentDisposition {
  /** In lower case: `form-data`, `attachment`. */
  readonly kind: string
  /** The name of a form's field; null when there is none. */
  readonly name: string | null
  /** The name of a file without any folder in it; `''` when it is there and empty, null when it is not there. */
  readonly fileName: string | null
}

/**
 * Reads a `Content-Disposition` header as browsers, old ones too, write it: quotes and line breaks in a name are `%22`, `%0D` and `%0A` (WHATWG HTML, 4.10.21.8),
 * a file name may be a whole path of Windows, and characters beyond ASCII stand there in the encoding of the page. `filename*` (RFC 8187), where it can be read, wins over `filename`;
 * where it cannot, and there is no other (RFC 6266, 4.3), there is a file name all the same, and the header is malformed.
 *
 * @param header its bytes, each as one character
 * @param decode turns such a text into the one that was meant
 * @returns null when it is malformed
 */
export function readContentDisposition(header: string, decode: (latin1: string) => string): ContentDisposition | null {
  const parameters = readParameters(header)
  if (parameters === null) return null
  const kind = /^[^;]*/.exec(header)?.[0].trim().toLowerCase() ?? ''
  const read = (parameter: string): string | null => {
    const value = parameters.get(parameter)
    return value === undefined ? null : unescape(decode(value))
  }
  const fileName = readExtended(parameters.get('filename*')) ?? read('filename')
  // The names of parameters in pieces start so, too (RFC 2231, 3).
  if (fileName === null && [...parameters.keys()].some((parameter) => parameter.startsWith('filename*'))) return null
  return { kind, name: read('name'), fileName: fileName === null ? null : toFileName(fileName) }
}

/** The three sequences that browsers write; a "%" that the user has typed stands for itself. */
function unescape(text: string): string {
  return text.replace(/%(?:22|0D|0A)/g, (sequence) => ({ '%22': '"', '%0D': '\r', '%0A': '\n' })[sequence] ?? sequence)
}

/** No file system takes longer ones, and a name comes back in a header, up to nine times as long. */
const longestFileName = 255

/** What follows the last slash of either kind, without characters that could not be shown on one line. Of one that is too long, the end of its first part is left out. */
function toFileName(path: string): string {
  const last = path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1)
  const [ending = ''] = /\.[^.]{1,20}$/.exec(last.slice(-21)) ?? []
  const short = last.length <= longestFileName ? last : last.slice(0, longestFileName - ending.length) + ending
  const name = short.replace(/[\p{Cc}\p{Surrogate}]/gu, '_')
  return name === '.' || name === '..' ? '' : name
}

/** A value such as `UTF-8''%e2%82%ac.txt`, in any encoding that browsers know; null when there is none, or it cannot be read. */
function readExtended(value: string | undefined): string | null {
  const [, charset = '', encoded = null] = /^([^']+)'[^']*'((?:%[0-9a-f]{2}|[\x20-\x24\x26\x28-\x7e])*)$/i.exec(value ?? '') ?? []
  if (encoded === null) return null
  const latin1 = encoded.replace(/%(..)/g, (_sequence, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))
  try {
    return decoderFor(charset, { fatal: true })(Buffer.from(latin1, 'latin1'))
  } catch {
    return null
  }
}
