import type { UserRow } from '../../../db/schema/users-table.js'
import type { HttpCall } from '../http-call.js'
import type { Finding, Scheme } from './scheme.js'

/** What HTTP Basic works with. */
export interface BasicSchemeParts {
  /** Names the protected area to the person who is asked for a password. Characters outside of printable ASCII are shown as `?`. */
  readonly realm: string
  /** Whether a 401 has a browser ask for a password, in a window of its own. */
  readonly prompt: boolean
  /** Resolves to the user with these credentials, or null; may reject, which becomes the answer's error. `address` is the client's. */
  readonly verify: (username: string, password: string, address: string) => Promise<UserRow | null>
}

/** HTTP Basic (RFC 7617): an e-mail address and a password with each request. With `charset` (section 2.1) clients know to send UTF-8. */
export class BasicScheme implements Scheme {
  readonly challenges: readonly string[]
  readonly browserChallenges: readonly string[]
  readonly #verify: BasicSchemeParts['verify']

  constructor({ realm, prompt, verify }: BasicSchemeParts) {
    this.challenges = [`Basic realm=${quoted(realm)}, charset="UTF-8"`]
    this.browserChallenges = prompt ? this.challenges : []
    this.#verify = verify
  }

  find({ raw }: HttpCall): Finding | Promise<Finding> {
    const { authorization } = raw
    if (authorization?.username === undefined) return null
    raw.triedAccount = authorization.username
    return this.#verify(authorization.username, authorization.password, raw.ip).then((user) => (user === null ? 'refused' : { kind: 'user', user }))
  }
}

/** A realm in a challenge (RFC 9110, 11.5). */
export function quoted(realm: string): string {
  return `"${realm.replaceAll(/[^\x20-\x7e]/gu, '?').replaceAll(/["\\]/g, '\\$&')}"`
}
