import type { IncomingMessage } from 'node:http'
import { createBrotliDecompress, createGunzip, createInflate, type BrotliDecompress, type Gunzip, type Inflate } from 'node:zlib'
import { refusal } from '../http-error.js'

/** What decompresses a body. */
export type Decompressor = Gunzip | Inflate | BrotliDecompress

const options = { chunkSize: 64 * 1024 }

/** By the names of RFC 9110, 8.4.1; `deflate` means the zlib format there. */
const decompressors: ReadonlyMap<string, () => Decompressor> = new Map<string, () => Decompressor>([
  ['gzip', () => createGunzip(options)],
  ['x-gzip', () => createGunzip(options)],
  ['deflate', () => createInflate(options)],
  ['br', () => createBrotliDecompress(options)],
])

/**
 * Decompresses a body while it arrives, as its `Content-Encoding` says.
 *
 * @returns null when it is not compressed
 * @throws HttpError 415 for an encoding that is not known, or several, with the known ones in `Accept-Encoding` (RFC 9110, 15.5.16)
 */
export function decompress(raw: IncomingMessage, encoding: string): Decompressor | null {
  const name = encoding.trim().toLowerCase()
  if (name === 'identity' || name === '') return null
  const create = decompressors.get(name)
  if (create === undefined) {
    const known = 'gzip, deflate, br'
    const message = `the body is sent with content-encoding ${JSON.stringify(encoding)}; send it uncompressed, or with one of ${known}`
    throw refusal('unsupported-encoding', message, { headers: { 'accept-encoding': known } })
  }
  return raw.pipe(create())
}
