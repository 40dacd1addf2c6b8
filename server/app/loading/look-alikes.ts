import { readFile } from 'node:fs/promises'
import { basename, dirname, join, sep } from 'node:path'
import { distance } from 'fastest-levenshtein'
import { displayPath } from '../../errors/source-location.js'
import { fileKinds } from './file-kinds.js'
import { listEntries, listFiles, listFilesBelow } from './list-files.js'

/** Whatever can be code: what is called so and is no module may have been meant to be one. */
const code = /\.[cm]?[jt]sx?$/i
const notRun = /^[._]|\.(?:test|spec|d)\.\w+$/i

/** What the text of a file has to have so that something would be left out with it. */
type Content = (text: string) => boolean

const declaresTables: Content = (text) => /\bdefineTables\b/.test(text)
const declaresEndpoints: Content = (text) =>
  /['"]rowhouse['"]/.test(text) && /\b(?:httpEndpoint|route|crudEndpoints|errorHandler)\s*[(<]/.test(text)
const exportsMiddleware: Content = (text) =>
  /\bexport\s+(?:default\b|(?:async\s+)?function\s+middleware\b|const\s+middleware\b)/.test(text)

/** A name without its extension that can mean nothing but the configuration file. */
const settingsName = /^(?:rowhouse[._-]?(?:config|conf|cfg|configuration|settings)|\.rowhouserc)$/
const settingsExtension = /\.(?:[cm]?[jt]sx?|json[c5]?|ya?ml|toml)$/i

/**
 * A sentence about each file or folder of an app that would be left out without a word because of its name: what it is
 * called, and what to call it.
 *
 * Names that differ in upper and lower case alone are told of always: to some file systems they are the same. Others
 * are told of only where what has the right name is missing, and where the file declares what it would declare under
 * that name: an app may call its own files as it likes.
 *
 * @param files those that are run, with absolute paths
 */
export async function findLookAlikes(directory: string, files: readonly string[]): Promise<string[]> {
  const tell = (paths: readonly string[], why: string): string[] =>
    paths.map((path) => `${displayPath(path, directory)}${path.endsWith(sep) ? '/' : ''} ${why}`)
  return [
    ...tell(await likeTables(directory), "is not run: tables are in tables.ts, in the app's folder; rename it"),
    ...tell(await likeModules(directory), 'is not looked at: modules are files in the folder modules/; rename it'),
    ...tell(
      await unlikeModules(directory),
      'is not run: a module ends in .ts, .mts, .js or .mjs; rename it, or begin its name with _ if it is none',
    ),
    ...tell(await likeRoutes(directory), 'is not looked at: file routes are in the folder pages/api/; rename it'),
    ...tell(
      await likeMiddleware(directory, files),
      'guards nothing: middleware is in a file middleware.ts in pages/ or below pages/api/; rename or move it',
    ),
  ]
}

/**
 * A sentence about each file that is nearly called as the configuration file of an app is: without it the app would run
 * by defaults, and may be open.
 */
export async function findConfigurationLookAlikes(directory: string): Promise<string[]> {
  const names = (await listFiles(directory, /./)).map((path) => basename(path))
  const isThere = names.some((name) => fileKinds.configuration.test(name))
  const alike = names.filter(
    (name) => isOtherCase(name, fileKinds.configuration) || (!isThere && isNearlyConfiguration(name)),
  )
  const whatToDo = (name: string): string =>
    code.test(name) ? 'rename it' : 'write them there, as export default defineConfig({ … })'
  return alike.map((name) => `${name} is not read: the settings of an app are in rowhouse.config.ts; ${whatToDo(name)}`)
}

function isNearlyConfiguration(name: string): boolean {
  const base = name.replace(settingsExtension, '').toLowerCase()
  if (settingsName.test(base)) return base !== name.toLowerCase() || base === '.rowhouserc'
  return settingsExtension.test(name) && !notRun.test(name) && distance(base, 'rowhouse.config') <= 2
}

/** `table.ts` in place of `tables.ts`, or a folder `tables/` with its index. */
async function likeTables(directory: string): Promise<string[]> {
  const files = await listFiles(directory, code)
  const otherCase = files.filter((path) => isOtherCase(basename(path), fileKinds.tables))
  if (otherCase.length > 0 || files.some((path) => fileKinds.tables.test(basename(path)))) return otherCase
  const folder = join(directory, 'tables')
  const isMeant = (await having(declaresTables, await listFilesBelow(folder, fileKinds.module))).length > 0
  return [
    ...(await having(
      declaresTables,
      files.filter((path) => isNearly(stem(path), 'tables')),
    )),
    ...(isMeant ? await listFiles(folder, /^index\.m?[jt]s$/) : []),
  ]
}

/** `module/` or `modules.ts` in place of `modules/`. */
async function likeModules(directory: string): Promise<string[]> {
  const entries = (await listEntries(directory)).filter(({ name }) => isNearly(stem(name), 'modules'))
  const isThere = entries.some(({ name }) => name === 'modules')
  const found: string[] = []
  for (const entry of entries.filter(({ name }) => name !== 'modules')) {
    const path = join(directory, entry.name)
    const files = entry.isDirectory()
      ? await listFilesBelow(path, fileKinds.module)
      : [path].filter((file) => code.test(file))
    const isSame = entry.isDirectory() && entry.name.toLowerCase() === 'modules' && files.length > 0
    const isMeant = isSame || (!isThere && (await having(declaresEndpoints, files)).length > 0)
    if (isMeant) found.push(entry.isDirectory() ? path + sep : path)
  }
  return found
}

/** `modules/tasks.tsx` in place of `modules/tasks.ts`. */
async function unlikeModules(directory: string): Promise<string[]> {
  const files = await listFilesBelow(join(directory, 'modules'), code)
  return having(
    declaresEndpoints,
    files.filter((path) => !fileKinds.module.test(basename(path)) && !notRun.test(basename(path))),
  )
}

/** `page/api/` in place of `pages/api/`. */
async function likeRoutes(directory: string): Promise<string[]> {
  const right = join(directory, 'pages', 'api')
  const isThere = (await listFilesBelow(right, fileKinds.module)).length > 0
  const found: string[] = []
  for (const folder of await listFolders(directory, (name) => isNearly(name, 'pages'))) {
    for (const path of await listFolders(folder, (name) => /^apis?$/i.test(name))) {
      const isMeant = path !== right && (!isThere || path.toLowerCase() === right.toLowerCase())
      if (isMeant && (await listFilesBelow(path, fileKinds.module)).length > 0) found.push(path + sep)
    }
  }
  return found
}

/**
 * `_middleware.ts` in place of `middleware.ts`, or one that lies beside `pages/`: routes would be open that it was
 * meant to close. Below `pages/api/` one in another case is a route, and is told of where file routes are declared.
 */
async function likeMiddleware(directory: string, files: readonly string[]): Promise<string[]> {
  const pages = join(directory, 'pages')
  const inPages = files.filter((path) => path.startsWith(pages + sep))
  if (inPages.length === 0) return []
  const guarded = inPages.filter((path) => fileKinds.middleware.test(basename(path))).map((path) => dirname(path))
  const alike = [
    ...(await listFiles(pages, /^_?middlewares?\.m?[jt]s$/i)),
    ...(await listFilesBelow(join(pages, 'api'), /^_middleware\.m?[jt]s$/i)),
  ]
  const otherCase = alike.filter((path) => isOtherCase(basename(path), fileKinds.middleware))
  const unguarded = alike.filter((path) => !otherCase.includes(path) && !guarded.includes(dirname(path)))
  const outside = guarded.length === 0 ? await listFiles(directory, fileKinds.middleware) : []
  return [...otherCase, ...(await having(exportsMiddleware, [...unguarded, ...outside]))]
}

async function listFolders(directory: string, isWanted: (name: string) => boolean): Promise<string[]> {
  const folders = (await listEntries(directory)).filter((entry) => entry.isDirectory() && isWanted(entry.name))
  return folders.map(({ name }) => join(directory, name))
}

function isOtherCase(name: string, kind: RegExp): boolean {
  return !kind.test(name) && kind.test(name.toLowerCase())
}

/**
 * Whether a name is the right one in another case, with its letters in another order, or with one letter too many, too
 * few or wrong.
 */
function isNearly(name: string, right: string): boolean {
  const lower = name.toLowerCase()
  return distance(lower, right) <= 1 || [...lower].sort().join('') === [...right].sort().join('')
}

function stem(path: string): string {
  return basename(path).replace(code, '')
}

/** Those of some files that have such a text. What cannot be read is no reason to stop: nothing is known of it. */
async function having(content: Content, paths: readonly string[]): Promise<string[]> {
  const texts = await Promise.all(paths.map((path) => readFile(path, 'utf8').catch(() => '')))
  return paths.filter((_path, index) => content(texts[index] ?? ''))
}
