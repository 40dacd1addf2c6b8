import type { Test } from 'tap'
import type { Commit, Engine, SqlRow } from '../../dist/db/engine/engine.js'
import { openSqlite, type SqliteOptions } from '../../dist/db/sqlite/open.js'

/** An engine on a new data folder, with what it has told its owner. */
export interface OpenedEngine {
  readonly engine: Engine
  readonly directory: string
  /** The commits of all writes, in order. */
  readonly commits: Commit[]
  readonly warnings: string[]
}

/** Opens an engine on a data folder, by default the test's own, and closes it at the end of the test. */
export async function openEngine(t: Test, options: Partial<SqliteOptions> = {}): Promise<OpenedEngine> {
  const directory = options.directory ?? t.testdir()
  const commits: Commit[] = []
  const warnings: string[] = []
  const log = { warn: (text: string) => warnings.push(text), error: (text: string) => warnings.push(text) }
  const engine = await openSqlite({ directory, exclusive: true, log, onWrite: (commit) => void commits.push(commit), ...options })
  t.teardown(() => engine.close())
  return { engine, directory, commits, warnings }
}

/** A table with one unique column, for tests that need just some rows. */
export const createNotes = {
  text: 'CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL UNIQUE, parent INTEGER REFERENCES notes (id)) STRICT',
}
export const insertNote = { text: 'INSERT INTO notes (title) VALUES (?1) RETURNING id' }
export const insertChild = { text: 'INSERT INTO notes (title, parent) VALUES (?1, ?2) RETURNING id' }

/** The titles in the order of their rows, as everybody sees them. */
export async function titles(connection: Pick<Engine, 'read'>): Promise<unknown[]> {
  const rows: SqlRow[] = await connection.read({ text: 'SELECT title FROM notes ORDER BY id' }, [])
  return rows.map(([title]) => title)
}
