import { token } from '../token.js'

/** Which pages of other origins may read answers, and with what: as it is decided for each request (Fetch, 3.3). */
export interface CorsRule {
  /** `'*'` for those of every origin; otherwise as browsers write them, none of them `null`. */
  readonly origins: '*' | ReadonlySet<string>
  /** Whether requests may carry what the browser keeps for this site. Never with `'*'`. */
  readonly credentials: boolean
  /** The value of `Access-Control-Allow-Headers`; null for whatever is asked for. */
  readonly headers: string | null
  /** The value of `Access-Control-Expose-Headers`; null for none. */
  readonly exposed: string | null
  /** In seconds; null where nothing is said of it. */
  readonly maxAge: number | null
}

/** Response headers, by name in lower case. */
export type CorsHeaders = Readonly<Record<string, string>> & { readonly vary?: string }

/** Beside what makes an answer one for a page of another origin: that caches keep one for each (Fetch, 3.3.8). */
const varying: CorsHeaders = { vary: 'Origin' }
/** What the answer to a preflight depends on. */
export const preflightVarying: CorsHeaders = { vary: 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers' }

/** Whether a rule opens anything to anybody. */
export function opensAnything({ origins }: CorsRule): boolean {
  return origins === '*' || origins.size > 0
}

/** Whether pages of an origin may read the answers. @param origin the header of that name; undefined where there is none */
export function opensTo(rule: CorsRule, origin: string | undefined): boolean {
  return origin !== undefined && allowedOrigin(rule, origin) !== null
}

/**
 * What a rule puts on an answer, whatever that is; null for nothing.
 *
 * @param origin the header of that name; undefined where there is none
 */
export function corsHeaders(rule: CorsRule, origin: string | undefined): CorsHeaders | null {
  if (rule.origins === '*') return grant(rule, '*')
  if (rule.origins.size === 0) return null
  const allowed = origin === undefined ? null : allowedOrigin(rule, origin)
  return allowed === null ? varying : { ...varying, ...grant(rule, allowed) }
}

function grant({ credentials, exposed }: CorsRule, origin: string): CorsHeaders {
  return {
    'access-control-allow-origin': origin,
    ...(credentials && { 'access-control-allow-credentials': 'true' }),
    ...(exposed !== null && { 'access-control-expose-headers': exposed }),
  }
}

/** What a preflight asks (Fetch, 3.3.2). */
export interface Preflight {
  readonly origin: string
  /** The header `Access-Control-Request-Headers`; undefined where there is none. */
  readonly headers: string | undefined
  /** The methods that may be used from there at the path that is asked for. */
  readonly methods: readonly string[]
}

/** What a preflight is told. Without permission it is told nothing, and the browser refuses. */
export function preflightHeaders(rule: CorsRule, { origin, headers, methods }: Preflight): CorsHeaders {
  const allowed = allowedOrigin(rule, origin)
  if (allowed === null) return preflightVarying
  const allowedHeaders = rule.headers ?? echoNames(headers)
  return {
    ...preflightVarying,
    'access-control-allow-origin': allowed,
    ...(rule.credentials && { 'access-control-allow-credentials': 'true' }),
    'access-control-allow-methods': methods.join(', '),
    ...(allowedHeaders !== '' && { 'access-control-allow-headers': allowedHeaders }),
    ...(rule.maxAge !== null && { 'access-control-max-age': String(rule.maxAge) }),
  }
}

/** Far beyond what a page sends, far from what our own answer could carry. */
const longestNames = 4096

/** Names of headers as they were asked for; `''` where one of them is none. */
function echoNames(asked: string | undefined): string {
  if (asked === undefined || asked.length > longestNames) return ''
  const names = asked.split(',').map((name) => name.trim())
  return names.every((name) => token.test(name)) ? names.join(', ') : ''
}

/** What the origin of a request is answered with; null where the rule does not open anything to it. */
function allowedOrigin({ origins }: CorsRule, origin: string): string | null {
  if (origins === '*') return '*'
  if (origins.has(origin)) return origin
  const normalized = normalize(origin)
  return origins.has(normalized) ? normalized : null
}

/** A browser's own way of writing it: nothing else is taken for the same, whatever a parser of URLs would make of it. */
function normalize(origin: string): string {
  if (!/^[!-~]+$/.test(origin)) return origin
  const lower = origin.toLowerCase()
  return lower.startsWith('https:') ? lower.replace(/:443$/, '') : lower.replace(/^(http:.*):80$/, '$1')
}
