import { describeValue, isPlainObject } from '../errors/describe-value.js'
import type { SqlValue } from '../engine/engine.js'
import { TableError } from '../errors/errors.js'
import { nothingGiven, withGiven, type Given } from '../errors/given.js'
import type { Condition, OrderStep } from './statements.js'
import type { LaidOutColumn, TableLayout } from './table-layout.js'
import { encodeCompared } from './written-values.js'

/** The conditions of a search, and the values of those that have one. */
export interface Conditions {
  readonly conditions: readonly Condition[]
  readonly values: readonly SqlValue[]
}

/** A step of an order, and what it takes to find the place of a row in it. */
export interface SearchOrderStep extends OrderStep {
  /** Null for the id, which every order ends with. */
  readonly ordered: LaidOutColumn | null
  readonly nullable: boolean
}

/** The error of a search that cannot be carried out, which is about a column or about none. */
export function badQuery({ name: table }: TableLayout, column: string | null, what: string, given: Partial<Given> = {}): TableError {
  const place = column === null ? table : `${table}.${column}`
  const error = new TableError('bad-query', `${place}: ${what}`, { table, columns: column === null ? [] : [column] })
  return withGiven(error, { ...nothingGiven, ...given })
}

/** The error of a column that does not do for what a search wants with it, whose name may come from anybody. */
function unsearchable({ name: table }: TableLayout, column: string, what: string): TableError {
  const error = new TableError('unsearchable-column', `${table}.${column}: ${what}`, { table, columns: [column] })
  return withGiven(error, { ...nothingGiven, names: [column] })
}

/** Checks a filter and encodes its values. @throws TableError */
export function parseFilter(layout: TableLayout, filter: unknown): Conditions {
  if (!isPlainObject(filter)) {
    throw badQuery(layout, null, `expected a plain object as filter, got ${describeValue(filter)}`, { values: [filter] })
  }
  const given = Object.keys(filter).map((name) => layout.column(name))
  // In the order of the declaration, so that filters which differ in the order of their members share a statement.
  if (given.length > 1) given.sort((one, other) => one.position - other.position)
  const conditions: Condition[] = []
  const values: SqlValue[] = []
  for (const column of given) {
    const value = encodeFilterValue(layout, column, filter[column.name])
    if (value === null) conditions.push({ column: column.name, comparison: 'null' })
    else {
      conditions.push({ column: column.name, comparison: column.settings.kind === 'links' ? 'contains' : 'equal' })
      values.push(value)
    }
  }
  return { conditions, values }
}

function encodeFilterValue(layout: TableLayout, column: LaidOutColumn, value: unknown): SqlValue {
  const { kind } = column.settings
  if (kind === 'json' || kind === 'media') {
    throw unsearchable(layout, column.name, `a ${kind} column cannot be searched by`)
  }
  // A forgotten value must not find the rows that have none, nor all rows. No client can send one.
  if (value === undefined) {
    throw badQuery(layout, column.name, 'a filter compares with undefined; look whether there is a value, or compare with null')
  }
  return encodeCompared(layout, column, value)
}

/** The order of a search that says nothing of it: that in which the rows were added. */
export const orderById: readonly SearchOrderStep[] = [{ column: 'id', descending: false, ordered: null, nullable: false }]

/** Checks an order. It ends with the id, so that no two rows are equal in it. @throws TableError */
export function parseOrder(layout: TableLayout, orderBy: unknown): readonly SearchOrderStep[] {
  if (orderBy === undefined) return orderById
  const steps = (Array.isArray(orderBy) ? orderBy : [orderBy]).flatMap((term: unknown) => parseTerm(layout, term))
  const names = steps.map(({ column }) => column)
  const repeated = names.filter((name, index) => names.indexOf(name) !== index)
  if (repeated.length > 0) throw badQuery(layout, null, 'orderBy names a column twice', { names: repeated })
  const end = steps.findIndex(({ column }) => column === 'id')
  // What follows the id would never be looked at.
  return end === -1 ? [...steps, ...orderById] : steps.slice(0, end + 1)
}

function parseTerm(layout: TableLayout, term: unknown): SearchOrderStep[] {
  if (typeof term === 'string') return [orderStep(layout, term, false)]
  const entries = isPlainObject(term) ? Object.entries(term) : []
  if (entries.length === 0 || entries.some(([, direction]) => direction !== 'asc' && direction !== 'desc')) {
    const expected = "orderBy takes a column name, an object { column: 'asc' | 'desc' }, or a list of those"
    throw badQuery(layout, null, expected, { values: [term] })
  }
  return entries.map(([name, direction]) => orderStep(layout, name, direction === 'desc'))
}

function orderStep(layout: TableLayout, name: string, descending: boolean): SearchOrderStep {
  if (name === 'id') return { column: 'id', descending, ordered: null, nullable: false }
  const column = layout.column(name)
  const { kind, required } = column.settings
  if (kind === 'json' || kind === 'media' || kind === 'links') {
    throw unsearchable(layout, name, `a ${kind} column has no order`)
  }
  return { column: name, descending, ordered: column, nullable: required !== true }
}
