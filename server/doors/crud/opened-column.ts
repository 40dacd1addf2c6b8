import { Refusal, type Codec } from '../../../db/columns/codec.js'
import { Column, type ColumnKind } from '../../../db/columns/columns.js'
import { describeGiven } from '../../../db/errors/describe-value.js'
import { DataRowReference } from '../../../db/rows/row-reference.js'
import type { LaidOutColumn } from '../../../db/rows/table-layout.js'
import { DataTable } from '../../../db/rows/table.js'
import { readColumn, type RawParameter, type ReadParameter } from '../../endpoint/parameters.js'

/** Which rows a link column may be set to. */
export interface LinkTarget {
  readonly table: DataTable
  /** The column of that table which has to link to the signed-in user; null where any row will do. */
  readonly ownedBy: string | null
}

/** More links than a list in a form or a page ever has; each of them is looked up. */
const mostLinks = 1000

/** A column that clients see, with all that it takes to understand what they send for it. */
export class OpenedColumn {
  readonly name: string
  readonly kind: ColumnKind
  /** Never null. */
  readonly required: boolean
  /** Whether a row can be added without it. */
  readonly optional: boolean
  readonly #codec: Codec
  readonly #column: Column

  constructor(
    { name, settings, codec }: LaidOutColumn,
    /** Of `link` and `links`, else null. */
    readonly target: LinkTarget | null,
  ) {
    this.name = name
    this.kind = settings.kind
    this.required = settings.required === true
    this.optional = !this.required || settings.default !== undefined
    this.#codec = codec
    this.#column = new Column(settings)
  }

  /** Whether rows can be filtered by it. */
  get comparable(): boolean {
    return this.kind !== 'json' && this.kind !== 'media'
  }

  /** Whether rows can be ordered by it. */
  get sortable(): boolean {
    return this.comparable && this.kind !== 'links'
  }

  /** Converts what came for it; a `link` becomes a reference to a row that need not be there. Null is not for here. */
  read(raw: RawParameter): ReadParameter {
    const read = this.target === null ? readColumn(this.#column, raw) : this.#readLink(this.target.table, raw)
    if ('problem' in read || read.value === null) return read
    try {
      this.#codec.encode(read.value)
      return read
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      const got = error.got === undefined ? '' : `, got ${error.got}`
      return { problem: `expected ${error.expected}${got}`, code: 'invalid-value' }
    }
  }

  #readLink(table: DataTable, { value }: RawParameter): ReadParameter {
    const layout = DataTable.layoutOf(table)
    if (this.kind === 'link') {
      const reference = DataRowReference.withId(layout, value)
      if (reference !== null) return { value: reference }
      return wrong(`expected the id of a row of ${table.name}, got ${describeGiven(value, 'caller')}`)
    }
    // A field of a form or a query is no list when it comes once.
    const ids: readonly unknown[] | null = Array.isArray(value) ? value : typeof value === 'string' ? [value] : null
    if (ids === null) {
      return wrong(`expected a list of ids of rows of ${table.name}, got ${describeGiven(value, 'caller')}`)
    }
    if (ids.length > mostLinks) {
      return { problem: `expected at most ${mostLinks} ids, got ${ids.length}`, code: 'invalid-value' }
    }
    const references = ids.map((id) => DataRowReference.withId(layout, id))
    const first = references.indexOf(null)
    if (first === -1) return { value: references }
    return wrong(`expected ids of rows of ${table.name}, got ${describeGiven(ids[first], 'caller')} among them`)
  }
}

function wrong(problem: string): ReadParameter {
  return { problem, code: 'wrong-type' }
}
