/** Every extension of TypeScript and JavaScript: all of them are run, whatever the kind of the file. */
const extension = String.raw`\.(?:[cm]?[jt]s|[jt]sx)$`

function called(name: string): RegExp {
  return new RegExp(`^${name}${extension}`)
}

/**
 * What a file of an app is called, by kind. Rowhouse takes no notice of any other file. This is the one list of it:
 * whatever finds, runs or checks files of an app, or tells that one has nearly such a name, asks here.
 */
export const fileKinds = {
  /** Beside `tables.ts`; one. */
  configuration: called(String.raw`rowhouse\.config`),
  /** In the app's folder. */
  tables: called('tables'),
  /**
   * In `modules/` and `pages/api/` and the folders in there: not tests, not type declarations, and nothing that starts
   * with `.` or `_`.
   */
  module: new RegExp(String.raw`^(?!.*\.(?:test|spec|d)${extension})[^._].*${extension}`),
  /** In the app's folder; one. */
  plugin: called('fastify'),
  /** In `pages/` and the folders in there. */
  middleware: called('middleware'),
} as const

/** Whatever is code, in any letter case, so that it may have been meant to be a file of one of these kinds. */
export const code = new RegExp(extension, 'i')

/** A folder whose files count too, inside of one whose files do. */
export function isFolderOfModules(name: string): boolean {
  return /^[^._]/.test(name) && name !== 'node_modules'
}

/** The name of a file, or the path of one, without the extension that code has. */
export function withoutExtension(path: string): string {
  return path.replace(code, '')
}
