import { Refusal } from '../columns/codec.js'
import { describeValue, isPlainObject } from '../errors/describe-value.js'
import type { SqlValue } from '../engine/engine.js'
import { TableError, type TableErrorCode } from '../errors/errors.js'
import { withGiven } from '../errors/given.js'
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
    throw refusal('missing-value', layout, column, 'is required: expected a value, got null')
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
    throw withGiven(refusal('wrong-type', layout, column, `expected ${error.expected}, got ${got}`), { names: [column.name], values: [value] })
  }
}

/** Encodes what a row gets that is added without this column. @throws TableError */
export function encodeDefault(layout: TableLayout, column: LaidOutColumn): SqlValue {
  const { default: declared, required } = column.settings
  if (declared !== undefined) return encodeValue(layout, column, 'make' in declared ? declared.make() : declared.value)
  if (required !== true) return null
  throw refusal('missing-value', layout, column, 'is required, and no value was given')
}

/** The values by column, those derived from others included. Only what the object itself has counts, never what it inherits. */
function ownValues(layout: TableLayout, given: unknown, what: string): ReadonlyMap<LaidOutColumn, unknown> {
  if (!isPlainObject(given)) throw wrongArgument(layout, `a plain object with ${what}`, given)
  if (isSpreadRow(given)) throw new TypeError(`${layout.name}: a row was spread to make ${what}: ${spreadMistake}`)
  const values = new Map<LaidOutColumn, unknown>()
  for (const name of Object.keys(given)) {
    const column = layout.column(name)
    if (column.settings.derived !== undefined && given[name] !== undefined) {
      const { from } = column.settings.derived
      throw readOnly(layout, column, `follows ${layout.name}.${from} and cannot be written`)
    }
    const { guarded } = column.settings
    if (guarded !== undefined && given[name] !== undefined && !mayWriteGuarded(given, name)) {
      throw readOnly(layout, column, guarded)
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
  if (result === null) {
    const given = { names: [source.name], values: [value] }
    throw withGiven(refusal('wrong-type', layout, source, `expected ${derived.expected}, got another text`), given)
  }
  values.set(column, result)
}

/** The error of a call that was given something else than what it takes. */
export function wrongArgument({ name: table }: TableLayout, expected: string, value: unknown): TableError {
  const error = new TableError('wrong-type', `${table}: expected ${expected}, got ${describeValue(value)}`, { table })
  return withGiven(error, { names: [], values: [value] })
}

function readOnly({ name: table }: TableLayout, { name }: LaidOutColumn, what: string): TableError {
  const error = new TableError('read-only', `${table}.${name} ${what}`, { table, columns: [name] })
  return withGiven(error, { names: [name], values: [] })
}

/**
 * The error of one column: `tasks.title: expected a text, got a number`, or `tasks.title is required, …`. That of a hidden one is
 * the cause of another, which does not name it: that may be shown to anybody.
 */
function refusal(code: TableErrorCode, layout: TableLayout, { name, settings }: LaidOutColumn, what: string): TableError {
  const { name: table } = layout
  const place = `${table}.${name}${code === 'wrong-type' ? ':' : ''}`
  const error = new TableError(code, `${place} ${what}`, { table, columns: [name] })
  if (settings.hidden !== true) return error
  return new TableError(code, `${table}: a hidden column did not get a value that it takes`, { cause: error, table })
}
