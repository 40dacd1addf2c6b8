import { dirname } from 'node:path'
import type TypeScript from 'typescript'
import { isOwn, type CheckedProgram, type Misuse } from './checked-program.js'
import { FloatingWrites } from './floating-writes.js'
import { spreadRows } from './spread-rows.js'
import { unknownNames, type NameCheck } from './unknown-names.js'

/** Where to look, and for what. */
export interface MisuseSearch {
  readonly compiler: typeof TypeScript
  readonly program: TypeScript.Program
  /** The app's folder. */
  readonly folder: string
  /** The file that `rowhouse` is for the app. */
  readonly entry: string
  /** Null where the endpoints are not known. */
  readonly checkName: NameCheck | null
}

/**
 * Finds what the types let through: writes that nobody waits for, rows that are spread, and names for `urlFor` that no
 * endpoint has; in the order in which they stand.
 */
export function findMisuses({ compiler, program, folder, entry, checkName }: MisuseSearch): Misuse[] {
  const sources = program.getSourceFiles().filter((file) => isOwn(file, folder))
  const checked: CheckedProgram = { compiler, checker: program.getTypeChecker(), sources, library: dirname(entry) }
  const misuses = [
    ...new FloatingWrites(checked).find(),
    ...spreadRows(checked),
    ...(checkName === null ? [] : unknownNames(checked, checkName)),
  ]
  return misuses.sort(byPlace)
}

function byPlace(one: Misuse, other: Misuse): number {
  const [file, otherFile] = [one.node.getSourceFile().fileName, other.node.getSourceFile().fileName]
  if (file !== otherFile) return file < otherFile ? -1 : 1
  return one.node.getStart() - other.node.getStart()
}
