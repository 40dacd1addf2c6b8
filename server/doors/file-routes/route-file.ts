import type { SourceLocation } from '../../errors/source-location.js'

/** A file of `pages/` that has been run: a route, or a middleware. */
export interface RouteFile {
  /** Relative to the app's folder, with `/` between its parts: `pages/api/users/[id].ts`. */
  readonly file: string
  readonly exports: Readonly<Record<string, unknown>>
  /** The lines of its exports, by name; some that come from another file are missing. */
  readonly lines: ReadonlyMap<string, number>
}

/** Where a file exports a name; its beginning where that is not known. */
export function locate({ file, lines }: RouteFile, name?: string): SourceLocation {
  return { file, line: (name === undefined ? undefined : lines.get(name)) ?? 1 }
}

/** A class, as opposed to a function that can be called. */
export type Class = new () => object

/** Whether an exported value is a class. The prototype of a class cannot be replaced (ECMAScript, 15.7.14); that of a function can, where it has one. */
export function isClass(value: unknown): value is Class {
  return typeof value === 'function' && Object.getOwnPropertyDescriptor(value, 'prototype')?.writable === false
}

/** What an exported value is, for messages. */
export function describeExport(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (isClass(value)) return 'a class'
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
