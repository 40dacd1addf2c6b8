import { ReadableStream } from 'node:stream/web'
import { describeUnkept, findUnkept, holdsHuge, mayBecomeZero } from './kept-number.js'
import { isMediaType, unknownType } from './media-type.js'
import { inOwnMemory, isReceived, markReceived } from './received-bytes.js'
import { piecesOf, StoredContent } from './stored-content.js'

/** What a {@link Media} is, beside its bytes. */
export interface MediaOptions {
  /** Default `application/octet-stream`, which also stands for what is no media type (RFC 9110, 8.3.1). */
  readonly contentType?: string
  /** The name of the file, if it has one. */
  readonly name?: string | null
}

/**
 * Bytes with a content type and, perhaps, a name: a request's body, an uploaded file, a `media` column, an answer.
 * Everything of it can be read any number of times. The bytes are not copied, neither in nor out: treat them as read-only.
 *
 * The body of a request of more than 1 MiB, and the files in one, are on disk until the request has been answered and its handler has ended; reading them later throws.
 */
export class Media {
  readonly contentType: string
  readonly name: string | null
  readonly #content: Uint8Array | StoredContent
  readonly #isReceived: boolean
  #read: WeakRef<Uint8Array> | null = null

  /**
   * Text is encoded as UTF-8.
   * @throws TypeError when the content is neither bytes nor text, or when content type or name could not be sent in a header.
   */
  constructor(content: Uint8Array | ArrayBuffer | string | StoredContent, { contentType = unknownType, name = null }: MediaOptions = {}) {
    this.#isReceived = typeof content !== 'string' && (content instanceof StoredContent || isReceived(content))
    if (content instanceof StoredContent) this.#content = content
    else this.#content = this.#isReceived ? inOwnMemory(bytesOf(content)) : bytesOf(content)
    if (!isContentType(contentType)) throw new TypeError('Media: contentType must be printable ASCII')
    if (name !== null && (typeof name !== 'string' || /[\p{Cc}\p{Surrogate}]/u.test(name))) {
      throw new TypeError('Media: name must be a text without control characters, or null')
    }
    // Whoever uploads a file says what it is. What is read as one type here and as another by a browser gets past every rule about types.
    this.contentType = isMediaType(contentType) ? contentType : unknownType
    this.name = name
    Object.freeze(this)
  }

  /** All bytes. Where they are on disk, they are read when asked for, holding up everything else meanwhile; `stream()` does not. */
  get bytes(): Uint8Array {
    const content = this.#content
    if (content instanceof Uint8Array) return this.#marked(content)
    // Asked for in a loop, they are read once; asked for and dropped, they do not stay in memory. Whether they may be read at all does not depend on that.
    const known = this.#read?.deref()
    if (known !== undefined && content.isOpen) return known
    const bytes = this.#marked(inOwnMemory(content.readSync()))
    this.#read = new WeakRef(bytes)
    return bytes
  }

  /** The number of bytes. */
  get length(): number {
    return this.#content.length
  }

  /** The bytes as UTF-8 text; what is not UTF-8 becomes U+FFFD. */
  async text(): Promise<string> {
    return new TextDecoder().decode(await this.#all())
  }

  /** The bytes as JSON. Rejects with a `SyntaxError` when they are not, and with a `RangeError` when a number in them would be rounded or become zero. */
  async json(): Promise<unknown> {
    const text = await this.text()
    const value: unknown = JSON.parse(text)
    const unkept = holdsHuge(value) || mayBecomeZero(text) ? findUnkept(await this.#all()) : null
    if (unkept !== null) throw new RangeError(`the JSON is not read: ${describeUnkept(unkept)}`)
    return value
  }

  /** A copy of the bytes. */
  async arrayBuffer(): Promise<ArrayBuffer> {
    return this.#marked(new Uint8Array(await this.#all()).buffer)
  }

  /** The bytes as a stream; a new one each time. Where they are on disk, they are read as fast as the reader takes them. */
  stream(): ReadableStream<Uint8Array> {
    return this.#marked(ReadableStream.from(Media.piecesOf(this) ?? this.#wholeBytes()))
  }

  #wholeBytes(): Uint8Array[] {
    const { bytes } = this
    return bytes.byteLength > 0 ? [bytes] : []
  }

  /** What stands for the media in a JSON answer: everything but the bytes. */
  toJSON(): { contentType: string; name: string | null; length: number } {
    return { contentType: this.contentType, name: this.name, length: this.length }
  }

  async #all(): Promise<Uint8Array> {
    const content = this.#content
    return content instanceof Uint8Array ? content : await content.read(0, content.length)
  }

  /** What is made of received bytes is received, too. */
  #marked<Content extends Uint8Array | ArrayBuffer | ReadableStream>(content: Content): Content {
    return this.#isReceived ? markReceived(content) : content
  }

  /** Whether it is a file, whose type is what somebody says of it: bytes that were received, by way of the database too, or anything with a name. */
  static isFile(media: Media): boolean {
    return media.#isReceived || media.name !== null
  }

  /** The bytes piece by piece where they are in a file; null where it is best to have them at once. */
  static piecesOf(media: Media): AsyncIterable<Uint8Array> | null {
    const content = media.#content
    return content instanceof StoredContent && content.hasCheapParts ? piecesOf(content) : null
  }

  /** What the bytes are read from. */
  static contentOf(media: Media): Uint8Array | StoredContent {
    return media.#content
  }
}

/** Whether a text can be the content type of a {@link Media}. */
export function isContentType(text: unknown): text is string {
  return typeof text === 'string' && /^[\x20-\x7e]+$/.test(text)
}

function bytesOf(content: unknown): Uint8Array {
  if (typeof content === 'string') return new TextEncoder().encode(content)
  if (content instanceof Uint8Array) return content
  if (content instanceof ArrayBuffer) return new Uint8Array(content)
  throw new TypeError('Media: content must be a Uint8Array, an ArrayBuffer or a text')
}
