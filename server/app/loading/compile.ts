import { existsSync, readFileSync } from 'node:fs'
import { dirname, extname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type * as Esbuild from 'esbuild'
import type { BuildFailure, BuildOptions, BuildResult, ImportKind, Message, Metafile } from 'esbuild'
import { packages, rowhouseItself } from './compiler-plugins.js'
import { withEsbuild } from './esbuild.js'
import { code } from './file-kinds.js'
import { LoadError } from './load-error.js'
import { filesPassedOn, namesImported } from './names-in-code.js'

/** A file of an app's source, as Node.js can run it. */
export interface CompiledFile {
  readonly format: 'module' | 'commonjs'
  readonly source: string
  /** The names that it exports by itself; those of a CommonJS file are known to Node.js. */
  readonly exports: readonly string[]
}

/** Where imports lead: the importing file, then {@link importKey}, then an absolute path. */
export type Resolutions = ReadonlyMap<string, ReadonlyMap<string, string>>

/** What a set of files needs to be run. All paths are absolute and free of symbolic links. */
export interface Program {
  /** Every file that is run, by path, in the order of {@link compile}'s `files` and of what they import. */
  readonly files: ReadonlyMap<string, CompiledFile>
  readonly resolutions: Resolutions
  /** The files of packages that resolutions lead to. */
  readonly packages: ReadonlySet<string>
  /** Where the files that were asked for really lie. */
  readonly entries: ReadonlyMap<string, string>
}

/** How an import is looked up: `require` may lead elsewhere. */
export function importKey(specifier: string, isRequire: boolean): string {
  return isRequire ? `require ${specifier}` : specifier
}

/** What source gets from `rowhouse-here`, which every file that needs any of it imports. */
const here = {
  'import.meta.url': 'rowhouseHere.url',
  'import.meta.resolve': 'rowhouseHere.resolve',
  __dirname: 'rowhouseHere.dirname',
  __filename: 'rowhouseHere.filename',
  require: 'rowhouseHere.require',
} as const

const common = {
  platform: 'node',
  target: 'node22',
  write: false,
  metafile: true,
  logLevel: 'silent',
} satisfies BuildOptions

/**
 * Compiles TypeScript and JavaScript files, and all that they import of the app's own source, each by itself, so that
 * Node.js runs them where they lie. Before that they are linked as a bundle would be, which finds what is imported and
 * is not there.
 *
 * @param directory the app's folder, absolute and free of symbolic links
 * @param files absolute paths
 * @throws LoadError for the first mistake, with its place
 */
export async function compile(directory: string, files: readonly string[]): Promise<Program> {
  const found = new Map<string, Map<string, string>>()
  const add = (importer: string, specifier: string, kind: ImportKind, path: string): void => {
    const imports = found.get(importer) ?? new Map<string, string>()
    found.set(importer, imports.set(importKey(specifier, kind.startsWith('require')), path))
  }
  try {
    const packageFiles = new Set<string>()
    const { metafile } = await link(directory, files, (importer, specifier, kind, path) => {
      packageFiles.add(path)
      add(importer, specifier, kind, path)
    })
    for (const [name, { imports }] of Object.entries(metafile.inputs)) {
      for (const { path, kind, original, external } of imports) {
        if (external !== true && original !== undefined && isFileName(path)) {
          add(pathIn(directory, name), original, kind, pathIn(directory, path))
        }
      }
    }
    const sources = Object.entries(metafile.inputs).filter(([name]) => isFileName(name))
    const formats = new Map(sources.map(([name, { format }]) => [pathIn(directory, name), format]))
    const compiled = await compileEach(directory, formats)
    // The statements that import the files have been written as if they stood in a file of the folder.
    const entries = found.get(resolve(directory, '<stdin>')) ?? new Map<string, string>()
    return { files: addMissingNames(compiled, found), resolutions: found, packages: packageFiles, entries }
  } catch (error) {
    throw isBuildFailure(error) ? describeFailure(error.errors) : error
  }
}

/**
 * Compiles one more file, which something imports whose text does not tell what it will import.
 *
 * @throws LoadError
 */
export function compileLate(
  { buildSync }: Pick<typeof Esbuild, 'buildSync'>,
  directory: string,
  path: string,
): CompiledFile {
  try {
    const asModule = buildSync(optionsOf(directory, [path], 'module'))
    const [{ format: found = undefined } = {}] = Object.values(asModule.metafile.inputs)
    const format = formatOf(path, found)
    const result = format === 'module' ? asModule : buildSync(optionsOf(directory, [path], format))
    const [compiled] = readOutputs(result, directory, format)
    if (compiled === undefined) throw new LoadError(`${path} cannot be compiled`)
    return compiled[1]
  } catch (error) {
    throw isBuildFailure(error) ? describeFailure(error.errors) : error
  }
}

/**
 * Where an import leads that Node.js does not find: to `b.ts` where it says `./b.js`, or by a path of `tsconfig.json`.
 *
 * @returns an absolute path; null where it leads nowhere
 */
export function resolveLate(
  { buildSync }: Pick<typeof Esbuild, 'buildSync'>,
  importer: string,
  specifier: string,
): string | null {
  const directory = dirname(importer)
  const empty = ['.ts', '.mts', '.cts', '.tsx', '.js', '.mjs', '.cjs', '.jsx', '.json', '.node']
  try {
    const { metafile } = buildSync({
      ...common,
      stdin: { contents: `import ${JSON.stringify(specifier)}`, resolveDir: directory, sourcefile: 'import' },
      absWorkingDir: directory,
      outfile: join(directory, 'out.js'),
      bundle: true,
      conditions: [],
      loader: Object.fromEntries(empty.map((extension) => [extension, 'empty'])),
    })
    const [imported] = metafile.inputs['import']?.imports ?? []
    return imported === undefined || imported.external === true ? null : resolve(directory, imported.path)
  } catch {
    return null
  }
}

async function link(
  directory: string,
  files: readonly string[],
  onPackage: Parameters<typeof packages>[1],
): Promise<{ metafile: Metafile }> {
  const options = {
    ...common,
    stdin: {
      contents: files.map((file) => `import ${JSON.stringify(file)}`).join('\n'),
      resolveDir: directory,
      loader: 'js',
    },
    absWorkingDir: directory,
    outfile: join(directory, 'out.js'),
    bundle: true,
    format: 'esm',
    // Node.js runs the packages itself, so the conditions have to be those of Node.js: none for bundlers.
    conditions: [],
    // A package.json may say that its files do nothing but export, which is not so of modules: they declare.
    ignoreAnnotations: true,
    plugins: [rowhouseItself(await exportsOfRowhouse()), packages(directory, onPackage)],
  } satisfies BuildOptions & { metafile: true }
  return withEsbuild(({ build }) => build(options))
}

type Formats = ReadonlyMap<string, Metafile['inputs'][string]['format']>

async function compileEach(directory: string, formats: Formats): Promise<Map<string, CompiledFile>> {
  const paths = [...formats.keys()].filter((path) => code.test(path))
  const written = paths.map((path) => ({ path, format: formatOf(path, formats.get(path)) }))
  const results = await Promise.all(
    (['module', 'commonjs'] as const).map(async (format) => {
      const some = written.filter((each) => each.format === format).map(({ path }) => path)
      if (some.length === 0) return []
      const result = await withEsbuild(({ build }) => build(optionsOf(directory, some, format)))
      return readOutputs(result, directory, format)
    }),
  )
  return new Map(results.flat())
}

function optionsOf(directory: string, paths: readonly string[], format: CompiledFile['format']) {
  return {
    ...common,
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

function readOutputs(
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
function formatOf(path: string, found: Metafile['inputs'][string]['format']): CompiledFile['format'] {
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

/**
 * TypeScript lets a file pass on a type of another file's without saying that it is one. The compiler, which sees one
 * file at a time, leaves that import where it is, so what it imports is exported, as nothing.
 */
function addMissingNames(files: Map<string, CompiledFile>, resolutions: Resolutions): Map<string, CompiledFile> {
  const missing = new Map<string, Set<string>>()
  const has = (path: string, name: string, seen: ReadonlySet<string>): boolean => {
    const file = files.get(path)
    if (file?.format !== 'module') return true
    if (seen.has(path)) return false
    const isFrom = (specifier: string): boolean =>
      has(resolutions.get(path)?.get(specifier) ?? '', name, new Set([...seen, path]))
    return file.exports.includes(name) || filesPassedOn(file.source).some(isFrom)
  }
  for (const [path, { source }] of files) {
    if (!/\.(?:[cm]?ts|tsx)$/.test(path)) continue
    for (const { name, specifier } of namesImported(source)) {
      const target = resolutions.get(path)?.get(specifier)
      if (target === undefined || has(target, name, new Set())) continue
      missing.set(target, (missing.get(target) ?? new Set()).add(name))
    }
  }
  for (const [path, names] of missing) {
    const file = files.get(path)
    const again = [...names].map((name) => `rowhouseType as ${name}`).join(', ')
    if (file !== undefined) {
      files.set(path, { ...file, source: file.source.replace(/(?=\/\/# sourceMappingURL=[^\n]*\n$)/, `const rowhouseType = undefined; export { ${again} };\n`) })
    }
  }
  return files
}

/** Whether the compiler calls a file so, and not something that only a plugin knows. */
function isFileName(name: string): boolean {
  return !/^(?:rowhouse:|<)/.test(name)
}

/** What is imported with an attribute, or as `./a.js?again`, has a name of its own for each. */
function pathIn(directory: string, name: string): string {
  const path = resolve(directory, name.replace(/ with \{[^}]*\}$/, ''))
  return /[?#]/.test(name) && !existsSync(path) ? path.replace(/[?#][^/]*$/, '') : path
}

/** The running instance of this package, which the modules have to share: its registry is the one they declare to. */
export const rowhouse = new URL('../../../index.js', import.meta.url).href

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
  // What cannot be read at all is told where the compiler was asked for it, which is no file of the app.
  const position = location === null || location.file === '<stdin>' ? null : { file: location.file, line: location.line, column: location.column + 1 }
  return new LoadError(text.replaceAll(/\s*\n\s*/g, ' ').replace('"rowhouse:rowhouse"', '"rowhouse"') + suggestion + more, position)
}
