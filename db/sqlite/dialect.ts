import type { Dialect } from '../engine/dialect.js'

/** SQLite's spelling. Tables are STRICT, so that a column never holds a value of another type; an instant is counted in milliseconds. */
export const sqliteDialect: Dialect = {
  name: 'sqlite',
  placeholder: (position) => `?${position}`,
  columnType: (storage) => columnTypes[storage],
  primaryKey: 'INTEGER PRIMARY KEY AUTOINCREMENT',
  nullSafeEqual: 'IS',
  listContains: (column, members) =>
    `(${column} IS NOT NULL AND NOT EXISTS (SELECT value FROM json_each(${members}) EXCEPT SELECT value FROM json_each(${column})))`,
  // SQLite knows how long a text is without reading it.
  unlessLonger: (column, bytes) => `iif(octet_length(${column}) > ${bytes}, 0, ${column})`,
  takenNames: 'SELECT name FROM sqlite_schema',
  tableSuffix: ' STRICT',
}

const columnTypes = {
  text: 'TEXT',
  real: 'REAL',
  integer: 'INTEGER',
  boolean: 'INTEGER',
  instant: 'INTEGER',
  json: 'TEXT',
  bytes: 'BLOB',
  reference: 'INTEGER',
} as const satisfies Record<Parameters<Dialect['columnType']>[0], string>
