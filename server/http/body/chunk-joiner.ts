/** How many chunks are passed on as they are; nearly every body has fewer. */
const passedOn = 64
/** How much is joined at most, in bytes. */
const mostJoined = 16 * 1024

/** Joins small chunks into larger ones: a client that sends a long body byte by byte must not make us keep, and search, a buffer for each. */
export class ChunkJoiner {
  #count = 0
  #joined: Buffer | null = null
  #length = 0

  /** @returns what there is to go on with; null when the chunk is kept until there is more */
  add(chunk: Buffer): Buffer | null {
    if (++this.#count <= passedOn) return chunk
    if (this.#length + chunk.length > mostJoined) {
      const kept = this.finish()
      return kept === null ? chunk : Buffer.concat([kept, chunk])
    }
    this.#joined ??= Buffer.allocUnsafeSlow(mostJoined)
    this.#length += chunk.copy(this.#joined, this.#length)
    return null
  }

  /** @returns what was kept until now; null when there is nothing */
  finish(): Buffer | null {
    if (this.#joined === null || this.#length === 0) return null
    const kept = Buffer.from(this.#joined.subarray(0, this.#length))
    this.#length = 0
    return kept
  }
}
