import type { BuildFailure, BuildOptions, Message } from 'esbuild'
import { importMeta, packages, rowhouseItself } from './bundle-plugins.js'
import { withEsbuild } from './esbuild.js'
import { LoadError } from './load-error.js'

/** What is bundled, and where the result will be run from. */
export interface BundleOptions {
  /** The app's folder, absolute and free of symbolic links. */
  readonly directory: string
  /** Absolute paths of the files to run, in this order. */
  readonly files: readonly string[]
  /** The absolute path that the source map is relative to. */
  readonly outputFile: string
  /** Those of the files whose exports the bundle exports, the first one's as `module0`. */
  readonly exported?: readonly string[]
}

/**
 * Compiles TypeScript and JavaScript files, with all that they import of the app's own source, into the text of one ES module,
 * so that a file that several of them import is evaluated once. Packages stay outside and are imported from where they are.
 *
 * @throws LoadError for the first mistake, with its place
 */
export async function bundle({ directory, files, outputFile, exported = [] }: BundleOptions): Promise<string> {
  const places = new Map(exported.map((file, index) => [file, index]))
  const statements = files.map((file) => `${places.has(file) ? `export * as module${places.get(file)} from` : 'import'} ${JSON.stringify(file)}`)
  const options = {
    stdin: { contents: statements.join('\n'), resolveDir: directory, sourcefile: 'rowhouse-app', loader: 'js' },
    absWorkingDir: directory,
    outfile: outputFile,
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node22',
    // Node.js runs the packages itself, so the conditions have to be those of Node.js: none for bundlers.
    conditions: [],
    sourcemap: 'inline',
    sourcesContent: false,
    // Two files may each have a function of the same name; it keeps that name, by which it is known in stack traces and elsewhere.
    keepNames: true,
    // A package.json may say that its files do nothing but export, which is not so of modules: they declare.
    ignoreAnnotations: true,
    banner: { js: banner(directory) },
    plugins: [rowhouseItself(await exportsOfRowhouse()), importMeta(), packages(directory)],
    logLevel: 'silent',
  } satisfies BuildOptions & { write: false }
  try {
    const { outputFiles } = await withEsbuild(({ build }) => build(options))
    return outputFiles[0]?.text ?? ''
  } catch (error) {
    throw isBuildFailure(error) ? describeFailure(error.errors) : error
  }
}

/** CommonJS files of the app call `require`, which an ES module lacks. */
function banner(directory: string): string {
  return `import { createRequire as rowhouseCreateRequire } from 'node:module';const require = rowhouseCreateRequire(${JSON.stringify(`${directory}/`)});`
}

/** The running instance of this package, which the modules have to share: its registry is the one they declare to. */
const rowhouse = new URL('../../../index.js', import.meta.url).href

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
