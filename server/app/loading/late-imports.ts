import { dirname, join, resolve } from 'node:path'
import type * as Esbuild from 'esbuild'
import { describeBuildFailure } from './build-failure.js'
import { commonOptions, formatOf, fileOptions, readOutputs, type CompiledFile } from './compiled-file.js'
import { LoadError } from './load-error.js'

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
    const asModule = buildSync(fileOptions(directory, [path], 'module'))
    const [{ format: found = undefined } = {}] = Object.values(asModule.metafile.inputs)
    const format = formatOf(path, found)
    const result = format === 'module' ? asModule : buildSync(fileOptions(directory, [path], format))
    const [compiled] = readOutputs(result, directory, format)
    if (compiled === undefined) throw new LoadError(`${path} cannot be compiled`)
    return compiled[1]
  } catch (error) {
    throw describeBuildFailure(error)
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
      ...commonOptions,
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
