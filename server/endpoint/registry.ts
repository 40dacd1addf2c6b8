import type { OpenDatabaseOptions } from '../../db/database.js'
import { defineTables } from '../../db/schema/define-tables.js'
import { isReserved } from '../http/base-path.js'
import { CallSites } from './call-site.js'
import type { Endpoint } from './endpoint.js'
import type { SourceLocation } from '../errors/source-location.js'
import { DeclarationError } from '../errors/declaration-error.js'
import { ErrorHandlers, type DeclaredErrorHandler } from './error-handlers.js'

/** Tables, by name, whatever their types. */
export type DeclaredTables = OpenDatabaseOptions['tables']

/** What holds for declarations that do not say otherwise. */
export interface DeclarationSettings {
  /** The app's folder; places are told relative to it. */
  readonly directory: string
  /** What stands before the paths of `httpEndpoint`. */
  readonly apiPrefix: string
  /** In bytes. */
  readonly bodyLimit: number
  /** In milliseconds. */
  readonly handlerTimeout: number
  readonly private: { readonly accessKey: string | null }
}

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
  #isClosed = false

  /** @param owner whose declarations these are: an app's, or the platform's own, to which the paths under `/_/` belong */
  constructor(
    readonly settings: DeclarationSettings,
    readonly owner: 'app' | 'platform' = 'app',
  ) {
    this.#callSites = new CallSites(settings.directory)
  }

  /** Whether the app has been loaded, after which nothing can be declared any more. */
  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Told once the app has been loaded. */
  close(): void {
    this.#isClosed = true
  }

  get endpoints(): readonly Endpoint[] {
    return this.#endpoints
  }

  get tables(): DeclaredTables {
    return this.#tables?.tables ?? defineTables({})
  }

  /** @throws DeclarationError when an app declares a path that is the platform's */
  addEndpoint(endpoint: Endpoint): void {
    if (this.owner === 'platform') {
      this.#endpoints.push({ ...endpoint, door: 'platform' })
      return
    }
    const { path, source } = endpoint
    if (isReserved(path.text, this.settings)) {
      throw new DeclarationError(`the path ${path.text} is Rowhouse's own, as all are that begin with /_/; choose another beginning`, source)
    }
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
    return this.owner === 'platform' ? { file: 'rowhouse', line: 0 } : this.#callSites.current()
  }
}
