import { boolean, Column, datetime, text, type Columns } from '../columns/columns.js'
import { storableAddress, storableEmailKey } from './email-key.js'
import type { ColumnRules, RowOf, rowPart, TableIn } from '../rows/row-types.js'
import { TableDeclaration } from '../columns/table-declaration.js'

/** Columns of a user's row that are for the platform alone. */
export interface HiddenUserColumns
  extends ColumnRules<{
    passwordHash: 'hidden' | 'guarded'
    emailKey: 'hidden' | 'derived'
    sessionEpoch: 'hidden' | 'guarded'
  }> {
  readonly passwordHash: string | null
  /** What accounts are matched by; follows `email` and cannot be written. */
  readonly emailKey: string
  /** Goes up whenever everything that was granted to the user before has to end. */
  readonly sessionEpoch: number
}

/** The columns that `users` has in every app. */
export type UserColumns = {
  /** The address as its owner typed it. */
  readonly email: Column<'text', 'required'>
  /** False ends all access at once. */
  readonly enabled: Column<'boolean', 'required' | 'defaulted'>
  readonly confirmedEmail: Column<'boolean', 'required' | 'defaulted'>
  readonly signedUp: Column<'datetime', 'nullable' | 'defaulted'>
  readonly lastLogin: Column<'datetime', 'nullable'>
  readonly passwordHash: Column<'text', 'nullable' | 'hidden' | 'guarded'>
  readonly emailKey: Column<'text', 'required' | 'hidden' | 'derived'>
  readonly sessionEpoch: Column<'integer', 'required' | 'defaulted' | 'hidden' | 'guarded'>
  readonly [rowPart]: HiddenUserColumns
}

// All but what exists in types only.
const userColumns: Omit<UserColumns, typeof rowPart> = {
  email: text().required(),
  enabled: boolean().default(true).required(),
  confirmedEmail: boolean().default(false).required(),
  signedUp: datetime().default(() => new Date()),
  lastLogin: datetime(),
  passwordHash: new Column({
    kind: 'text',
    hidden: true,
    guarded:
      'is written by the users service alone; ' +
      'set a password with users.setPassword() or `rowhouse users password`, or add a user with users.add()',
  }),
  emailKey: new Column({
    kind: 'text',
    required: true,
    unique: true,
    hidden: true,
    derived: { from: 'email', compute: storableEmailKey, expected: `an e-mail address ${storableAddress}` },
  }),
  sessionEpoch: new Column({
    kind: 'integer',
    default: { value: 0 },
    required: true,
    hidden: true,
    guarded: 'is written by the users service alone; `rowhouse users disable` ends what a user was granted',
    // What a user was granted before must not come back to life when the user is let in again.
    countsEndsOf: 'enabled',
  }),
}

/** The `users` table as the platform knows it, without the app's own columns. */
export type UsersTable = TableIn<{ readonly users: UserColumns }, 'users'>

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
