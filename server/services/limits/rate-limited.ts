import type { Quota } from './limiter.js'

/** There were more requests than a limit lets through; the next one may be made after `retryAfterSeconds`. */
export class RateLimited extends Error {
  override readonly name = 'RateLimited'
  readonly code = 'rate-limited'

  constructor(
    { max, per }: Quota,
    readonly retryAfterSeconds: number,
  ) {
    super(`Rate limit exceeded: ${max} ${max === 1 ? 'request' : 'requests'} in ${per / 1000} s; try again in ${retryAfterSeconds} s`)
  }
}
