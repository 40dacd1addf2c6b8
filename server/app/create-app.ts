import { setMaxListeners } from 'node:events'
import { realpath } from 'node:fs/promises'
import type { FastifyInstance } from 'fastify'
import type { DestinationStream } from 'pino'
import type { OpenDatabaseOptions } from '../../db/database.js'
import { gracefulClose } from '../../plugins/graceful-close.js'
import { lingeringClose } from '../../plugins/lingering-close.js'
import { requestIds } from '../../plugins/request-ids.js'
import { requestLogs } from '../../plugins/request-logs.js'
import type { AppHandle } from '../call/call.js'
import { declarePlugin } from '../doors/fastify/declare-plugin.js'
import type { FastifyDoor, FastifyDoorOptions } from '../doors/fastify/fastify-door.js'
import { passedOnId } from '../doors/fastify/passage.js'
import type { FastifyPlugin } from '../doors/fastify/plugin-types.js'
import { surround } from '../doors/middleware/surround.js'
import { EndpointUrls } from '../endpoint/endpoint-urls.js'
import type { Endpoint } from '../endpoint/endpoint.js'
import { Matcher } from '../endpoint/matcher.js'
import { Registry, type Declarations } from '../endpoint/registry.js'
import { DeclarationError } from '../errors/declaration-error.js'
import { runningApps, type RunningApp } from '../exports/running-app.js'
import { platformCookieName } from '../http/cookies/platform-cookies.js'
import { basePathOf } from '../http/base-path.js'
import { readCorsRule } from '../http/cors/cors-options.js'
import { SecurityHeaders } from '../http/reply/security-headers.js'
import { CommonRequest } from '../http/request/common-request.js'
import { HttpsHosts } from '../http/request/https-hosts.js'
import { serveInTurn } from '../http/request/in-turn.js'
import { takeIn } from '../http/request/intake.js'
import { openLog, type AppLog } from '../logging/open-log.js'
import { AccessKey, requireAccessKey } from '../pipeline/access-key.js'
import { isDebugging } from '../pipeline/failure/debug/debug-setting.js'
import { findDestination, findEndpoints, type FindEndpointOptions } from '../pipeline/find-endpoint.js'
import { OpenAnswers } from '../pipeline/open-answers.js'
import { Turns } from '../pipeline/turns.js'
import type { PipelineParts } from '../pipeline/parts.js'
import { serve } from '../pipeline/pipeline.js'
import { decorateRequests } from '../pipeline/request-decorators.js'
import { AppScheme } from '../pipeline/schemes/app-scheme.js'
import { BasicScheme, quoted } from '../pipeline/schemes/basic-scheme.js'
import type { Scheme } from '../pipeline/schemes/scheme.js'
import { Challenges } from '../pipeline/schemes/challenges.js'
import { declarePlatform, platformRegistry } from '../platform/platform.js'
import type { Users } from '../services/accounts/users.js'
import type { AppSecrets } from '../services/secrets/app-secrets.js'
import { loadConfiguration, type ConfigurationOverrides } from './configuration/configuration.js'
import type { Configuration } from './configuration/settings.js'
import { createServer } from './fastify-server.js'
import { collectDeclarations } from './loading/collect-declarations.js'
import { describeThrown } from './loading/load-error.js'
import { loadModules } from './loading/load-modules.js'
import { requestLines } from './request-line.js'
import { openServices, type Services } from './services.js'

/** What an app is made from. */
export interface CreateAppOptions extends ConfigurationOverrides {
  /** The app's folder. */
  readonly directory: string
  /** Declares the app's tables and endpoints in place of the modules in its folder. */
  readonly define?: () => unknown
  /** The app's Fastify plugin, beside `define`; `fastify.ts` in its folder is it otherwise. */
  readonly plugin?: FastifyPlugin
  /** Where log lines go instead of standard output. */
  readonly logTo?: DestinationStream
  /** Opens another database engine than SQLite's. */
  readonly openEngine?: NonNullable<OpenDatabaseOptions['openEngine']>
  /** Starts with a database, too, that has lost its log, or all that was in it. */
  readonly acceptDataLoss?: boolean
  /** Called once when the database can no longer be trusted: the process has to stop. */
  readonly onFailure?: (failure: Error) => void
}

/** What the program that has made an app may reach of it. */
export interface App {
  readonly configuration: Configuration
  readonly users: Users
  /** Every endpoint it serves, the platform's own and those of its Fastify plugin included. */
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
 * @throws ConfigurationError, LoadError, DeclarationError, SchemaError, DatabaseFailure, SecretError: each with one message that says what to do
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
    const { openEngine, onFailure, acceptDataLoss = false } = options
    const services = await openServices({ configuration, tables: declarations.tables, log: log.platform, openEngine, acceptDataLoss, onFailure: (failure) => onFailure?.(failure) })
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

function loadDeclarations(
  app: AppHandle,
  { define, plugin }: CreateAppOptions,
  configuration: Configuration,
): Promise<Declarations> {
  if (define === undefined && plugin !== undefined) {
    throw new DeclarationError('createApp() takes "plugin" beside "define"; an app in a folder has its plugin in fastify.ts')
  }
  if (define !== undefined) {
    return collectDeclarations(app, new Registry(configuration), async () => {
      await define()
      if (plugin !== undefined) declarePlugin(plugin, { file: 'createApp()', line: 0 })
    })
  }
  return loadModules({ app, configuration })
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
  const { database, users, sessions, origins, secrets, limiter, deadlines, bodies, writes } = services
  const stopping = new AbortController()
  // Each event stream listens; Node.js warns of a leak beyond ten.
  setMaxListeners(0, stopping.signal)

  const sources = { stopping: stopping.signal, hasFailed: services.hasFailed }
  const platform = await collectDeclarations(app, platformRegistry(configuration), () => declarePlatform(sources))
  const endpoints = [...surround(declarations), ...platform.endpoints]
  const urls = new EndpointUrls(endpoints)

  const schemes: readonly Scheme[] = [
    new BasicScheme({ realm: configuration.realm, prompt: configuration.passwordPrompt, verify: (username, password, address) => users.verify(username, password, address) }),
    ...declarations.schemes.map((declared) => new AppScheme({ declared, current: (id) => users.current(id) })),
  ]
  const https = new HttpsHosts(configuration)
  const parts: PipelineParts = {
    app,
    settings: configuration,
    log: log.platform,
    deadlines,
    limiter,
    turns: new Turns(),
    openAnswers: new OpenAnswers({ currentUser: (id) => users.current(id), isLive: (hash) => sessions.isLive(hash) }),
    bodies,
    errorHandlers: declarations.errorHandlers,
    isOwnOrigin: (origin, request) => origins.isOwn(origin, request.host, https.reaches(request) ? 'https' : null),
    https,
    cors: readCorsRule(configuration.cors, configuration),
    sessions: { sessions, scope: { name: platformCookieName(configuration.name, 'session'), domain: null } },
    schemes,
    challenges: new Challenges(schemes, quoted(configuration.realm)),
    securityHeaders: new SecurityHeaders(configuration, https),
    debug: isDebugging(configuration, log.platform),
  }
  const challengesFor: RunningApp['challengesFor'] = (request) => parts.challenges.unauthorizedFor(request === null ? {} : CommonRequest.stateOf(request).raw.headers).challenges
  const { signal } = stopping
  const jars = jarsOf(configuration, secrets)
  runningApps.started(app, { addresses: configuration, database, users, sessions, writes, origins, urls, jars, challengesFor, stopping: signal })

  const server = createServer(configuration, parts)
  const accessKey = configuration.private.accessKey === null ? null : new AccessKey(basePathOf(configuration))
  const lines = log.writeRequest === null ? null : { write: log.writeRequest, describe: requestLines() }
  const served = [...endpoints]
  const rowhouse: App = { configuration, users, endpoints: served }
  decorateRequests(server, parts.isOwnOrigin)
  server.decorate('rowhouse', rowhouse)
  // First among the hooks of closing: the next ones wait for connections, and those may ask whether this server is
  // ready.
  server.addHook('preClose', () => stopping.abort())
  const { plugin } = declarations
  const { trustedProxies } = configuration
  await server.register(requestIds, { trustedProxies, ...(plugin !== null && { present: passedOnId }) })
  const decorations = { rowhouse }
  const beside = { endpoints, parts, pipeline: server, log: log.own, lines, accessKey, stopping: signal, decorations }
  const door = plugin === null ? null : await openDoor({ plugin, configuration, ...beside })
  if (door !== null) served.push(...door.endpoints)
  await server.register(lingeringClose, { timeout: configuration.requestTimeout, takeIn })
  await server.register(gracefulClose, { timeout: configuration.shutdownTimeout })
  if (lines !== null) await server.register(requestLogs, door?.linesOfPipeline(lines) ?? lines)
  requireAccessKey(server, basePathOf(configuration), accessKey)
  const destinationOf = door?.destinationOf ?? destinationsAmong(endpoints)
  findEndpoints(server, { destinationOf, addresses: configuration, cors: parts.cors })
  server.route({ method: server.supportedMethods, url: '*', handler: (request, reply) => serve(parts, request, reply) })

  // Around all else that looks at what the listener tells, such as the plugin.
  serveInTurn(server.server, () => log.platform.warn('a connection was cut on which requests waited for their turn: too many wait in all'))
  server.addHook('onListen', () => {
    for (const address of server.addresses()) if (typeof address !== 'string') origins.listenAt(address)
  })
  server.addHook('onClose', () => {
    parts.openAnswers.close()
    return closeAll(door, services).finally(close)
  })
  await server.ready()
  return server
}

type OpenDoorOptions = Omit<FastifyDoorOptions, 'settings'> & { readonly configuration: Configuration }

/** Runs the app's Fastify plugin. @throws LoadError, DeclarationError */
async function openDoor({ configuration, ...options }: OpenDoorOptions): Promise<FastifyDoor> {
  const directory = await realpath(configuration.directory)
  // Only an app with a plugin needs to have that.
  const { FastifyDoor } = await import('../doors/fastify/fastify-door.js')
  try {
    return await FastifyDoor.open({ ...options, settings: { ...configuration, directory } })
  } catch (error) {
    throw describeThrown(error, directory)
  }
}

/** A jar with a secret of its app's own is that app's alone, whatever it is called. */
function jarsOf({ name, cookieDomain, sharedSecret }: Configuration, { own, shared }: AppSecrets): RunningApp['jars'] {
  return {
    local: { secrets: own, scope: { name: platformCookieName(name, 'local'), domain: null } },
    shared: { secrets: shared, scope: { name: platformCookieName(sharedSecret === null ? name : null, 'shared'), domain: sharedSecret === null ? null : cookieDomain } },
  }
}

function destinationsAmong(endpoints: readonly Endpoint[]): FindEndpointOptions['destinationOf'] {
  const matcher = new Matcher(endpoints)
  return ({ raw, originalUrl }) => findDestination(raw, originalUrl, matcher)
}

/** What a plugin does when it closes may need the services. */
async function closeAll(door: FastifyDoor | null, services: Services): Promise<void> {
  try {
    await door?.close()
  } finally {
    await services.close()
  }
}
