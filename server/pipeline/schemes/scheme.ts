import type { Principal } from '../../call/principal.js'
import type { HttpCall } from '../http-call.js'

/** What a scheme finds in a request: who calls; null where nothing of this scheme was sent; `'refused'` where something was, and it is wrong. */
export type Finding = Principal | null | 'refused'

/** One way of showing who calls. */
export interface Scheme {
  /** How a 401 tells to use it, lines of `WWW-Authenticate` (RFC 9110, 11.6.1); none where there is nothing to tell. */
  readonly challenges: readonly string[]
  /** The same for browsers, where they are told something else: to some challenges they open a window of their own. */
  readonly browserChallenges?: readonly string[]
  /** Looks at a request before its body is read. What it throws, or rejects with, is the answer's error. */
  find(call: HttpCall): Finding | Promise<Finding>
}
