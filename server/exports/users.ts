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

  /**
   * Adds a user, enabled. The address is stored without the spaces around it.
   *
   * @param columns values for columns of the app's own
   * @throws errors of the codes `not-an-email`, `email-taken` and `weak-password`, which say what is wrong and answer the
   * request with 400 or 409; `hashing-overloaded`, a 503, when too many passwords wait to be hashed
   * @throws TableError when a column of the app's own lacks a value, or refuses the one it gets
   */
  add(email: string, password: string, columns: Readonly<Record<string, unknown>> = {}): Promise<UserRow> {
    return currentApp('users.add()').users.add(email, password, columns)
  },

  /**
   * Replaces the password of a user and ends what was granted to the old one.
   *
   * @throws errors of the codes `no-such-user` and `weak-password`; `hashing-overloaded` as {@link add} does
   */
  setPassword(email: string, password: string): Promise<void> {
    return currentApp('users.setPassword()').users.setPassword(email, password)
  },
} as const
