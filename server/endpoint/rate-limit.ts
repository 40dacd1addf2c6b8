import { describeGiven, isPlainObject } from '../../db/errors/describe-value.js'
import { suggestName } from '../errors/nearest-name.js'
import type { RowhouseRequest } from '../http/request/request.js'

const second = 1000
const units = { second, minute: 60 * second, hour: 3600 * second, day: 86_400 * second } as const
/** In milliseconds. */
const longestTime = 366 * units.day
const mostRequests = 1_000_000_000

type Unit = keyof typeof units

/** A time: in milliseconds, or as a text such as `'minute'`, `'10 seconds'` or `'1 day'`. */
export type Duration = number | Unit | `${number} ${Unit | `${Unit}s`}`

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
  /** In milliseconds. */
  readonly per: number
  readonly by: 'ip' | 'user'
}

const members = ['max', 'per', 'by']
const expectedTime = `a number of milliseconds, or a text such as 'minute' or '10 seconds', up to ${longestTime / units.day} days`

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
    ...(isWhole(max) && max <= mostRequests ? [] : [`takes as max a whole number of requests from 1 to ${mostRequests}, got ${describeGiven(max)}`]),
    ...(millisecondsOf(per) === null ? [`takes as per ${expectedTime}, got ${describeGiven(per)}`] : []),
    ...(isBy ? [] : [`takes as by 'ip', 'user' or a function that gives a text for a request, got ${describeGiven(by)}`]),
  ]
}

function isWhole(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0
}

/** A time in milliseconds; null where it is none. */
function millisecondsOf(time: unknown): number | null {
  const length = typeof time === 'string' ? readTime(time) : time
  return isWhole(length) && length <= longestTime ? length : null
}

function readTime(text: string): number | null {
  const { amount = '1', unit } = /^(?:(?<amount>\d{1,9}) )?(?<unit>second|minute|hour|day)s?$/.exec(text)?.groups ?? {}
  return unit === undefined ? null : Number(amount) * units[unit as Unit]
}

/**
 * The limits of an endpoint; null where there are none, which is nearly always.
 *
 * @param option has passed {@link checkRateLimit}; undefined where its author says nothing
 */
export function readRateLimits(option: RateLimitOption | undefined, defaults: DefaultRateLimit): readonly EndpointLimit[] | null {
  if (option === false) return null
  if (option === undefined) {
    const { max, per, by } = defaults
    return max === null ? null : [{ name: 'app', max, per, by, isShared: true }]
  }
  const names = new Map<string, number>()
  return [option].flat().map(({ max, per, by = 'ip' }) => {
    const kind = typeof by === 'function' ? 'key' : by
    const count = (names.get(kind) ?? 0) + 1
    names.set(kind, count)
    return { name: count === 1 ? kind : `${kind}-${count}`, max, per: millisecondsOf(per) ?? 0, by, isShared: false }
  })
}
