import type { Migration } from '../db/migrate.js'

/** Counts failed log-ins per account and network; rows are pruned by the time of the last failure. */
export const loginFailures: Migration = {
  number: 2,
  name: 'login failures',
  statements: (dialect) => [
    `CREATE TABLE rowhouse_login_failures (
      account ${dialect.columnType('text')} NOT NULL,
      network ${dialect.columnType('text')} NOT NULL,
      failures ${dialect.columnType('integer')} NOT NULL,
      last_failure ${dialect.columnType('instant')} NOT NULL,
      blocked_until ${dialect.columnType('instant')} NOT NULL,
      PRIMARY KEY (account, network)
    )${dialect.tableSuffix}`,
    'CREATE INDEX rowhouse_login_failures_by_time ON rowhouse_login_failures (last_failure)',
  ],
}
