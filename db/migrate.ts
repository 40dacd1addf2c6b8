import { createHash } from 'node:crypto'
import type { Dialect } from './engine/dialect.js'
import type { Engine, OpenTransaction, SqlRow } from './engine/engine.js'
import { DatabaseFailure } from './errors/errors.js'

/** One forward step of the database's own tables. Once released it never changes; a correction is a further step. */
export interface Migration {
  /** Counted from 1, without gaps. */
  readonly number: number
  /** A few words for messages and listings. */
  readonly name: string
  /** The statements of the step, in order, without values. */
  statements(dialect: Dialect): readonly string[]
}

/**
 * Runs the steps that the database has not seen, each in a transaction of its own, and resolves to them once they are durable.
 * Processes that start at the same time run each step once; one that was killed is resumed by the next start.
 *
 * @throws {DatabaseFailure} when the database has seen a step that is unknown here, or one that has changed since.
 */
export async function migrate(engine: Engine, migrations: readonly Migration[]): Promise<Migration[]> {
  await engine.write({ text: createRecords(engine.dialect) }, [])
  const recorded = records(await engine.read(selectRecords, []))
  const pending = unseen(migrations, recorded, engine.dialect)
  const done: Migration[] = []
  for (const migration of pending) {
    if (await runStep(engine, migrations, migration)) done.push(migration)
  }
  return done
}

interface MigrationRecord {
  readonly number: number
  readonly name: string
  readonly checksum: string
}

const selectRecords = { text: 'SELECT number, name, checksum FROM rowhouse_migrations ORDER BY number' }

function createRecords(dialect: Dialect): string {
  const columns = [
    `number ${dialect.columnType('integer')} PRIMARY KEY`,
    `name ${dialect.columnType('text')} NOT NULL`,
    `checksum ${dialect.columnType('text')} NOT NULL`,
    `applied_at ${dialect.columnType('instant')} NOT NULL`,
  ]
  return `CREATE TABLE IF NOT EXISTS rowhouse_migrations (${columns.join(', ')})${dialect.tableSuffix}`
}

function insertRecord(dialect: Dialect): string {
  const values = [1, 2, 3, 4].map((position) => dialect.placeholder(position))
  return `INSERT INTO rowhouse_migrations (number, name, checksum, applied_at) VALUES (${values.join(', ')})`
}

function records(rows: readonly SqlRow[]): MigrationRecord[] {
  return rows.map(([number, name, checksum]) => ({ number: Number(number), name: String(name), checksum: String(checksum) }))
}

/** The steps that are not recorded. Throws when the records and the steps contradict each other. */
function unseen(migrations: readonly Migration[], recorded: readonly MigrationRecord[], dialect: Dialect): Migration[] {
  for (const record of recorded) {
    const known = migrations.find((migration) => migration.number === record.number)
    if (known === undefined) {
      throw new DatabaseFailure(
        `the database was made by a newer Rowhouse: it has migration ${record.number} (${record.name}), which this version does not know; ` +
          'start that version, or restore a backup from before the upgrade',
      )
    }
    if (checksum(known, dialect) !== record.checksum) {
      throw new DatabaseFailure(
        `migration ${record.number} (${record.name}) is not the one that this database has run; ` +
          'start the version of Rowhouse that made the database, or restore a backup made with this one',
      )
    }
  }
  const seen = new Set(recorded.map((record) => record.number))
  const pending = migrations.filter((migration) => !seen.has(migration.number))
  const last = Math.max(0, ...seen)
  for (const { number, name } of pending) {
    if (number > last) continue
    throw new DatabaseFailure(
      `migration ${number} (${name}) comes before migration ${last}, which this database has already run; ` +
        'start the version of Rowhouse that made the database',
    )
  }
  return pending
}

/** Runs one step unless another process has done so since; the transaction makes the check and the step one. */
async function runStep(engine: Engine, migrations: readonly Migration[], migration: Migration): Promise<boolean> {
  const transaction = await engine.begin()
  try {
    const recorded = records(await transaction.read(selectRecords, []))
    if (!unseen(migrations, recorded, engine.dialect).includes(migration)) {
      await transaction.rollback()
      return false
    }
    await apply(transaction, migration, engine.dialect)
    const commit = await transaction.commit()
    await commit.durable
    return true
  } catch (error) {
    await transaction.rollback()
    throw error
  }
}

async function apply(transaction: OpenTransaction, migration: Migration, dialect: Dialect): Promise<void> {
  for (const text of migration.statements(dialect)) await transaction.write({ text }, [])
  const values = [migration.number, migration.name, checksum(migration, dialect), Date.now()]
  await transaction.write({ text: insertRecord(dialect) }, values)
}

function checksum(migration: Migration, dialect: Dialect): string {
  return createHash('sha256').update(migration.statements(dialect).join(';\n')).digest('hex')
}
