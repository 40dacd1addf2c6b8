import { createHash } from 'node:crypto'
import type { ColumnBeginning } from '../engine/dialect.js'
import { frameBeginning } from './media-codec.js'

/** What is read of a `media` column with its row. */
export function mediaBeginning(tableNumber: number, table: string, column: string): ColumnBeginning {
  // Names of columns can be too long to be a part of another.
  const digest = createHash('sha256').update(column).digest('hex').slice(0, 8)
  return { table, column, bytes: frameBeginning, index: `rowhouse_media_${tableNumber}_${digest}` }
}
