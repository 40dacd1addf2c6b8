import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Where the files in memory seem to be: below the project's own package.json, which makes them ES modules. */
const folder = join(root, 'test', 'app-in-memory')

/** An app as a reader of the docs has it: strict, with the compiled package as `rowhouse`. */
const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  types: ['node'],
  typeRoots: [join(root, 'node_modules/@types')],
  paths: { rowhouse: [join(root, 'dist/index.d.ts')] },
}

/** Keeps the files of the libraries for the next app. */
const registry = ts.createDocumentRegistry()

/** What the compiler, and an editor, say of an app whose files are held in memory. */
export class CompiledApp {
  static #count = 0
  readonly #files: ReadonlyMap<string, string>
  readonly #service: ts.LanguageService

  /** @param files by their paths in the app's folder, such as `modules/tasks.ts` */
  constructor(files: Readonly<Record<string, string>>) {
    this.#files = new Map(Object.entries(files).map(([name, text]) => [join(folder, name), text]))
    const version = String(++CompiledApp.#count)
    const read = (path: string): string | undefined => this.#files.get(path) ?? ts.sys.readFile(path)
    const host: ts.LanguageServiceHost = {
      getCompilationSettings: () => options,
      getScriptFileNames: () => [...this.#files.keys()],
      // The registry takes a file of the same version for the same.
      getScriptVersion: (path) => (this.#files.has(path) ? version : '0'),
      getScriptSnapshot: (path) => {
        const text = read(path)
        return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text)
      },
      getCurrentDirectory: () => root,
      getDefaultLibFileName: ts.getDefaultLibFilePath,
      fileExists: (path) => this.#files.has(path) || ts.sys.fileExists(path),
      readFile: read,
      directoryExists: (path) => folder.startsWith(path) || path.startsWith(folder) || ts.sys.directoryExists(path),
    }
    this.#service = ts.createLanguageService(host, registry)
  }

  /** What an editor shows of a name: of the one between the bars, as in `const |task|`, where that stands first. */
  hover(place: string): string {
    const [before = '', name = '', after = ''] = place.split('|')
    for (const [path, text] of this.#files) {
      const start = text.indexOf(before + name + after)
      if (start === -1) continue
      return ts.displayPartsToString(this.#service.getQuickInfoAtPosition(path, start + before.length)?.displayParts)
    }
    throw new Error(`no file has ${place}`)
  }

  /** The mistakes that the compiler finds, by the line in which they stand, as `modules/tasks.ts:3`. */
  mistakes(): ReadonlyMap<string, string> {
    const found = new Map<string, string>()
    for (const path of this.#files.keys()) {
      for (const { start = 0, file, messageText } of [
        ...this.#service.getSyntacticDiagnostics(path),
        ...this.#service.getSemanticDiagnostics(path),
      ]) {
        const line = file === undefined ? 0 : file.getLineAndCharacterOfPosition(start).line + 1
        const place = `${path.slice(folder.length + 1)}:${line}`
        found.set(place, `${found.get(place) ?? ''}${ts.flattenDiagnosticMessageText(messageText, ' ')}`)
      }
    }
    return found
  }

  /** The mistakes that the files say themselves: what the message of a line has to have in it, after `// refused: `. */
  announced(): ReadonlyMap<string, string> {
    const lines = [...this.#files].flatMap(([path, text]) =>
      text.split('\n').map((line, index) => [`${path.slice(folder.length + 1)}:${index + 1}`, line] as const),
    )
    return new Map(
      lines.flatMap(([place, line]) =>
        line.includes('// refused: ') ? [[place, line.split('// refused: ')[1] ?? ''] as const] : [],
      ),
    )
  }
}
