import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type TypeScript from 'typescript'
import { listConfigurationFiles, listModules } from '../server/app/loading/find-modules.js'
import { displayPath } from '../server/errors/source-location.js'

type Compiler = typeof TypeScript

/** Mistakes that the compiler has found, one sentence each; null when no compiler is installed. */
export type TypeMistakes = readonly string[] | null

/**
 * Checks the types of an app's configuration and modules, and of all that they import, with the TypeScript of the app's own folder or else the one beside Rowhouse,
 * under the settings of the nearest `tsconfig.json`.
 */
export async function checkTypes(directory: string): Promise<TypeMistakes> {
  const folder = resolve(directory)
  const compiler = findCompiler(folder)
  if (compiler === null) return null
  const { options, fileNames, errors } = readSettings(compiler, folder)
  const files = [...new Set([...(await listConfigurationFiles(folder)), ...(await listModules(folder)), ...fileNames])].filter((file) => /\.[cm]?tsx?$/.test(file))
  const program = compiler.createProgram(files, withOwnTypes(compiler, folder, { ...options, noEmit: true }))
  return [...errors, ...compiler.getPreEmitDiagnostics(program)].map((diagnostic) => describe(compiler, diagnostic, folder))
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
function defaultOptions({ ScriptTarget, ModuleKind, ModuleResolutionKind }: Compiler): TypeScript.CompilerOptions {
  return {
    strict: true,
    target: ScriptTarget.ES2022,
    module: ModuleKind.ESNext,
    moduleResolution: ModuleResolutionKind.Bundler,
    allowImportingTsExtensions: true,
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

/** An app that does not have Rowhouse in its own node_modules still imports it: the running instance lends its types. */
function withOwnTypes(compiler: Compiler, folder: string, options: TypeScript.CompilerOptions): TypeScript.CompilerOptions {
  const found = compiler.resolveModuleName('rowhouse', join(folder, 'tables.ts'), options, compiler.sys).resolvedModule
  if (found !== undefined) return options
  return { ...options, paths: { ...options.paths, rowhouse: [fileURLToPath(new URL('../index.d.ts', import.meta.url))] } }
}

function describe(compiler: Compiler, { file, start, messageText, code }: TypeScript.Diagnostic, folder: string): string {
  const text = compiler.flattenDiagnosticMessageText(messageText, ' ').replaceAll(/\s+/g, ' ')
  if (file === undefined || start === undefined) return `${text} (TS${code})`
  const { line, character } = file.getLineAndCharacterOfPosition(start)
  return `${displayPath(file.fileName, folder)}:${line + 1}:${character + 1}: ${text} (TS${code})`
}
