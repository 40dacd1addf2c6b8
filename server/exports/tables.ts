import { defineTables as define, type Declarations, type SchemaOf } from '../../db/schema/define-tables.js'
import type { Tables } from '../../db/rows/row-types.js'
import type { TransactionOptions } from '../../db/transactions/transactions.js'
import { currentRegistry } from '../call/current-registry.js'
import { currentApp } from './running-app.js'

/**
 * Declares the tables of the app, all of them in one call. The table `users` is always there; `users: usersTable({ … })` adds columns to it.
 *
 * @throws SchemaError that tells all mistakes of the declaration at once; it stops the start
 *
 * @example export const tables = defineTables({ tasks: table({ title: text(), owner: link('users') }) })
 */
export function defineTables<D extends Declarations>(declarations: D): Tables<SchemaOf<D>> {
  const registry = currentRegistry('defineTables()')
  const tables = define(declarations)
  registry.addTables(tables)
  return tables
}

/**
 * Runs `work` in a transaction: all that it writes or nothing. Reads inside see its own writes; nobody else sees half of it or writes in between, whatever it awaits.
 * Inside another transaction it joins that one.
 *
 * @throws whatever `work` throws, after the transaction was rolled back
 * @throws TableError `transaction-ended` when no statement ran for ten seconds
 */
export function transaction<Result>(work: () => Promise<Result>, options?: TransactionOptions): Promise<Result> {
  return currentApp('transaction()').database.transaction(work, options)
}

/**
 * Runs `callback` once the current transaction is on the disk, at once outside of one: for what happens in the outside world, such as sending a mail.
 * What it throws is logged.
 */
export function onCommit(callback: () => unknown): void {
  currentApp('onCommit()').database.onCommit(callback)
}
