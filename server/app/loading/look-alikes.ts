import { readFile, realpath } from 'node:fs/promises'
import { basename, dirname, join, sep } from 'node:path'
import { distance } from 'fastest-levenshtein'
import { displayPath } from '../../errors/source-location.js'
import { code, fileKinds, isFolderOfModules, withoutExtension } from './file-kinds.js'
import { listEntries, listFiles, listFilesBelow, type Entry } from './list-files.js'

const indexFile = new RegExp(`^index${code.source}`, 'i')
const notRun = /^[._]|\.(?:test|spec|d)\.\w+$/i

/** What the text of a file has to have so that something would be left out with it. */
type Content = (text: string) => boolean

const declaresTables: Content = (text) => /\bdefineTables\b/.test(text)
const declaresEndpoints: Content = (text) =>
  /['"]rowhouse['"]/.test(text) &&
  /\b(?:httpEndpoint|route|crudEndpoints|errorHandler|authenticate|requiresAuth)\b/.test(text)
/** Where it stands at the beginning of a line, and not in a function that others may call. */
const callsDoor: Content = (text) =>
  declaresEndpoints(text) && /^(?:httpEndpoint|route|crudEndpoints|errorHandler|authenticate)\(/m.test(text)
const commonJS = String.raw`\bmodule\.exports\b|\bexports\.`
const anyDefault = String.raw`\bexport\s+default\b|\bexport\s*=|\bexport\s*\{[^}]*\bdefault\b|${commonJS}`
const exportsPlugin: Content = (text) => new RegExp(anyDefault).test(text)
const methods = 'get|post|put|patch|del|head|options|endpoint'
const answersRequests: Content = (text) =>
  new RegExp(
    String.raw`\bexport\s+(?:default\b|class\b|\{|(?:async\s+)?function\s+(?:${methods})\b|const\s+(?:${methods})\b)|${commonJS}`,
    'i',
  ).test(text)
const exportsMiddleware: Content = (text) =>
  new RegExp(
    String.raw`\bexport\s+(?:(?:async\s+)?function|const|let|class)\s+middleware\b|\bexport\s*\{[^}]*\bmiddleware\b|${anyDefault}`,
  ).test(text)
/** A route may export a function by default too, but goes on to nobody. */
const goesOn: Content = (text) => exportsMiddleware(text) && /\b(?:next|Middleware)\b/.test(text)

/** A name without its extension that can mean nothing but the configuration file. */
const settingsName = /^(?:rowhouse[._-]?(?:config|conf|cfg|configuration|settings)|\.rowhouserc)$/
const settingsExtension = new RegExp(String.raw`${code.source}|\.(?:json[c5]?|ya?ml|toml)$`, 'i')

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
      'is not run: write its extension in small letters, or begin its name with _ if it is to be left out',
    ),
    ...tell(await likeRoutes(directory), 'is not looked at: file routes are in the folder pages/api/; rename it'),
    ...tell(
      await likePlugin(directory),
      "is not run: the Fastify plugin of an app is its fastify.ts, in the app's folder; rename it",
    ),
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
  const texts = await Promise.all((await listFiles(directory, fileKinds.configuration)).map(read))
  const isRead = (name: string): boolean => texts.some((text) => text.includes(name))
  const alike = names.filter(
    (name) =>
      isOtherCase(name, fileKinds.configuration) ||
      (!isThere && isNearlyConfiguration(name)) ||
      (isThere && isOtherFormat(name) && !isRead(name)),
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

/** `rowhouse.config.json` in place of, or beside, `rowhouse.config.ts`. */
function isOtherFormat(name: string): boolean {
  return !code.test(name) && settingsExtension.test(name) && name.replace(settingsExtension, '') === 'rowhouse.config'
}

/** `table.ts` in place of `tables.ts`, or a folder `tables/` with its index, which `tables.ts` does not import. */
async function likeTables(directory: string): Promise<string[]> {
  const files = await listFiles(directory, code)
  const otherCase = files.filter((path) => isOtherCase(basename(path), fileKinds.tables))
  const right = files.filter((path) => fileKinds.tables.test(basename(path)))
  const near = right.length > 0 ? [] : files.filter((path) => !otherCase.includes(path) && isNearly(stem(path), 'tables'))
  return [...otherCase, ...(await having(declaresTables, near)), ...(await likeTablesFolder(directory, right))]
}

async function likeTablesFolder(directory: string, right: readonly string[]): Promise<string[]> {
  const folder = join(directory, 'tables')
  const index = await listFiles(folder, indexFile)
  if (index.length === 0) return []
  const isImported = (await Promise.all(right.map(read))).some((text) => text.includes('/tables'))
  const isMeant = (await having(declaresTables, await listFilesBelow(folder, fileKinds.module))).length > 0
  return isMeant && !isImported ? index : []
}

/** `module/` or `modules.ts` in place of `modules/`. */
async function likeModules(directory: string): Promise<string[]> {
  const entries = (await listEntries(directory)).filter(({ name }) => isNearly(stem(name), 'modules'))
  const isThere = entries.some(({ name }) => name === 'modules')
  const found: string[] = []
  for (const entry of entries.filter(({ name }) => name !== 'modules')) {
    const files = await filesOfModules(directory, entry)
    const isSame = entry.isFolder && entry.name.toLowerCase() === 'modules' && files.length > 0
    const isMeant = isSame || (!isThere && (await having(declaresEndpoints, files)).length > 0)
    if (isMeant) found.push(join(directory, entry.name) + (entry.isFolder ? sep : ''))
  }
  return found
}

async function filesOfModules(directory: string, { name, isFolder }: Entry): Promise<string[]> {
  const path = join(directory, name)
  if (isFolder) return listFilesBelow(path, fileKinds.module)
  return code.test(name) ? [path] : []
}

/**
 * A sentence about each file that lies beside `modules/`, in `module/` or as `modules.ts`, and declares endpoints that are left out, because nothing imports it. What is imported is known
 * only when the app has been compiled. Other names, such as `models/`, are those of other things.
 *
 * @param run the files that are run, with absolute paths without links
 */
export async function findLeftOutModules(directory: string, run: ReadonlyMap<string, unknown>): Promise<string[]> {
  const entries = (await listEntries(directory)).filter(({ name, isFolder }) => /^modules?$/.test(stem(name)) && !(isFolder && name === 'modules'))
  const files = (await Promise.all(entries.map((entry) => filesOfModules(directory, entry)))).flat()
  const left: string[] = []
  for (const file of await having(callsDoor, files)) if (!run.has(await realpath(file))) left.push(file)
  return left.map((file) => `${displayPath(file, directory)} is not run: modules are files in the folder modules/; move it there, or import it`)
}

/** `modules/tasks.TS` in place of `modules/tasks.ts`, and the same of file routes. */
async function unlikeModules(directory: string): Promise<string[]> {
  const below = await Promise.all(
    [join(directory, 'modules'), join(directory, 'pages', 'api')].map((folder) => listFilesBelow(folder, code)),
  )
  const isLikeMiddleware = (path: string): boolean => isOtherCase(basename(path), fileKinds.middleware)
  return below.flat().filter((path) => isOtherCase(basename(path), fileKinds.module) && !isLikeMiddleware(path))
}

/** `page/api/` in place of `pages/api/`. */
async function likeRoutes(directory: string): Promise<string[]> {
  const right = join(directory, 'pages', 'api')
  const isThere = (await listFilesBelow(right, fileKinds.module)).length > 0
  const found: string[] = []
  for (const folder of await listFolders(directory, (name) => isNearly(name, 'pages'))) {
    for (const path of await listFolders(folder, (name) => /^apis?$/i.test(name))) {
      const isMeant = path !== right && (!isThere || path.toLowerCase() === right.toLowerCase())
      if (isMeant && (await having(answersRequests, await listFilesBelow(path, fileKinds.module))).length > 0) found.push(path + sep)
    }
  }
  return found
}

/** `Fastify.ts` in place of `fastify.ts`, or a folder `fastify/` with its index. */
async function likePlugin(directory: string): Promise<string[]> {
  const files = await listFiles(directory, code)
  const otherCase = files.filter((path) => isOtherCase(basename(path), fileKinds.plugin))
  if (otherCase.length > 0 || files.some((path) => fileKinds.plugin.test(basename(path)))) return otherCase
  const inFolder = await listFiles(join(directory, 'fastify'), indexFile)
  return having(exportsPlugin, [...files.filter((path) => isNearly(stem(path), 'fastify')), ...inFolder])
}

/**
 * `_middleware.ts` or `middleware/index.ts` in place of `middleware.ts`, or one that lies beside `pages/`: routes would
 * be open that it was meant to close.
 */
async function likeMiddleware(directory: string, files: readonly string[]): Promise<string[]> {
  const pages = join(directory, 'pages')
  const inPages = files.filter((path) => path.startsWith(pages + sep))
  if (inPages.length === 0) return []
  const guarded = inPages.filter((path) => fileKinds.middleware.test(basename(path))).map((path) => dirname(path))
  const all = [...(await listFiles(pages, code)), ...(await listFilesBelow(join(pages, 'api'), code))]
  const otherCase = all.filter((path) => isOtherCase(basename(path), fileKinds.middleware))
  const alike = all.filter((path) => isNearlyMiddleware(path) && !otherCase.includes(path))
  const unguarded = alike.filter((path) => !guarded.includes(dirname(path)))
  const inFolders = (await listInFoldersOfMiddleware(pages)).filter(
    (path) => !guarded.includes(dirname(dirname(path))) && !fileKinds.middleware.test(basename(path)),
  )
  const outside = guarded.length === 0 ? await listFiles(directory, fileKinds.middleware) : []
  return [
    ...otherCase,
    ...(await having(exportsMiddleware, unguarded.filter((path) => !inPages.includes(path)))),
    // What is a route, too, may be one.
    ...(await having(goesOn, [...unguarded.filter((path) => inPages.includes(path)), ...inFolders])),
    ...(await having(exportsMiddleware, outside)),
  ]
}

/** `_middleware.ts`, `middlewares.ts`, but not the right name; of folders that, too. */
function isNearlyMiddleware(path: string, isFolder = false): boolean {
  const isRight = !isFolder && fileKinds.middleware.test(basename(path))
  return !isRight && isNearly(stem(path).replace(/^[._]/, ''), 'middleware')
}

/** The files of folders that are called as middleware is, in `pages/` and all that is below `pages/api/`. */
async function listInFoldersOfMiddleware(folder: string, isPages = true): Promise<string[]> {
  const found: string[] = []
  for (const { name, isFolder } of await listEntries(folder)) {
    const path = join(folder, name)
    if (isFolder && isNearlyMiddleware(path, true)) found.push(...(await listFiles(path, fileKinds.module)))
    else if (isFolder && (isPages ? name === 'api' : isFolderOfModules(name)))
      found.push(...(await listInFoldersOfMiddleware(path, false)))
  }
  return found
}

async function listFolders(directory: string, isWanted: (name: string) => boolean): Promise<string[]> {
  const folders = (await listEntries(directory)).filter((entry) => entry.isFolder && isWanted(entry.name))
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
  return withoutExtension(basename(path))
}

/** Those of some files that have such a text. What cannot be read is no reason to stop: nothing is known of it. */
async function having(content: Content, paths: readonly string[]): Promise<string[]> {
  const texts = await Promise.all(paths.map(read))
  return paths.filter((_path, index) => content(texts[index] ?? ''))
}

function read(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '')
}
