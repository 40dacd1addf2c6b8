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
  // SQLite reads all of a value for its beginning, though not for its length; an index that has the beginning is all that this needs.
  beginningOf: ({ table, column, bytes, index }) =>
    `(SELECT substr("rowhouse_own"."${column}", 1, ${bytes}) FROM "${table}" AS "rowhouse_own" INDEXED BY "${index}" WHERE "rowhouse_own"."id" = "${table}"."id")`,
  createBeginning: ({ table, column, bytes, index }) => `CREATE INDEX "${index}" ON "${table}" ("id", substr("${column}", 1, ${bytes}))`,
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
