/** A part of a multipart body, as it stands between two boundaries. */
export type RawPart = readonly [headers: string | Buffer, content: string | Buffer]

/** Joins texts, which are encoded as UTF-8, and bytes. */
export function join(...pieces: readonly (string | Buffer)[]): Buffer {
  return Buffer.concat(pieces.map((piece) => Buffer.from(piece)))
}

/** Puts a multipart body together, byte by byte: nothing is escaped or checked. */
export function multipart(boundary: string, parts: readonly RawPart[]): Buffer {
  const pieces = parts.flatMap(([headers, content]) => [`--${boundary}\r\n`, headers, '\r\n\r\n', content, '\r\n'])
  return join(...pieces, `--${boundary}--\r\n`)
}

/** The headers of a part as browsers write them. */
export function field(name: string): string {
  return `Content-Disposition: form-data; name="${name}"`
}

/** The headers of a file as browsers write them. */
export function file(name: string, fileName: string, contentType = 'application/octet-stream'): string {
  return `Content-Disposition: form-data; name="${name}"; filename="${fileName}"\r\nContent-Type: ${contentType}`
}
