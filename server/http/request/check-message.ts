import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { hasBody } from '../body/read-body.js'
import { refusal, type HttpError } from '../http-error.js'
import type { ErrorCode } from '../../errors/error-codes.js'
import { describeNoHost, isHost } from './host.js'

/** Of more headers than this Node.js hides the rest, of which any could be one that matters. Its `maxHeadersCount` of 2000 counts names and values. */
const mostHeaders = 1000

/**
 * Connections on which nothing can be trusted any more, and the message since when. They are closed once the refusal has been sent, but Node.js may have read more requests from them by then.
 * The message itself may be looked at again, by whoever answers it.
 */
const distrusted = new WeakMap<Socket, IncomingMessage>()

/** A message, and what it asked for where `url` has been changed. */
export type TargetedMessage = IncomingMessage & { readonly requestTarget?: string }

/**
 * Refuses requests that Node.js lets through and that proxies on the way may have read differently, and all that follow one on its connection.
 *
 * @throws HttpError 400 for several `Host` headers, none in HTTP/1.1, or one that is no host (RFC 9112, 3.2), for a target with another host than that header, for several of the other headers
 * that have one value, of which Node.js would hide all but the first, for a transfer coding other than `chunked`, and for any in HTTP/1.0 (RFC 9112, 6.1),
 * for a body in a request that leaves HTTP before it has come,
 * and for a version that is neither 1.1 nor 1.0, such as that of a request line without one; 405 for CONNECT (RFC 9110, 9.3.6); 431 for 1000 headers or more; 417 for an expectation other than `100-continue`
 */
export function checkMessage(message: TargetedMessage): void {
  const { rawHeaders, headers, httpVersion, socket, url, requestTarget = url } = message
  const coding = headers['transfer-encoding']
  if ((distrusted.get(socket) ?? message) !== message) throw refuse(message, 'the request follows one that was refused')
  if (httpVersion !== '1.1' && httpVersion !== '1.0') throw refuse(message, 'the request is not in HTTP/1.1 or HTTP/1.0')
  if (rawHeaders.length >= mostHeaders * 2) {
    throw refuse(message, `the request has ${mostHeaders} headers or more`, 'headers-too-large')
  }
  let seen = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? ''
    const single = singleHeaders[name.length]
    if (single === undefined || (name !== single.name && name.toLowerCase() !== single.key)) continue
    const bit = 1 << name.length
    if ((seen & bit) !== 0) throw refuse(message, `the request has several ${single.name} headers`)
    seen |= bit
  }
  const { host } = headers
  if (host === undefined && httpVersion === '1.1') throw refuse(message, 'the request has no Host header')
  if (coding !== undefined && httpVersion === '1.0') throw refuse(message, 'HTTP/1.0 has no transfer-encoding')
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') throw refuse(message, 'the only transfer-encoding that is understood is chunked')
  if (headers.expect !== undefined && !/^100-continue$/i.test(headers.expect.trim())) {
    throw refuse(message, 'the only expectation that can be met is 100-continue', 'expectation-failed')
  }
  if (isUpgraded(message)) {
    if (message.method === 'CONNECT') {
      // An empty Allow: what is asked for has no method here (RFC 9110, 10.2.1).
      throw refuse(message, 'CONNECT asks a proxy for a tunnel, and this is none', 'method-not-supported', { allow: '' })
    }
    if (hasBody(message)) throw refuse(message, 'the request has a body and asks for another protocol; send it without the Upgrade header')
  }
  if (host !== undefined && !isHost(host) && (host !== '' || httpVersion === '1.1')) throw refuse(message, `the Host header ${describeNoHost(host)}`)
  if (requestTarget !== undefined && !requestTarget.startsWith('/')) checkTarget(message, requestTarget, host)
}

/** The headers of which a message may have one, and no list in it, by their length, in which they differ. */
const singleHeaders: readonly ({ readonly name: string; readonly key: string } | undefined)[] = byLength(['Host', 'Content-Type', 'Authorization', 'If-Modified-Since', 'If-Unmodified-Since'])

function byLength(names: readonly string[]): (typeof singleHeaders)[number][] {
  return Array.from({ length: Math.max(...names.map((name) => name.length)) + 1 }, (_, length) => {
    const name = names.find((each) => each.length === length)
    return name === undefined ? undefined : { name, key: name.toLowerCase() }
  })
}

/** The scheme and the host of a target in absolute form (RFC 9112, 3.2.2). */
const absoluteForm = /^(https?):\/\/([^/?#]*)/i

/** A proxy on the way may have gone by either host. */
function checkTarget(message: IncomingMessage, url: string, host: string | undefined): void {
  const [start, scheme = '', authority = ''] = absoluteForm.exec(url) ?? []
  if (start === undefined) return
  if (!isHost(authority)) throw refuse(message, 'the request is for a URL without a valid host')
  if (host !== undefined && host !== '' && new URL(start).host !== new URL(`${scheme}://${host}`).host) throw refuse(message, 'the request is for a URL of another host than its Host header names')
}

/** Whether Node.js has given the connection to another protocol, and reads no body from it. Its types do not know. */
function isUpgraded(message: IncomingMessage & { readonly upgrade?: boolean }): boolean {
  return message.upgrade === true
}

/** Where messages are read in two ways, nothing that follows on the connection can be trusted. */
function refuse(refused: IncomingMessage, message: string, code: ErrorCode = 'malformed-request', headers: Readonly<Record<string, string>> = {}): HttpError {
  if (!distrusted.has(refused.socket)) distrusted.set(refused.socket, refused)
  return refusal(code, message, { headers: { ...headers, connection: 'close' } })
}
