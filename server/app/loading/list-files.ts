import { readdir, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isFolderOfModules } from './file-kinds.js'
import { LoadError } from './load-error.js'

/** What is in a folder. A link is what it leads to; one that leads nowhere is a file, which whoever reads it finds out. */
export interface Entry {
  readonly name: string
  readonly isFolder: boolean
}

/** What is in a folder, by name; nothing where there is no such folder. */
export async function listEntries(folder: string): Promise<Entry[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return []
    throw new LoadError(`the folder ${folder} cannot be read (${error.code ?? error.message}); give this user the right to read it`, null, { cause: error })
  })
  entries.sort((a, b) => (a.name < b.name ? -1 : 1))
  const found: Entry[] = []
  for (const entry of entries) {
    const isFolder = entry.isSymbolicLink() ? await leadsToFolder(join(folder, entry.name)) : entry.isDirectory()
    found.push({ name: entry.name, isFolder })
  }
  return found
}

/** The absolute paths of the files of a folder whose names match. */
export async function listFiles(folder: string, name: RegExp): Promise<string[]> {
  return (await listEntries(folder))
    .filter((entry) => !entry.isFolder && name.test(entry.name))
    .map((entry) => join(folder, entry.name))
}

/** The same of a folder and of those in it, folder by folder as their names come. */
export function listFilesBelow(folder: string, name: RegExp): Promise<string[]> {
  return listBelow(folder, name, [])
}

/** @param above where the folders really lie that lead to this one */
async function listBelow(folder: string, name: RegExp, above: readonly string[]): Promise<string[]> {
  const entries = await listEntries(folder)
  if (entries.length === 0) return []
  const place = await realpath(folder)
  // A link to a folder that it lies in would have no end; what is in there has been found.
  if (above.includes(place)) return []
  const found: string[] = []
  for (const entry of entries) {
    const path = join(folder, entry.name)
    if (!entry.isFolder) {
      if (name.test(entry.name)) found.push(path)
    } else if (isFolderOfModules(entry.name)) found.push(...(await listBelow(path, name, [...above, place])))
  }
  return found
}

async function leadsToFolder(path: string): Promise<boolean> {
  const status = await stat(path).catch(() => null)
  return status?.isDirectory() === true
}
