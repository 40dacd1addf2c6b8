import type { FastifyRequest } from 'fastify'
import type { Endpoint } from '../endpoint/endpoint.js'
import { opensTo } from '../http/cors/cors-rule.js'
import type { ReachingRequest } from '../http/request/https-hosts.js'
import { parseAuthorization, type Authorization } from '../http/request/authorization.js'

/** Says of an origin, as a browser writes it, whether it is one of the app's. */
export type IsOwnOrigin = (origin: string, request: ReachingRequest) => boolean

/**
 * Whether a browser sent a request on behalf of another site. The first of these headers that is there decides: `Origin`, `Sec-Fetch-Site`, `Referer`; one without any of them is no browser's. An own origin with a foreign `Referer` is another site's, too.
 *
 * Only a page's own origin counts as the same site: a neighbour under the same parent domain is another (OWASP Cross-Site Request Forgery Prevention, Fetch Metadata).
 */
export function isCrossSite(request: ReachingRequest, isOwn: IsOwnOrigin): boolean {
  const { origin, referer, 'sec-fetch-site': site } = request.headers
  const isForeignPage = (): boolean => referer !== undefined && !isOwn(originOfPage(referer), request)
  if (origin !== undefined) return !isOwn(origin, request) || isForeignPage()
  // Joined by Node.js, several are none of these.
  if (site !== undefined) return site !== 'same-origin' && site !== 'none'
  return isForeignPage()
}

/** The origin of a page's address; `''` where that cannot be read. */
function originOfPage(address: string): string {
  return URL.canParse(address) ? new URL(address).origin : ''
}

/** Whether a request runs without anything that a browser keeps for this site: it was sent on behalf of another one, and the endpoint does not ask for it all the same. */
export function isIsolated(raw: FastifyRequest, endpoint: Endpoint | null, isOwn: IsOwnOrigin): boolean {
  return endpoint?.options.crossSiteSession !== true && isCrossSite(raw, isOwn)
}

/**
 * Whether Basic credentials in a request may be there without anybody having sent them: a browser attaches them on behalf of whatever page. Those from a page that the endpoint
 * has opened itself to are taken for the page's own, unless the browser says that it asked in a mode in which pages send none (`Sec-Fetch-Mode`: a form, an image).
 */
export function mayBeAttached(raw: FastifyRequest, endpoint: Endpoint | null, isOwn: IsOwnOrigin): boolean {
  if (!isIsolated(raw, endpoint, isOwn)) return false
  const { origin, referer, 'sec-fetch-mode': mode = 'cors' } = raw.headers
  // With an origin of the app's own, it is another header that told of another site.
  if (endpoint === null || mode !== 'cors' || origin === undefined || isOwn(origin, raw)) return true
  const { cors } = endpoint.options
  return !opensTo(cors, origin) || (referer !== undefined && !opensTo(cors, originOfPage(referer)))
}

/**
 * The `Authorization` header of a request, taken apart; null when there is none, it is malformed, or a browser may have attached it by itself: a person who has once typed a password
 * for this site sends it with every request, on behalf of whatever page. Other schemes than Basic no browser attaches.
 */
export function shownAuthorization(raw: FastifyRequest, endpoint: Endpoint | null, isOwn: IsOwnOrigin): Authorization | null {
  const authorization = parseAuthorization(raw.headers.authorization)
  return authorization?.username !== undefined && mayBeAttached(raw, endpoint, isOwn) ? null : authorization
}
