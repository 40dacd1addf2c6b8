import { constants } from 'node:fs'
import { access, chmod, lstat, readdir, stat } from 'node:fs/promises'
import { DatabaseFailure } from '../errors/errors.js'

/** The right of everybody to write, as a part of a mode (chmod(2)). */
const writableByAll = 0o002
/** Says of such a folder that it is meant to be shared, as `/tmp` is: nobody may delete what is another's. */
const sticky = 0o1000

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
    `every user of this machine can write to the folder ${folder} (${octal(found.mode)}), and so put a database or a lock of their own there; ` +
      'run chmod o-w on it, or choose a folder inside of it, which is made for this user alone',
  )
}

/**
 * Closes a folder to everybody else where everybody can write to it, it belongs to this user and nothing is in it, as some volumes of containers are when they are new: nobody has put anything there yet,
 * and from then on nobody else can. One that is shared on purpose, by its sticky bit, is left alone.
 *
 * @returns a sentence for the log; null where nothing was changed
 */
export async function closeIfEmpty(folder: string): Promise<string | null> {
  if (process.platform === 'win32') return null
  const { mode, uid } = await stat(folder)
  const isCandidate = (mode & writableByAll) !== 0 && (mode & sticky) === 0 && uid === process.geteuid?.()
  if (!isCandidate || !(await isEmpty(folder))) return null
  try {
    await chmod(folder, 0o700)
  } catch {
    return null
  }
  if (await isEmpty(folder)) return `the folder ${folder} was empty, and every user of this machine could write to it (${octal(mode)}); now it is for this user alone (700)`
  // Somebody was faster. It would be believed by the next start.
  await chmod(folder, mode & 0o7777)
  return null
}

async function isEmpty(folder: string): Promise<boolean> {
  return readdir(folder).then((names) => names.length === 0, () => false)
}

function octal(mode: number): string {
  return (mode & 0o7777).toString(8)
}

/**
 * Makes sure that a folder inside of the data folder is one, closed to others, and can be read and written: what is wrong with it would otherwise be found by the first request that needs it.
 * Where it cannot be looked at, the data folder is at fault, which is told by who opens that.
 *
 * @throws DatabaseFailure when it is a link, which may lead anywhere, or something else, or is not for this user
 */
export async function assertInnerFolder(folder: string): Promise<void> {
  const found = await lstat(folder).catch(() => null)
  if (found === null) return
  if (!found.isDirectory()) {
    const what = found.isSymbolicLink() ? 'a symbolic link, through which the server would write somewhere else' : 'no folder'
    throw new DatabaseFailure(`${folder} is ${what}; delete it, and the server makes a folder there`)
  }
  await assertClosed(folder)
  await access(folder, constants.R_OK | constants.W_OK | constants.X_OK).catch((error: NodeJS.ErrnoException) => {
    throw new DatabaseFailure(`the folder ${folder} cannot be read and written by this user (${error.code}); change its owner or permissions, or delete it while no server runs`, { cause: error })
  })
}
