import type { UserRow } from '../../db/schema/users-table.js'

/** Somebody who has a row in `users`. */
export interface UserPrincipal {
  readonly kind: 'user'
  readonly user: UserRow
}

/** Somebody of whom another party, such as the issuer of a token, has said who it is, and who has no row in `users`. */
export interface IdentityPrincipal {
  readonly kind: 'identity'
  readonly issuer: string
  /** Who it is to the issuer. */
  readonly subject: string
  /** What else the issuer says. */
  readonly claims: Readonly<Record<string, unknown>>
}

/** A program that holds a key of this app: a trusted one with a server key, or one that may do what anybody may. */
export interface KeyPrincipal {
  readonly kind: 'key'
  readonly name: string
  readonly isTrusted: boolean
}

/** Nobody in particular. */
export interface Nobody {
  readonly kind: 'nobody'
}

/** Who a call is made by. It is decided once, by the schemes of the pipeline. */
export type Principal = UserPrincipal | IdentityPrincipal | KeyPrincipal | Nobody

/** Who has shown no credentials, or was asked for none. */
export const nobody: Nobody = Object.freeze({ kind: 'nobody' })

/** By what a principal is found again in the log; undefined for nobody. */
export function principalId(principal: Principal): string | undefined {
  switch (principal.kind) {
    case 'user':
      return principal.user.id
    case 'identity':
      return `${principal.issuer} ${principal.subject}`
    case 'key':
      return principal.name
    case 'nobody':
      return undefined
  }
}
