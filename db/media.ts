import { ReadableStream } from 'node:stream/web'

/** What a {@link Media} is, beside its bytes. */
export interface MediaOptions {
  /** Default `application/octet-stream`. */
  readonly contentType?: string
  /** The name of the file, if it has one. */
  readonly name?: string | null
}

/**
 * Bytes with a content type and, perhaps, a name: a request's body, an uploaded file, a `media` column, an answer.
 * Everything of it can be read any number of times. The bytes are not copied, neither in nor out: treat them as read-only.
 */
export class Media {
  readonly bytes: Uint8Array
  readonly contentType: string
  readonly name: string | null

  /**
   * Text is encoded as UTF-8.
   * @throws TypeError when the content is neither bytes nor text, or when content type or name could not be sent in a header.
   */
  constructor(content: Uint8Array | ArrayBuffer | string, { contentType = 'application/octet-stream', name = null }: MediaOptions = {}) {
    this.bytes = bytesOf(content)
    if (typeof contentType !== 'string' || !/^[\x20-\x7e]+$/.test(contentType)) throw new TypeError('Media: contentType must be printable ASCII')
    if (name !== null && (typeof name !== 'string' || /[\p{Cc}\p{Surrogate}]/u.test(name))) {
      throw new TypeError('Media: name must be a text without control characters, or null')
    }
    this.contentType = contentType
    this.name = name
    Object.freeze(this)
  }

  /** The number of bytes. */
  get length(): number {
    return this.bytes.byteLength
  }

  /** The bytes as UTF-8 text; what is not UTF-8 becomes U+FFFD. */
  text(): Promise<string> {
    return Promise.resolve(this.#decode())
  }

  /** The bytes as JSON. Rejects with a `SyntaxError` when they are not. */
  json(): Promise<unknown> {
    return new Promise(resolve => resolve(JSON.parse(this.#decode())))
  }

  /** A copy of the bytes. */
  arrayBuffer(): Promise<ArrayBuffer> {
    return Promise.resolve(new Uint8Array(this.bytes).buffer)
  }

  /** The bytes as a stream; a new one each time. */
  stream(): ReadableStream<Uint8Array> {
    const { bytes } = this
    return new ReadableStream({
      start(controller) {
        if (bytes.byteLength > 0) controller.enqueue(bytes)
        controller.close()
      },
    })
  }

  /** What stands for the media in a JSON answer: everything but the bytes. */
  toJSON(): { contentType: string; name: string | null; length: number } {
    return { contentType: this.contentType, name: this.name, length: this.length }
  }

  #decode(): string {
    return new TextDecoder().decode(this.bytes)
  }
}

function bytesOf(content: unknown): Uint8Array {
  if (typeof content === 'string') return new TextEncoder().encode(content)
  if (content instanceof Uint8Array) return content
  if (content instanceof ArrayBuffer) return new Uint8Array(content)
  throw new TypeError('Media: content must be a Uint8Array, an ArrayBuffer or a text')
}
