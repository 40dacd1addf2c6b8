import type { IncomingMessage } from 'node:http'
import { HttpError } from '../errors/http-error.js'

/**
 * Refuses requests that Node.js lets through and that proxies on the way may have read differently.
 *
 * @throws HttpError 400 for several `Host` headers, or one that is no host (RFC 9112, 3.2), and for a transfer coding in HTTP/1.0 (RFC 9112, 6.1)
 */
export function checkMessage({ rawHeaders, headers, httpVersion }: IncomingMessage): void {
  let hosts = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]
    if (name?.length === 4 && name.toLowerCase() === 'host' && ++hosts > 1) throw refusal('the request has several Host headers')
  }
  if (httpVersion === '1.0' && headers['transfer-encoding'] !== undefined) throw refusal('HTTP/1.0 has no transfer-encoding')
  if (headers.host !== undefined && !authority.test(headers.host)) throw refusal('the Host header is no host')
}

/** A host with its port (RFC 3986, 3.2.2), as far as its characters go. */
const authority = /^[A-Za-z0-9\-._~%!$&'()*+,;=:[\]]*$/

/** Where messages are read in two ways, nothing that follows on the connection can be trusted. */
function refusal(message: string): HttpError {
  return new HttpError(400, message, {}, { connection: 'close' })
}
