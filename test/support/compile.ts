import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = fileURLToPath(new URL('../..', import.meta.url))

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

const registry = ts.createDocumentRegistry()

/** What the compiler and an editor say of an app, whose files are held in memory. */
export class CompiledApp {
  readonly #files: ReadonlyMap<string, string>
  readonly #service: ts.LanguageService

  /** @param files by their paths in the app's folder, such as `modules/tasks.ts` */
  constructor(files: Readonly<Record<string, string>>) {
    // Beside the project's own package.json, which makes them ES modules.
    this.#files = new Map(Object.entries(files).map(([name, text]) => [join(root, 'test', 'app-in-memory', name), text]))
    const read = (path: string): string | undefined => this.#files.get(path) ?? ts.sys.readFile(path)
    this.#service = ts.createLanguageService(
      {
        getCompilationSettings: () => options,
        getScriptFileNames: () => [...this.#files.keys()],
        getScriptVersion: () => '1',
        getScriptSnapshot: (path) => {
          const text = read(path)
          return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text)
        },
        getCurrentDirectory: () => root,
        getDefaultLibFileName: ts.getDefaultLibFilePath,
        fileExists: (path) => this.#files.has(path) || ts.sys.fileExists(path),
        readFile: read,
        directoryExists: (path) => [...this.#files.keys()].some((file) => file.startsWith(`${path}/`)) || ts.sys.directoryExists(path),
      },
      registry,
    )
  }

  /** What an editor shows of the name at the first occurrence of `place`, as in `const |task|`: the one between the bars. */
  hover(place: string): string {
    const [before = '', name = '', after = ''] = place.split('|')
    for (const [path, text] of this.#files) {
      const start = text.indexOf(before + name + after)
      if (start === -1) continue
      const info = this.#service.getQuickInfoAtPosition(path, start + before.length)
      return ts.displayPartsToString(info?.displayParts)
    }
    throw new Error(`no file has ${place}`)
  }

  /** The mistakes that the compiler finds: line and message, the first line of which says what is wrong. */
  get mistakes(): readonly string[] {
    return [...this.#files.keys()].flatMap((path) =>
      [...this.#service.getSyntacticDiagnostics(path), ...this.#service.getSemanticDiagnostics(path)].map((diagnostic) => {
        const line = diagnostic.file?.getLineAndCharacterOfPosition(diagnostic.start ?? 0).line ?? -1
        return `${line + 1}: ${ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n')}`
      }),
    )
  }
}

/** The text of a file of the project. */
export function projectFile(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}
