import type { UserRow } from '../../../db/schema/users-table.js'
import type { HttpCall } from '../http-call.js'
import type { Finding, Scheme } from './scheme.js'

/** What HTTP Basic works with. */
export interface BasicSchemeParts {
  /** Names the protected area to the person who is asked for a password. Characters outside of printable ASCII are shown as `?`. */
  readonly realm: string
  /** Resolves to the user with these credentials, or null; may reject, which becomes the answer's error. `address` is the client's. */
  readonly verify: (username: string, password: string, address: string) => Promise<UserRow | null>
}

/** HTTP Basic (RFC 7617): an e-mail address and a password with each request. */
export class BasicScheme implements Scheme {
  readonly challenges: readonly string[]
  readonly #verify: BasicSchemeParts['verify']

  constructor({ realm, verify }: BasicSchemeParts) {
    this.challenges = [challengeFor(realm)]
    this.#verify = verify
  }

  find({ raw }: HttpCall): Finding | Promise<Finding> {
    const { authorization } = raw
    if (authorization?.username === undefined) return null
    raw.triedAccount = authorization.username
    return this.#verify(authorization.username, authorization.password, raw.ip).then((user) => (user === null ? 'refused' : { kind: 'user', user }))
  }
}

/** RFC 7617 section 2.1: with `charset`, clients know to send UTF-8. */
function challengeFor(realm: string): string {
  const printable = realm.replaceAll(/[^\x20-\x7e]/gu, '?').replaceAll(/["\\]/g, '\\$&')
  return `Basic realm="${printable}", charset="UTF-8"`
}
