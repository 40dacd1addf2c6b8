import { randomBytes } from 'node:crypto'
import { Refusal } from '../columns/codec.js'
import { Media } from '../values/media.js'

/** The header comes first, as JSON behind its length in a 32-bit little-endian number; the bytes follow. */
const lengthSize = 4

/** How many bytes of a frame are read with its row: enough for the header, unless the file has a very long name. */
export const frameBeginning = 1024

/** What a frame begins with. */
export interface MediaHeader {
  readonly contentType: string
  readonly name: string | null
  /** Another one each time that a value is written; null where it was written by a version that had none. */
  readonly mark: string | null
  /** Where in the frame the bytes begin. */
  readonly end: number
}

/** Frames a `Media` for a single column of bytes. @throws Refusal */
export function encodeMedia(value: unknown): Uint8Array {
  if (!(value instanceof Media)) throw new Refusal('a Media')
  const mark = randomBytes(12).toString('base64url')
  const header = Buffer.from(JSON.stringify([value.contentType, value.name, mark]))
  const length = Buffer.alloc(lengthSize)
  length.writeUInt32LE(header.byteLength)
  return Buffer.concat([length, header, value.bytes])
}

/** Reads the header of what {@link encodeMedia} has framed, or of its beginning; null where that ends before the header does. */
export function decodeMediaHeader(stored: Uint8Array): MediaHeader | null {
  const frame = Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength)
  const end = lengthSize + frame.readUInt32LE()
  if (end > frame.byteLength) return null
  // Nothing else than encodeMedia writes such columns.
  const [contentType, name, mark = null] = JSON.parse(frame.toString('utf8', lengthSize, end)) as [string, string | null, string?]
  return { contentType, name, mark, end }
}
