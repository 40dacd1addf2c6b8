import { formatRowId } from './row-id.js'
import type { TableLayout } from './table-layout.js'

/**
 * Which row of which table: what rows and references to rows have in common.
 * What the rest of this layer needs of it is static, so that no column name is taken away from apps.
 */
export abstract class RowIdentity {
  readonly #layout: TableLayout
  #number: number

  constructor(layout: TableLayout, number: number) {
    this.#layout = layout
    this.#number = number
  }

  get id(): string {
    return formatRowId(this.#layout.number, this.#number)
  }

  getId(): string {
    return this.id
  }

  equals(other: unknown): boolean {
    return other instanceof RowIdentity && other.#number === this.#number && other.#layout === this.#layout
  }

  protected static numberOf(row: RowIdentity): number {
    return row.#number
  }

  protected static layoutOf(row: RowIdentity): TableLayout {
    return row.#layout
  }

  /** For a row whose addition was rolled back: its number may be given again, and must not lead to that other row. No row has a negative one. */
  static revoke(row: RowIdentity): void {
    row.#number = -row.#number
  }

  /** The number of the row, if the value is a row of this table or a reference to one. */
  static numberIn(layout: TableLayout, value: unknown): number | undefined {
    return value instanceof RowIdentity && value.#layout === layout ? value.#number : undefined
  }

  /** The name of the table, if the value is a row or a reference. */
  static tableOf(value: unknown): string | undefined {
    return value instanceof RowIdentity ? value.#layout.name : undefined
  }
}
