import type { Columns } from './columns.js'

/** An index over several columns. */
export interface DeclaredIndex {
  readonly columns: readonly string[]
  readonly unique: boolean
}

/** What is particular to the declaration of the `users` table. */
export interface UsersDeclaration {
  /** Built-in columns that the app has declared too. */
  readonly redeclared: readonly string[]
}

/** A declared table: its columns and indexes, before it has a name. Immutable: each method returns a new declaration. */
export class TableDeclaration<C extends Columns = Columns> {
  constructor(
    readonly columns: C,
    readonly indexes: readonly DeclaredIndex[] = [],
    /** Of the `users` table, which brings columns of its own. */
    readonly users: UsersDeclaration | null = null,
  ) {
    Object.freeze(this)
  }

  /** Searches by these columns, or by the first of them, are answered from an index. */
  index(...columns: (keyof C & string)[]): TableDeclaration<C> {
    return new TableDeclaration(this.columns, [...this.indexes, { columns, unique: false }], this.users)
  }

  /** No two rows have the same values in all of these columns; rows with a null among them do not count. */
  unique(...columns: (keyof C & string)[]): TableDeclaration<C> {
    return new TableDeclaration(this.columns, [...this.indexes, { columns, unique: true }], this.users)
  }
}

/** Declares a table by its columns: `table({ title: text(), done: boolean().default(false) })`. */
export function table<C extends Columns>(columns: C): TableDeclaration<C> {
  return new TableDeclaration(columns)
}
