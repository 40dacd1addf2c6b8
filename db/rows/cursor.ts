import { hash } from 'node:crypto'
import type { SqlRow, SqlValue } from '../engine/engine.js'
import { TableError } from '../errors/errors.js'
import type { SearchOrderStep } from './query.js'
import type { Condition, OrderStep } from './statements.js'
import type { TableLayout } from './table-layout.js'

/** A place in an order: for each step the value that the last row before it has there. */
export type Place = readonly SqlValue[]

/** The place behind a row. */
export function placeBehind(order: readonly SearchOrderStep[], row: SqlRow): Place {
  return order.map(({ ordered }) => row[ordered === null ? 0 : ordered.position] ?? null)
}

/** The cursors of one order of one table: places as text that the program which gets them passes back unread. */
export class Cursors {
  readonly #layout: TableLayout
  readonly #order: readonly SearchOrderStep[]

  constructor(layout: TableLayout, order: readonly SearchOrderStep[]) {
    this.#layout = layout
    this.#order = order
  }

  /** The values of the columns ordered by are in the cursor, readable to whoever tries. */
  encode(place: Place): string {
    return Buffer.from(JSON.stringify([this.#mark(), ...place])).toString('base64url')
  }

  /** Reads a cursor that may come from anybody. @throws TableError when it is none of these */
  decode(cursor: unknown): Place {
    const place = typeof cursor === 'string' ? parseList(cursor) : null
    if (place === null || place.length !== this.#order.length + 1 || place[0] !== this.#mark()) throw this.#refusal()
    return this.#order.map((step, index) => {
      const value = place[index + 1]
      if (!isPlausible(step, value)) throw this.#refusal()
      return value
    })
  }

  /** Tells these cursors from those of other tables and orders. */
  #mark(): string {
    const described = JSON.stringify([this.#layout.number, ...this.#order.map(({ column, descending }) => [column, descending])])
    return hash('sha256', described, 'base64url').slice(0, 8)
  }

  #refusal(): TableError {
    const { name: table } = this.#layout
    const message = `${table}: "after" is not the cursor of a page of this table in this order`
    return new TableError('bad-cursor', message, { table })
  }
}

function parseList(cursor: string): unknown[] | null {
  const decoded = Buffer.from(cursor, 'base64url')
  // The decoder passes over what is not base64url.
  if (decoded.toString('base64url') !== cursor) return null
  try {
    const value: unknown = JSON.parse(decoded.toString())
    return Array.isArray(value) ? value : null
  } catch {
    return null
  }
}

/** Whether the column ordered by could have this value. A forged one is compared like any other and does no harm. */
function isPlausible({ ordered, nullable }: SearchOrderStep, value: unknown): value is SqlValue {
  if (ordered === null) return Number.isSafeInteger(value)
  if (value === null) return nullable
  return ordered.codec.storage === 'text' ? typeof value === 'string' : typeof value === 'number'
}

/** Conditions that find a part of the rows behind a place, and the order within that part. */
export interface Part {
  readonly conditions: readonly Condition[]
  readonly values: readonly SqlValue[]
  readonly order: readonly OrderStep[]
}

/**
 * The rows behind a place, in parts that follow each other: first those equal to it in all steps but the last, then in all but the last two, and so on.
 * Each part is one range of an index over the steps. A single condition with OR would be shorter, and would read the index from its beginning.
 */
export function partsBehind(order: readonly SearchOrderStep[], place: Place): Part[] {
  const parts: Part[] = []
  for (let last = order.length - 1; last >= 0; last--) {
    const equal = order.slice(0, last).map(({ column }, index): Bound => {
      const value = place[index] ?? null
      return value === null ? { column, comparison: 'null' } : { column, comparison: 'equal', value }
    })
    const step = order[last]
    for (const bound of step === undefined ? [] : boundsBehind(step, place[last] ?? null)) {
      const bounds = [...equal, bound]
      parts.push({
        conditions: bounds.map(({ column, comparison }) => ({ column, comparison })),
        values: bounds.flatMap(({ value }) => (value === undefined ? [] : [value])),
        // The steps before are equal throughout the part.
        order: order.slice(last),
      })
    }
  }
  return parts
}

interface Bound extends Condition {
  readonly value?: SqlValue
}

/** What comes behind a value in one step; null comes first ascending and last descending. */
function boundsBehind({ column, descending, nullable }: SearchOrderStep, value: SqlValue): Bound[] {
  if (value === null) return descending ? [] : [{ column, comparison: 'notNull' }]
  if (!descending) return [{ column, comparison: 'above', value }]
  const bounds: Bound[] = [{ column, comparison: 'below', value }]
  if (nullable) bounds.push({ column, comparison: 'null' })
  return bounds
}
