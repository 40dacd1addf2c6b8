import { statSync } from 'node:fs'
import { readdir, realpath, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { makeFolder } from '../../../db/files/folders.js'
import { declarePlugin } from '../../doors/fastify/declare-plugin.js'
import { declareFileRoutes } from '../../doors/file-routes/file-routes.js'
import { bundle } from './bundle.js'
import { findExportLines } from './export-lines.js'
import { withoutExtension } from './file-kinds.js'
import { findModules, isMiddlewareFile, isPluginFile, isRouteFile } from './find-modules.js'
import { describeThrown, LoadError } from './load-error.js'
import { displayPath, type SourceLocation } from '../../errors/source-location.js'
import type { AppHandle } from '../../call/call.js'
import { Registry, type Declarations } from '../../endpoint/registry.js'
import { collectDeclarations } from './collect-declarations.js'
import type { Configuration } from '../configuration/settings.js'
import type { RouteFile } from '../../doors/file-routes/route-file.js'

/** Which app to load. */
export interface LoadModulesOptions {
  readonly app: AppHandle
  readonly configuration: Configuration
  /** Where the compiled modules are put while they are read; made when it is not there. */
  readonly buildDirectory: string
}

/** What a module exports, by name. */
type Namespace = RouteFile['exports']

/** Longer than any module has to wait for something at its top level; milliseconds. */
const loadTimeout = 60_000
/** Compiled modules that are older were left by a process that ended while it loaded them; milliseconds. */
const leftoverAge = 60_000

let loads = 0

/**
 * Compiles and runs the modules of an app, and resolves to what they declare. Stack traces name the lines of the source from then on.
 *
 * @throws LoadError, DeclarationError: one sentence with the place of the mistake
 */
export async function loadModules({ app, configuration, buildDirectory }: LoadModulesOptions): Promise<Declarations> {
  const folder = await realpath(configuration.directory)
  const files = await findModules(folder)
  if (files.length === 0) {
    const missing = 'it has neither tables.ts nor fastify.ts nor a file in modules/ or pages/api/'
    const hello = `import { httpEndpoint } from 'rowhouse'; httpEndpoint('/hello', () => 'Hello')`
    throw new LoadError(`there is no app in ${folder}: ${missing}; start with modules/hello.ts: ${hello}`)
  }
  const routeFiles = files.filter((file) => isRouteFile(file, folder))
  const pluginFiles = files.filter((file) => isPluginFile(file, folder))
  if (pluginFiles.length > 1) {
    const several = pluginFiles.map((file) => displayPath(file, folder)).join(' and ')
    throw new LoadError(`an app has one Fastify plugin, and here are ${several}; drop one of them`)
  }
  const outputFile = join(buildDirectory, `app-${process.pid}-${++loads}.mjs`)
  const exported = [...routeFiles, ...pluginFiles]
  const [bundled, prepared] = await Promise.allSettled([
    bundle({ directory: folder, files, exported, outputFile }),
    prepareFolder(buildDirectory),
  ])
  // Neither is still at work when the other has failed.
  if (bundled.status === 'rejected') throw bundled.reason
  if (prepared.status === 'rejected') throw prepared.reason
  const code = bundled.value
  await writeFile(outputFile, code).catch(refuse(buildDirectory))
  process.setSourceMapsEnabled(true)
  try {
    return await collectDeclarations(app, new Registry({ ...configuration, directory: folder }), async () => {
      // The bundle exports what it was told to, one namespace for each of these files.
      const namespaces = (await settled(import(pathToFileURL(outputFile).href))) as Readonly<Record<string, Namespace>>
      declareFileRoutes(await Promise.all(routeFiles.map((file, index) => describeRouteFile(file, namespaces[`module${index}`] ?? {}, folder))))
      for (const file of pluginFiles) {
        const { default: plugin } = namespaces[`module${routeFiles.length}`] ?? {}
        declarePlugin(plugin, await describeDefault(file, folder))
      }
    })
  } catch (error) {
    throw describeThrown(error, folder)
  } finally {
    await rm(outputFile, { force: true })
  }
}

async function describeRouteFile(file: string, exports: Namespace, directory: string): Promise<RouteFile> {
  const place = displayPath(file, directory)
  return {
    file: place,
    name: withoutExtension(place.slice('pages/'.length)),
    isMiddleware: isMiddlewareFile(file),
    exports,
    lines: await findExportLines(file, Object.keys(exports)),
  }
}

async function describeDefault(file: string, directory: string): Promise<SourceLocation> {
  return { file: displayPath(file, directory), line: (await findExportLines(file, ['default'])).get('default') ?? 1 }
}

async function prepareFolder(buildDirectory: string): Promise<void> {
  await makeFolder(buildDirectory).catch(refuse(buildDirectory))
  for (const name of await readdir(buildDirectory)) {
    const path = join(buildDirectory, name)
    const status = await stat(path).catch(() => null)
    if (/^app-\d+-\d+\.mjs$/.test(name) && status !== null && Date.now() - status.mtimeMs > leftoverAge) await rm(path, { force: true })
  }
}

function refuse(folder: string): (error: NodeJS.ErrnoException) => never {
  return (error) => {
    const file = fileInPlaceOf(folder)
    if (file !== null) throw new LoadError(`${file} is a file where a folder for the app's data has to be; move it away, or choose another data folder with --data`, null, { cause: error })
    throw new LoadError(`the folder ${folder} cannot be written (${error.code}); give this user the right to write there, or choose another data folder with --data`, null, { cause: error })
  }
}

/** What keeps a folder from being made because it, or one above it, is no folder. */
function fileInPlaceOf(folder: string): string | null {
  for (let path = folder; ; path = dirname(path)) {
    try {
      return statSync(path).isDirectory() ? null : path
    } catch {
      if (path === dirname(path)) return null
    }
  }
}

/** A module that waits for ever at its top level would keep the app from starting without a word. */
async function settled(modules: Promise<unknown>): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_resolve, reject) => {
    const message = `the modules have not finished loading after ${loadTimeout / 1000} s; look for an await at the top level of a module that never ends`
    timer = setTimeout(() => reject(new LoadError(message)), loadTimeout)
  })
  try {
    return await Promise.race([modules, timeout])
  } finally {
    clearTimeout(timer)
  }
}
