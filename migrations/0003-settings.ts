import type { Migration } from '../db/migrate.js'

/** What commands have to know of the app that a data folder belongs to, by name, as JSON. */
export const settings: Migration = {
  number: 3,
  name: 'settings',
  statements: (dialect) => [
    `CREATE TABLE rowhouse_settings (
      name ${dialect.columnType('text')} PRIMARY KEY,
      value ${dialect.columnType('text')} NOT NULL
    )${dialect.tableSuffix}`,
  ],
}
