import { DatabaseFailure, NotUnique, TableError } from '../errors/errors.js'

/** Whether the error means that somebody else holds a lock which will be free again soon. */
export function isBusy(error: unknown): boolean {
  const code = driverCode(error)
  return code !== undefined && (code.startsWith('SQLITE_BUSY') || code === 'SQLITE_PROTOCOL')
}

/** The code of an error that SQLite raised, such as `SQLITE_CONSTRAINT_UNIQUE`; `undefined` for any other value. */
export function driverCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined
  return error.code.startsWith('SQLITE_') ? error.code : undefined
}

/**
 * Turns what the driver threw into a {@link TableError} or a {@link DatabaseFailure}.
 * Anything else, such as a syntax error in a statement of our own, comes back as it was: it is a mistake in the program, not in the data.
 * SQLite's messages name tables and columns, never values; see https://sqlite.org/rescode.html for the codes.
 */
export function translateError(error: unknown): Error {
  if (error instanceof TableError || error instanceof DatabaseFailure) return error
  if (!(error instanceof Error)) return new Error('the driver threw something that is no error', { cause: error })
  const code = driverCode(error)
  if (code === undefined) return error
  return tableError(code, error) ?? databaseFailure(code, error) ?? error
}

function tableError(code: string, error: Error): TableError | undefined {
  switch (code) {
    case 'SQLITE_CONSTRAINT_UNIQUE':
    case 'SQLITE_CONSTRAINT_PRIMARYKEY':
    case 'SQLITE_CONSTRAINT_ROWID':
      return notUnique(error)
    case 'SQLITE_CONSTRAINT_NOTNULL':
      return missingValue(error)
    // The trigger is SQLite's own, which carries out ON DELETE RESTRICT.
    case 'SQLITE_CONSTRAINT_TRIGGER':
    case 'SQLITE_CONSTRAINT_FOREIGNKEY':
      return new TableError('broken-link', 'a link would point to a row that is not there: it was deleted, or the row to delete is still linked to', {
        cause: error,
      })
    case 'SQLITE_CONSTRAINT_CHECK':
    case 'SQLITE_CONSTRAINT_DATATYPE':
    case 'SQLITE_MISMATCH':
      return new TableError('wrong-type', `the database refused a value: ${error.message}`, { cause: error })
    case 'SQLITE_TOOBIG':
      return new TableError('wrong-type', 'a value is larger than the database can store; the limit is 1,000,000,000 bytes', { cause: error })
    case 'SQLITE_FULL':
    // The wal-index is a file beside the database; on a full disk it cannot grow.
    case 'SQLITE_IOERR_SHMSIZE':
      return new TableError('disk-full', 'the disk that holds the database is full; nothing was written', { cause: error })
    default:
      if (isBusy(error) || code.startsWith('SQLITE_LOCKED')) {
        return new TableError('busy', 'another process kept the database locked; nothing was written, try again', { cause: error })
      }
      return undefined
  }
}

const failures: Readonly<Record<string, string>> = {
  SQLITE_CORRUPT: 'the database file is damaged; stop the server and restore a backup',
  SQLITE_NOTADB: 'the database file is not an SQLite database (any more); stop the server and restore a backup',
  SQLITE_IOERR: 'the disk failed while the database was read or written; check the disk and restart',
  SQLITE_NOMEM: 'there is not enough memory for the database; give the process more and restart',
  SQLITE_CANTOPEN: 'a file of the database cannot be opened; check the data folder and its permissions, and restart',
  SQLITE_READONLY: 'the database file cannot be written (any more); check the data folder and its permissions, and restart',
}

function databaseFailure(code: string, error: Error): DatabaseFailure | undefined {
  const [, primary] = /^(SQLITE_[A-Z]+)/.exec(code) ?? []
  const sentence = primary === undefined ? undefined : failures[primary]
  return sentence === undefined ? undefined : new DatabaseFailure(`${sentence} (${code})`, { cause: error })
}

/** Names the columns in a message such as `UNIQUE constraint failed: tasks.title, tasks.owner`, or the index of one such as `…: index 'by_title'`. */
function notUnique(error: Error): TableError {
  const names = named(error.message)
  const index = /^index '(.*)'$/.exec(names)
  if (index !== null) return new TableError('not-unique', `another row already has the value that the unique index ${index[1]} allows once`, { cause: error })
  const columns = names.split(', ').map((name) => name.split('.'))
  return new NotUnique(String(columns[0]?.[0]), columns.map(([, column]) => String(column)), { cause: error })
}

function missingValue(error: Error): TableError {
  const place = named(error.message)
  const [table = '', column = ''] = place.split('.')
  const message = `${place} needs a value, and none was given`
  return new TableError('missing-value', message, { cause: error, table, columns: [column] })
}

/** What comes after the colon in SQLite's messages about constraints. */
function named(message: string): string {
  return message.slice(message.indexOf(': ') + 2)
}
