import { Refusal } from '../columns/codec.js'
import { describeValue, isPlainObject } from '../errors/describe-value.js'
import type { SqlValue } from '../engine/engine.js'
import { TableError, type TableErrorCode } from '../errors/errors.js'
import { mayWriteGuarded } from './guarded-values.js'
import { isSpreadRow, spreadMistake } from './spread-row.js'
import type { LaidOutColumn, TableLayout } from './table-layout.js'

/** Some columns of a row with the values to be written, encoded, in the order of the declaration. */
export interface WrittenValues {
  readonly columns: readonly string[]
  readonly values: readonly SqlValue[]
}

/** Encodes a row to be added: a value for each column of the table. @throws TableError */
export function encodeNewRow(layout: TableLayout, given: unknown): SqlValue[] {
  const written = ownValues(layout, given, 'a row to add')
  return layout.columns.map((column) => {
    const value = written.get(column)
    return value === undefined ? encodeDefault(layout, column) : encodeValue(layout, column, value)
  })
}

/** Encodes the columns that are to be written; those that are undefined are not. @throws TableError */
export function encodeChanges(layout: TableLayout, given: unknown): WrittenValues {
  const written = ownValues(layout, given, 'the columns to write')
  const columns: string[] = []
  const values: SqlValue[] = []
  for (const column of layout.columns) {
    const value = written.get(column)
    if (value === undefined) continue
    columns.push(column.name)
    values.push(encodeValue(layout, column, value))
  }
  return { columns, values }
}

/** Encodes a value that came from outside for a column. @throws TableError that names table and column, and the types of what was expected and what came */
function encodeValue(layout: TableLayout, column: LaidOutColumn, value: unknown): SqlValue {
  if (value === null) {
    if (column.settings.required !== true) return null
    throw refused('missing-value', layout, column, 'is required: expected a value, got null')
  }
  return encodePresent(layout, column, value)
}

/** The same for a value that is compared, where null is as good as any. */
export function encodeCompared(layout: TableLayout, column: LaidOutColumn, value: unknown): SqlValue {
  return value === null ? null : encodePresent(layout, column, value)
}

function encodePresent(layout: TableLayout, column: LaidOutColumn, value: unknown): SqlValue {
  try {
    return column.codec.encode(value)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    const got = error.got ?? describeValue(value)
    throw refused('wrong-type', layout, column, `expected ${error.expected}, got ${got}`)
  }
}

/** Encodes what a row gets that is added without this column. @throws TableError */
export function encodeDefault(layout: TableLayout, column: LaidOutColumn): SqlValue {
  if (column.settings.hidden !== true) return encodeOwnDefault(layout, column)
  try {
    return encodeOwnDefault(layout, column)
  } catch (error) {
    if (!(error instanceof TableError)) throw error
    // Whoever asked has not named this column, and the message may be shown to anybody.
    const message = `${layout.name}: a hidden column did not get a value that it takes`
    throw new TableError(error.code, message, { cause: error, table: layout.name })
  }
}

function encodeOwnDefault(layout: TableLayout, column: LaidOutColumn): SqlValue {
  const { default: declared, required } = column.settings
  if (declared !== undefined) return encodeValue(layout, column, 'make' in declared ? declared.make() : declared.value)
  if (required !== true) return null
  throw refused('missing-value', layout, column, 'is required, and no value was given')
}

/** The values by column, those derived from others included. Only what the object itself has counts, never what it inherits. */
function ownValues(layout: TableLayout, given: unknown, what: string): ReadonlyMap<LaidOutColumn, unknown> {
  if (!isPlainObject(given)) {
    const message = `${layout.name}: expected a plain object with ${what}, got ${describeValue(given)}`
    throw new TableError('wrong-type', message, { table: layout.name })
  }
  if (isSpreadRow(given)) throw new TypeError(`${layout.name}: a row was spread to make ${what}: ${spreadMistake}`)
  const values = new Map<LaidOutColumn, unknown>()
  for (const name of Object.keys(given)) {
    const column = layout.column(name)
    if (column.settings.derived !== undefined && given[name] !== undefined) {
      const { from } = column.settings.derived
      throw refused('read-only', layout, column, `follows ${layout.name}.${from} and cannot be written`)
    }
    const { guarded } = column.settings
    if (guarded !== undefined && given[name] !== undefined && !mayWriteGuarded(given, name)) {
      throw refused('read-only', layout, column, guarded)
    }
    values.set(column, given[name])
  }
  for (const column of layout.derivedColumns) derive(layout, column, values)
  return values
}

function derive(layout: TableLayout, column: LaidOutColumn, values: Map<LaidOutColumn, unknown>): void {
  const { derived } = column.settings
  if (derived === undefined) return
  const source = layout.column(derived.from)
  const value = values.get(source)
  // Anything but a text is refused for the source column itself.
  if (typeof value !== 'string') return
  const result = derived.compute(value)
  if (result === null) throw refused('wrong-type', layout, source, `expected ${derived.expected}, got another text`)
  values.set(column, result)
}

/** The error of one column: `tasks.title: expected a text, got a number`, or `tasks.title is required, …`. */
function refused(code: TableErrorCode, layout: TableLayout, { name }: LaidOutColumn, what: string): TableError {
  const place = `${layout.name}.${name}${code === 'wrong-type' ? ':' : ''}`
  return new TableError(code, `${place} ${what}`, { table: layout.name, columns: [name] })
}
