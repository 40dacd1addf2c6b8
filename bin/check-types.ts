import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type TypeScript from 'typescript'
import { listConfigurationFiles, listModules } from '../server/app/loading/find-modules.js'
import { displayPath } from '../server/errors/source-location.js'
import type { Misuse } from './misuses/checked-program.js'
import { findMisuses } from './misuses/find-misuses.js'
import type { NameCheck } from './misuses/unknown-names.js'

type Compiler = typeof TypeScript

/** Mistakes that the compiler has found, one sentence each; null when no compiler is installed. */
export type TypeMistakes = readonly string[] | null

/**
 * Checks the types of an app's configuration and modules, and of all that they import, with the TypeScript of the
 * app's own folder or else the one beside Rowhouse, under the settings of the nearest `tsconfig.json`; and what types
 * let through, such as a write that nobody waits for.
 *
 * @param checkName looks at the names that `urlFor` is called with; null where the endpoints are not known
 */
export async function checkTypes(directory: string, checkName: NameCheck | null): Promise<TypeMistakes> {
  const folder = resolve(directory)
  const compiler = findCompiler(folder)
  if (compiler === null) return null
  const { options, fileNames, errors } = readSettings(compiler, folder)
  const own = [...(await listConfigurationFiles(folder)), ...(await listModules(folder)), ...fileNames]
  const files = [...new Set(own)].filter((file) => /\.[cm]?tsx?$/.test(file))
  const { used, entry } = withOwnTypes(compiler, folder, { ...options, noEmit: true })
  const program = compiler.createProgram(files, used)
  return [
    ...[...errors, ...compiler.getPreEmitDiagnostics(program)].map((each) => describe(compiler, each, folder)),
    ...findMisuses({ compiler, program, folder, entry, checkName }).map((each) => describeMisuse(each, folder)),
  ]
}

function findCompiler(folder: string): Compiler | null {
  for (const from of [join(folder, 'package.json'), import.meta.url]) {
    try {
      // The package has this type; `require` cannot know it.
      const compiler = createRequire(from)('typescript') as Partial<Compiler>
      // TypeScript 7 is a program of its own, without an interface for others.
      if (typeof compiler.createProgram === 'function') return compiler as Compiler
    } catch {
      // Not installed here; look in the next place.
    }
  }
  return null
}

/** Used where there is no tsconfig.json: strict, and reading modules as they are run, which is as ES modules from a bundler. */
function defaultOptions({ JsxEmit, ScriptTarget, ModuleKind, ModuleResolutionKind }: Compiler): TypeScript.CompilerOptions {
  return {
    strict: true,
    target: ScriptTarget.ES2022,
    module: ModuleKind.ESNext,
    moduleResolution: ModuleResolutionKind.Bundler,
    allowImportingTsExtensions: true,
    jsx: JsxEmit.Preserve,
    resolveJsonModule: true,
    skipLibCheck: true,
  }
}

/** A tsconfig.json in the app's folder says which files belong to the app; one further up is about more than the app, so only its options count. */
function readSettings(compiler: Compiler, folder: string): Pick<TypeScript.ParsedCommandLine, 'options' | 'fileNames' | 'errors'> {
  const path = compiler.findConfigFile(folder, compiler.sys.fileExists)
  if (path === undefined) return { options: defaultOptions(compiler), fileNames: [], errors: [] }
  const { config, error } = compiler.readConfigFile(path, compiler.sys.readFile) as { config?: unknown; error?: TypeScript.Diagnostic }
  if (error !== undefined) return { options: defaultOptions(compiler), fileNames: [], errors: [error] }
  const { options, fileNames, errors } = compiler.parseJsonConfigFileContent(config, compiler.sys, dirname(path))
  return dirname(path) === folder ? { options, fileNames, errors } : { options, fileNames: [], errors: [] }
}

interface OwnTypes {
  readonly used: TypeScript.CompilerOptions
  /** The file that `rowhouse` is. */
  readonly entry: string
}

/** An app that does not have Rowhouse in its own node_modules still imports it: the running instance lends its types. */
function withOwnTypes(compiler: Compiler, folder: string, options: TypeScript.CompilerOptions): OwnTypes {
  const found = compiler.resolveModuleName('rowhouse', join(folder, 'tables.ts'), options, compiler.sys).resolvedModule
  if (found !== undefined) return { used: options, entry: found.resolvedFileName }
  const entry = fileURLToPath(new URL('../index.d.ts', import.meta.url))
  return { used: { ...options, paths: { ...options.paths, rowhouse: [entry] } }, entry }
}

function describe(compiler: Compiler, { file, start, messageText, code }: TypeScript.Diagnostic, folder: string): string {
  const text = compiler.flattenDiagnosticMessageText(messageText, ' ').replaceAll(/\s+/g, ' ')
  if (file === undefined || start === undefined) return `${text} (TS${code})`
  return `${place(file, start, folder)}: ${text} (TS${code})`
}

function describeMisuse({ node, sentence }: Misuse, folder: string): string {
  return `${place(node.getSourceFile(), node.getStart(), folder)}: ${sentence}`
}

function place(file: TypeScript.SourceFile, position: number, folder: string): string {
  const { line, character } = file.getLineAndCharacterOfPosition(position)
  return `${displayPath(file.fileName, folder)}:${line + 1}:${character + 1}`
}
