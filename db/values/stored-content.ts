/** Bytes that are not in memory but can be read: what a large {@link Media} is backed by. Every method throws, or rejects, once they are gone. */
export abstract class StoredContent {
  /** The number of bytes. */
  abstract readonly length: number

  /** Whether they can still be read. */
  abstract readonly isOpen: boolean

  /** Whether to read a part costs less than to read all of it. */
  abstract readonly hasCheapParts: boolean

  /** Reads all of it at once, holding up everything else meanwhile. */
  abstract readSync(): Uint8Array

  /** Reads `length` bytes from `position` on; fewer at the end. */
  abstract read(position: number, length: number): Promise<Uint8Array>
}

/** Large enough that reading costs little beside sending, small enough to hold many at once. */
const pieceLength = 64 * 1024

/** The content piece by piece; the next one is read when it is asked for. */
export async function* piecesOf(content: StoredContent): AsyncGenerator<Uint8Array, void, undefined> {
  for (let position = 0; position < content.length; position += pieceLength) yield await content.read(position, pieceLength)
}
