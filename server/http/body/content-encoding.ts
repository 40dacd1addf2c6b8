import { createBrotliDecompress, createGunzip, createInflate, type BrotliDecompress, type Gunzip, type Inflate } from 'node:zlib'
import { refusal } from '../http-error.js'

/** What decompresses a body. */
export type Decompressor = Gunzip | Inflate | BrotliDecompress

const options = { chunkSize: 64 * 1024 }
/** What a decompressor takes beside its window, in bytes: its tables, and a piece before and after it. */
const ownMemory = 256 * 1024

/** A way of compressing bodies. */
export interface ContentEncoding {
  /** Makes what decompresses a body. */
  readonly create: () => Decompressor
  /** How much memory that takes for a body with this first byte, in bytes. */
  memoryFor(firstByte: number): number
}

const gzip: ContentEncoding = { create: () => createGunzip(options), memoryFor: () => ownMemory }
const deflate: ContentEncoding = { create: () => createInflate(options), memoryFor: () => ownMemory }
const brotli: ContentEncoding = {
  create: () => createBrotliDecompress(options),
  // A few bytes are enough to make it take all of its window, and tables of up to a fourth of that.
  memoryFor: (firstByte) => ownMemory + 1.25 * 2 ** brotliWindowBits(firstByte),
}

/** By the names of RFC 9110, 8.4.1; `deflate` means the zlib format there. */
const encodings: ReadonlyMap<string, ContentEncoding> = new Map([['gzip', gzip], ['x-gzip', gzip], ['deflate', deflate], ['br', brotli]])

/** Longer than any name of an encoding. */
const longestName = 100

/**
 * Says how a body is compressed, as its `Content-Encoding` has it.
 *
 * @param isTaken whether the endpoint takes compressed bodies at all
 * @returns null when it is not compressed
 * @throws HttpError 415 where it takes none, and for an encoding that is not known, or several; those that are taken are in `Accept-Encoding` (RFC 9110, 15.5.16)
 */
export function readContentEncoding(value: string, isTaken: boolean): ContentEncoding | null {
  const name = value.length > longestName ? null : value.trim().toLowerCase()
  if (name === 'identity' || name === '') return null
  const encoding = isTaken && name !== null ? encodings.get(name) : undefined
  if (encoding !== undefined) return encoding
  const taken = isTaken ? 'gzip, deflate, br' : 'identity'
  const remedy = isTaken ? `send it uncompressed, or with one of ${taken}` : 'this endpoint takes none that is compressed; send it as it is'
  const message = `the body is sent with content-encoding ${JSON.stringify(value.slice(0, longestName))}; ${remedy}`
  throw refusal('unsupported-encoding', message, { headers: { 'accept-encoding': taken } })
}

/** The size of the window that a brotli stream asks for, as the exponent of 2 (RFC 7932, 9.1, WBITS). */
function brotliWindowBits(firstByte: number): number {
  if ((firstByte & 1) === 0) return 16
  const large = (firstByte >> 1) & 7
  if (large > 0) return 17 + large
  const small = (firstByte >> 4) & 7
  return small === 0 ? 17 : 8 + small
}
