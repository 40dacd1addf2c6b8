import { readFileSync } from 'node:fs'
import * as Module from 'node:module'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type * as Esbuild from 'esbuild'
import { importKey, rowhouse, type Program } from './compile.js'
import type { CompiledFile } from './compiled-file.js'
import { compileLate, resolveLate } from './late-imports.js'
import { namesOfCommonJS } from './names-in-code.js'
import { isOwnSource } from './own-source.js'

/** What a file exports, by name. */
export type Namespace = Readonly<Record<string, unknown>>

/** Which program a file is run for, in its address: each program has instances of its own. */
const instance = '?rowhouse='
/** The address of what imports the files of a program. */
const entry = 'rowhouse-app:'
/** The address of what a file needs to know of where it lies. */
const here = 'rowhouse-here'

/** This package's own code, which is nobody's instance. */
const own = new URL('../../../', import.meta.url).href

interface RunningProgram extends Program {
  readonly id: string
  readonly directory: string
  readonly entrySource: string
  /** What has been compiled since, because something imported it by a name that nobody could foresee. */
  readonly late: Map<string, CompiledFile>
}

type NextResolve = (specifier: string, context?: Partial<Module.ResolveHookContext>) => Module.ResolveFnOutput
type NextLoad = (url: string, context?: Partial<Module.LoadHookContext>) => Module.LoadFnOutput

const programs = new Map<string, RunningProgram>()
/** By the addresses of their files, the programs that have come last. CommonJS knows no other address. */
const latest = new Map<string, RunningProgram>()

/**
 * Runs files of a program, in this order, with all that they import: where they lie, as far as they can tell, and apart
 * from every other program of the process. Stack traces name the lines of the source from then on.
 *
 * @param files absolute paths
 * @returns what each of them exports
 * @throws whatever they throw
 */
export async function runProgram(directory: string, files: readonly string[], program: Program): Promise<Namespace[]> {
  if (programs.size === 0) {
    process.setSourceMapsEnabled(true)
    Module.registerHooks({ resolve: resolveImport, load: loadSource })
  }
  const id = String(programs.size + 1)
  const addresses = files.map((file) => importedAddress(program.entries.get(file) ?? file, id))
  const entrySource = addresses.map((address, index) => `export * as module${index} from ${JSON.stringify(address)}`)
  const running = { ...program, id, directory, entrySource: entrySource.join('\n'), late: new Map() }
  programs.set(id, running)
  for (const [path, file] of program.files) take(running, path, file)
  // What the source of the entry exports is said above.
  const namespaces = (await import(entry + id)) as Readonly<Record<string, Namespace>>
  return files.map((_file, index) => namespaces[`module${index}`] ?? {})
}

/** Makes a file one of this program's from now on. */
function take(program: RunningProgram, path: string, { format }: CompiledFile): void {
  latest.set(pathToFileURL(path).href, program)
  // It may have been run for another program.
  if (format === 'commonjs') Reflect.deleteProperty(createRequire(import.meta.url).cache, path)
}

/** The address of a file without what Rowhouse has added to it. */
export function withoutInstance(url: string): string {
  const start = url.lastIndexOf(instance)
  return start === -1 ? url : url.slice(0, start)
}

function importedAddress(path: string, id: string, suffix = ''): string {
  return `${pathToFileURL(path).href}${suffix}${instance}${id}`
}

/** What an import has behind the name of its file; nothing where the file itself is called so. */
function suffixOf(specifier: string, path: string): string {
  // Others begin with a # themselves, such as those of package.json.
  const [suffix = ''] = /^[./]/.test(specifier) ? (/[?#].*$/.exec(specifier) ?? []) : []
  return path.includes(suffix.replace(/\.\w+$/, '')) ? '' : suffix
}

/** The program that a file with this address belongs to. */
function programOf(url: string | undefined): RunningProgram | undefined {
  if (url === undefined) return undefined
  if (url.startsWith(entry)) return programs.get(url.slice(entry.length))
  const start = url.lastIndexOf(instance)
  return start === -1 ? latest.get(url) : programs.get(url.slice(start + instance.length))
}

function resolveImport(
  specifier: string,
  context: Module.ResolveHookContext,
  nextResolve: NextResolve,
): Module.ResolveFnOutput {
  if (specifier.startsWith(entry) || specifier.includes(instance)) return { url: specifier, shortCircuit: true }
  const asker = context.parentURL?.startsWith(`${here}:`) ? context.parentURL.slice(here.length + 1) : context.parentURL
  const program = programOf(asker)
  if (program === undefined || asker === undefined) return nextResolve(specifier, context)
  if (specifier === here) return { url: `${here}:${asker}`, shortCircuit: true }
  if (specifier === 'rowhouse') return { url: rowhouse, shortCircuit: true }
  if (specifier.startsWith(own)) return nextResolve(specifier, context)
  const isRequire = isRequired(context)
  const importer = fileURLToPath(withoutInstance(asker))
  const known = program.resolutions.get(importer)?.get(importKey(specifier, isRequire))
  const plain = { ...context, parentURL: withoutInstance(asker) }
  if (known !== undefined && !program.packages.has(known)) return { url: addressFor(program, known, suffixOf(specifier, known), context), shortCircuit: true }
  const resolved = resolveUnknown(specifier, importer, known, plain, nextResolve)
  if (!resolved.url.startsWith('file:') || resolved.url.startsWith(own)) return resolved
  const { search, hash } = new URL(resolved.url)
  const path = fileURLToPath(resolved.url)
  if (!program.files.has(path) && !isOwnSource(path, program.directory)) return resolved
  return { url: addressFor(program, path, search + hash, context), shortCircuit: true }
}

/**
 * The address by which a file of a program is run. Required as CommonJS it has the one by which CommonJS keeps it;
 * imported, what stands for it has one of the program's own.
 *
 * @param suffix as in `./a.js?again`, for one more instance
 */
function addressFor(
  program: RunningProgram,
  path: string,
  suffix: string,
  context: Module.ResolveHookContext,
): string {
  const isKept = isRequired(context) && fileOf(program, path)?.format !== 'module'
  const isData = context.importAttributes?.['type'] === 'json' && fileOf(program, path) === null
  return isKept || isData ? pathToFileURL(path).href : importedAddress(path, program.id, suffix)
}

/** The conditions are a Set in Node.js 22.15, whatever its documentation says. */
function isRequired({ conditions }: Module.ResolveHookContext): boolean {
  return new Set(conditions).has('require')
}

const notFound = new Set([
  'ERR_MODULE_NOT_FOUND',
  'MODULE_NOT_FOUND',
  'ERR_UNSUPPORTED_DIR_IMPORT',
  'ERR_PACKAGE_IMPORT_NOT_DEFINED',
])

/** As Node.js resolves it and, where it finds nothing, as the compiler does. */
function resolveUnknown(
  specifier: string,
  importer: string,
  known: string | undefined,
  context: Module.ResolveHookContext,
  nextResolve: NextResolve,
): Module.ResolveFnOutput {
  try {
    return nextResolve(specifier, context)
  } catch (error) {
    if (!notFound.has(String((error as NodeJS.ErrnoException).code))) throw error
    const written = specifier.startsWith('file:') ? fileURLToPath(specifier) : specifier
    const path = known ?? resolveLate(esbuildOf(), importer, written)
    if (path === null) throw error
    return nextResolve(pathToFileURL(path).href, context)
  }
}

/** What a program has of a file; null when the file is no source. */
function fileOf(program: RunningProgram, path: string): CompiledFile | null {
  const present = program.files.get(path) ?? program.late.get(path)
  if (present !== undefined) return present
  if (!isOwnSource(path, program.directory)) return null
  const file = compileLate(esbuildOf(), program.directory, path)
  program.late.set(path, file)
  take(program, path, file)
  return file
}

/** Loaded by then, since it has compiled the program. */
function esbuildOf(): typeof Esbuild {
  return createRequire(import.meta.url)('esbuild') as typeof Esbuild
}

function loadSource(
  url: string,
  context: Module.LoadHookContext,
  nextLoad: NextLoad,
): Module.LoadFnOutput {
  if (url.startsWith(entry)) return moduleOf(programs.get(url.slice(entry.length))?.entrySource ?? '')
  if (url.startsWith(`${here}:`)) return moduleOf(sourceOfHere(withoutInstance(url.slice(here.length + 1))))
  const program = programOf(url)
  if (program === undefined) return nextLoad(url, context)
  const path = fileURLToPath(withoutInstance(url))
  const file = fileOf(program, path)
  if (!url.includes(instance)) {
    return file?.format === 'commonjs' ? { ...file, shortCircuit: true } : nextLoad(url, context)
  }
  if (file === null) return moduleOf(sourceOfData(path))
  return moduleOf(file.format === 'module' ? file.source : sourceOfCommonJS(path, file.source))
}

function moduleOf(source: string): Module.LoadFnOutput {
  return { format: 'module', source, shortCircuit: true }
}

function sourceOfHere(url: string): string {
  const path = fileURLToPath(url)
  const values = { url, filename: path, dirname: dirname(path) }
  return [
    "import { createRequire } from 'node:module'",
    `import { withoutInstance } from ${JSON.stringify(import.meta.url)}`,
    'const resolve = (specifier) => withoutInstance(import.meta.resolve(specifier))',
    `export default { ...${JSON.stringify(values)}, resolve, require: createRequire(${JSON.stringify(url)}) }`,
  ].join('\n')
}

/** An ES module that stands for a CommonJS one, so that what that requires is found by the hooks in all versions of Node.js. */
function sourceOfCommonJS(path: string, text: string): string {
  const names = namesOfCommonJS(text)
  return [
    "import { createRequire } from 'node:module'",
    `const exported = createRequire(${JSON.stringify(pathToFileURL(path).href)})(${JSON.stringify(path)})`,
    'export default exported',
    'const members = Object(exported)',
    ...names.map((name, index) => `const member${index} = members.${name}\nexport { member${index} as ${name} }`),
  ].join('\n')
}

/** JSON with each of its members, as the compiler imports it where no `with` asks for less, or the text of another file. */
function sourceOfData(path: string): string {
  const text = readFileSync(path, 'utf8')
  if (!path.endsWith('.json')) return `export default ${JSON.stringify(text)}`
  const data: unknown = JSON.parse(text)
  const names = typeof data === 'object' && data !== null && !Array.isArray(data) ? Object.keys(data) : []
  return [
    `const data = JSON.parse(${JSON.stringify(JSON.stringify(data))})`,
    'export default data',
    ...names
      .filter((name) => name !== 'default')
      .map((name, index) => `const member${index} = data[${JSON.stringify(name)}]\nexport { member${index} as ${JSON.stringify(name)} }`),
  ].join('\n')
}
