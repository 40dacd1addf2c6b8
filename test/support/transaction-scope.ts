import { AsyncLocalStorage } from 'node:async_hooks'
import type { Transaction } from '../../dist/db/transactions/transaction.js'
import type { TransactionScope } from '../../dist/db/transactions/transaction-scope.js'

/** Follows code for a database that is opened without a server. */
export function transactionScope(): TransactionScope {
  const storage = new AsyncLocalStorage<Transaction | undefined>()
  return { current: () => storage.getStore(), run: (transaction, work) => storage.run(transaction, work) }
}
