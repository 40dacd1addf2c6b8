/** How the values of a column lie in the database; a dialect gives each class its physical type. */
export type StorageClass = 'text' | 'real' | 'integer' | 'boolean' | 'instant' | 'json' | 'bytes' | 'reference'

/** The first bytes of a column, which are read without the rest. */
export interface ColumnBeginning {
  readonly table: string
  readonly column: string
  readonly bytes: number
  /** What an index that serves it is called. */
  readonly index: string
}

/** How one engine spells the few things in which SQL dialects differ; all other SQL here is common to them. */
export interface Dialect {
  readonly name: 'sqlite' | 'postgres'
  /** The placeholder of the value at `position`, counted from 1: `?1` or `$1`. */
  placeholder(position: number): string
  /** The physical type of a column that holds values of this class. */
  columnType(storage: StorageClass): string
  /** The declaration of an integer primary key that is never used twice. */
  readonly primaryKey: string
  /** The operator of an equality in which null equals null. */
  readonly nullSafeEqual: string
  /** The condition that a column with a JSON list of numbers contains every member of the JSON list `members`; false when the column is null. */
  listContains(column: string, members: string): string
  /** An expression that is the text of a column, or the number 0 where that is longer than so many bytes. */
  unlessLonger(column: string, bytes: number): string
  /** In a query of the table, an expression that is the beginning of the column in its row. */
  beginningOf(beginning: ColumnBeginning): string
  /** The statement that makes what {@link beginningOf} needs. */
  createBeginning(beginning: ColumnBeginning): string
  /** A query for the names of all tables, views and indexes, which a new table cannot have. */
  readonly takenNames: string
  /** What follows the column list of CREATE TABLE. */
  readonly tableSuffix: string
}
