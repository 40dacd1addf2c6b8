import type { Columns, ColumnTraits, LinkTo, RowLink, TraitsOf } from '../columns/columns.js'

/** All tables of an app, by name, with their columns: what TypeScript infers everything else from. */
export type Schema = { readonly [table: string]: Columns }

/** The names of a schema's tables. */
type TableNames<S extends Schema> = keyof S & string

/** A reference to a row of another table, as a `link` column gives it. It knows the row's id, not the row. */
export interface RowReference<S extends Schema, Name extends string> extends RowLink<Name> {
  /** The id of the row, such as `"[23,568]"`. */
  getId(): string
  /** Whether the other is the same row of the same table, however it was fetched. */
  equals(other: RowLink<Name> | null | undefined): boolean
  /** The row as it is now; null when it has been deleted. */
  load(): Promise<RowOf<S, Name> | null>
  /** The id, so that a reference inside an answer is sent as its id. */
  toJSON(): string
}

/** What every row has beside its columns. */
interface RowMethods<S extends Schema, Name extends string> extends RowLink<Name> {
  /** The same as {@link getId}. */
  readonly id: string
  /** The row's id: opaque text such as `"[23,568]"`, the same for ever and never given to another row. */
  getId(): string
  /** Whether the other is the same row of the same table, however it was fetched and whatever its values. */
  equals(other: RowLink<Name> | null | undefined): boolean
  /**
   * Writes these columns at once, leaves the others, and resolves to this row, renewed in place with all that is stored now.
   * @throws RowDeleted, TableError
   */
  update(changes: Changes<S, Name>): Promise<this>
  /** Deletes the row; does nothing when it is already gone. */
  delete(): Promise<void>
  /** Reads the row again, in place. @throws RowDeleted */
  reload(): Promise<this>
  /** The visible columns (or those listed) and `id`, as a plain object. Hidden columns are never in it. */
  toJSON(columns?: readonly ColumnNames<S, Name>[] | string): { readonly [column: string]: unknown; readonly id: string }
}

/** A row of the table `Name`: its columns as read-only properties, and methods. */
export type RowOf<S extends Schema, Name extends string> = RowMethods<S, Name> & {
  readonly [C in ColumnNames<S, Name>]: ReadValue<S, TraitsOf<S[Name][C]>>
}

/** The names of a table's columns. */
export type ColumnNames<S extends Schema, Name extends string> = keyof S[Name] & string

type ReadValue<S extends Schema, T extends ColumnTraits> = Resolved<S, T> | (T['required'] extends true ? never : null)

type Resolved<S extends Schema, T extends ColumnTraits> = T['kind'] extends 'link'
  ? T['value'] extends LinkTo<infer Target> ? RowReference<S, Target> : never
  : T['kind'] extends 'links'
    ? T['value'] extends LinkTo<infer Target> ? readonly RowReference<S, Target>[] : never
    : T['value']

type WrittenValue<T extends ColumnTraits> = T['input'] | (T['required'] extends true ? never : null)

/** The columns without which a row cannot be added. */
type NeededNames<S extends Schema, Name extends string> = {
  [C in ColumnNames<S, Name>]: TraitsOf<S[Name][C]> extends { required: true; defaulted: false } ? C : never
}[ColumnNames<S, Name>]

/** The values of a row to be added. A column that is left out gets its default, or null. */
export type NewRow<S extends Schema, Name extends string> = {
  readonly [C in NeededNames<S, Name>]: WrittenValue<TraitsOf<S[Name][C]>>
} & Changes<S, Name>

/** The columns of a row that are to be written; a column that is left out or undefined keeps its value. */
export type Changes<S extends Schema, Name extends string> = {
  readonly [C in ColumnNames<S, Name>]?: WrittenValue<TraitsOf<S[Name][C]>>
}

/** The columns that a search can compare: all but `json` and `media`. */
type ComparableNames<S extends Schema, Name extends string> = {
  [C in ColumnNames<S, Name>]: TraitsOf<S[Name][C]>['kind'] extends 'json' | 'media' ? never : C
}[ColumnNames<S, Name>]

/**
 * What a row must be equal to, column by column; null equals null. A `links` column must contain all rows of the given list.
 */
export type Filter<S extends Schema, Name extends string> = {
  readonly [C in ComparableNames<S, Name>]?: ComparedValue<TraitsOf<S[Name][C]>> | null
}

/** What may be written or, for a column that cannot be written, what is read. */
type ComparedValue<T extends ColumnTraits> = [T['input']] extends [never] ? T['value'] : T['input']

/** The columns that rows can be ordered by, and `id`, which is the order in which they were added. */
type SortableNames<S extends Schema, Name extends string> =
  | 'id'
  | { [C in ColumnNames<S, Name>]: TraitsOf<S[Name][C]>['kind'] extends 'json' | 'media' | 'links' ? never : C }[ColumnNames<S, Name>]

/** A part of an order: a column, ascending, or columns with their directions, the first of them deciding first. */
type OrderTerm<Sortable extends string> = Sortable | { readonly [C in Sortable]?: 'asc' | 'desc' }

/** How a search is answered. */
export interface SearchOptions<S extends Schema, Name extends string> {
  /** Null comes first ascending and last descending; equal rows follow in the order of their ids. Default: by id. */
  readonly orderBy?: OrderTerm<SortableNames<S, Name>> | readonly OrderTerm<SortableNames<S, Name>>[]
  /** At most this many rows. */
  readonly limit?: number
}

/** Which page of a search. */
interface PageOptions {
  /** The number of rows, 1 to 1000. */
  readonly size: number
  /** The `cursor` of the page before; none, null or undefined for the first page. */
  readonly after?: string | null | undefined
}

/** A part of a search's rows. */
export interface Page<Row> {
  readonly rows: Row[]
  /** What `page({ after })` takes for the next page; null when there is none. */
  readonly cursor: string | null
}

/** A search that has not been carried out yet: each method asks the database once, `for await` once for every few hundred rows. */
export interface TableSearch<S extends Schema, Name extends string> extends AsyncIterable<RowOf<S, Name>> {
  /** All rows, in order. */
  all(): Promise<RowOf<S, Name>[]>
  /** The first row, or null. */
  first(): Promise<RowOf<S, Name> | null>
  /** The only row, or null; a `TableError` when there are several. */
  one(): Promise<RowOf<S, Name> | null>
  /** What the function makes of each row, in order; promises that it returns are awaited. */
  map<Result>(fn: (row: RowOf<S, Name>, index: number) => Result): Promise<Awaited<Result>[]>
  /** The number of rows. */
  count(): Promise<number>
  /** Whether there is any row. */
  exists(): Promise<boolean>
  /** A page of rows and the cursor for the next one. Cannot be combined with `limit`. */
  page(options: PageOptions): Promise<Page<RowOf<S, Name>>>
  /** Writes these columns of all rows found, in one statement, and resolves to their number. */
  update(changes: Changes<S, Name>): Promise<number>
  /** Deletes all rows found, in one statement, and resolves to their number. */
  delete(): Promise<number>
}

/** A data table. */
export interface Table<S extends Schema, Name extends string> {
  readonly name: Name
  /** The rows that are equal to the filter; all rows without one. Nothing is asked before a method of the search is called. */
  search(filter?: Filter<S, Name>, options?: SearchOptions<S, Name>): TableSearch<S, Name>
  /** The only row that is equal to the filter, or null; a `TableError` when there are several. */
  get(filter: Filter<S, Name>): Promise<RowOf<S, Name> | null>
  /** The row with this id, or null: also for the id of another table and for anything that is no id at all. */
  getById(id: string): Promise<RowOf<S, Name> | null>
  /** Adds a row and resolves to it. */
  addRow(values: NewRow<S, Name>): Promise<RowOf<S, Name>>
  /** Adds all these rows or none, and resolves to them in order. */
  addRows(rows: readonly NewRow<S, Name>[]): Promise<RowOf<S, Name>[]>
  /** Updates the row that is equal to the key or, when there is none, adds one with key and values; a `TableError` when several match. */
  upsert<Key extends keyof NewRow<S, Name> & ComparableNames<S, Name>>(
    key: Pick<NewRow<S, Name>, Key>,
    values: Omit<NewRow<S, Name>, Key>,
  ): Promise<RowOf<S, Name>>
  /** Deletes every row. Their ids are not used again. */
  deleteAllRows(): Promise<void>
}

/** Tables by name, as `defineTables` returns them. */
export type Tables<S extends Schema> = { readonly [Name in TableNames<S>]: Table<S, Name> }

/** The type of a table's rows: `type Task = Row<typeof tables.tasks>`. */
export type Row<T extends { getById(id: string): Promise<unknown> }> = NonNullable<Awaited<ReturnType<T['getById']>>>
