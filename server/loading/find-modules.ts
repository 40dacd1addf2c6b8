import { readdir } from 'node:fs/promises'
import { join } from 'node:path'

const moduleName = /^[^._].*\.[cm]?[jt]s$/
const notModule = /\.(?:test|spec)\.[cm]?[jt]s$|\.d\.[cm]?ts$|\.c[jt]s$/
const tablesName = /^tables\.m?[jt]s$/

/**
 * The files of an app that are run when it starts, in the order in which they are: `tables.ts`, then all in `modules/` and its folders, by name.
 * Names that start with `.` or `_`, tests and type declarations are not modules.
 *
 * @returns absolute paths
 */
export async function findModules(directory: string): Promise<string[]> {
  const top = await readdir(directory, { withFileTypes: true })
  const tables = top.filter((entry) => tablesName.test(entry.name)).map((entry) => join(directory, entry.name))
  return [...tables.sort(), ...(await modulesIn(join(directory, 'modules')))]
}

async function modulesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  const found: string[] = []
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name)
    if (entry.isDirectory() && /^[^._]/.test(entry.name) && entry.name !== 'node_modules') found.push(...(await modulesIn(path)))
    else if (!entry.isDirectory() && moduleName.test(entry.name) && !notModule.test(entry.name)) found.push(path)
  }
  return found
}
