import { openSync, realpathSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { CommitListener, Engine } from '../engine/engine.js'
import { DatabaseFailure } from '../errors/errors.js'
import { syncFolder } from '../files/folders.js'
import { Checkpointer } from './checkpointer.js'
import type { SqliteConnection } from './connection.js'
import { assertDatabaseFiles, createPrivateFile, fileSize, prepareDataDirectory, readableByOthers } from './data-directory.js'
import { assertUnused, openDatabaseFile, openReader } from './database-file.js'
import type { EngineLog } from './engine-log.js'
import { assertLogFits, assertNotEmptied, assertNothingLost, beginGeneration, closeGeneration, generationInFile, putStaleLogAside } from './log-mark.js'
import { FailureLatch } from './failure-latch.js'
import { FolderWatch } from './folder-watch.js'
import { Reads } from './reads.js'
import { ServerLock } from './server-lock.js'
import { SqliteEngine } from './sqlite-engine.js'
import { WalSync } from './wal-sync.js'
import { busyLimit, whileBusy } from './while-busy.js'
import { Writer } from './writer.js'

/** How to open the SQLite database of a data folder. */
export interface SqliteOptions {
  /** The data folder; made when it is not there. The database is the file `rowhouse.db` in it. */
  readonly directory: string
  /** True for the server, which keeps a second one away; false for a command that works beside it. */
  readonly exclusive: boolean
  /** Opens a database, too, that has lost something: its log, or all that was in it. */
  readonly acceptDataLoss?: boolean
  readonly log: EngineLog
  /** How long a write waits for another process that has the database locked, in milliseconds; default 15,000. */
  readonly busyLimit?: number
  /** Told of each write's commit; see {@link CommitListener}. */
  readonly onWrite?: CommitListener
  /** Told once when the database can no longer be trusted. The process then has to say so and end, by `process.exit`. */
  readonly onFailure?: (failure: DatabaseFailure) => void
}

/**
 * Opens the SQLite database of a data folder.
 *
 * @throws {DatabaseFailure} when it cannot; the message is one sentence that says what to do.
 */
export async function openSqlite(options: SqliteOptions): Promise<Engine> {
  const directory = resolve(options.directory)
  for (const warning of await prepareDataDirectory(directory)) options.log.warn(warning)
  const lock = options.exclusive ? await ServerLock.acquire(directory) : undefined
  try {
    return await assemble(join(directory, 'rowhouse.db'), options, lock)
  } catch (error) {
    lock?.release()
    throw error
  }
}

async function assemble(file: string, options: SqliteOptions, lock: ServerLock | undefined): Promise<Engine> {
  const latch = new FailureLatch({
    onFailure: (failure) => {
      options.log.error(failure.message)
      options.onFailure?.(failure)
    },
    onDiskFull: () => checkpointer.reclaim(),
  })
  await assertDatabaseFiles(file)
  if (options.acceptDataLoss !== true) assertNotEmptied(file, await fileSize(file))
  const generation = generationInFile(file, options.exclusive)
  if (options.exclusive && options.acceptDataLoss === true) putStaleLogAside(file, generation)
  else assertLogFits(file, generation)
  if (lock?.isNew === true) await assertUnused(file)
  await createPrivateFile(file)
  const warning = await readableByOthers(file)
  if (warning !== undefined) options.log.warn(warning)
  const connection = await openDatabaseFile(file)
  const { reader, log, descriptor } = await openBeside(file, generation, connection, options).catch((error: unknown) => {
    connection.close()
    throw error
  })
  const watch = new FolderWatch({ directory: dirname(file), database: file, log, lock: lock?.file ?? null, latch })
  const reads = new Reads({ connection, reader })
  const sync = new WalSync({ descriptor, watch, latch })
  const onWrite = options.onWrite ?? ((): undefined => undefined)
  const writer = new Writer({
    connection,
    reads,
    sync,
    latch,
    onWrite,
    busyLimit: options.busyLimit ?? busyLimit,
    onCommitted: () => checkpointer.consider(),
  })
  const checkpointer = new Checkpointer({
    file,
    reader,
    reads,
    writer,
    latch,
    log: options.log,
    besideServer: !options.exclusive,
  })
  const close = async (): Promise<void> => {
    checkpointer.stop()
    await writer.close()
    await sync.close()
    watch.stop()
    await checkpointer.close()
    // The last connection to close moves the log into the database file, which must not happen to a log that a sync has failed on:
    // the next start reads it back and takes only what it can verify.
    if (latch.failure !== undefined) return
    reads.end()
    reader.close()
    connection.close()
    if (lock === undefined) return
    closeGeneration(file)
    lock.release()
  }
  return new SqliteEngine({ reads, writer, latch, close })
}

/** Opens the reader, and the log a second time for the engine's own syncs, and makes the log's entry in the folder durable. */
async function openBeside(
  file: string,
  generation: number,
  connection: SqliteConnection,
  { exclusive, acceptDataLoss, log: warnings }: SqliteOptions,
): Promise<{ reader: SqliteConnection; log: string; descriptor: number }> {
  if (acceptDataLoss !== true) assertNothingLost(connection, file)
  const reader = await openReader(file)
  // SQLite puts the log beside the file that a link points to.
  const target = realpathSync(file)
  const log = `${target}-wal`
  const descriptor = openSync(log, 'r+')
  await syncFolder(dirname(target))
  if (exclusive) await markLog(connection, file, generation, warnings)
  return { reader, log, descriptor }
}

/** A disk that is full is no reason not to start: what is there can be read, and deleted. */
async function markLog(connection: SqliteConnection, file: string, generation: number, log: EngineLog): Promise<void> {
  try {
    await whileBusy(() => beginGeneration(connection, file, generation))
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    if (!/^(ENOSPC|EDQUOT|SQLITE_FULL|SQLITE_IOERR_SHMSIZE)$/.test(code)) {
      throw new DatabaseFailure(`the log of ${file} cannot be marked as in use (${code}); check the disk, the data folder and its permissions`, { cause: error })
    }
    log.warn(`the disk that holds ${file} is full; make room`)
  }
}
