import type { FastifyReply } from 'fastify'

const standing = Symbol('how the limits of the request stand')

declare module 'fastify' {
  interface FastifyReply {
    [standing]?: ToldLimit[]
  }
}

/** A limit, as it is told. */
interface Policy {
  /** Letters, digits and hyphens. */
  readonly name: string
  /** How many requests, in a time in milliseconds. */
  readonly max: number
  readonly per: number
}

interface ToldLimit {
  readonly policy: Policy
  readonly remaining: number
  readonly seconds: number
}

/**
 * Keeps how a limit stands for whatever the answer to a request will be, an error or a stream. What is said last of a limit counts.
 *
 * @param remaining how many more requests are let through
 * @param seconds in how many seconds it is one more
 */
export function tellRateLimit(response: FastifyReply, policy: Policy, remaining: number, seconds: number): void {
  const told = { policy, remaining, seconds }
  const earlier = response[standing]
  if (earlier === undefined) response[standing] = [told]
  else if (earlier.at(-1)?.policy === policy) earlier[earlier.length - 1] = told
  else earlier.push(told)
}

/** The headers that were kept for an answer: lists of one member for each limit (draft-ietf-httpapi-ratelimit-headers-11, sections 3 and 4). */
export function rateLimitHeaders(response: FastifyReply): Readonly<Record<string, string>> {
  const limits = response[standing]
  return limits === undefined ? {} : { 'ratelimit-policy': policiesOf(limits), ratelimit: standingsOf(limits) }
}

/** Adds what was kept to an answer that is about to leave. What that says itself counts. */
export function addRateLimit(response: FastifyReply): void {
  const limits = response[standing]
  if (limits === undefined) return
  if (!response.hasHeader('ratelimit-policy')) response.header('ratelimit-policy', policiesOf(limits))
  if (!response.hasHeader('ratelimit')) response.header('ratelimit', standingsOf(limits))
}

function policiesOf(limits: readonly ToldLimit[]): string {
  return join(limits, ({ policy: { name, max, per } }) => `"${name}";q=${max};w=${Math.ceil(per / 1000)}`)
}

function standingsOf(limits: readonly ToldLimit[]): string {
  return join(limits, ({ policy: { name }, remaining, seconds }) => `"${name}";r=${remaining};t=${seconds}`)
}

function join(limits: readonly ToldLimit[], member: (limit: ToldLimit) => string): string {
  const [first] = limits
  return first !== undefined && limits.length === 1 ? member(first) : limits.map(member).join(', ')
}
