import type { SourceLocation } from '../../errors/source-location.js'

/** A file of `pages/` that has been run: a route, or a middleware. */
export interface RouteFile {
  /** Relative to the app's folder, with `/` between its parts: `pages/api/users/[id].ts`. */
  readonly file: string
  /** Its place without `pages/` and its extension, from which its path is read: `api/users/[id]`. */
  readonly name: string
  readonly isMiddleware: boolean
  readonly exports: Readonly<Record<string, unknown>>
  /** The lines of its exports, by name; some that come from another file are missing. */
  readonly lines: ReadonlyMap<string, number>
}

/** Where a file exports a name; its beginning where that is not known. */
export function locate({ file, lines }: RouteFile, name?: string): SourceLocation {
  return { file, line: (name === undefined ? undefined : lines.get(name)) ?? 1 }
}
