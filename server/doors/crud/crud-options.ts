import type { LinkTo, TraitsOf } from '../../../db/columns/columns.js'
import type { Changes, ColumnNames, RowOf, Schema } from '../../../db/rows/row-types.js'
import type { UserRow } from '../../../db/schema/users-table.js'
import type { EndpointSettings } from '../../endpoint/options.js'
import type { RowhouseRequest } from '../../http/request/request.js'

/** What can be opened of a table. */
export type CrudOperation = 'list' | 'read' | 'create' | 'update' | 'delete'

/** All that can be opened of a table. */
export const crudOperations: readonly CrudOperation[] = ['list', 'read', 'create', 'update', 'delete']

/** The table that a column of these traits links to. */
type Target<S extends Schema, Name extends string, C extends ColumnNames<S, Name>> = TraitsOf<S[Name][C]>['value'] extends LinkTo<infer Linked> ? Linked : never

/** The columns of a table that may be sent. */
type VisibleNames<S extends Schema, Name extends string> = keyof {
  [C in ColumnNames<S, Name> as TraitsOf<S[Name][C]>['hidden'] extends true ? never : C]: true
}

/** The `link` and `links` columns of a table. */
type LinkNames<S extends Schema, Name extends string> = {
  [C in ColumnNames<S, Name>]: TraitsOf<S[Name][C]>['kind'] extends 'link' | 'links' ? C : never
}[ColumnNames<S, Name>]

/** The columns of a table that say which user a row belongs to: those that are `link('users')`. */
type OwnerNames<S extends Schema, Name extends string> = {
  [C in ColumnNames<S, Name>]: TraitsOf<S[Name][C]>['kind'] extends 'link' ? ([Target<S, Name, C>] extends ['users'] ? C : never) : never
}[ColumnNames<S, Name>]

/** Which rows a caller may link to: any, or those whose column `ownedBy` links to the signed-in user. */
type LinkRule<Owner extends string> = 'any' | { readonly ownedBy: Owner }

/** What a `validate` function is told beside the values. */
export interface CrudContext<S extends Schema, Name extends string> {
  /** The row before the change; null when one is to be added. */
  readonly row: RowOf<S, Name> | null
  /** The signed-in user, or null where nobody signs in. */
  readonly user: UserRow | null
  readonly request: RowhouseRequest
}

/** The options that these endpoints share with others. */
export type SharedSettings = Omit<EndpointSettings, 'methods' | 'params' | 'body'>

/** What an author says of the endpoints of a table; the options of endpoints hold for all of them, and it has to be said who gets in. */
export type CrudOptions<S extends Schema, Name extends string> = CrudSettings<S, Name> & CrudAccess

/** One of these has to be said, so that nothing is open by oversight. The compiler's message names the last. */
type CrudAccess = { readonly public: boolean } | { readonly authenticate_users: boolean } | { readonly authenticateUsers: boolean }

interface CrudSettings<S extends Schema, Name extends string> extends SharedSettings {
  /** The columns that are sent and may be written, beside `id`; all that are not hidden, but for the owner, by default. */
  readonly columns?: readonly VisibleNames<S, Name>[]
  /** Columns that are sent and not written. */
  readonly readOnly?: readonly VisibleNames<S, Name>[]
  /** The `link('users')` column that says whose row it is: users see and change rows of their own, and no others. */
  readonly ownedBy?: OwnerNames<S, Name>
  /** What is opened; everything by default. */
  readonly only?: readonly CrudOperation[]
  /** Which rows a link may be set to. With `ownedBy` each link that can be written needs a rule, but for those to rows of the same table, which have to be one's own. */
  readonly links?: { readonly [C in LinkNames<S, Name>]?: LinkRule<OwnerNames<S, Target<S, Name, C>>> }
  /** Unique columns of which every user may learn, by trying, that somebody else has a value already. */
  readonly sharedUnique?: readonly ColumnNames<S, Name>[]
  /**
   * Looks at what is to be written, inside the transaction that writes it, after types and links were checked. It may throw an `HttpError`, and then nothing is written,
   * or return other values to be written in place of these. After a conflict it may run again.
   */
  validate?(values: Changes<S, Name>, context: CrudContext<S, Name>): Changes<S, Name> | void | Promise<Changes<S, Name> | void>
  /** `true` lets everybody in, signed in or not. */
  readonly public?: boolean
}
