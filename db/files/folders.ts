import { readlinkSync, statSync } from 'node:fs'
import { mkdir, open, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/** What a folder may refuse to be synced for without anything being wrong with the disk: one that somebody else has made, and that this user may only pass through, or a file system that does not know of such a thing. */
const refusals: ReadonlySet<unknown> = new Set(['EACCES', 'EPERM', 'EINVAL', 'ENOTSUP', 'EROFS'])

/**
 * Makes a folder, and those above it that are missing, for their owner alone, and makes their names durable: what is synced inside of a folder is gone
 * with it when its own entry in the folder above was not (fsync(2)). A folder that is there is synced, too: whoever has made it may have been killed before that.
 *
 * @throws what the system says, with `EEXIST` or `ENOTDIR` where a file is in the way
 */
export async function makeFolder(folder: string): Promise<void> {
  const above = dirname(folder)
  try {
    await mkdir(folder, { mode: 0o700 })
  } catch (error) {
    if (codeOf(error) === 'ENOENT' && above !== folder) {
      // From the top down, each made durable before the next: whenever this is cut off, at most one is without.
      await makeFolder(above)
      return makeFolder(folder)
    }
    if (!(await isFolder(folder))) throw error
    await syncFolder(above).catch((refusal: unknown) => {
      if (!refusals.has(codeOf(refusal))) throw refusal
    })
    return
  }
  await syncFolder(above)
}

/** Makes a folder's entries durable, so that a file created in it is still found there after a power cut (fsync(2)). */
export async function syncFolder(folder: string): Promise<void> {
  // Windows cannot open a folder for this, and NTFS keeps its entries in a journal.
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/**
 * What keeps a folder from being made: that it, or one above it, is a file or a link that leads nowhere.
 *
 * @param purpose what it is for, such as `the log`
 * @returns the beginning of a sentence, with what can be done about it; null where nothing is in the way
 */
export function describeObstacle(folder: string, purpose: string): string | null {
  const link = describeLostLink(folder)
  if (link !== null) return link
  try {
    return statSync(folder).isDirectory() ? null : `${folder} is a file where a folder for ${purpose} has to be; move it away`
  } catch {
    return folder === dirname(folder) ? null : describeObstacle(dirname(folder), purpose)
  }
}

/** The beginning of a sentence about a symbolic link that leads nowhere, or where this user may not look, with what can be done about it; null when the path is none. */
export function describeLostLink(path: string): string | null {
  let target: string
  try {
    target = readlinkSync(path)
  } catch {
    return null
  }
  try {
    statSync(path)
    return null
  } catch (error) {
    return `${path} is a symbolic link to ${target}, which is not there (${String(codeOf(error))}); put it there, as by mounting its disk, or delete the link`
  }
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then((found) => found.isDirectory(), () => false)
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
