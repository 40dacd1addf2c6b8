import { constants } from 'node:fs'
import { access, lstat, stat } from 'node:fs/promises'
import { DatabaseFailure } from '../errors/errors.js'

/** The right of everybody to write, as a part of a mode (chmod(2)). */
const writableByAll = 0o002

/**
 * Makes sure that nobody but this user and their group can put anything into a folder in which a server keeps its data: what it finds there, it believes. What is not there will be made.
 *
 * @throws DatabaseFailure when everybody can
 */
export async function assertClosed(folder: string): Promise<void> {
  // Windows has access lists instead, and Node makes up a mode.
  if (process.platform === 'win32') return
  const found = await stat(folder).catch(() => null)
  if (found === null || !found.isDirectory() || (found.mode & writableByAll) === 0) return
  throw new DatabaseFailure(
    `every user of this machine can write to the folder ${folder} (${(found.mode & 0o7777).toString(8)}), and so put a database or a lock of their own there; ` +
      'run chmod o-w on it, or choose a folder inside of it, which is made for this user alone',
  )
}

/**
 * Makes sure that a folder inside of the data folder is one, closed to others, and can be read and written: what is wrong with it would otherwise be found by the first request that needs it.
 *
 * @throws DatabaseFailure when it is a link, which may lead anywhere, or something else, or is not for this user
 */
export async function assertInnerFolder(folder: string): Promise<void> {
  const found = await lstat(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw unusable(folder, error)
  })
  if (found === null) return
  if (!found.isDirectory()) {
    const what = found.isSymbolicLink() ? 'a symbolic link, through which the server would write somewhere else' : 'no folder'
    throw new DatabaseFailure(`${folder} is ${what}; delete it, and the server makes a folder there`)
  }
  await assertClosed(folder)
  await access(folder, constants.R_OK | constants.W_OK | constants.X_OK).catch((error: NodeJS.ErrnoException) => {
    throw unusable(folder, error)
  })
}

function unusable(folder: string, error: NodeJS.ErrnoException): DatabaseFailure {
  return new DatabaseFailure(`the folder ${folder} cannot be read and written by this user (${error.code}); change its owner or permissions, or delete it while no server runs`, { cause: error })
}
