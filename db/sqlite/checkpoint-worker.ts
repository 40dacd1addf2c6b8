import { parentPort, workerData } from 'node:worker_threads'
import type { CheckpointReply, CheckpointRequest } from './checkpoint-protocol.js'
import { SqliteConnection } from './connection.js'
import { beginGeneration } from './log-mark.js'
import { driverCode, isBusy } from './translate-error.js'

/** How long the worker waits for readers and writers of other processes, in milliseconds. The server's writes wait as long. */
const busyTimeout = 100

if (parentPort === null || typeof workerData !== 'string') throw new TypeError('checkpoint-worker is started by the checkpointer, with the path of the database')
const port = parentPort
const file = workerData
const connection = new SqliteConnection(file, { busyTimeout, mustExist: true })
connection.execute('PRAGMA synchronous = NORMAL')
connection.execute('PRAGMA wal_autocheckpoint = 0')

port.on('message', (request: CheckpointRequest | 'close') => {
  if (request === 'close') {
    connection.close()
    port.close()
    return
  }
  port.postMessage(answer(request))
})

function answer(request: CheckpointRequest): CheckpointReply {
  try {
    return checkpoint(request)
  } catch (error) {
    return { error: { code: driverCode(error) ?? 'unknown', message: error instanceof Error ? error.message : String(error) } }
  }
}

function checkpoint({ mode }: CheckpointRequest): CheckpointReply {
  const [[busy, total, moved] = []] = connection.execute(`PRAGMA wal_checkpoint(${mode.toUpperCase()})`)
  const complete = busy === 0 && total === moved
  if (complete && mode !== 'passive') beginLog()
  return { complete }
}

/**
 * The first commit after a restart writes the log's header and syncs it, whatever `synchronous` says, because frames must not reach the disk before it.
 * A commit of a new generation has that done here, so that the server's thread never waits for it.
 */
function beginLog(): void {
  try {
    beginGeneration(connection, file, null)
  } catch (error) {
    // Without room for the mark the old one stays, which is true as well.
    if (driverCode(error) !== undefined && !isBusy(error)) throw error
  }
}
