import { basename, dirname, join, sep } from 'node:path'
import { fileKinds } from './file-kinds.js'
import { listFiles, listFilesBelow } from './list-files.js'
import { LoadError } from './load-error.js'
import { findLookAlikes } from './look-alikes.js'

/**
 * The files of an app that are run when it starts, in the order in which they are: `tables.ts`, then all in `modules/`
 * and its folders, by name, then those in `pages/api/` and its folders, then `fastify.ts`. {@link fileKinds} says what
 * they are called.
 *
 * @returns absolute paths
 * @throws LoadError when another file or folder has nearly such a name, and would be left out without a word
 */
export async function findModules(directory: string): Promise<string[]> {
  const files = await listModules(directory)
  const lookAlikes = await findLookAlikes(directory, files)
  if (lookAlikes.length > 0) throw new LoadError(lookAlikes.join('\n'))
  if (files.length === 0 && (await listModules(join(directory, 'src'))).length > 0) {
    throw new LoadError(`there is no app in ${directory}, but there is one in its folder src; name that folder`)
  }
  return files
}

/** The same, without a look at what else there is. */
export async function listModules(directory: string): Promise<string[]> {
  const tables = await listFiles(directory, fileKinds.tables)
  return [
    ...tables,
    ...(await listFilesBelow(join(directory, 'modules'), fileKinds.module)),
    ...(await listRoutes(join(directory, 'pages'))),
    ...(await listFiles(directory, fileKinds.plugin)),
  ]
}

/** The configuration file of an app; several where somebody has left an old one. */
export function listConfigurationFiles(directory: string): Promise<string[]> {
  return listFiles(directory, fileKinds.configuration)
}

/** Whether one of the files of an app is its Fastify plugin. */
export function isPluginFile(file: string, directory: string): boolean {
  return dirname(file) === directory && fileKinds.plugin.test(basename(file))
}

/** Whether one of the files of an app that are {@link isRouteFile} is a middleware. */
export function isMiddlewareFile(file: string): boolean {
  return fileKinds.middleware.test(basename(file))
}

/** Whether one of the files of an app is a file route, or a middleware of file routes. */
export function isRouteFile(file: string, directory: string): boolean {
  return file.startsWith(join(directory, 'pages') + sep)
}

/**
 * The folder's own middleware counts as soon as there is a route for it; whatever else is in the folder is not about
 * the API.
 */
async function listRoutes(pages: string): Promise<string[]> {
  const routes = await listFilesBelow(join(pages, 'api'), fileKinds.module)
  return routes.length === 0 ? [] : [...(await listFiles(pages, fileKinds.middleware)), ...routes]
}
