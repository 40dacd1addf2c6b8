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
 * a file name may be a whole path of Windows, and characters beyond ASCII stand there in the encoding of the page. `filename*` (RFC 8187), where it is, wins over `filename`.
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
  return { kind, name: read('name'), fileName: fileName === null ? null : toFileName(fileName) }
}

/** The three sequences that browsers write; a "%" that the user has typed stands for itself. */
function unescape(text: string): string {
  return text.replace(/%(?:22|0D|0A)/g, (sequence) => ({ '%22': '"', '%0D': '\r', '%0A': '\n' })[sequence] ?? sequence)
}

/** What follows the last slash of either kind, without characters that could not be shown on one line. */
function toFileName(path: string): string {
  const name = (path.split(/[\\/]/).at(-1) ?? '').replace(/[\p{Cc}\p{Surrogate}]/gu, '_')
  return name === '.' || name === '..' ? '' : name
}

/** A value such as `UTF-8''%e2%82%ac.txt`; null when there is none, or it is malformed. */
function readExtended(value: string | undefined): string | null {
  const match = /^(utf-8|iso-8859-1)'[^']*'([^']*)$/i.exec(value ?? '')
  if (match === null) return null
  const [, charset = '', encoded = ''] = match
  if (charset.toLowerCase() === 'iso-8859-1') return encoded.replace(/%([0-9a-f]{2})/gi, (_sequence, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  try {
    return decodeURIComponent(encoded)
  } catch {
    return null
  }
}
