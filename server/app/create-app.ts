import { setMaxListeners } from 'node:events'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import type { DestinationStream } from 'pino'
import type { OpenDatabaseOptions } from '../../db/database.js'
import { basicAuth, challengeFor } from '../../plugins/basic-auth.js'
import { gracefulClose } from '../../plugins/graceful-close.js'
import { requestIds } from '../../plugins/request-ids.js'
import { requestLogs } from '../../plugins/request-logs.js'
import type { AppHandle } from '../call/call.js'
import { EndpointUrls } from '../endpoint/endpoint-urls.js'
import type { Endpoint } from '../endpoint/endpoint.js'
import { Matcher } from '../endpoint/matcher.js'
import { Registry, type Declarations } from '../endpoint/registry.js'
import { runningApps } from '../exports/running-app.js'
import { basePathOf } from '../http/base-path.js'
import { openLog, type AppLog } from '../logging/open-log.js'
import { requireAccessKey } from '../pipeline/access-key.js'
import { isDebugging } from '../pipeline/failure/debug/debug-setting.js'
import { findEndpoints } from '../pipeline/find-endpoint.js'
import type { PipelineParts } from '../pipeline/parts.js'
import { serve } from '../pipeline/pipeline.js'
import { declarePlatform } from '../platform/platform.js'
import type { Users } from '../services/accounts/users.js'
import { loadConfiguration, type ConfigurationOverrides } from './configuration/configuration.js'
import type { Configuration } from './configuration/settings.js'
import { createServer } from './fastify-server.js'
import { collectDeclarations } from './loading/collect-declarations.js'
import { loadModules } from './loading/load-modules.js'
import { openServices, type Services } from './services.js'

/** What an app is made from. */
export interface CreateAppOptions extends ConfigurationOverrides {
  /** The app's folder. */
  readonly directory: string
  /** Declares the app's tables and endpoints in place of the modules in its folder. */
  readonly define?: () => unknown
  /** Where log lines go instead of standard output. */
  readonly logTo?: DestinationStream
  /** Opens another database engine than SQLite's. */
  readonly openEngine?: NonNullable<OpenDatabaseOptions['openEngine']>
  /** Called once when the database can no longer be trusted: the process has to stop. */
  readonly onFailure?: (failure: Error) => void
}

/** What the program that has made an app may reach of it. */
export interface App {
  readonly configuration: Configuration
  readonly users: Users
  /** Every endpoint it serves, the platform's own included. */
  readonly endpoints: readonly Endpoint[]
}

declare module 'fastify' {
  interface FastifyInstance {
    /** The app behind this server. */
    readonly rowhouse: App
  }
}

/**
 * Builds an app, ready to `inject` requests into or to `listen`; closing it closes its database.
 *
 * @throws ConfigurationError, LoadError, DeclarationError, SchemaError, DatabaseFailure: each with one message that says what to do
 */
export async function createApp(options: CreateAppOptions): Promise<FastifyInstance> {
  const configuration = await loadConfiguration(options.directory, options)
  const log = await openLog(configuration, options.logTo)
  const app: AppHandle = { name: configuration.name }
  const close = (): void => {
    runningApps.close(app)
    log.close()
  }
  runningApps.open(app, log.own)
  try {
    const declarations = await loadDeclarations(app, options, configuration)
    const { openEngine, onFailure } = options
    const services = await openServices({ configuration, tables: declarations.tables, log: log.platform, openEngine, onFailure: (failure) => onFailure?.(failure) })
    try {
      return await startApp({ app, configuration, log, declarations, services, close })
    } catch (error) {
      await services.close()
      throw error
    }
  } catch (error) {
    close()
    throw error
  }
}

function loadDeclarations(app: AppHandle, { define }: CreateAppOptions, configuration: Configuration): Promise<Declarations> {
  if (define !== undefined) return collectDeclarations(app, new Registry(configuration), define)
  return loadModules({ app, configuration, buildDirectory: join(configuration.data, 'build') })
}

/** The parts of an app, all there but its server. */
interface AppParts {
  readonly app: AppHandle
  readonly configuration: Configuration
  readonly log: AppLog
  readonly declarations: Declarations
  readonly services: Services
  /** Ends what was begun before the services were opened. */
  readonly close: () => void
}

async function startApp({ app, configuration, log, declarations, services, close }: AppParts): Promise<FastifyInstance> {
  const { database, users, origins, deadlines, temporaryFiles } = services
  const stopping = new AbortController()
  // Each event stream listens; Node.js warns of a leak beyond ten.
  setMaxListeners(0, stopping.signal)

  const platform = await collectDeclarations(app, new Registry(configuration, 'platform'), () => declarePlatform({ stopping: stopping.signal }))
  const endpoints = [...declarations.endpoints, ...platform.endpoints]
  const matcher = new Matcher(endpoints)
  const urls = new EndpointUrls(endpoints)

  const parts: PipelineParts = {
    app,
    settings: configuration,
    log: log.platform,
    deadlines,
    temporaryFiles,
    errorHandlers: declarations.errorHandlers,
    debug: isDebugging(configuration, log.platform),
  }
  const server = createServer(configuration, parts)
  server.decorate('rowhouse', { configuration, users, endpoints })
  // First among the hooks of closing: the next one waits for connections, and those may ask whether this server is ready.
  server.addHook('preClose', () => stopping.abort())
  await server.register(gracefulClose, { timeout: configuration.shutdownTimeout })
  await server.register(requestIds, { trustedProxies: configuration.trustedProxies })
  if (log.writeRequest !== null) {
    await server.register(requestLogs, { write: log.writeRequest, describe: (request) => ({ endpoint: request.found?.endpoint.path.text, user: request.user?.id }) })
  }
  requireAccessKey(server, basePathOf(configuration))
  findEndpoints(server, { matcher, addresses: configuration })
  await server.register(basicAuth, {
    realm: configuration.realm,
    requirementOf: (request) => request.found?.endpoint.options.requirement ?? 'none',
    verify: (username, password, address) => users.verify(username, password, address),
  })
  server.route({ method: server.supportedMethods, url: '*', handler: (request, reply) => serve(parts, request, reply) })

  server.addHook('onListen', () => {
    for (const address of server.addresses()) if (typeof address !== 'string') origins.listenAt(address)
  })
  server.addHook('onClose', () => services.close().finally(close))
  runningApps.started(app, { addresses: configuration, database, origins, urls, challenge: challengeFor(configuration.realm), stopping: stopping.signal })
  await server.ready()
  return server
}
