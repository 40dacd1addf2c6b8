import type { IncomingHttpHeaders } from 'node:http'

/**
 * Whether a browser has sent a request: all of them say `Sec-Fetch-Site` where they trust the connection (Fetch Metadata), scripts often `X-Requested-With`, and each has called itself Mozilla for thirty years.
 */
export function isOfBrowser(headers: IncomingHttpHeaders): boolean {
  return headers['sec-fetch-site'] !== undefined || headers['x-requested-with'] !== undefined || headers['user-agent']?.startsWith('Mozilla/') === true
}
