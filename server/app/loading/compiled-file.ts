import { readFileSync } from 'node:fs'
import { dirname, extname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { BuildOptions, BuildResult, Metafile } from 'esbuild'

/** A file of an app's source, as Node.js can run it. */
export interface CompiledFile {
  readonly format: 'module' | 'commonjs'
  readonly source: string
  /** The names that it exports by itself; those of a CommonJS file are known to Node.js. */
  readonly exports: readonly string[]
}

/** What the compiler finds out about a file: how it is written, where its text tells. */
export type WrittenFormat = Metafile['inputs'][string]['format']

/** What source gets from `rowhouse-here`, which every file that needs any of it imports. */
const here = {
  'import.meta.url': 'rowhouseHere.url',
  'import.meta.resolve': 'rowhouseHere.resolve',
  __dirname: 'rowhouseHere.dirname',
  __filename: 'rowhouseHere.filename',
  require: 'rowhouseHere.require',
} as const

/** How the compiler is asked for anything. */
export const commonOptions = {
  platform: 'node',
  target: 'node22',
  write: false,
  metafile: true,
  logLevel: 'silent',
} satisfies BuildOptions

/** How the compiler is asked for files, each by itself, that are written in one format. */
export function fileOptions(directory: string, paths: readonly string[], format: CompiledFile['format']) {
  return {
    ...commonOptions,
    // Names of their own: two files may differ in their extension alone.
    entryPoints: paths.map((path, index) => ({ in: path, out: String(index) })),
    outdir: join(directory, 'out'),
    absWorkingDir: directory,
    bundle: false,
    sourcemap: 'external',
    sourcesContent: false,
    ...(format === 'module' ? { define: here } : { format: 'cjs' }),
  } satisfies BuildOptions & { write: false; metafile: true }
}

/** What it has made of them, by absolute path. */
export function readOutputs(
  { outputFiles = [], metafile }: Pick<BuildResult<{ write: false; metafile: true }>, 'outputFiles' | 'metafile'>,
  directory: string,
  format: CompiledFile['format'],
): [string, CompiledFile][] {
  const texts = new Map(outputFiles.map(({ path, text }) => [path, text]))
  return Object.entries(metafile.outputs).flatMap(([output, { entryPoint, exports }]): [string, CompiledFile][] => {
    if (entryPoint === undefined) return []
    const path = resolve(directory, entryPoint)
    const file = resolve(directory, output)
    const text = texts.get(file) ?? ''
    // Imports come first wherever they stand, and behind the last line this one moves no other.
    const imported = text.includes('rowhouseHere') ? 'import rowhouseHere from "rowhouse-here";\n' : ''
    return [[path, { format, exports, source: `${text}${imported}${sourceMap(texts.get(`${file}.map`) ?? '{}', path)}` }]]
  })
}

function sourceMap(text: string, path: string): string {
  const map = { ...(JSON.parse(text) as object), sources: [pathToFileURL(path).href] }
  const encoded = Buffer.from(JSON.stringify(map)).toString('base64')
  return `//# sourceMappingURL=data:application/json;base64,${encoded}\n`
}

/** What Node.js would take a file for, or would if it read TypeScript: by its extension, its text, its package. */
export function formatOf(path: string, found: WrittenFormat): CompiledFile['format'] {
  if (found !== undefined) return found === 'cjs' ? 'commonjs' : 'module'
  const extension = extname(path)
  if (extension === '.cjs' || extension === '.cts') return 'commonjs'
  if (extension === '.mjs' || extension === '.mts') return 'module'
  const text = readFileSync(path, 'utf8')
  const isWithoutSyntax = /\b(?:require|module|exports|__dirname|__filename)\b/.test(text) && !/\bawait\b/.test(text)
  return isWithoutSyntax && !isInModulePackage(dirname(path)) ? 'commonjs' : 'module'
}

function isInModulePackage(folder: string): boolean {
  try {
    const contents = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { readonly type?: unknown }
    return contents.type === 'module'
  } catch {
    return folder !== dirname(folder) && isInModulePackage(dirname(folder))
  }
}
