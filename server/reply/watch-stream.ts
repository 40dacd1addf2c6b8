import type { Call } from '../context.js'
import { UnsendableValue } from './encode-json.js'

/** What is done about a stream while it is sent. */
interface StreamWatch {
  /** Awaited before each piece leaves and before the end does; returns null when there is nothing to wait for. */
  readonly beforePiece: () => Promise<void> | null
  /** Told of a failure that the caller can no longer be told of, because a part of the answer has left. */
  readonly onLateFailure: (thrown: unknown) => void
}

/**
 * Passes the pieces of a streamed reply on, checked: texts and bytes are sent, anything else ends the stream as a failure.
 *
 * @throws UnsendableValue for any other piece, and whatever the source throws
 */
async function* watchStream(source: AsyncIterable<unknown>, { beforePiece, onLateFailure }: StreamWatch): AsyncGenerator<string | Uint8Array, void, undefined> {
  let sent = 0
  try {
    for await (const piece of source) {
      if (typeof piece !== 'string' && !(piece instanceof Uint8Array)) {
        throw new UnsendableValue(`cannot send ${piece === null ? 'null' : `a ${typeof piece}`} as response[${sent}]: a stream consists of texts and bytes`)
      }
      await beforePiece()
      yield piece
      sent++
    }
    await beforePiece()
  } catch (thrown) {
    if (sent > 0) onLateFailure(thrown)
    throw thrown
  }
}

/** Watches a stream that belongs to a call: it may write while it is sent, and each of its pieces waits for the disk as a whole answer does. */
export function watchStreamOf(call: Pick<Call, 'lastCommit'>, body: AsyncIterable<unknown>, onLateFailure: StreamWatch['onLateFailure']): AsyncIterable<string | Uint8Array> {
  let covered = call.lastCommit
  return watchStream(body, {
    beforePiece: () => {
      if (call.lastCommit === covered) return null
      covered = call.lastCommit
      return covered?.durable ?? null
    },
    onLateFailure,
  })
}
