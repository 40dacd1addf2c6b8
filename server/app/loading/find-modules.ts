import { readdir } from 'node:fs/promises'
import { basename, dirname, join, sep } from 'node:path'

const moduleName = /^[^._].*\.[cm]?[jt]s$/
const notModule = /\.(?:test|spec)\.[cm]?[jt]s$|\.d\.[cm]?ts$|\.c[jt]s$/
const tablesName = /^tables\.m?[jt]s$/
const middlewareName = /^middleware\.m?[jt]s$/
const pluginName = /^fastify\.m?[jt]s$/

/**
 * The files of an app that are run when it starts, in the order in which they are: `tables.ts`, then all in `modules/` and its folders, by name, then those in `pages/api/`
 * and its folders, then `fastify.ts`. Names that start with `.` or `_`, tests and type declarations are not modules.
 *
 * @returns absolute paths
 */
export async function findModules(directory: string): Promise<string[]> {
  const tables = await filesNamed(tablesName, directory)
  const plugins = await filesNamed(pluginName, directory)
  return [...tables, ...(await modulesIn(join(directory, 'modules'))), ...(await routesIn(join(directory, 'pages'))), ...plugins]
}

/** Whether one of the files of an app is its Fastify plugin. */
export function isPluginFile(file: string, directory: string): boolean {
  return dirname(file) === directory && pluginName.test(basename(file))
}

/** Whether one of the files of an app is a file route, or a middleware of file routes. */
export function isRouteFile(file: string, directory: string): boolean {
  return file.startsWith(join(directory, 'pages') + sep)
}

/** The folder's own middleware counts as soon as there is a route for it; whatever else is in the folder is not about the API. */
async function routesIn(pages: string): Promise<string[]> {
  const routes = await modulesIn(join(pages, 'api'))
  return routes.length === 0 ? [] : [...(await filesNamed(middlewareName, pages)), ...routes]
}

async function filesNamed(name: RegExp, folder: string): Promise<string[]> {
  const entries = await readdir(folder)
  return entries.filter((entry) => name.test(entry)).sort().map((entry) => join(folder, entry))
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
