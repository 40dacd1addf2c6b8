import { describeGiven, isPlainObject } from '../../db/errors/describe-value.js'
import { suggestName } from '../errors/nearest-name.js'
import type { RowhouseRequest } from '../http/request/request.js'
import { duration, millisecondsOf, type Duration } from '../settings/duration.js'

const mostRequests = 1_000_000_000

/** Whose requests are counted together: those of a network, those of a user (of a network where nobody is signed in), or those for which a function gives the same text. */
export type RateLimitBy = 'ip' | 'user' | ((request: RowhouseRequest) => string)

/** How many requests are let through in which time. */
export interface RateLimit {
  /** How many: at once, or spread over the time. */
  readonly max: number
  readonly per: Duration
  /** `'ip'` by default: an address, for IPv6 its /64. A function is asked before the body is read. */
  readonly by?: RateLimitBy
}

/** What an author says of an endpoint: a limit, several that all hold, or none, whatever holds for the app. */
export type RateLimitOption = RateLimit | readonly RateLimit[] | false

/** The limits of an endpoint: those that are known to hold for a request at once, and those that ask who calls. */
export interface EndpointLimits {
  readonly ofRequests: readonly EndpointLimit[]
  readonly ofUsers: readonly EndpointLimit[]
}

/** A limit, checked and complete. */
export interface EndpointLimit {
  /** What it is called in the headers `RateLimit` and `RateLimit-Policy`. */
  readonly name: string
  readonly max: number
  /** In milliseconds. */
  readonly per: number
  readonly by: RateLimitBy
  /** Whether all endpoints that have this limit share its quota; each has one of its own otherwise. */
  readonly isShared: boolean
}

/** What holds where an endpoint says nothing. */
export interface DefaultRateLimit {
  /** Null for no limit. */
  readonly max: number | null
  readonly per: Duration
  readonly by: 'ip' | 'user'
}

const members = ['max', 'per', 'by']

/** What is wrong with an author's limits, each as the end of a sentence that begins with the option. */
export function checkRateLimit(value: unknown): readonly string[] {
  if (value === false) return []
  const limits: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (limits.length === 0) return ['takes at least one limit in a list; false is for none']
  return limits.flatMap(checkOne)
}

function checkOne(limit: unknown): readonly string[] {
  if (!isPlainObject(limit)) return [`takes { max, per, by }, such as { max: 10, per: 'minute' }, a list of such limits, or false, got ${describeGiven(limit)}`]
  const { max, per, by } = limit
  const unknown = Object.keys(limit).filter((name) => !members.includes(name))
  const isBy = by === undefined || by === 'ip' || by === 'user' || typeof by === 'function'
  return [
    ...unknown.map((name) => `has no member "${name}"; ${suggestName(name, members)}`),
    ...(isAmount(max) ? [] : [`takes as max a whole number of requests from 1 to ${mostRequests}, got ${describeGiven(max)}`]),
    ...(millisecondsOf(per) === null ? [`takes as per ${duration.expected}, got ${describeGiven(per)}`] : []),
    ...(isBy ? [] : [`takes as by 'ip', 'user' or a function that gives a text for a request, got ${describeGiven(by)}`]),
  ]
}

function isAmount(value: unknown): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= mostRequests
}

/**
 * The limits of an endpoint; null where there are none, which is nearly always.
 *
 * @param option has passed {@link checkRateLimit}; undefined where its author says nothing
 */
export function readRateLimits(option: RateLimitOption | undefined, defaults: DefaultRateLimit): EndpointLimits | null {
  if (option === false) return null
  if (option !== undefined) return sort(nameLimits([option].flat()))
  const { max, per, by } = defaults
  return max === null ? null : sort([{ name: 'app', max, per: millisecondsOf(per) ?? 0, by, isShared: true }])
}

function sort(limits: readonly EndpointLimit[]): EndpointLimits {
  return { ofRequests: limits.filter(({ by }) => by !== 'user'), ofUsers: limits.filter(({ by }) => by === 'user') }
}

function nameLimits(limits: readonly RateLimit[]): readonly EndpointLimit[] {
  const counts = new Map<string, number>()
  return limits.map(({ max, per, by = 'ip' }) => {
    const kind = typeof by === 'function' ? 'key' : by
    const count = (counts.get(kind) ?? 0) + 1
    counts.set(kind, count)
    return { name: count === 1 ? kind : `${kind}-${count}`, max, per: millisecondsOf(per) ?? 0, by, isShared: false }
  })
}
