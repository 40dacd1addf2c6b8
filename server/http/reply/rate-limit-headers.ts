import type { FastifyReply } from 'fastify'

const standing = Symbol('how the limits of the request stand')

interface Fields {
  policy: string
  limit: string
}

declare module 'fastify' {
  interface FastifyReply {
    [standing]?: Fields
  }
}

/** How a limit stands after a request. */
export interface ToldLimit {
  /** Letters, digits and hyphens. */
  readonly name: string
  /** How many requests, in a time in milliseconds. */
  readonly max: number
  readonly per: number
  /** How many more, and in how many seconds it is one more. */
  readonly remaining: number
  readonly seconds: number
}

/**
 * Keeps how a limit stands for whatever the answer to a request will be, an error or a stream: a member of the lists in
 * `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11, sections 3 and 4).
 */
export function tellRateLimit(response: FastifyReply, { name, max, per, remaining, seconds }: ToldLimit): void {
  const policy = `"${name}";q=${max};w=${Math.ceil(per / 1000)}`
  const limit = `"${name}";r=${remaining};t=${seconds}`
  const earlier = response[standing]
  response[standing] = earlier === undefined ? { policy, limit } : { policy: `${earlier.policy}, ${policy}`, limit: `${earlier.limit}, ${limit}` }
}

/** The headers that were kept for an answer. */
export function rateLimitHeaders(response: FastifyReply): Readonly<Record<string, string>> {
  const kept = response[standing]
  return kept === undefined ? {} : { 'ratelimit-policy': kept.policy, ratelimit: kept.limit }
}

/** Adds what was kept to an answer that is about to leave. What that says itself counts. */
export function addRateLimit(response: FastifyReply): void {
  if (response[standing] === undefined) return
  const headers = rateLimitHeaders(response)
  for (const name in headers) if (!response.hasHeader(name)) response.header(name, headers[name])
}
