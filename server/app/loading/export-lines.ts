import { readFileSync } from 'node:fs'
import type { Message } from 'esbuild'
import { loaderOf, withEsbuild } from './esbuild.js'

/** Lines of a file's exports, by name. */
export type ExportLines = ReadonlyMap<string, number>

const identifier = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u

/**
 * Finds the lines on which a TypeScript or JavaScript file exports these names, whatever way it does so. The names are exported once more behind the file's end:
 * for each, the compiler then says where it was exported before. Names that come from another file by `export *` have no line here.
 */
export async function findExportLines(file: string, names: readonly string[]): Promise<ExportLines> {
  const asked = names.filter((name) => identifier.test(name))
  if (asked.length === 0) return new Map()
  const again = `const rowhouseAgain = 0; export { ${asked.map((name) => `rowhouseAgain as ${name}`).join(', ')} }`
  // One file after the other: an app has more of them than a process may have open at a time.
  const code = `${readFileSync(file, 'utf8')}\n${again}`
  const mistakes = await withEsbuild(({ transform }) =>
    transform(code, { loader: loaderOf(file), logLevel: 'silent', logLimit: 0 }).then(
      () => [],
      (failure: { readonly errors?: readonly Message[] }) => failure.errors ?? [],
    ),
  )
  return new Map(mistakes.flatMap(({ text, notes }) => readMistake(text, notes[0]?.location?.line)))
}

function readMistake(text: string, line: number | undefined): [string, number][] {
  const name = /^Multiple exports with the same name "(.+)"$/.exec(text)?.[1]
  return name === undefined || line === undefined ? [] : [[name, line]]
}
