import { describeGiven, isPlainObject } from '../../../db/errors/describe-value.js'
import type { UserRow } from '../../../db/schema/users-table.js'
import { currentRegistry } from '../../call/current-registry.js'
import type { DeclaredScheme } from '../../endpoint/registry.js'
import { DeclarationError, withPlace } from '../../errors/declaration-error.js'
import { suggestName } from '../../errors/nearest-name.js'
import { ResponseHeaders } from '../../http/reply/http-response.js'
import type { RowhouseRequest } from '../../http/request/request.js'

/** Finds out whose request it is: a row of `users`, or null where nothing of this scheme was sent, or it is wrong. */
export type Authenticate = (request: RowhouseRequest) => UserRow | null | Promise<UserRow | null>

/** What an author may say of a scheme. */
export interface AuthenticateOptions {
  /** How a 401 tells to use it, beside the other schemes: the value of `WWW-Authenticate`, or several, each sent as a line of its own. */
  readonly challenge?: string | readonly string[]
}

/**
 * Declares a way of the app's own to show who calls, such as its tokens or keys, for every endpoint that asks for a user. It runs before the body is read, and only where a user is asked for;
 * schemes are asked in the order of their declaration, after those of Rowhouse. The row is read anew: a disabled user is nobody.
 *
 * @throws DeclarationError when an argument is wrong; it stops the start
 *
 * @example authenticate(async ({ authorization }) => (authorization?.scheme === 'bearer' ? userOfToken(authorization.token) : null), { challenge: 'Bearer realm="articles"' })
 */
export function authenticate(find: Authenticate, options: AuthenticateOptions = {}): void {
  const registry = currentRegistry('authenticate()')
  const source = registry.callSite()
  withPlace(source, () => {
    if (typeof find !== 'function') throw new DeclarationError(`authenticate() takes a function as its first argument, got ${describeGiven(find)}`)
    registry.addScheme({ authenticate: find, challenges: readChallenges(options), source })
  })
}

function readChallenges(options: unknown): DeclaredScheme['challenges'] {
  if (!isPlainObject(options)) throw new DeclarationError(`authenticate() takes its options as an object, such as { challenge: 'Bearer realm="articles"' }, got ${describeGiven(options)}`)
  const unknown = Object.keys(options).find((name) => name !== 'challenge')
  if (unknown !== undefined) throw new DeclarationError(`authenticate() has no option "${unknown}"; ${suggestName(unknown, ['challenge'])}`)
  const challenges: readonly unknown[] = options['challenge'] === undefined ? [] : [options['challenge']].flat()
  return challenges.map((challenge) => {
    if (typeof challenge !== 'string' || challenge.trim() === '') throw new DeclarationError(`authenticate() takes a text such as 'Bearer realm="articles"' as challenge, or a list of them, got ${describeGiven(challenge)}`)
    try {
      void new ResponseHeaders({ 'www-authenticate': challenge })
    } catch {
      throw new DeclarationError(`authenticate() takes a challenge that can stand in a header, got ${describeGiven(challenge)}`)
    }
    return challenge
  })
}
