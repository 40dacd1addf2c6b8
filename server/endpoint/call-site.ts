import { findSourceMap, type SourceMap } from 'node:module'
import { sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { SourceLocation } from '../errors/source-location.js'
import { displayPath } from '../errors/source-location.js'

/** The folder of this package's own code, whose frames are never the caller that is asked for. */
const own = fileURLToPath(new URL('../..', import.meta.url))

/**
 * Finds out where an app's module called into this package, in the module's source. It takes a stack apart without printing it,
 * and reads each file's source map once, so that an app with thousands of declarations starts as quickly as before.
 */
export class CallSites {
  readonly #directory: string
  readonly #maps = new Map<string, SourceMap | undefined>()

  /** @param directory the app's folder, which the files of locations are relative to */
  constructor(directory: string) {
    this.#directory = directory
  }

  /** The place of the innermost call on the stack that lies outside of this package. */
  current(): SourceLocation {
    const frame = callStack().find((site) => isForeign(fileOf(site)))
    return frame === undefined ? { file: 'unknown', line: 0 } : this.#locate(frame)
  }

  /**
   * The place of the innermost call on the stack that lies in the app's own code, and in no package; null where none
   * does.
   */
  inApp(): SourceLocation | null {
    const isInPackage = (file: string): boolean => pathOf(file).includes(`${sep}node_modules${sep}`)
    const frame = callStack().find((site) => isForeign(fileOf(site)) && !isInPackage(fileOf(site)))
    return frame === undefined ? null : this.#locate(frame)
  }

  #locate(frame: NodeJS.CallSite): SourceLocation {
    const file = fileOf(frame)
    const line = frame.getLineNumber() ?? 1
    const entry = this.#mapOf(file)?.findEntry(line - 1, (frame.getColumnNumber() ?? 1) - 1)
    if (entry === undefined || !('originalSource' in entry)) return { file: displayPath(pathOf(file), this.#directory), line }
    return { file: displayPath(pathOf(entry.originalSource), this.#directory), line: entry.originalLine + 1 }
  }

  #mapOf(file: string): SourceMap | undefined {
    if (!this.#maps.has(file)) this.#maps.set(file, findSourceMap(file))
    return this.#maps.get(file)
  }
}

function callStack(): readonly NodeJS.CallSite[] {
  const { prepareStackTrace, stackTraceLimit } = Error
  const holder: { stack?: readonly NodeJS.CallSite[] } = {}
  try {
    Error.stackTraceLimit = 30
    Error.prepareStackTrace = (_error, sites) => sites
    Error.captureStackTrace(holder, callStack)
    return holder.stack ?? []
  } finally {
    Error.prepareStackTrace = prepareStackTrace
    Error.stackTraceLimit = stackTraceLimit
  }
}

function fileOf(site: NodeJS.CallSite): string {
  return site.getFileName() ?? ''
}

function isForeign(file: string): boolean {
  if (file === '' || file.startsWith('node:')) return false
  const path = pathOf(file)
  return !path.startsWith(own) || path.slice(own.length).includes(`${sep}node_modules${sep}`)
}

function pathOf(file: string): string {
  return file.startsWith('file:') ? fileURLToPath(file) : file
}
