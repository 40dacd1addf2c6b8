import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { BuildOptions, ImportKind, Metafile } from 'esbuild'
import { describeBuildFailure } from './build-failure.js'
import { commonOptions, formatOf, fileOptions, readOutputs, type CompiledFile, type WrittenFormat } from './compiled-file.js'
import { packages, rowhouseItself } from './compiler-plugins.js'
import { withEsbuild } from './esbuild.js'
import { code } from './file-kinds.js'
import { filesPassedOn, namesImported } from './names-in-code.js'

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
    throw describeBuildFailure(error)
  }
}

async function link(
  directory: string,
  files: readonly string[],
  onPackage: Parameters<typeof packages>[1],
): Promise<{ metafile: Metafile }> {
  const options = {
    ...commonOptions,
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

type Formats = ReadonlyMap<string, WrittenFormat>

async function compileEach(directory: string, formats: Formats): Promise<Map<string, CompiledFile>> {
  const paths = [...formats.keys()].filter((path) => code.test(path))
  const written = paths.map((path) => ({ path, format: formatOf(path, formats.get(path)) }))
  const results = await Promise.all(
    (['module', 'commonjs'] as const).map(async (format) => {
      const some = written.filter((each) => each.format === format).map(({ path }) => path)
      if (some.length === 0) return []
      const result = await withEsbuild(({ build }) => build(fileOptions(directory, some, format)))
      return readOutputs(result, directory, format)
    }),
  )
  return new Map(results.flat())
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
