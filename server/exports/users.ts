import type { UserRow } from '../../db/schema/users-table.js'
import { currentCall } from '../call/call.js'

/** The users of the app, as its modules see them. */
export const users = {
  /**
   * The user of the current call: the one whose credentials were verified, or null where the endpoint does not ask for any.
   *
   * @throws Error outside of a call
   */
  getUser(): UserRow | null {
    const call = currentCall()
    if (call === null || call.kind === 'load') throw new Error('users.getUser() is only available while an endpoint runs')
    return call.principal.kind === 'user' ? call.principal.user : null
  },
} as const
