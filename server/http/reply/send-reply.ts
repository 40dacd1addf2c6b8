import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import { CallCookies } from '../cookies/call-cookies.js'
import { addKeptCors } from '../cors/send-cors.js'
import { discard } from './discard.js'
import { isStream, type Reply } from './reply.js'
import { addRateLimit } from './rate-limit-headers.js'
import { boundUnread, type ReplyLimits } from './unread-reply.js'
import { tooLong } from './encode-json.js'

/**
 * Hands a reply to Fastify.
 *
 * @throws UnsendableValue when the body is held in memory and longer than the limit
 */
export function sendReply(response: FastifyReply, { status, headers, body }: Reply, limits: ReplyLimits): FastifyReply {
  const { responseLimit } = limits
  const length = lengthOf(body, responseLimit)
  if (length > responseLimit) throw tooLong(length, responseLimit)
  try {
    response.code(status)
    for (const name in headers) response.header(name, headers[name])
    addKeptCors(response)
    addRateLimit(response)
    CallCookies.addTo(response)
  } catch (error) {
    // A status that is none, set by hand.
    discard(body)
    throw error
  }
  if (body === null) return response.send()
  if (isStream(body) && response.request.method === 'HEAD') {
    // Node.js drops what is written to the answer of a HEAD as fast as it comes, so a stream would run through unbraked, and one without an end for ever.
    discard(body)
    return response.send()
  }
  boundUnread(response.raw, body, limits)
  // A string goes out in one system call with its headers, which a buffer does not. The serializer keeps Fastify from adding a charset to JSON, which has none (RFC 8259, 11).
  if (typeof body === 'string') return response.serializer(asItIs).send(body)
  if (Buffer.isBuffer(body)) return response.send(body)
  return response.send(Readable.from(body, { objectMode: false }))
}

/** In bytes. Counted only where it could matter: a string has at most three bytes of UTF-8 for each of its units. */
function lengthOf(body: Reply['body'], limit: number): number {
  if (typeof body === 'string') return body.length * 3 <= limit ? 0 : Buffer.byteLength(body)
  return Buffer.isBuffer(body) ? body.length : 0
}

function asItIs(body: string): string {
  return body
}
