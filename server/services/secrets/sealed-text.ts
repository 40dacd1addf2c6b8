import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import type { SecretKey } from './secrets.js'

/** AES with a 256-bit key in Galois/Counter Mode (NIST SP 800-38D). */
const algorithm = 'aes-256-gcm'
const nonceLength = 12
const tagLength = 16
/** The form of a sealed text: its number in one byte, the id of the key, nonce, ciphertext, tag. */
const version = 1
const headerLength = 5
const overhead = headerLength + nonceLength + tagLength

/**
 * Encrypts a text so that nobody without the key can read it, or change it unnoticed.
 *
 * @param context where it belongs: in another place it cannot be opened
 * @returns letters, digits, `-` and `_`
 */
export function seal(text: string, { id, key }: SecretKey, context: string): string {
  const header = Buffer.alloc(headerLength)
  header.writeUInt8(version)
  header.writeUInt32BE(id, 1)
  const nonce = randomBytes(nonceLength)
  const cipher = createCipheriv(algorithm, key, nonce, { authTagLength: tagLength }).setAAD(boundTo(header, context))
  return Buffer.concat([header, nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64url')
}

/** Decrypts what {@link seal} has made with one of these keys; null where anything is not as it was. */
export function open(sealed: string, keys: readonly SecretKey[], context: string): string | null {
  const bytes = Buffer.from(sealed, 'base64url')
  // A decoder passes over what it does not know, and over the bits that the last character has too many.
  if (bytes.length < overhead || bytes.readUInt8() !== version || bytes.toString('base64url') !== sealed) return null
  const header = bytes.subarray(0, headerLength)
  const id = bytes.readUInt32BE(1)
  for (const candidate of keys) {
    const text = candidate.id === id ? decrypt(bytes, candidate.key, boundTo(header, context)) : null
    if (text !== null) return text
  }
  return null
}

/** How long {@link seal} makes a text, in characters. */
export function sealedLength(text: string): number {
  return Math.ceil(((Buffer.byteLength(text) + overhead) * 4) / 3)
}

function decrypt(bytes: Buffer, key: Buffer, bound: Buffer): string | null {
  const nonce = bytes.subarray(headerLength, headerLength + nonceLength)
  const decipher = createDecipheriv(algorithm, key, nonce, { authTagLength: tagLength }).setAAD(bound).setAuthTag(bytes.subarray(-tagLength))
  try {
    return Buffer.concat([decipher.update(bytes.subarray(headerLength + nonceLength, -tagLength)), decipher.final()]).toString('utf8')
  } catch {
    return null
  }
}

function boundTo(header: Buffer, context: string): Buffer {
  return Buffer.concat([header, Buffer.from(context)])
}
