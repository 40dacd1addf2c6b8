import { join, relative, sep } from 'node:path'
import type TypeScript from 'typescript'

/**
 * The compiler with a program that it has read: an app's sources, and the declarations of the `rowhouse` that they
 * import.
 */
export interface CheckedProgram {
  readonly compiler: typeof TypeScript
  readonly checker: TypeScript.TypeChecker
  /** The app's own files. */
  readonly sources: readonly TypeScript.SourceFile[]
  /** The folder of the `rowhouse` that they import. */
  readonly library: string
}

/** Something that compiles and does not do what its author meant: where, and a sentence. */
export interface Misuse {
  readonly node: TypeScript.Node
  readonly sentence: string
}

/** Whether a declaration is the library's, in this file of it. */
export function isDeclaredIn(
  { library }: CheckedProgram,
  declaration: TypeScript.Node | undefined,
  file: string,
): boolean {
  const path = declaration?.getSourceFile().fileName
  return (
    path !== undefined &&
    relative(library, path)
      .split(sep)
      .join('/')
      .replace(/(?:\.d)?\.ts$/, '') === file
  )
}

/** Whether a file belongs to the app in a folder. */
export function isOwn(file: TypeScript.SourceFile, folder: string): boolean {
  const { fileName, isDeclarationFile } = file
  return (
    !isDeclarationFile &&
    fileName.startsWith(join(folder, sep)) &&
    !fileName.slice(folder.length).includes('/node_modules/')
  )
}

/** Calls a function for each node of the app. */
export function walk({ compiler, sources }: CheckedProgram, visit: (node: TypeScript.Node) => void): void {
  const each = (node: TypeScript.Node): void => {
    visit(node)
    compiler.forEachChild(node, each)
  }
  for (const source of sources) each(source)
}
