import { hash } from 'node:crypto'
import { describeGiven } from '../../db/errors/describe-value.js'
import { runCall } from '../call/call.js'
import { principalId, type Principal } from '../call/principal.js'
import type { Endpoint } from '../endpoint/endpoint.js'
import type { EndpointLimit, EndpointLimits } from '../endpoint/rate-limit.js'
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

function admitLimited(call: HttpCall, { ofRequests, ofUsers }: EndpointLimits): Principal | Promise<Principal> {
  const counted = ofRequests.length === 0 ? null : count(call, ofRequests, null)
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

/** Counts a request by some limits: by all of them, or by none. Null where nothing has to be waited for. */
function count(call: HttpCall, limits: readonly EndpointLimit[], principal: Principal | null): Promise<void> | null {
  const claims: LimitClaim[] = []
  for (const limit of limits) addClaims(claims, call, limit, principal)
  const standings = call.parts.limiter.count(claims)
  if (standings instanceof Promise) return standings.then((settled) => judge(call, claims, settled))
  judge(call, claims, standings)
  return null
}

/** What a limit counts a request by. */
interface LimitClaim extends Claim {
  readonly limit: EndpointLimit
}

/** Tells how each limit stands, and refuses what one of them does not let through. */
function judge(call: HttpCall, claims: readonly LimitClaim[], standings: readonly Standing[]): void {
  let refused: RateLimited | null = null
  let told: EndpointLimit | null = null
  for (const [index, { limit }] of claims.entries()) {
    const standing = standings[index]
    if (standing === undefined) continue
    const { isOpen, remaining, seconds } = standing
    // Of the networks around an address the narrowest is told of, unless a wider one is what refuses.
    if (limit !== told || !isOpen) tellRateLimit(call.response, limit, remaining, seconds)
    told = limit
    if (!isOpen && seconds > (refused?.retryAfterSeconds ?? 0)) refused = refusalOf(limit, seconds)
  }
  if (refused !== null) throw refused
}

/** Several for an IPv6 address, whose owner can send from many networks. */
function addClaims(claims: LimitClaim[], call: HttpCall, limit: EndpointLimit, principal: Principal | null): void {
  const { max, per, by, name, isShared } = limit
  const place = isShared ? name : `${placeOf(call.endpoint)}${name}`
  const user = principal === null ? undefined : principalId(principal)
  if (user !== undefined) claims.push({ key: `${place} user ${user}`, max, per, limit })
  else if (typeof by === 'function') claims.push({ key: `${place} key ${hash('sha256', keyOf(call, by), 'base64url')}`, max, per, limit })
  else for (const [width, network] of networksAround(networkOf(call.raw.ip)).entries()) claims.push({ key: `${place} ip ${network}`, max: max * (shares[width] ?? 1), per, limit })
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
