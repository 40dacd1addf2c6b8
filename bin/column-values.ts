import { InvalidArgumentError } from 'commander'
import { Column, type ColumnKind, type Columns } from '../db/columns/columns.js'
import type { Connection } from '../db/engine/engine.js'
import { readStoredTables } from '../db/schema/schema-definition.js'
import { usersTable } from '../db/schema/users-table.js'
import { readInstant } from '../db/values/calendar.js'
import { isKept } from '../db/values/kept-number.js'

/** Values for columns that an app has added to `users`, with as much of a declaration as writing them takes. */
export interface ColumnValues {
  readonly columns: Columns
  readonly values: Readonly<Record<string, unknown>>
}

/** A `--set` that the users of this app cannot have; the message is one sentence. */
export class ColumnValueError extends Error {
  override readonly name = 'ColumnValueError'
}

interface Notation {
  readonly expected: string
  /** Undefined when the text is none of these. */
  readonly read: (text: string) => unknown
}

/** How a value is written on a command line. A value of any other type has no such form, or leads to tables that only the app declares. */
const notations: { readonly [Kind in ColumnKind]?: Notation } = {
  text: { expected: 'a text', read: (text) => text },
  number: { expected: 'a number that can be kept as it is', read: readNumber },
  integer: { expected: 'a whole number between -(2^53 - 1) and 2^53 - 1', read: readNumber },
  boolean: { expected: 'true or false', read: (text) => ({ true: true, false: false })[text] },
  date: { expected: 'a date, YYYY-MM-DD', read: (text) => text },
  datetime: { expected: 'an instant with its zone, such as 2026-01-31T09:05:00Z', read: (text) => readInstant(text) ?? undefined },
}

/** Reads one more `name=value`; what comes after the first `=` is the value. @throws InvalidArgumentError */
export function addAssignment(text: string, before: ReadonlyMap<string, string> = new Map()): Map<string, string> {
  const [, name, value] = /^(\w+)=([\s\S]*)$/.exec(text) ?? []
  if (name === undefined || value === undefined) throw new InvalidArgumentError('Expected name=value.')
  if (before.has(name)) throw new InvalidArgumentError(`${name} is set twice.`)
  return new Map([...before, [name, value]])
}

/**
 * Gives the texts the types that the columns have in the database, since only the app itself knows its declarations.
 *
 * @throws ColumnValueError
 */
export async function readColumnValues(connection: Connection, given: ReadonlyMap<string, string>): Promise<ColumnValues> {
  const stored = (await readStoredTables(connection)).find(({ name }) => name === 'users')?.definition.columns ?? {}
  const builtIn = usersTable().columns
  const own = Object.keys(stored).filter((name) => !Object.hasOwn(builtIn, name))
  const columns: Record<string, Column> = {}
  const values: Record<string, unknown> = {}
  for (const [name, text] of given) {
    const column = own.includes(name) ? stored[name] : undefined
    if (column === undefined) {
      const known = own.length === 0 ? 'it has none' : `they are ${own.join(', ')}`
      throw new ColumnValueError(`--set takes the columns that the app has added to users, and ${name} is none of them; ${known}`)
    }
    const notation = notations[column.type]
    if (notation === undefined) {
      const possible = Object.keys(notations).join(', ')
      throw new ColumnValueError(`--set takes values of the types ${possible}, and users.${name} is of type ${column.type}; let the app itself write it, and do not require it`)
    }
    const value = notation.read(text)
    if (value === undefined) throw new ColumnValueError(`users.${name}: expected ${notation.expected}, got another text`)
    columns[name] = new Column({ kind: column.type, ...(column.required === true && { required: true }) })
    values[name] = value
  }
  return { columns, values }
}

/** One that would be rounded is none that could be written. */
function readNumber(text: string): number | undefined {
  return /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text) && isKept(text) ? Number(text) : undefined
}
