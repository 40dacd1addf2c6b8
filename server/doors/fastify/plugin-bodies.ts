import type { BodyRoom } from '../../http/body/body-room.js'
import type { PluginCall } from './plugin-call.js'

/** What a chunk takes in memory beside its bytes, in bytes. */
const chunkOverhead = 256

/**
 * Counts the body of a request that the plugin reads among those of all requests, from when somebody reads it: as far
 * as Fastify may hold it in memory, which is up to its limit. What is read beyond that goes somewhere else, such as the
 * file of an upload.
 *
 * @param limit in bytes
 * @param refuse told when there is no room for more
 */
export function countBody({ raw: request, response }: PluginCall, limit: number, room: BodyRoom, refuse: (error: unknown) => void): void {
  const { raw } = request
  const memory = room.hold(request)
  let length = 0

  function onChunk(chunk: Buffer): void {
    const counted = Math.min(chunk.length, limit - length)
    length += counted
    try {
      memory.add(counted + chunkOverhead)
    } catch (error) {
      raw.off('data', onChunk)
      refuse(error)
    }
    if (length >= limit) raw.off('data', onChunk)
  }
  // To listen before whoever reads it does would let it flow past them.
  function onListener(event: string | symbol): void {
    if (event !== 'data') return
    raw.off('newListener', onListener).on('data', onChunk)
  }
  raw.on('newListener', onListener)
  response.raw.once('close', () => memory.release())
}
