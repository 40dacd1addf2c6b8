/**
 * Waits for the first piece of a stream, so that a failure before it can still be answered in another way, and passes all of them on.
 *
 * @param onLateFailure called once when a later piece fails; the stream then ends as if it were whole, so whoever is told has to cut the answer
 * @throws whatever the source throws before its first piece
 */
export async function startStream<Piece>(source: AsyncIterable<Piece>, onLateFailure: () => void): Promise<AsyncIterableIterator<Piece>> {
  const pieces = source[Symbol.asyncIterator]()
  let first: IteratorResult<Piece> | null = await pieces.next()
  const next = async (): Promise<IteratorResult<Piece>> => {
    if (first !== null) {
      const piece = first
      first = null
      return piece
    }
    try {
      return await pieces.next()
    } catch {
      onLateFailure()
      return { done: true, value: undefined }
    }
  }
  // Not a generator: one that was never asked for a piece would not pass on that nobody wants any.
  const close = async (): Promise<IteratorResult<Piece>> => {
    await pieces.return?.()
    return { done: true, value: undefined }
  }
  const stream: AsyncIterableIterator<Piece> = { next, return: close, [Symbol.asyncIterator]: () => stream }
  return stream
}
