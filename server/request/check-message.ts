import type { IncomingMessage } from 'node:http'
import { HttpError } from '../errors/http-error.js'

/**
 * Refuses two kinds of requests that Node.js lets through and that proxies on the way may have read differently.
 *
 * @throws HttpError 400 for several `Host` headers (RFC 9112, 3.2) and for a transfer coding in HTTP/1.0 (RFC 9112, 6.1)
 */
export function checkMessage({ rawHeaders, headers, httpVersion }: IncomingMessage): void {
  let hosts = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]
    if (name?.length === 4 && name.toLowerCase() === 'host' && ++hosts > 1) throw new HttpError(400, 'the request has several Host headers')
  }
  if (httpVersion === '1.0' && headers['transfer-encoding'] !== undefined) throw new HttpError(400, 'HTTP/1.0 has no transfer-encoding')
}
