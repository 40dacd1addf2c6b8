import { realpath } from 'node:fs/promises'
import { declarePlugin } from '../../doors/fastify/declare-plugin.js'
import { declareFileRoutes } from '../../doors/file-routes/file-routes.js'
import { compile } from './compile.js'
import { findExportLines } from './export-lines.js'
import { withoutExtension } from './file-kinds.js'
import { findModules, isMiddlewareFile, isPluginFile, isRouteFile } from './find-modules.js'
import { describeThrown, LoadError } from './load-error.js'
import { findLeftOutModules } from './look-alikes.js'
import { runProgram, type Namespace } from './run-program.js'
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
}

/** Longer than any module has to wait for something at its top level; milliseconds. */
const loadTimeout = 60_000
/**
 * Compiles and runs the modules of an app, and resolves to what they declare. Stack traces name the lines of the source from then on.
 *
 * @throws LoadError, DeclarationError: one sentence with the place of the mistake
 */
export async function loadModules({ app, configuration }: LoadModulesOptions): Promise<Declarations> {
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
  const program = await compile(folder, files)
  const leftOut = await findLeftOutModules(folder, program.files)
  if (leftOut.length > 0) throw new LoadError(leftOut.join('\n'))
  try {
    return await collectDeclarations(app, new Registry({ ...configuration, directory: folder }), async () => {
      const namespaces = await settled(runProgram(folder, files, program))
      const exportsOf = (file: string): Namespace => namespaces[files.indexOf(file)] ?? {}
      declareFileRoutes(await Promise.all(routeFiles.map((file) => describeRouteFile(file, exportsOf(file), folder))))
      for (const file of pluginFiles) declarePlugin(exportsOf(file)['default'], await describeDefault(file, folder))
    })
  } catch (error) {
    throw describeThrown(error, folder)
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

/** A module that waits for ever at its top level would keep the app from starting without a word. */
async function settled<Result>(modules: Promise<Result>): Promise<Result> {
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
