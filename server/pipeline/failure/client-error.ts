import { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { PipelineParts, PipelineSettings } from '../parts.js'
import { errorCodes, type ErrorCode } from '../../errors/error-codes.js'
import { pendingAnswer } from '../../http/reply/pending-answer.js'
import { toErrorReply } from './error-reply.js'

/** What the parser of Node.js tells of a message that it refuses. */
interface ParserError extends NodeJS.ErrnoException {
  /** What it was reading, a Buffer, and how far it has come in that. */
  readonly rawPacket?: unknown
  readonly bytesParsed?: number
}

type Refusal = readonly [code: ErrorCode, message: string]

/** What Node.js refuses before there is a request: the code of its parser or of its time limits, with ours and the message. */
const refusals: Readonly<Record<string, Refusal>> = {
  HPE_HEADER_OVERFLOW: ['headers-too-large', 'the headers of the request are longer than 16 KiB'],
  ERR_HTTP_REQUEST_TIMEOUT: ['request-timeout', 'the request did not arrive in time'],
  HPE_INVALID_CONSTANT: ['malformed-request', 'the request line does not end in "HTTP/1.1" behind its target; a space in the target is sent as %20'],
}

function refusalFor(error: ParserError): Refusal {
  if (error.code === 'HPE_INVALID_URL') return ['malformed-path', describeTarget(error)]
  if (error.code === 'HPE_INVALID_HEADER_TOKEN') return ['malformed-request', describeHeader(error)]
  return refusals[error.code ?? ''] ?? ['malformed-request', 'the request is not valid HTTP']
}

/** In a target there are only visible ASCII characters (RFC 3986, 2). */
function describeTarget(error: ParserError): string {
  const byte = byteOf(error)
  if (byte !== null && !isVisible(byte)) {
    const digits = hexadecimal(byte)
    return `the target of the request has the byte 0x${digits}, which ${byte > 0x7f ? 'is not ASCII' : 'is a control character'}; send it percent-encoded, as %${digits}`
  }
  return 'the target of the request is no path and no URL; other characters than those of a URL are sent percent-encoded'
}

function describeHeader(error: ParserError): string {
  const byte = byteOf(error)
  const what = byte === null || isVisible(byte) ? 'a character' : `the byte 0x${hexadecimal(byte)}`
  return `the headers of the request have ${what} where it may not be`
}

/** The byte at which the parser has stopped, if it tells. */
function byteOf({ rawPacket, bytesParsed }: ParserError): number | null {
  return Buffer.isBuffer(rawPacket) ? (rawPacket[bytesParsed ?? -1] ?? null) : null
}

function isVisible(byte: number): boolean {
  return byte >= 0x20 && byte < 0x7f
}

function hexadecimal(byte: number): string {
  return byte.toString(16).toUpperCase().padStart(2, '0')
}

/**
 * Answers what is no HTTP request, in the form of every other error, and closes the connection. Where requests before it on the same connection wait for their answers,
 * the first of them gets its own, which then is the last: told 400 in its place, the client would take for refused what has been done.
 */
export function refuseClient(parts: Pick<PipelineParts, 'log' | 'settings'>, requestId: string, error: ParserError, socket: Socket): void {
  // What follows a request that was to be the last: the answer to that ends the connection.
  if (error.code === 'HPE_CLOSED_CONNECTION') return
  const { log, settings } = parts
  const pending = pendingAnswer(socket)
  if (pending !== null && error.code !== 'ECONNRESET') {
    if (pending.req.complete && !pending.headersSent) {
      pending.shouldKeepAlive = false
      return
    }
    if (pending.writableEnded || pending.req.complete) {
      // Whole, and on its way, or a stream that has nothing to do with what comes behind it.
      pending.once('finish', () => refuseClient(parts, requestId, error, socket))
      return
    }
  }
  // The client is gone, or an answer to this very request is on its way or out already, to which another must not be added.
  const isAnswered = pending === null && !isBetweenRequests(socket)
  if (error.code === 'ECONNRESET' || !socket.writable || pending?.headersSent === true) {
    socket.destroy()
    return
  }
  if (isAnswered) {
    // It may not have been read yet. A body that has not come to its end in its time has had that.
    if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') socket.destroy()
    else socket.destroySoon()
    return
  }
  const [code, message] = refusalFor(error)
  const { status } = errorCodes[code]
  if (pending === null) log.info({ requestId, code: error.code, status }, 'a request was refused before it could be read')
  else log.info({ requestId, method: pending.req.method, path: pathOf(pending.req, settings), code: error.code, status }, 'a request was refused while its body arrived')
  const { headers, body } = toErrorReply({ status, code, message, details: {}, headers: {} }, { requestId, accept: undefined, speaksJson: false, alwaysJson: settings.errors === 'json' })
  const text = String(body)
  socket.write(
    `HTTP/1.1 ${status} ${status === 400 ? 'Bad Request' : status === 408 ? 'Request Timeout' : 'Request Header Fields Too Large'}\r\n` +
      `content-type: ${String(headers['content-type'])}\r\nx-content-type-options: nosniff\r\ncontent-length: ${Buffer.byteLength(text)}\r\nx-request-id: ${requestId}\r\nconnection: close\r\n\r\n${text}`,
  )
  // No late rest of the request makes it run although it has been refused: from here on the connection is not read as HTTP.
  socket.destroySoon()
}

/**
 * Whether all requests that this connection has had were read to their ends, so that what is wrong belongs to a new one. Node.js keeps the request that it reads, or has read last,
 * with the parser; that is undocumented as well, and where it is not to be found, only a connection on which nothing has been said counts.
 */
function isBetweenRequests(socket: Socket): boolean {
  if (socket.bytesWritten === 0) return true
  const parser: unknown = Reflect.get(socket, 'parser')
  if (typeof parser !== 'object' || parser === null) return false
  const last: unknown = Reflect.get(parser, 'incoming')
  return last === null || (last instanceof IncomingMessage && last.complete)
}

/** The path that was asked for, without the query and, in a private app, the access key: that is taken off when a request is looked at, and a request that was not is told without its path. */
function pathOf(request: IncomingMessage & { readonly originalUrl?: string }, { private: { accessKey } }: PipelineSettings): string | undefined {
  const url = request.originalUrl ?? (accessKey === null ? request.url : undefined)
  return url?.replace(/[?#].*$/s, '')
}
