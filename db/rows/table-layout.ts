import type { Codec } from '../columns/codec.js'
import type { ColumnSettings } from '../columns/columns.js'
import type { SqlRow } from '../engine/engine.js'
import { SchemaError, TableError } from '../errors/errors.js'
import { nothingGiven, withGiven } from '../errors/given.js'
import { nearestName } from '../errors/nearest-name.js'
import type { Statements } from './statements.js'
import type { DeclaredIndex } from '../columns/table-declaration.js'
import type { Transactions } from '../transactions/transactions.js'

/** A column with its name and its place in the rows of its table. */
export interface LaidOutColumn {
  readonly name: string
  /** The place among the values of a row, where 0 is the id. */
  readonly position: number
  /** Of `media`: where the length of what is stored stands in a row that was read, whose value is the beginning of it. */
  readonly lengthPosition?: number
  readonly settings: ColumnSettings
  readonly codec: Codec
}

/** A `link` column with its table. */
export interface Referrer {
  readonly layout: TableLayout
  readonly column: LaidOutColumn
}

/** What a table gets from the database that is open for it. */
export interface Attachment {
  readonly tableNumber: number
  readonly statements: Statements
  /** How many bytes the rows of one search may take in memory together. */
  readonly searchLimit: number
  /** By way of which every statement is run; told of what becomes of rows and writes. */
  readonly transactions: Transactions
}

/** A declared table as the rest of this layer works with it; the same object for as long as the declaration lives, so that it says which table a row is of. */
export class TableLayout {
  readonly columnsByName = new Map<string, LaidOutColumn>()
  #columns: readonly LaidOutColumn[] = []
  #visibleColumns: readonly LaidOutColumn[] = []
  #derivedColumns: readonly LaidOutColumn[] = []
  #attachment: Attachment | undefined
  #number = 0

  constructor(
    readonly name: string,
    readonly indexes: readonly DeclaredIndex[],
  ) {}

  /** In the order of the declaration. */
  get columns(): readonly LaidOutColumn[] {
    return this.#columns
  }

  /** The columns that are not hidden. */
  get visibleColumns(): readonly LaidOutColumn[] {
    return this.#visibleColumns
  }

  /** The columns whose value follows from another one. */
  get derivedColumns(): readonly LaidOutColumn[] {
    return this.#derivedColumns
  }

  /** Makes a row of this table from its values. Set once, when there is a class for its rows. */
  makeRow: (values: SqlRow) => unknown = () => {
    throw new Error(`table ${this.name} has no rows yet`)
  }

  /** The `link` columns, of any table, that lead to this one. */
  readonly referrers: Referrer[] = []

  /** Set once, after the layouts of all tables exist, because columns link to them. */
  setColumns(columns: readonly LaidOutColumn[]): void {
    this.#columns = columns
    this.#visibleColumns = columns.filter(({ settings }) => settings.hidden !== true)
    this.#derivedColumns = columns.filter(({ settings }) => settings.derived !== undefined)
    for (const column of columns) this.columnsByName.set(column.name, column)
  }

  /** The number of the table in the database it is, or was last, attached to. */
  get number(): number {
    return this.#number
  }

  /** @throws SchemaError when a database is open for this table */
  assertFree(): void {
    if (this.#attachment === undefined) return
    throw new SchemaError(`table ${this.name} is already in use by another open database; call defineTables() again for a second one`)
  }

  /** @throws TableError when no database is open for this table. */
  get attachment(): Attachment {
    if (this.#attachment === undefined) {
      const message = `table ${this.name} cannot be used: no database is open for it (not yet, or no longer)`
      throw new TableError('bad-query', message, { table: this.name })
    }
    return this.#attachment
  }

  /** Passes on the error of a write, which may be one that nobody awaits. */
  refused(error: unknown): unknown {
    this.#attachment?.transactions.refused(error)
    return error
  }

  /** @throws SchemaError when a database is open for this table */
  attach(attachment: Attachment): void {
    this.assertFree()
    this.#attachment = attachment
    this.#number = attachment.tableNumber
  }

  detach(): void {
    this.#attachment = undefined
  }

  /** The column of this name. @throws TableError that lists the columns that are not hidden: the name may come from anybody */
  column(name: string): LaidOutColumn {
    const column = this.columnsByName.get(name)
    if (column === undefined) {
      const asked = name.slice(0, 80)
      const known = this.#visibleColumns.map((each) => each.name)
      const nearest = nearestName(asked, known)
      const suggestion = nearest === undefined ? '' : `; did you mean ${nearest}?`
      const listing = known.length === 0 ? '' : `; its columns are ${known.join(', ')}`
      const message = `table ${this.name} has no column ${JSON.stringify(asked)}${listing}${suggestion}`
      throw withGiven(new TableError('unknown-column', message, { table: this.name, columns: [asked] }), { ...nothingGiven, names: [name] })
    }
    return column
  }
}
