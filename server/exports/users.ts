import type { UserRow } from '../../db/schema/users-table.js'
import { currentCall } from '../call/call.js'
import { refusal } from '../http/http-error.js'
import { currentApp } from './running-app.js'

/** The users of the app, as its modules see them. */
export const users = {
  /**
   * The user of the current call: the one whose credentials were verified, or null where nobody is signed in.
   *
   * @throws Error outside of a call
   */
  getUser(): UserRow | null {
    const call = currentCall()
    if (call === null || call.kind === 'load') throw new Error('users.getUser() is only available while an endpoint runs')
    return call.principal.kind === 'user' ? call.principal.user : null
  },

  /**
   * The same, where there has to be one: never null.
   *
   * @throws HttpError 401 where nobody is signed in
   * @throws Error outside of a call
   */
  requireUser(): UserRow {
    const user = users.getUser()
    if (user !== null) return user
    const { challenges } = currentApp('users.requireUser()')
    throw refusal('unauthorized', 'Unauthorized', { headers: { 'www-authenticate': challenges } })
  },
} as const
