/**
 * Runs before each file of tests, by `--import`.
 *
 * tap turns source maps on and reads those of all modules as they are loaded, which is a third of what a file of tests
 * costs before its first test. Rowhouse turns them on itself once it runs an app, as it does for users.
 *
 * Node.js keeps what it has compiled in `NODE_COMPILE_CACHE`, which package.json gives as a path in this folder; what a
 * test starts runs in other folders, too, and is to find the same.
 */
import { resolve } from 'node:path'

process.setSourceMapsEnabled(false)

const kept = process.env['NODE_COMPILE_CACHE']
if (kept !== undefined) process.env['NODE_COMPILE_CACHE'] = resolve(kept)
