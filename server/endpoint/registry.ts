import type { FastifyPluginAsync, FastifyPluginCallback } from 'fastify'
import type { OpenDatabaseOptions } from '../../db/database.js'
import { defineTables } from '../../db/schema/define-tables.js'
import { isReserved } from '../http/base-path.js'
import type { CorsOption, OwnOrigins } from '../http/cors/cors-options.js'
import { CallSites } from './call-site.js'
import type { Endpoint } from './endpoint.js'
import type { SourceLocation } from '../errors/source-location.js'
import { DeclarationError } from '../errors/declaration-error.js'
import type { HttpResponse } from '../http/reply/http-response.js'
import type { RowhouseRequest } from '../http/request/request.js'
import type { DefaultRateLimit } from './rate-limit.js'
import { ErrorHandlers, type DeclaredErrorHandler } from './error-handlers.js'

/** Tables, by name, whatever their types. */
export type DeclaredTables = OpenDatabaseOptions['tables']

/** What holds for declarations that do not say otherwise. */
export interface DeclarationSettings extends OwnOrigins {
  /** The app's folder; places are told relative to it. */
  readonly directory: string
  /** What stands before the paths of `httpEndpoint`. */
  readonly apiPrefix: string
  /** In bytes. */
  readonly bodyLimit: number
  /** In bytes. */
  readonly bodyDiskLimit: number
  /** In bytes. */
  readonly decodeLimit: number
  /** The longest answer that is held in memory, in bytes. */
  readonly responseLimit: number
  /** In milliseconds. */
  readonly handlerTimeout: number
  readonly cors: CorsOption
  readonly rateLimit: DefaultRateLimit
  readonly private: { readonly accessKey: string | null }
}

/** One `authenticate()` of an app. */
export interface DeclaredScheme {
  /** Gives a row of `users`, null, or a promise of either; the platform looks at what it is. */
  readonly authenticate: (request: RowhouseRequest) => unknown
  /** Lines of `WWW-Authenticate`. */
  readonly challenges: readonly string[]
  readonly source: SourceLocation
}

/** One `middleware()` of an app. */
export interface DeclaredMiddleware {
  /** As it was written. */
  readonly path: string
  /** The decoded parts of the path at and below which it stands around endpoints; none: around all. */
  readonly segments: readonly string[]
  readonly run: (request: RowhouseRequest, next: () => Promise<HttpResponse | Response>) => unknown
  readonly source: SourceLocation
}

/** The Fastify plugin of an app, its `fastify.ts`. */
export interface DeclaredPlugin {
  readonly plugin: FastifyPluginAsync | FastifyPluginCallback
  readonly source: SourceLocation
}

/** What an app's modules have declared. */
export interface Declarations {
  /** In the order of declaration. */
  readonly endpoints: readonly Endpoint[]
  /** In the order of declaration. */
  readonly middlewares: readonly DeclaredMiddleware[]
  readonly errorHandlers: ErrorHandlers
  /** In the order in which they are asked. */
  readonly schemes: readonly DeclaredScheme[]
  /** Null where the app has none. */
  readonly plugin: DeclaredPlugin | null
  /** What `defineTables` returned; the platform's own tables alone when no module calls it. */
  readonly tables: DeclaredTables
}

/** @throws DeclarationError for an endpoint of an app whose path is the platform's */
export function refuseReserved({ path, source }: Endpoint, settings: DeclarationSettings): void {
  const segments = path.segments.map((segment) => (segment.kind === 'static' ? segment.text : ''))
  if (isReserved(segments, settings)) {
    const whose = `the path ${path.text} is Rowhouse's own, as all are that begin with /_/`
    throw new DeclarationError(`${whose}; choose another beginning`, source)
  }
}

/** Collects what an app's modules declare while they load. */
export class Registry implements Declarations {
  readonly errorHandlers = new ErrorHandlers()
  readonly #endpoints: Endpoint[] = []
  readonly #middlewares: DeclaredMiddleware[] = []
  readonly #schemes: DeclaredScheme[] = []
  readonly #callSites: CallSites
  #plugin: DeclaredPlugin | null = null
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

  get middlewares(): readonly DeclaredMiddleware[] {
    return this.#middlewares
  }

  get schemes(): readonly DeclaredScheme[] {
    return this.#schemes
  }

  get plugin(): DeclaredPlugin | null {
    return this.#plugin
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
    refuseReserved(endpoint, this.settings)
    this.#endpoints.push(endpoint)
  }

  addMiddleware(middleware: DeclaredMiddleware): void {
    this.#middlewares.push(middleware)
  }

  /** @throws DeclarationError when there is one for the same errors already; both places are named */
  addErrorHandler(handler: DeclaredErrorHandler): void {
    this.errorHandlers.add(handler)
  }

  addScheme(scheme: DeclaredScheme): void {
    this.#schemes.push(scheme)
  }

  setPlugin(plugin: DeclaredPlugin): void {
    this.#plugin = plugin
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
