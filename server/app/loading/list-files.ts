import type { Dirent } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isFolderOfModules } from './file-kinds.js'

/** What is in a folder, by name; nothing where there is no such folder. */
export async function listEntries(folder: string): Promise<Dirent[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return []
    throw error
  })
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** The absolute paths of the files of a folder whose names match. */
export async function listFiles(folder: string, name: RegExp): Promise<string[]> {
  return (await listEntries(folder))
    .filter((entry) => !entry.isDirectory() && name.test(entry.name))
    .map((entry) => join(folder, entry.name))
}

/** The same of a folder and of those in it, folder by folder as their names come. */
export async function listFilesBelow(folder: string, name: RegExp): Promise<string[]> {
  const found: string[] = []
  for (const entry of await listEntries(folder)) {
    const path = join(folder, entry.name)
    if (!entry.isDirectory()) {
      if (name.test(entry.name)) found.push(path)
    } else if (isFolderOfModules(entry.name)) found.push(...(await listFilesBelow(path, name)))
  }
  return found
}
