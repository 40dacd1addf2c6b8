import { hash } from 'node:crypto'
import { describeGiven } from '../../db/errors/describe-value.js'
import { runCall } from '../call/call.js'
import { principalId, type Principal } from '../call/principal.js'
import type { Endpoint } from '../endpoint/endpoint.js'
import type { EndpointLimit } from '../endpoint/rate-limit.js'
import { tellRateLimit } from '../http/reply/rate-limit-headers.js'
import { BoundedMap } from '../services/accounts/bounded-map.js'
import { networkOf, networksAround } from '../services/accounts/network.js'
import type { Claim, Quota, Standing } from '../services/limits/limiter.js'
import { RateLimited } from '../services/limits/rate-limited.js'
import { authenticate } from './authenticate.js'
import type { HttpCall } from './http-call.js'

/** How many times the quota of a network those around it have together, the narrowest first: there are people in them who know nothing of one another. */
const shares = [1, 3, 10] as const

/**
 * Finds out who calls, and counts the request by the limits of its endpoint: by those that ask for no user before any credentials are looked at, by the others once it is known who calls.
 *
 * @throws RateLimited when there have been too many
 * @throws Unauthorized see {@link authenticate}
 */
export function admit(call: HttpCall): Principal | Promise<Principal> {
  const limits = call.endpoint?.options.rateLimits ?? null
  return limits === null ? authenticate(call) : admitLimited(call, limits)
}

function admitLimited(call: HttpCall, limits: readonly EndpointLimit[]): Principal | Promise<Principal> {
  const ofUsers = limits.filter(({ by }) => by === 'user')
  const ofOthers = limits.filter(({ by }) => by !== 'user')
  const counted = ofOthers.length === 0 ? null : count(call, ofOthers, null)
  const found = counted === null ? authenticate(call) : counted.then(() => authenticate(call))
  if (ofUsers.length === 0) return found
  return found instanceof Promise ? found.then((principal) => admitUser(call, ofUsers, principal)) : admitUser(call, ofUsers, found)
}

function admitUser(call: HttpCall, limits: readonly EndpointLimit[], principal: Principal): Principal | Promise<Principal> {
  // The line in the log tells whose request it was that was one too many.
  call.identify(principal)
  const counted = count(call, limits, principal)
  return counted === null ? principal : counted.then(() => principal)
}

/** What one limit counts a request by. */
interface Counted {
  readonly limit: EndpointLimit
  readonly claims: readonly Claim[]
}

/** Counts a request by some limits: by all of them, or by none. Null where nothing has to be waited for. */
function count(call: HttpCall, limits: readonly EndpointLimit[], principal: Principal | null): Promise<void> | null {
  const counted = limits.map((limit): Counted => ({ limit, claims: claimsOf(call, limit, principal) }))
  const standings = call.parts.limiter.count(counted.flatMap(({ claims }) => claims))
  if (standings instanceof Promise) return standings.then((settled) => judge(call, counted, settled))
  judge(call, counted, standings)
  return null
}

function judge(call: HttpCall, counted: readonly Counted[], standings: readonly Standing[]): void {
  let closed: RateLimited | null = null
  let first = 0
  for (const { limit, claims } of counted) {
    const own = standings.slice(first, (first += claims.length))
    const position = Math.max(0, own.findIndex(({ isOpen }) => !isOpen))
    const [standing, quota] = [own[position], claims[position]]
    if (standing === undefined || quota === undefined) continue
    const { isOpen, remaining, seconds } = standing
    tellRateLimit(call.response, { name: limit.name, max: limit.max, per: limit.per, remaining, seconds })
    if (!isOpen && seconds > (closed?.retryAfterSeconds ?? 0)) closed = refusalOf(limit, seconds)
  }
  if (closed !== null) throw closed
}

/** Several for an IPv6 address, whose owner can send from many networks. */
function claimsOf(call: HttpCall, limit: EndpointLimit, principal: Principal | null): readonly Claim[] {
  const { max, per, by } = limit
  const name = `${limit.isShared ? '' : placeOf(call.endpoint)}${limit.name}`
  const user = principal === null ? undefined : principalId(principal)
  if (user !== undefined) return [{ key: `${name} user ${user}`, max, per }]
  if (typeof by === 'function') return [{ key: `${name} key ${hash('sha256', keyOf(call, by), 'base64url')}`, max, per }]
  const network = networkOf(call.raw.ip)
  return networksAround(network).map((around, width) => ({ key: `${name} ip ${around}`, max: max * (shares[width] ?? 1), per }))
}

/** Two endpoints have neither the same path nor one method of it. */
function placeOf(endpoint: Endpoint | null): string {
  return endpoint === null ? '' : `${endpoint.methods[0] ?? ''} ${endpoint.path.text} `
}

/** @throws TypeError when the function gives anything but a text; what it throws itself */
function keyOf(call: HttpCall, by: (request: ReturnType<HttpCall['beginRequest']>) => unknown): string {
  const key = runCall(call, by, call.beginRequest())
  if (typeof key === 'string') return key
  throw new TypeError(`the "by" of a rate limit has to give a text, got ${describeGiven(key)}`)
}

const refusals = new BoundedMap<RateLimited>(1000)

/** One for all that say the same: a stack takes longer to make than all else that a refusal takes, and in a flood there are thousands a second. */
function refusalOf(quota: Quota, seconds: number): RateLimited {
  const name = `${quota.max} ${quota.per} ${seconds}`
  const refusal = refusals.get(name) ?? new RateLimited(quota, seconds)
  refusals.set(name, refusal)
  return refusal
}
