import { Refusal } from '../columns/codec.js'
import { Media } from '../values/media.js'
import { markReceived } from '../values/received-bytes.js'

/** Content type and name come first, as JSON behind their length in a 32-bit little-endian number; the bytes follow. */
const lengthSize = 4

/** Frames a `Media` for a single column of bytes. @throws Refusal */
export function encodeMedia(value: unknown): Uint8Array {
  if (!(value instanceof Media)) throw new Refusal('a Media')
  const header = Buffer.from(JSON.stringify([value.contentType, value.name]))
  const length = Buffer.alloc(lengthSize)
  length.writeUInt32LE(header.byteLength)
  return Buffer.concat([length, header, value.bytes])
}

/** Reads what {@link encodeMedia} has framed. The bytes are not copied. */
export function decodeMedia(stored: Uint8Array): Media {
  const frame = Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength)
  const start = lengthSize + frame.readUInt32LE()
  // Nothing else than encodeMedia writes such columns.
  const [contentType, name] = JSON.parse(frame.toString('utf8', lengthSize, start)) as [string, string | null]
  return new Media(markReceived(frame.subarray(start)), { contentType, name })
}
