import type { BuildFailure, BuildOptions, Message } from 'esbuild'
import { importMeta, packages, rowhouseItself } from './bundle-plugins.js'
import { LoadError } from './load-error.js'

/** What is bundled, and where the result will be run from. */
export interface BundleOptions {
  /** The app's folder, absolute and free of symbolic links. */
  readonly directory: string
  /** Absolute paths of the files to run, in this order. */
  readonly files: readonly string[]
  /** The absolute path that the source map is relative to. */
  readonly outputFile: string
  /** Whether the bundle exports the files' exports, the first one's as `module0`. */
  readonly exportsModules?: boolean
}

/** An idle esbuild holds some 15 MB, and an app is rarely bundled: its process ends this long after the last bundle, in milliseconds. */
const idleTime = 1000

let active = 0
let idle: NodeJS.Timeout | undefined

/** Starts esbuild's process ahead of the first bundle, while other things load. */
export async function prepareBundler(): Promise<void> {
  const { initialize } = await import('esbuild')
  if (active === 0) await initialize({})
}

/**
 * Compiles TypeScript and JavaScript files, with all that they import of the app's own source, into the text of one ES module,
 * so that a file that several of them import is evaluated once. Packages stay outside and are imported from where they are.
 *
 * @throws LoadError for the first mistake, with its place
 */
export async function bundle({ directory, files, outputFile, exportsModules = false }: BundleOptions): Promise<string> {
  const { build } = await import('esbuild')
  const statements = files.map((file, index) => `${exportsModules ? `export * as module${index} from` : 'import'} ${JSON.stringify(file)}`)
  const options = {
    stdin: { contents: statements.join('\n'), resolveDir: directory, sourcefile: 'rowhouse-app', loader: 'js' },
    absWorkingDir: directory,
    outfile: outputFile,
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    // Node.js runs the packages itself, so the conditions have to be those of Node.js: none for bundlers.
    conditions: [],
    sourcemap: 'inline',
    sourcesContent: false,
    banner: { js: banner(directory) },
    plugins: [rowhouseItself(await exportsOfRowhouse()), importMeta(), packages(directory)],
    logLevel: 'silent',
  } satisfies BuildOptions & { write: false }
  active++
  try {
    const { outputFiles } = await build(options)
    return outputFiles[0]?.text ?? ''
  } catch (error) {
    throw isBuildFailure(error) ? describeFailure(error.errors) : error
  } finally {
    active--
    clearTimeout(idle)
    idle = setTimeout(() => void endWhenIdle(), idleTime).unref()
  }
}

async function endWhenIdle(): Promise<void> {
  const { stop } = await import('esbuild')
  if (active === 0) await stop()
}

/** CommonJS files of the app call `require`, which an ES module lacks. */
function banner(directory: string): string {
  return `import { createRequire as rowhouseCreateRequire } from 'node:module';const require = rowhouseCreateRequire(${JSON.stringify(`${directory}/`)});`
}

/** The running instance of this package, which the modules have to share: its registry is the one they declare to. */
const rowhouse = new URL('../../index.js', import.meta.url).href

async function exportsOfRowhouse(): Promise<{ url: string; names: string[] }> {
  const exports: unknown = await import(rowhouse)
  return { url: rowhouse, names: Object.keys(exports as object) }
}

function isBuildFailure(error: unknown): error is BuildFailure {
  return error instanceof Error && 'errors' in error && Array.isArray(error.errors)
}

function describeFailure(mistakes: readonly Message[]): LoadError {
  const [first] = mistakes
  if (first === undefined) return new LoadError('the modules cannot be compiled')
  const { text, location } = first
  const more = mistakes.length === 1 ? '' : ` (and ${mistakes.length - 1} more)`
  const suggestion = text.startsWith('No matching export') && location?.suggestion ? `; did you mean "${location.suggestion}"?` : ''
  const position = location === null ? null : { file: location.file, line: location.line, column: location.column + 1 }
  return new LoadError(text.replaceAll(/\s*\n\s*/g, ' ').replace('"rowhouse:rowhouse"', '"rowhouse"') + suggestion + more, position)
}
