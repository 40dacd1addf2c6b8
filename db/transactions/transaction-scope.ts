import type { Transaction } from './transaction.js'

/**
 * Keeps which transaction of a database the running code is in, across its awaits. The database declares it and is handed it, one for itself alone:
 * whoever runs code knows how to follow it.
 */
export interface TransactionScope {
  /** The transaction that the running code is in; undefined when it is in none. */
  current(): Transaction | undefined
  /** Runs `work`, and all that it starts, in `transaction`; with undefined, in none. */
  run<Result>(transaction: Transaction | undefined, work: () => Result): Result
}
