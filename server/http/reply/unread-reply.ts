import type { ServerResponse } from 'node:http'
import { Socket } from 'node:net'

/**
 * Ends the connection of a client that has stopped reading: what waits for it would be held in memory, and a stream's source open, for as long as it likes.
 * A client that reads on is left alone unless it is very slow: the system reports progress once about a third of its buffer is free again. So is one that waits for a source which has nothing to send.
 *
 * @param milliseconds how long nothing of the answer may be taken while some of it waits
 */
export function endWhenUnread(response: ServerResponse, milliseconds: number): void {
  // Node.js calls this after so much silence on the connection; with a listener it leaves the rest to us.
  response.setTimeout(milliseconds, () => {
    if (response.writableLength > 0 || (response.socket?.writableLength ?? 0) > 0) response.destroy()
  })
  // Before Node.js: what waits behind this answer on the same connection has another time.
  response.prependOnceListener('finish', () => {
    const { socket } = response
    // An injected request has no real socket.
    if (socket instanceof Socket) socket.setTimeout(0)
  })
}
