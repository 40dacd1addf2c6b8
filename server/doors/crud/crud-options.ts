import type { ChangesOf, ColumnNames, RowReference, TableRow, VisibleNames } from '../../../db/rows/row-types.js'
import type { JsonValue } from '../../../db/values/json-value.js'
import type { AuthenticateUsers, EndpointSettings } from '../../endpoint/options.js'
import type { Parameters } from '../../endpoint/parameters.js'
import type { RequestOf } from '../endpoints/declare-endpoint.js'

/** What can be opened of a table. */
export type CrudOperation = 'list' | 'read' | 'create' | 'update' | 'delete'

/** All that can be opened of a table. */
export const crudOperations: readonly CrudOperation[] = ['list', 'read', 'create', 'update', 'delete']

/** The `link` and `links` columns of a row. */
type LinkNames<R> = {
  [C in ColumnNames<R> & keyof R]: NonNullable<R[C]> extends
    RowReference<TableRow<string>> | readonly RowReference<TableRow<string>>[]
    ? C
    : never
}[ColumnNames<R> & keyof R]

/** A row that a column links to. */
type Linked<Value> =
  Value extends RowReference<infer R> ? R : Value extends readonly RowReference<infer R>[] ? R : never

/** The columns that say which user a row belongs to: those that are `link('users')`. */
type OwnerNames<R> = {
  [C in ColumnNames<R> & keyof R]: NonNullable<R[C]> extends RowReference<TableRow<'users'>> ? C : never
}[ColumnNames<R> & keyof R]

/** Which rows a caller may link to: any, or those whose column `ownedBy` links to the signed-in user. */
type LinkRule<Owner extends string> = 'any' | { readonly ownedBy: Owner }

/** What a `validate` function is told beside the values. */
export interface CrudContext<R, SignedIn extends AuthenticateUsers = AuthenticateUsers> {
  /** The row before the change; null when one is to be added. */
  readonly row: R | null
  /** The signed-in user; null where nobody is. */
  readonly user: RequestOf<JsonValue | null, SignedIn>['user']
  readonly request: RequestOf<JsonValue | null, SignedIn>
}

/** The options that these endpoints share with others. */
export type SharedSettings<SignedIn extends AuthenticateUsers = AuthenticateUsers> = Omit<
  EndpointSettings<Parameters, unknown, SignedIn>,
  'methods' | 'params' | 'body'
>

/** What an author says of the endpoints of a table; the options of endpoints hold for all of them, and it has to be said who gets in. */
export type CrudOptions<R, SignedIn extends AuthenticateUsers = AuthenticateUsers> = CrudSettings<R, SignedIn> &
  CrudAccess

/** One of these has to be said, so that nothing is open by oversight. The compiler's message names the last. */
type CrudAccess =
  { readonly public: boolean } | { readonly authenticate_users: boolean } | { readonly authenticateUsers: boolean }

interface CrudSettings<R, SignedIn extends AuthenticateUsers> extends SharedSettings<SignedIn> {
  /** The columns that are sent and may be written, beside `id`; all that are not hidden, but for the owner, by default. */
  readonly columns?: readonly VisibleNames<R>[]
  /** Columns that are sent and not written. */
  readonly readOnly?: readonly VisibleNames<R>[]
  /** The `link('users')` column that says whose row it is: users see and change rows of their own, and no others. */
  readonly ownedBy?: OwnerNames<R>
  /** What is opened; everything by default. */
  readonly only?: readonly CrudOperation[]
  /** Which rows a link may be set to. With `ownedBy` each link that can be written needs a rule, but for those to rows of the same table, which have to be one's own. */
  readonly links?: { readonly [C in LinkNames<R>]?: LinkRule<OwnerNames<Linked<R[C]>>> }
  /** Unique columns of which every user may learn, by trying, that somebody else has a value already. */
  readonly sharedUnique?: readonly ColumnNames<R>[]
  /**
   * Looks at what is to be written, inside the transaction that writes it, after types and links were checked. It may throw an `HttpError`, and then nothing is written,
   * or return other values to be written in place of these. After a conflict it may run again.
   */
  validate?(values: ChangesOf<R>, context: CrudContext<R, SignedIn>): ChangesOf<R> | void | Promise<ChangesOf<R> | void>
  /** `true` lets everybody in, signed in or not. */
  readonly public?: boolean
}
