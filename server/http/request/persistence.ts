import type { IncomingMessage } from 'node:http'
import { hasBody } from '../body/read-body.js'

/** The end of the headers of a message. */
const headersEnd = Buffer.from('\r\n\r\n')

/**
 * Whether the connection of a message must end with its answer, although Node.js would keep it. To be asked while the message arrives:
 * for one in HTTP/1.0 that asks for both, `keep-alive` and `close` (RFC 9112, 9.3: close wins), and for one whose wish for another protocol is ignored,
 * where a request has come with it or may: Node.js drops what has arrived behind such a message, and a client that is told "close" sends it again.
 */
export function endsConnection(message: IncomingMessage): boolean {
  const { headers, httpVersionMinor } = message
  if (httpVersionMinor === 0 && hasOption(headers.connection, 'close')) return true
  return headers.upgrade !== undefined && hasOption(headers.connection, 'upgrade') && !isAllThatHasCome(message)
}

function hasOption(connection: string | undefined, option: string): boolean {
  return connection !== undefined && connection.toLowerCase().split(',').some((part) => part.trim() === option)
}

/**
 * Whether nothing can be behind a message in what was read with it. The parser of Node.js knows what it reads, which is undocumented: where it does not tell, something may be there, as behind any body.
 */
function isAllThatHasCome(message: IncomingMessage): boolean {
  const parser: unknown = Reflect.get(message.socket, 'parser')
  if (hasBody(message) || typeof parser !== 'object' || parser === null) return false
  const getBuffer: unknown = Reflect.get(parser, 'getCurrentBuffer')
  const buffer: unknown = typeof getBuffer === 'function' ? Reflect.apply(getBuffer, parser, []) : null
  return Buffer.isBuffer(buffer) && buffer.indexOf(headersEnd) === buffer.length - headersEnd.length
}
