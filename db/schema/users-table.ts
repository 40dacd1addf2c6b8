import { boolean, Column, datetime, integer, text, type Columns, type ColumnTraits } from '../columns/columns.js'
import { emailKey } from './email-key.js'
import type { RowOf, Table } from '../rows/row-types.js'
import { TableDeclaration } from '../columns/table-declaration.js'

interface EmailKeyTraits extends ColumnTraits {
  readonly kind: 'text'
  readonly value: string
  readonly input: never
  readonly required: true
  readonly defaulted: true
  readonly hidden: true
}

const userColumns = {
  /** The address as its owner typed it. */
  email: text().required(),
  /** False ends all access at once. */
  enabled: boolean().default(true).required(),
  confirmedEmail: boolean().default(false).required(),
  signedUp: datetime().default(() => new Date()),
  lastLogin: datetime(),
  passwordHash: text().hidden(),
  /** What accounts are matched by; follows `email` and cannot be written. */
  emailKey: new Column<EmailKeyTraits>({
    kind: 'text',
    required: true,
    unique: true,
    hidden: true,
    derived: { from: 'email', compute: emailKey, expected: 'an e-mail address without spaces, control characters and look-alikes of ASCII letters' },
  }),
  /** Goes up whenever everything that was granted to the user before has to end. */
  sessionEpoch: integer().default(0).required().hidden(),
} as const

/** The columns that `users` has in every app. */
export type UserColumns = typeof userColumns

/** The `users` table as the platform knows it, without the app's own columns. */
export type UsersTable = Table<{ readonly users: UserColumns }, 'users'>

/**
 * Lets an app tell TypeScript its tables, so that `users.getUser()` has the app's own columns:
 * `declare module 'rowhouse' { interface Register { tables: typeof tables } }`.
 */
export interface Register {}

/** A row of `users`: with the app's own columns once the app has registered its tables (see {@link Register}), else with the built-in ones. */
export type UserRow = Register extends { tables: { users: { getById(id: string): Promise<infer Row> } } }
  ? NonNullable<Row>
  : RowOf<{ readonly users: UserColumns }, 'users'>

/** Declares the `users` table with columns of the app's own beside the built-in ones. */
export function usersTable(): TableDeclaration<UserColumns>
export function usersTable<C extends Columns>(columns: C): TableDeclaration<UserColumns & C>
export function usersTable(columns: Columns = {}): TableDeclaration {
  const redeclared = Object.keys(columns).filter((name) => name in userColumns)
  return new TableDeclaration({ ...columns, ...userColumns }, [], { redeclared })
}
