import { createHash, hash, randomBytes } from 'node:crypto'

/** Bytes in a block of SHA-256, which RFC 2104 pads the key to. */
const blockSize = 64
const digestSize = 32

/**
 * HMAC-SHA256 (RFC 2104) of texts under a random key that lives in this object alone.
 *
 * Put together from two one-shot hashes: `createHmac` makes an object outside of the JavaScript heap for each text, which under load
 * costs more than the hashing itself.
 */
export class KeyedHash {
  /** The key's inner block, and behind it room for the text. */
  #inner = Buffer.alloc(blockSize + 1024)
  readonly #outer = Buffer.alloc(blockSize + digestSize)

  constructor(key: Buffer = randomBytes(blockSize)) {
    const block = Buffer.alloc(blockSize)
    ;(key.length > blockSize ? createHash('sha256').update(key).digest() : key).copy(block)
    for (const [index, byte] of block.entries()) {
      this.#inner[index] = byte ^ 0x36
      this.#outer[index] = byte ^ 0x5c
    }
  }

  /** The keyed hash of a text as UTF-8, in base64. */
  of(text: string): string {
    const needed = blockSize + 3 * text.length
    if (this.#inner.length < needed) this.#inner = Buffer.concat([this.#inner.subarray(0, blockSize)], needed)
    const end = blockSize + this.#inner.write(text, blockSize, 'utf8')
    this.#outer.write(hash('sha256', this.#inner.subarray(0, end), 'binary'), blockSize, 'latin1')
    // The buffer is kept, what was in it is not.
    this.#inner.fill(0, blockSize, end)
    return hash('sha256', this.#outer, 'base64')
  }
}
