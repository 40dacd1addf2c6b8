import { isAbsolute, relative, sep } from 'node:path'

/** Where in an app's source something was declared, for error messages and listings. */
export interface SourceLocation {
  /** Path of the file, relative to the app's folder where it lies in it. */
  readonly file: string
  readonly line: number
}

/** A path as messages show it: relative to the app's folder if it lies in it. */
export function displayPath(path: string, directory: string): string {
  const shown = relative(directory, path)
  return shown === '' || shown.startsWith(`..${sep}`) || isAbsolute(shown) ? path : shown.replaceAll(sep, '/')
}
