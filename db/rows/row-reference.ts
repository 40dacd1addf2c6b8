import { parseRowId } from './row-id.js'
import { RowIdentity } from './row-identity.js'
import type { TableLayout } from './table-layout.js'

/** A reference to a row, as a `link` column gives it: it knows which row, and nothing of it. */
export class DataRowReference extends RowIdentity {
  constructor(layout: TableLayout, number: number) {
    super(layout, number)
    Object.freeze(this)
  }

  /** A reference to the row with this id, whether there is one or not; null for whatever is no id of this table. */
  static withId(layout: TableLayout, id: unknown): DataRowReference | null {
    const number = parseRowId(id, layout.number)
    return number === null ? null : new DataRowReference(layout, number)
  }

  /** Resolves to the row as it is now; to null when it has been deleted. */
  async load(): Promise<unknown> {
    const layout = DataRowReference.layoutOf(this)
    const { statements, transactions } = layout.attachment
    const [values] = await transactions.connection().read(statements.byId, [DataRowReference.numberOf(this)])
    return values === undefined ? null : layout.makeRow(values)
  }

  toJSON(): string {
    return this.id
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `reference to ${DataRowReference.layoutOf(this).name} ${this.id}`
  }
}
