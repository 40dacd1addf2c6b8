import type { Migration } from '../db/migrate.js'

/** Gives every data table its number, the first part of its rows' ids, and keeps the declaration it was last started with. */
export const tableRegistry: Migration = {
  number: 1,
  name: 'table registry',
  statements: (dialect) => [
    `CREATE TABLE rowhouse_tables (
      id ${dialect.primaryKey},
      name ${dialect.columnType('text')} NOT NULL UNIQUE,
      definition ${dialect.columnType('text')} NOT NULL
    )${dialect.tableSuffix}`,
  ],
}
