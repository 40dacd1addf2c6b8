/**
 * What a file of an app is called, by kind. Rowhouse takes no notice of any other file. This is the one list of it:
 * whatever finds, runs or checks files of an app, or tells that one has nearly such a name, asks here.
 */
export const fileKinds = {
  /** Beside `tables.ts`; one. */
  configuration: /^rowhouse\.config\.m?[jt]s$/,
  /** In the app's folder. */
  tables: /^tables\.m?[jt]s$/,
  /**
   * In `modules/` and `pages/api/` and the folders in there: not tests, not type declarations, and nothing that starts
   * with `.` or `_`.
   */
  module: /^(?!.*\.(?:test|spec|d)\.m?[jt]s$)[^._].*\.m?[jt]s$/,
  /** In `pages/` and the folders in there. */
  middleware: /^middleware\.m?[jt]s$/,
} as const

/** A folder whose files count too, inside of one whose files do. */
export function isFolderOfModules(name: string): boolean {
  return /^[^._]/.test(name) && name !== 'node_modules'
}
