/** What went wrong with a table, for the program that asked: each code has one cause and one remedy. */
export type TableErrorCode =
  | 'unknown-column'
  | 'unsearchable-column'
  | 'wrong-type'
  | 'missing-value'
  | 'not-unique'
  | 'broken-link'
  | 'several-rows'
  | 'row-deleted'
  | 'row-changed'
  | 'bad-cursor'
  | 'bad-query'
  | 'read-only'
  | 'transaction-ended'
  | 'disk-full'
  | 'busy'

/** What an error is about, beside its cause. */
interface TableErrorOptions extends ErrorOptions {
  readonly table?: string | null
  readonly columns?: readonly string[]
}

/**
 * A request to a table that cannot be carried out. The message names table, column, what was expected and what came (its type, never a stored value),
 * so that it can be shown to the caller of an API.
 */
export class TableError extends Error {
  override readonly name: string = 'TableError'
  /** The name of the table; null where it is not known, or the error is about none. */
  readonly table: string | null
  /** The columns that the message is about, and no hidden one that it does not tell; often none. */
  readonly columns: readonly string[]

  constructor(
    readonly code: TableErrorCode,
    message: string,
    options: TableErrorOptions = {},
  ) {
    super(message, options)
    this.table = options.table ?? null
    this.columns = options.columns ?? []
  }
}

/** Thrown by `row.update()` and `row.reload()` when the row is no longer there. */
export class RowDeleted extends TableError {
  override readonly name = 'RowDeleted'

  constructor(table: string, id: string) {
    super('row-deleted', `row ${id} of table ${table} has been deleted`, { table })
  }
}

/** The error of a unique index, with what the database knows of it. Whoever knows what is hidden words it for the caller. */
export class NotUnique extends TableError {
  constructor(table: string, columns: readonly string[], options: ErrorOptions = {}) {
    const message = `table ${table} already has a row with this ${columns.join(' and ')}`
    super('not-unique', message, { ...options, table, columns })
  }
}

/** The declared tables and the stored ones differ in a way that could lose data; the start stops with this message. */
export class SchemaError extends Error {
  override readonly name = 'SchemaError'
}

/** The database cannot be opened, or can no longer be trusted: the process has to stop. The message is one sentence that says what to do. */
export class DatabaseFailure extends Error {
  override readonly name = 'DatabaseFailure'
}
