import type { OpenDatabaseOptions } from '../../db/database.js'
import { defineTables } from '../../db/schema/define-tables.js'
import { CallSites } from './call-site.js'
import type { Endpoint, SourceLocation } from './endpoint.js'
import { DeclarationError } from '../errors/declaration-error.js'
import { ErrorHandlers, type DeclaredErrorHandler } from './error-handlers.js'
import type { Configuration } from '../app/configuration/settings.js'

/** Tables, by name, whatever their types. */
export type DeclaredTables = OpenDatabaseOptions['tables']

/** What an app's modules have declared. */
export interface Declarations {
  /** In the order of declaration. */
  readonly endpoints: readonly Endpoint[]
  readonly errorHandlers: ErrorHandlers
  /** What `defineTables` returned; the platform's own tables alone when no module calls it. */
  readonly tables: DeclaredTables
}

/** Collects what an app's modules declare while they load. */
export class Registry implements Declarations {
  readonly errorHandlers = new ErrorHandlers()
  readonly #endpoints: Endpoint[] = []
  readonly #callSites: CallSites
  #tables: { readonly tables: DeclaredTables; readonly source: SourceLocation } | null = null

  /** @param configuration what holds for declarations that do not say otherwise; places are told relative to its folder */
  constructor(readonly configuration: Configuration) {
    this.#callSites = new CallSites(configuration.directory)
  }

  get endpoints(): readonly Endpoint[] {
    return this.#endpoints
  }

  get tables(): DeclaredTables {
    return this.#tables?.tables ?? defineTables({})
  }

  addEndpoint(endpoint: Endpoint): void {
    this.#endpoints.push(endpoint)
  }

  /** @throws DeclarationError when there is one for the same errors already; both places are named */
  addErrorHandler(handler: DeclaredErrorHandler): void {
    this.errorHandlers.add(handler)
  }

  /** @throws DeclarationError when the app has defined its tables before; both places are named */
  addTables(tables: DeclaredTables): void {
    const source = this.callSite()
    if (this.#tables !== null) {
      const { file, line } = this.#tables.source
      throw new DeclarationError(`defineTables() was called a second time, after ${file}:${line}; declare all tables of the app in one call`, source)
    }
    this.#tables = { tables, source }
  }

  /** Where the module that is declaring something does so. */
  callSite(): SourceLocation {
    return this.#callSites.current()
  }
}

let current: Registry | null = null
let queue: Promise<unknown> = Promise.resolve()

/**
 * Runs `load`, which runs an app's modules, and resolves to what they declare. Apps of one process load one after the other,
 * since a declaration belongs to whichever app is being loaded.
 *
 * @throws whatever `load` throws
 */
export function collectDeclarations(configuration: Configuration, load: () => unknown): Promise<Declarations> {
  const collected = queue.then(async () => {
    const registry = (current = new Registry(configuration))
    try {
      await load()
      return registry
    } finally {
      current = null
    }
  })
  queue = collected.catch(() => undefined)
  return collected
}

/**
 * The registry of the app that is being loaded.
 *
 * @param what the export that asks, such as `httpEndpoint()`, for the message
 * @throws DeclarationError when no app is being loaded
 */
export function currentRegistry(what: string): Registry {
  if (current === null) {
    throw new DeclarationError(`${what} was called while no app was loading; call it at the top level of a module that \`rowhouse start\` or createApp() loads`)
  }
  return current
}
