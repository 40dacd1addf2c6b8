import { randomUUID } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import { METHODS } from 'node:http'
import { join } from 'node:path'
import { LogController, fastify, type FastifyBaseLogger, type FastifyInstance } from 'fastify'
import type { DestinationStream } from 'pino'
import { openDatabase } from '../../db/database.js'
import { platformMigrations } from '../../migrations/index.js'
import { basicAuth } from '../../plugins/basic-auth.js'
import { gracefulClose } from '../../plugins/graceful-close.js'
import { requestIds } from '../../plugins/request-ids.js'
import { requestLogs } from '../../plugins/request-logs.js'
import { basePathOf, requireAccessKey } from '../pipeline/access-key.js'
import type { App } from '../exports/running-app.js'
import { loadConfiguration, type ConfigurationOverrides } from './configuration/configuration.js'
import type { Configuration } from './configuration/settings.js'
import { currentCall, registerApp, unregisterApp } from '../call/call.js'
import { Deadlines } from '../call/deadlines.js'
import { EndpointUrls } from '../endpoint/endpoint-urls.js'
import { findEndpoints } from '../pipeline/find-endpoint.js'
import { Matcher } from '../endpoint/matcher.js'
import { refuse, serve } from '../pipeline/pipeline.js'
import { refuseClient } from '../pipeline/failure/client-error.js'
import { isDebugging } from '../pipeline/failure/debug/debug-setting.js'
import { loadModules } from './loading/load-modules.js'
import { loadWithLog } from '../exports/log.js'
import { openLog, type AppLog } from '../logging/open-log.js'
import { Origins } from '../exports/origins.js'
import { platformEndpoints } from '../platform/health.js'
import { collectDeclarations } from '../endpoint/registry.js'
import { awaitContinue } from '../http/body/continue.js'
import { TemporaryFiles } from '../http/body/temporary-files.js'
import { parseUrlEncoded } from '../http/body/url-encoded.js'
import { Users } from '../services/accounts/users.js'

/** What an app is made from. */
export interface CreateAppOptions extends ConfigurationOverrides {
  /** The app's folder. */
  readonly directory: string
  /** Declares the app's tables and endpoints in place of the modules in its folder. */
  readonly define?: () => unknown
  /** Where log lines go instead of standard output. */
  readonly logTo?: DestinationStream
  /** Called once when the database can no longer be trusted: the process has to stop. */
  readonly onFailure?: (failure: Error) => void
}

declare module 'fastify' {
  interface FastifyInstance {
    /** The parts of the app behind this server. */
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
  const appLog = await openLog(configuration, options.logTo)
  try {
    return await assembleApp(options, configuration, appLog)
  } catch (error) {
    appLog.close()
    throw error
  }
}

async function assembleApp(options: CreateAppOptions, configuration: Configuration, appLog: AppLog): Promise<FastifyInstance> {
  const { platform: log, own: ownLog } = appLog
  const { define } = options
  const declarations = await loadWithLog(ownLog, () =>
    define === undefined ? loadModules({ configuration, buildDirectory: join(configuration.data, 'build') }) : collectDeclarations(configuration, define),
  )
  const stopping = new AbortController()
  // Each event stream listens; Node.js warns of a leak beyond ten.
  setMaxListeners(0, stopping.signal)
  const endpoints = [...declarations.endpoints, ...platformEndpoints(configuration, stopping.signal)]
  const matcher = new Matcher(endpoints)
  const urls = new EndpointUrls(endpoints)

  const database = await openDatabase({
    directory: configuration.data,
    tables: declarations.tables,
    migrations: platformMigrations,
    exclusive: true,
    undeclared: 'refuse',
    log,
    onFailure: (failure) => options.onFailure?.(failure),
    onWrite: (commit) => {
      const call = currentCall()
      if (call !== undefined) call.lastCommit = commit
    },
  })
  const users = new Users({ database, hashing: configuration.passwordHashing })
  const temporaryFiles = new TemporaryFiles(join(configuration.data, 'request-bodies'), () => log.error('the disk is full: a request body was refused; make room'))
  const app: App = {
    configuration,
    log,
    ownLog,
    database,
    users,
    endpoints,
    urls,
    origins: new Origins(configuration),
    deadlines: new Deadlines(),
    stopping: stopping.signal,
    temporaryFiles,
    errorHandlers: declarations.errorHandlers,
    debug: isDebugging(configuration, log),
  }
  registerApp(app)

  const server = createServer(app)
  // First among the hooks of closing: the next one waits for connections, and those may ask whether this server is ready.
  server.addHook('preClose', () => stopping.abort())
  await server.register(gracefulClose, { timeout: configuration.shutdownTimeout })
  await server.register(requestIds, { trustedProxies: configuration.trustedProxies })
  if (appLog.writeRequest !== null) {
    await server.register(requestLogs, { write: appLog.writeRequest, describe: (request) => ({ endpoint: request.found?.endpoint.path.text, user: request.user?.id }) })
  }
  requireAccessKey(server, basePathOf(configuration))
  findEndpoints(server, { matcher, apiPrefix: configuration.apiPrefix })
  await server.register(basicAuth, {
    realm: configuration.realm,
    requirementOf: (request) => request.found?.endpoint.options.requirement ?? 'none',
    verify: (username, password, address) => users.verify(username, password, address),
  })
  server.route({ method: server.supportedMethods, url: '*', handler: (request, reply) => serve(app, request, reply) })

  server.addHook('onListen', () => {
    for (const address of server.addresses()) if (typeof address !== 'string') app.origins.listenAt(address)
  })
  server.addHook('onClose', async () => {
    unregisterApp(app)
    app.deadlines.close()
    temporaryFiles.close()
    await database.close().finally(() => appLog.close())
  })
  await server.ready()
  return server
}

/** A Fastify instance that leaves routing, bodies and request logs to us. */
function createServer(app: App): FastifyInstance {
  const { configuration } = app
  const log: FastifyBaseLogger = app.log
  const server = fastify({
    loggerInstance: log,
    // A logger of its own for each request would cost more than all the rest of the bookkeeping; log lines carry the request's id instead.
    childLoggerFactory: (logger) => logger,
    logController: new LogController({ disableRequestLogging: true }),
    trustProxy: configuration.trustedProxies.length === 0 ? false : [...configuration.trustedProxies],
    requestTimeout: configuration.requestTimeout,
    keepAliveTimeout: configuration.keepAliveTimeout,
    return503OnClosing: false,
    exposeHeadRoutes: false,
    routerOptions: { querystringParser: parseUrlEncoded },
    // Node.js looks every 30 s whether a client is over its time, unless told otherwise.
    // And to a request without Host it would answer 400 by itself, without a word; that is refused like any other.
    http: { headersTimeout: configuration.headersTimeout, connectionsCheckingInterval: 1000, requireHostHeader: false },
    // Fastify decodes a path before it looks for a route. One that it cannot decode comes by a path that it can, and is refused like any other when its endpoint is looked for.
    frameworkErrors: (_error, { raw }, { raw: response }) => {
      const { url = '' } = raw
      server.routing(Object.assign(raw, { originalUrl: url, url: url.replace(/^[^?]*/, '/') }), response)
    },
    clientErrorHandler: (error, socket) => refuseClient(app, randomUUID(), error, socket),
  })
  // Without a body, as far as Fastify is concerned: the pipeline reads bodies itself, after the credentials, up to the limit of the endpoint.
  for (const method of METHODS) if (method !== 'CONNECT') server.addHttpMethod(method, { hasBody: false, overrideExisting: true })
  // Node.js would answer 417 by itself, to a request that nobody has looked at.
  server.server.on('checkExpectation', (request, response) => server.routing(request, response))
  // And it would write "100 Continue" before anybody has looked at the credentials and the length.
  server.server.on('checkContinue', (request, response) => {
    awaitContinue(request, response)
    server.routing(request, response)
  })
  server.decorate('rowhouse', app)
  server.setErrorHandler((error, request, reply) => refuse(app, request, reply, error))
  return server
}
