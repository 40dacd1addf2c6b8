/**
 * Runs before each file of tests, by `--import`.
 *
 * tap turns source maps on and reads those of all modules as they are loaded, which is a third of what a file of tests
 * costs before its first test. Rowhouse turns them on itself once it runs an app, as it does for users.
 *
 * Node.js keeps what it has compiled in `NODE_COMPILE_CACHE`, which package.json gives as a path in this folder; what a
 * test starts runs in other folders, too, and is to find the same.
 *
 * In the fast lane the folders of the tests lie in memory where that has room, because each app waits for the disk
 * several times as it starts and stops; in `npm test` they lie where those of users do.
 */
import { statfsSync } from 'node:fs'
import { resolve } from 'node:path'

process.setSourceMapsEnabled(false)

const kept = process.env['NODE_COMPILE_CACHE']
if (kept !== undefined) process.env['NODE_COMPILE_CACHE'] = resolve(kept)

const memory = '/dev/shm'
const enough = 2 * 1024 ** 3
if (process.env['TEST_LANE'] === 'fast' && freeBytes(memory) >= enough) process.env['TMPDIR'] = memory

function freeBytes(folder: string): number {
  try {
    const { bavail, bsize } = statfsSync(folder)
    return bavail * bsize
  } catch {
    return 0
  }
}
