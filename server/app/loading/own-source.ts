import { sep } from 'node:path'
import { code } from './file-kinds.js'

/**
 * Whether a file is source of an app, which is compiled, and no package's, which Node.js runs as it is: TypeScript
 * wherever it lies, JavaScript in the app's folder.
 *
 * @param path absolute, of a file that exists
 * @param directory the app's folder, free of symbolic links
 */
export function isOwnSource(path: string, directory: string): boolean {
  if (!code.test(path)) return false
  if (/\.(?:[cm]?ts|tsx)$/.test(path)) return true
  return path.startsWith(directory + sep) && !path.includes(`${sep}node_modules${sep}`)
}
