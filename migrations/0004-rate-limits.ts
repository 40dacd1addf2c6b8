import type { Migration } from '../db/migrate.js'

/** Keeps when the quota of each key is whole again, in milliseconds since 1970; a row whose time has passed says nothing, and is pruned. */
export const rateLimits: Migration = {
  number: 4,
  name: 'rate limits',
  statements: (dialect) => [
    `CREATE TABLE rowhouse_rate_limits (
      key ${dialect.columnType('text')} PRIMARY KEY,
      whole_at ${dialect.columnType('real')} NOT NULL
    )${dialect.tableSuffix}`,
    'CREATE INDEX rowhouse_rate_limits_by_time ON rowhouse_rate_limits (whole_at)',
  ],
}
