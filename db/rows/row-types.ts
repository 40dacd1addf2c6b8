import type {
  Columns,
  Column,
  ColumnType,
  Json,
  LinksTo,
  LinkTo,
  RowLink,
  RulesOf,
  tableName,
  TypeOf,
  ValueOf,
} from '../columns/columns.js'
import type { JsonValue } from '../values/json-value.js'
import type { Media } from '../values/media.js'

/** All tables of an app, by name, with their columns: what TypeScript infers everything else from. */
export type Schema = { readonly [table: string]: Columns }

/** What {@link TableRow} says of a row whatever its columns. */
type AnyRow = TableRow<string>

/** The name of the table that a row is of. */
export type TableOf<R extends AnyRow> = R[typeof tableName]

/** A reference to a row of another table, as a `link` column gives it. It knows the row's id, not the row. */
export interface RowReference<R extends AnyRow> extends RowLink<TableOf<R>> {
  /** The id of the row, such as `"[23,568]"`. */
  getId(): string
  /** Whether the other is the same row of the same table, however it was fetched. */
  equals(other: RowLink<TableOf<R>> | null | undefined): boolean
  /** The row as it is now; null when it has been deleted. */
  load(): Promise<R | null>
  /** The id, so that a reference inside an answer is sent as its id. */
  toJSON(): string
}

/**
 * What every row has beside its columns. Its methods know the columns by `this`, so that nothing but columns and the
 * table's name is in the type of a row.
 * Exists in types only: the class of rows is `DataRow`.
 */
export declare abstract class TableRow<Name extends string> implements RowLink<Name> {
  readonly [tableName]: Name
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
  update(changes: ChangesOf<this>): Promise<this>
  /** Deletes the row; does nothing when it is already gone. */
  delete(): Promise<void>
  /** Reads the row again, in place. @throws RowDeleted */
  reload(): Promise<this>
  /** These columns and `id`, as a plain object. @throws TableError when one of them is hidden */
  toJSON<Chosen extends VisibleNames<this>>(columns: readonly Chosen[]): PlainRow<this, Chosen>
  /** The visible columns and `id`, as a plain object. Hidden columns are never in it. */
  toJSON(member?: string): PlainRow<this, VisibleNames<this>>
}

/**
 * What is particular to some columns of a row, beside the types of their values: which are hidden or follow from
 * another, and what JSON they take. Exists in types only.
 */
export interface ColumnRules<Rules> {
  readonly [columnRules]: Rules
}

declare const columnRules: unique symbol

/**
 * Among the columns of a table it names a part of its rows, so that an editor does not spell that out. Exists in types
 * only.
 */
export declare const rowPart: unique symbol

/** JSON is taken in another form than it is given. */
interface Takes<Input> {
  readonly takes: Input
}

/**
 * A row of the table `Name`: its columns as read-only properties, and methods. A conditional type, so that an editor
 * shows what comes of it and not how it came about.
 */
export type RowOf<S extends Schema, Name extends keyof S & string> = S[Name] extends infer C extends Columns
  ? RowWith<S, Name, C, PartOf<C>, SpecialRules<C>>
  : never

type PartOf<C extends Columns> = C extends { readonly [rowPart]: infer Part } ? Part : unknown

type RowWith<S extends Schema, Name extends string, C extends Columns, Part, Special> = [keyof Special] extends [never]
  ? TableRow<Name> & { readonly [Column in keyof C as Column & ShownNames<C>]: ReadValue<S, C[Column]> } & Part
  : TableRow<Name> & { readonly [Column in keyof C as Column & ShownNames<C>]: ReadValue<S, C[Column]> } & Part &
      ColumnRules<Special>

type ShownNames<C extends Columns> = Exclude<keyof C & string, keyof PartOf<C>>

/** The value that a row gives for a column. */
type ReadValue<S extends Schema, C extends Column> =
  'required' extends RulesOf<C> ? Resolved<S, TypeOf<C>> : Resolved<S, TypeOf<C>> | null

type Resolved<S extends Schema, T extends ColumnType> =
  T extends LinkTo<infer Target extends keyof S & string>
    ? RowReference<RowOf<S, Target>>
    : T extends LinksTo<infer Target extends keyof S & string>
      ? readonly RowReference<RowOf<S, Target>>[]
      : ValueOf<T>

/** The rules of those columns that have any, by name. */
type SpecialRules<C extends Columns> = C extends Columns
  ? { [Name in ShownNames<C> as SpecialRule<C[Name]> extends never ? never : Name]: SpecialRule<C[Name]> }
  : never

type SpecialRule<C extends Column> = Extract<RulesOf<C>, 'hidden' | Unwritable> | JsonRule<TypeOf<C>>

/** Plain `json()` is known by its values. */
type JsonRule<T extends ColumnType> =
  T extends Json<infer Output, infer Input>
    ? [JsonValue] extends [Output]
      ? never
      : [Output, Input] extends [Input, Output]
        ? 'json'
        : Takes<Input>
    : never

type RulesOfRow<R> = R extends ColumnRules<infer Rules> ? Rules : Record<never, never>

/** What is particular to a column of a row. */
type RuleOf<R, Name extends string> =
  RulesOfRow<R> extends infer Rules ? (Name extends keyof Rules ? Rules[Name] : never) : never

/** The names of a row's columns. */
export type ColumnNames<R> = Exclude<keyof R & string, keyof AnyRow>

/** The names of the columns that may be sent. */
export type VisibleNames<R> = { [C in ColumnNames<R>]: 'hidden' extends RuleOf<R, C> ? never : C }[ColumnNames<R>]

/** Some columns of a row and its `id`, as a plain object. */
export type PlainRow<R, Names extends string> = R extends AnyRow
  ? { -readonly [C in keyof R as C extends 'id' | Names ? C : never]: R[C] }
  : never

/** The rules of columns that an app cannot write. */
type Unwritable = 'derived' | 'guarded'

/** What may be written into a column: null only where a row may give it. */
type WrittenValue<R, C extends keyof R & string> =
  RuleOf<R, C> extends infer Rule
    ? [Extract<Rule, Unwritable>] extends [never]
      ? Extract<Rule, Takes<unknown>> extends Takes<infer Input>
        ? [Extract<Rule, Takes<unknown>>] extends [never]
          ? Written<R[C]>
          : Input | Extract<R[C], null>
        : never
      : never
    : never

/** A link is written as any row of, or reference to a row of, its table; everything else as it is read. */
type Written<Value> =
  Value extends RowReference<infer R>
    ? RowLink<TableOf<R>>
    : Value extends readonly RowReference<infer R>[]
      ? readonly RowLink<TableOf<R>>[]
      : Value

/** The columns of a row that are to be written; a column that is left out or undefined keeps its value. */
export type ChangesOf<R> = {
  readonly [C in (ColumnNames<R> & keyof R) | typeof lookedAt]?: C extends keyof R & string
    ? WrittenValue<R, C>
    : undefined
}

/**
 * Marks what is looked at, value by value, by the method that takes it, whatever TypeScript knows of the values. Exists
 * in types only.
 */
export declare const lookedAt: unique symbol

/** The values of a row to be added. A column that is left out gets its default, or null. */
export type NewRowOf<R, Needed extends string> = { readonly [C in Needed & keyof R]: WrittenValue<R, C> } & ChangesOf<R>

/** The columns that a search can compare: all but `json` and `media`. */
type ComparableNames<R> = {
  [C in ColumnNames<R> & keyof R]: NonNullable<R[C]> extends Media
    ? never
    : [JsonValue] extends [R[C]]
      ? never
      : [Extract<RuleOf<R, C>, 'json' | Takes<never>>] extends [never]
        ? C
        : never
}[ColumnNames<R> & keyof R]

/**
 * What a row must be equal to, column by column; null equals null. A `links` column must contain all rows of the given list.
 */
export type FilterOf<R> = {
  readonly [C in ComparableNames<R> | typeof lookedAt]?: C extends keyof R & string
    ? ComparedValue<R, C> | null
    : undefined
}

/** What may be written or, for a column that cannot be written, what is read. */
type ComparedValue<R, C extends keyof R & string> =
  [Extract<RuleOf<R, C>, Unwritable>] extends [never] ? WrittenValue<R, C> : R[C]

/** The columns that rows can be ordered by, and `id`, which is the order in which they were added. */
type SortableNames<R> =
  'id' | { [C in ComparableNames<R>]: NonNullable<R[C]> extends readonly unknown[] ? never : C }[ComparableNames<R>]

/** A part of an order: a column, ascending, or columns with their directions, the first of them deciding first. */
type OrderTerm<Sortable extends string> = Sortable | { readonly [C in Sortable]?: 'asc' | 'desc' }

/** How a search is answered. */
export interface SearchOptionsOf<R> {
  /** Null comes first ascending and last descending; equal rows follow in the order of their ids. Default: by id. */
  readonly orderBy?: OrderTerm<SortableNames<R>> | readonly OrderTerm<SortableNames<R>>[]
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
export interface TableSearch<R extends AnyRow> extends AsyncIterable<R> {
  /** All rows, in order. @throws TableError when they take more than the setting `searchLimit` */
  all(): Promise<R[]>
  /** The first row, or null. */
  first(): Promise<R | null>
  /** The only row, or null; a `TableError` when there are several. */
  one(): Promise<R | null>
  /** What the function makes of each row, in order; promises that it returns are awaited. @throws TableError as `all` */
  map<Result>(fn: (row: R, index: number) => Result): Promise<Awaited<Result>[]>
  /** The number of rows. */
  count(): Promise<number>
  /** Whether there is any row. */
  exists(): Promise<boolean>
  /** A page of rows, fewer than its size where they are long, and the cursor for the next one. Cannot be combined with `limit`. */
  page(options: PageOptions): Promise<Page<R>>
  /** Writes these columns of all rows found, in one statement, and resolves to their number. */
  update(changes: ChangesOf<R>): Promise<number>
  /** Deletes all rows found, in one statement, and resolves to their number. */
  delete(): Promise<number>
}

/**
 * A data table.
 *
 * @typeParam Needed the columns without which a row cannot be added
 */
export interface Table<R extends AnyRow, Needed extends string = string> {
  readonly name: TableOf<R>
  /** The rows that are equal to the filter; all rows without one. Nothing is asked before a method of the search is called. */
  search(filter?: FilterOf<R>, options?: SearchOptionsOf<R>): TableSearch<R>
  /** The only row that is equal to the filter, or null; a `TableError` when there are several. */
  get(filter: FilterOf<R>): Promise<R | null>
  /** The row with this id, or null: also for the id of another table and for anything that is no id at all. */
  getById(id: string): Promise<R | null>
  /** Adds a row and resolves to it. */
  addRow(values: NewRowOf<R, Needed>): Promise<R>
  /** Adds all these rows or none, and resolves to them in order. */
  addRows(rows: readonly NewRowOf<R, Needed>[]): Promise<R[]>
  /** Updates the row that is equal to the key or, when there is none, adds one with key and values; a `TableError` when several match. */
  upsert<Key extends keyof NewRowOf<R, Needed> & ComparableNames<R>>(
    key: Pick<NewRowOf<R, Needed>, Key>,
    values: Omit<NewRowOf<R, Needed>, Key>,
  ): Promise<R>
  /** Deletes every row. Their ids are not used again. */
  deleteAllRows(): Promise<void>
}

/** A table of a schema. */
export type TableIn<S extends Schema, Name extends keyof S & string> = S extends Schema
  ? Table<RowOf<S, Name>, NeededNames<S[Name]>>
  : never

type NeededNames<C extends Columns> = C extends Columns
  ? {
      [Name in keyof C & string]: 'required' extends RulesOf<C[Name]>
        ? [Extract<RulesOf<C[Name]>, 'defaulted' | Unwritable>] extends [never]
          ? Name
          : never
        : never
    }[keyof C & string]
  : never

/** Tables by name, as `defineTables` returns them. */
export type Tables<S extends Schema> = { readonly [Name in keyof S]: Name extends string ? TableIn<S, Name> : never }

/** The type of a table's rows: `type Task = Row<typeof tables.tasks>`. */
export type Row<T extends { getById(id: string): Promise<unknown> }> = T extends {
  getById(id: string): Promise<infer R>
}
  ? NonNullable<R>
  : never

/** What `update` of a table's rows takes: `Changes<typeof tables.tasks>`. */
export type Changes<T extends AnyTable> = ChangesOf<Row<T>>

/** What `addRow` of a table takes: `NewRow<typeof tables.tasks>`. */
export type NewRow<T extends AnyTable> = T extends Table<infer R, infer Needed> ? NewRowOf<R, Needed> : never

/** What `search` and `get` of a table take: `Filter<typeof tables.tasks>`. */
export type Filter<T extends AnyTable> = FilterOf<Row<T>>

/** How a search of a table is answered: `SearchOptions<typeof tables.tasks>`. */
export type SearchOptions<T extends AnyTable> = SearchOptionsOf<Row<T>>

/** Any table, for type parameters. */
type AnyTable = { getById(id: string): Promise<AnyRow | null> }
