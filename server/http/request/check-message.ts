import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { hasBody } from '../body/read-body.js'
import { refusal, type HttpError } from '../http-error.js'
import type { ErrorCode } from '../../errors/error-codes.js'

/** Of more headers than this Node.js hides the rest, of which any could be one that matters. Its `maxHeadersCount` of 2000 counts names and values. */
const mostHeaders = 1000

/** Connections on which nothing can be trusted any more. They are closed once the refusal has been sent, but Node.js may have read more requests from them by then. */
const distrusted = new WeakSet<Socket>()

/**
 * Refuses requests that Node.js lets through and that proxies on the way may have read differently, and all that follow one on its connection.
 *
 * @throws HttpError 400 for several `Host` headers, none in HTTP/1.1, or one that is no host (RFC 9112, 3.2), for a transfer coding other than `chunked`, and for any in HTTP/1.0 (RFC 9112, 6.1),
 * for a body in a request that leaves HTTP before it has come,
 * and for a version that is neither 1.1 nor 1.0, such as that of a request line without one; 431 for 1000 headers or more; 417 for an expectation other than `100-continue`
 */
export function checkMessage(message: IncomingMessage): void {
  const { rawHeaders, headers, httpVersion, socket } = message
  const coding = headers['transfer-encoding']
  if (distrusted.has(socket)) throw refuse(socket, 'the request follows one that was refused')
  if (httpVersion !== '1.1' && httpVersion !== '1.0') throw refuse(socket, 'the request is not in HTTP/1.1 or HTTP/1.0')
  if (rawHeaders.length >= mostHeaders * 2) {
    throw refuse(socket, `the request has ${mostHeaders} headers or more`, 'headers-too-large')
  }
  let hosts = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]
    if (name?.length === 4 && name.toLowerCase() === 'host' && ++hosts > 1) throw refuse(socket, 'the request has several Host headers')
  }
  if (hosts === 0 && httpVersion === '1.1') throw refuse(socket, 'the request has no Host header')
  if (coding !== undefined && httpVersion === '1.0') throw refuse(socket, 'HTTP/1.0 has no transfer-encoding')
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') throw refuse(socket, 'the only transfer-encoding that is understood is chunked')
  if (headers.expect !== undefined && !/100-continue/i.test(headers.expect)) {
    throw refuse(socket, 'the only expectation that can be met is 100-continue', 'expectation-failed')
  }
  if (isUpgraded(message) && hasBody(message)) {
    throw refuse(socket, 'the request has a body and asks for another protocol; send it without the Upgrade header')
  }
  if (headers.host !== undefined && !authority.test(headers.host)) throw refuse(socket, 'the Host header is no host')
}

/** Whether Node.js has given the connection to another protocol, and reads no body from it. Its types do not know. */
function isUpgraded(message: IncomingMessage & { readonly upgrade?: boolean }): boolean {
  return message.upgrade === true
}

/** A host with its port (RFC 3986, 3.2.2), as far as its characters go. */
const authority = /^[A-Za-z0-9\-._~%!$&'()*+,;=:[\]]*$/

/** Where messages are read in two ways, nothing that follows on the connection can be trusted. */
function refuse(socket: Socket, message: string, code: ErrorCode = 'malformed-request'): HttpError {
  distrusted.add(socket)
  return refusal(code, message, { headers: { connection: 'close' } })
}
