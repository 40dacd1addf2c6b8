import { AsyncLocalStorage } from 'node:async_hooks'
import type { Transaction } from '../../db/transactions/transaction.js'
import type { TransactionScope } from '../../db/transactions/transaction-scope.js'
import type { Endpoint } from '../endpoint/endpoint.js'
import type { Registry } from '../endpoint/registry.js'
import type { CallCookies } from '../http/cookies/call-cookies.js'
import type { RowhouseRequest } from '../http/request/request.js'
import type { CallSession } from './call-session.js'
import type { CallWrites } from './call-writes.js'
import type { Deadline } from './deadlines.js'
import type { Principal } from './principal.js'

/** An app, as far as a call knows it: something to tell apps apart by. What belongs to it is found by the rooms above. */
export interface AppHandle {
  /** For messages. */
  readonly name: string
}

/** Why the app's code runs: to answer a request, or because its modules are being loaded. */
export type CallKind = 'http' | 'load'

/** One run of an app's code: what that code may ask about, however many awaits later. */
export interface Call {
  readonly app: AppHandle
  readonly kind: CallKind
  /** By which its lines in the log are found; null where no request has caused it. */
  readonly requestId: string | null
  /** Null where none was found for the request, whose error is being answered, and for other kinds of calls. */
  readonly endpoint: Endpoint | null
  /** What of the app runs, for the log: `the handler at modules/tasks.ts:3`; null where that is nothing in particular. */
  readonly place: string | null
  readonly request: RowhouseRequest | null
  readonly principal: Principal
  /** Rowhouse's own cookies in its request and answer; null where there are none to be. */
  readonly cookies: CallCookies | null
  /** What the browser behind it keeps; null where there is none to be. */
  readonly session: CallSession | null
  /** Aborts when nobody waits for its outcome any more; the code still runs to its end. */
  readonly signal: AbortSignal
  /** Runs out when it has to be over; null as long as nothing had to be waited for. */
  deadline: Deadline | null
  /** What has to reach the disk before anybody is told of its outcome. */
  readonly writes: CallWrites
  /** What its code has set for the rest of it, by what it was declared as; null as long as there is nothing. */
  values: Map<object, unknown> | null
  /** Where what the code declares goes to; null once an app has been loaded. */
  readonly declarations: Registry | null
}

/** Where the running code is: in a call, or in none, and in at most one transaction of each database. */
interface Context {
  readonly call: Call | null
  readonly transaction: TransactionEntry | null
}

/** One transaction that the running code is in, or has stepped out of, and those that it was in before. */
interface TransactionEntry {
  readonly scope: CallScope
  readonly transaction: Transaction | undefined
  readonly outer: TransactionEntry | null
}

/** The only place that follows code across its awaits. Everything that depends on who is running what is found by way of it. */
const contexts = new AsyncLocalStorage<Context>()

const nowhere: Context = Object.freeze({ call: null, transaction: null })

/** Runs `work` as `call`, and in no transaction. */
export function runCall<Argument, Result>(call: Call, work: (argument: Argument) => Result, argument: Argument): Result {
  return contexts.run({ call, transaction: null }, work, argument)
}

/** Runs `work` in no call and no transaction: for what outlives the call that happens to start it. */
export function runOutside<Result>(work: () => Result): Result {
  return contexts.run(nowhere, work)
}

/** The call that the running code belongs to, or null. */
export function currentCall(): Call | null {
  return contexts.getStore()?.call ?? null
}

/**
 * Keeps, for one database, which transaction the running code is in. Entering one makes a child of the call's context: what runs beside it in the same call is not in the transaction,
 * and transactions of other databases go on.
 */
export class CallScope implements TransactionScope {
  current(): Transaction | undefined {
    for (let entry = contexts.getStore()?.transaction ?? null; entry !== null; entry = entry.outer) {
      if (entry.scope === this) return entry.transaction
    }
    return undefined
  }

  run<Result>(transaction: Transaction | undefined, work: () => Result): Result {
    const context = contexts.getStore()
    const outer = without(this, context?.transaction ?? null)
    return contexts.run({ call: context?.call ?? null, transaction: { scope: this, transaction, outer } }, work)
  }
}

/** The entries of other databases: what code steps into again and again must not make a chain that grows. */
function without(scope: CallScope, entry: TransactionEntry | null): TransactionEntry | null {
  if (entry === null) return null
  const outer = without(scope, entry.outer)
  if (entry.scope === scope) return outer
  return outer === entry.outer ? entry : { ...entry, outer }
}
