import { DatabaseFailure, TableError } from '../errors/errors.js'
import { translateError } from './translate-error.js'

/** Who wants to know when something is wrong with the database as a whole. */
interface FailureListeners {
  /** The database can no longer be trusted; told once. */
  readonly onFailure: (failure: DatabaseFailure) => void
  /** A write found the disk full; told each time. */
  readonly onDiskFull: () => void
}

/** Remembers the first failure after which the database can no longer be trusted. Everything that writes asks it first. */
export class FailureLatch {
  readonly #listeners: FailureListeners
  #failure: DatabaseFailure | undefined

  constructor(listeners: FailureListeners) {
    this.#listeners = listeners
  }

  get failure(): DatabaseFailure | undefined {
    return this.#failure
  }

  /** Remembers the failure and tells the owner of the database, the first time only. */
  report(failure: DatabaseFailure): void {
    if (this.#failure !== undefined) return
    this.#failure = failure
    this.#listeners.onFailure(failure)
  }

  /** Translates what the driver threw, and remembers it when it is a failure of the database. */
  translate(error: unknown): Error {
    const translated = translateError(error)
    if (translated instanceof DatabaseFailure) this.report(translated)
    if (translated instanceof TableError && translated.code === 'disk-full') this.#listeners.onDiskFull()
    return translated
  }
}
