import { TableError } from '../../db/errors/errors.js'
import type { RowhouseRequest } from '../http/request/request.js'
import type { SourceLocation } from '../errors/source-location.js'
import { DeclarationError } from '../errors/declaration-error.js'
import { HttpError } from '../http/http-error.js'

/** A class of errors. */
export type ErrorClass<Thrown extends Error = Error> = abstract new (...args: never[]) => Thrown

/** One `errorHandler()` of an app. */
export interface DeclaredErrorHandler {
  /** A status from 400 to 599, or a class of errors. */
  readonly target: number | ErrorClass
  /** Whether it holds for the whole app, or only for the endpoints that the same file declares. */
  readonly scope: 'app' | 'module'
  readonly handle: (error: Error, request: RowhouseRequest) => unknown
  readonly source: SourceLocation
}

type Level = Map<number | ErrorClass, DeclaredErrorHandler>

/** The classes that are as general as a status or more, the less general one first: a handler for a status goes before theirs. */
const general: readonly ErrorClass[] = [HttpError, Error]

/**
 * The error handlers that an app declares. There are two levels: the handlers in the file of the endpoint that failed, and those of the whole app.
 * On each, classes go before the status, the most derived one first, and after it `HttpError` and `Error`.
 */
export class ErrorHandlers {
  readonly #wholeApp: Level = new Map()
  readonly #byFile = new Map<string, Level>()

  /** @throws DeclarationError when there is one for the same errors on the same level; both places are named */
  add(handler: DeclaredErrorHandler): void {
    const { file } = handler.source
    const ownLevel = this.#byFile.get(file) ?? new Map<number | ErrorClass, DeclaredErrorHandler>()
    this.#byFile.set(file, ownLevel)
    const levels = handler.scope === 'app' ? [ownLevel, this.#wholeApp] : [ownLevel]
    for (const level of levels) refuseSecond(level, handler)
    for (const level of levels) level.set(handler.target, handler)
  }

  /** Whether an app has none. */
  get isEmpty(): boolean {
    return this.#byFile.size === 0
  }

  /**
   * The handler for an error, or null. One for `HttpError` is found for what a table has refused, too.
   *
   * @param file where the endpoint is declared that failed; null when there was none for the request
   */
  find(error: Error, status: number, file: string | null): DeclaredErrorHandler | null {
    const targets = targetsOf(error, status)
    const levels = [file === null ? undefined : this.#byFile.get(file), this.#wholeApp]
    for (const level of levels) {
      if (level === undefined) continue
      for (const target of targets) {
        const handler = level.get(target)
        if (handler !== undefined) return handler
      }
    }
    return null
  }
}

function refuseSecond(level: Level, { target, source }: DeclaredErrorHandler): void {
  const first = level.get(target)
  if (first === undefined) return
  const name = typeof target === 'number' ? target : target.name
  throw new DeclarationError(
    `errorHandler(${name}) is here a second time, after ${first.source.file}:${first.source.line}; keep one, or give those for the endpoints of one file { scope: 'module' }`,
    source,
  )
}

/** What a handler for this error may be declared for, in the order in which they are asked. */
function targetsOf(error: Error, status: number): readonly (number | ErrorClass)[] {
  const special: ErrorClass[] = []
  for (let prototype: unknown = Object.getPrototypeOf(error); typeof prototype === 'object' && prototype !== null; prototype = Object.getPrototypeOf(prototype)) {
    const { constructor } = prototype
    // The chain of an error consists of the prototypes of classes of errors, and then that of Object, which no handler can be declared for.
    if (!general.includes(constructor as ErrorClass)) special.push(constructor as ErrorClass)
  }
  const isHttpError = error instanceof HttpError || isRefusedByTable(error, status)
  return [...special, status, ...(isHttpError ? general : [Error])]
}

/** Whether a table has refused what the caller asked for, which is told like any other such refusal. */
function isRefusedByTable(error: Error, status: number): boolean {
  return error instanceof TableError && status < 500
}
