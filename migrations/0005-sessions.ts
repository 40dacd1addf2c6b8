import type { Migration } from '../db/migrate.js'

/** What a browser keeps for an app: who has signed in there, and a few values. Nobody can make a cookie out of what is stored; rows are swept by the time of the last request. */
export const sessions: Migration = {
  number: 5,
  name: 'sessions',
  statements: (dialect) => [
    `CREATE TABLE rowhouse_sessions (
      hash ${dialect.columnType('text')} PRIMARY KEY,
      handle ${dialect.columnType('text')} NOT NULL UNIQUE,
      user_id ${dialect.columnType('text')},
      epoch ${dialect.columnType('integer')} NOT NULL,
      created ${dialect.columnType('instant')} NOT NULL,
      last_seen ${dialect.columnType('instant')} NOT NULL,
      expires ${dialect.columnType('instant')} NOT NULL,
      user_agent ${dialect.columnType('text')} NOT NULL,
      version ${dialect.columnType('integer')} NOT NULL,
      data ${dialect.columnType('text')} NOT NULL
    )${dialect.tableSuffix}`,
    'CREATE INDEX rowhouse_sessions_by_user ON rowhouse_sessions (user_id)',
    'CREATE INDEX rowhouse_sessions_by_time ON rowhouse_sessions (last_seen)',
  ],
}
