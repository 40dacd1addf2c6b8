import type { UserRow } from '../../db/schema/users-table.js'

/** Somebody whose row in `users` was found. */
export interface UserPrincipal {
  readonly kind: 'user'
  readonly user: UserRow
}

/** Nobody in particular: no credentials were asked for. */
export interface Nobody {
  readonly kind: 'nobody'
}

/** Who a call is made by. It is decided once, before the call begins. */
export type Principal = UserPrincipal | Nobody

const nobody: Nobody = Object.freeze({ kind: 'nobody' })

/** The principal that a user is; nobody where there is none. */
export function principalOf(user: UserRow | null): Principal {
  return user === null ? nobody : { kind: 'user', user }
}
