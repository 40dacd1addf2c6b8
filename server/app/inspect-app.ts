import { realpath } from 'node:fs/promises'
import { createServer } from 'node:http'
import { runCall, type AppHandle } from '../call/call.js'
import { loadCall } from '../call/load-call.js'
import type { CollectedRoutes } from '../doors/fastify/collected-routes.js'
import { PluginHost } from '../doors/fastify/plugin-host.js'
import { surround } from '../doors/middleware/surround.js'
import { loadConfiguration } from './configuration/configuration.js'
import { EndpointUrls } from '../endpoint/endpoint-urls.js'
import type { Endpoint } from '../endpoint/endpoint.js'
import { Matcher } from '../endpoint/matcher.js'
import { loadModules } from './loading/load-modules.js'
import { declarePlatform, platformRegistry } from '../platform/platform.js'
import { collectDeclarations } from './loading/collect-declarations.js'
import type { DeclaredPlugin, Declarations } from '../endpoint/registry.js'
import type { Configuration } from './configuration/settings.js'
import { describeThrown } from './loading/load-error.js'

/** An app as its files declare it. */
export interface InspectedApp {
  readonly configuration: Configuration
  readonly declarations: Declarations
  /** Every endpoint it would serve, the platform's own included. */
  readonly endpoints: readonly Endpoint[]
  readonly urls: EndpointUrls
}

/**
 * Loads an app as a start would, but opens no database, listens nowhere and leaves its data folder alone.
 *
 * @throws ConfigurationError, LoadError, DeclarationError
 */
export async function inspectApp(directory: string): Promise<InspectedApp> {
  const configuration = await loadConfiguration(directory)
  const app = { name: configuration.name }
  const declarations = await loadModules({ app, configuration })
  const platform = await collectDeclarations(app, platformRegistry(configuration), () =>
    declarePlatform({ stopping: new AbortController().signal, hasFailed: () => false }),
  )
  // Making these is what finds middleware around nothing, and endpoints that stand in each other's way.
  const own = [...surround(declarations), ...platform.endpoints]
  const urls = new EndpointUrls(own)
  const { plugin } = declarations
  const routes = plugin === null ? null : await inspectPlugin(plugin, app, configuration)
  void new Matcher([...own, ...(routes?.placed ?? [])])
  return { configuration, declarations, endpoints: [...own, ...(routes?.endpoints ?? [])], urls }
}

/**
 * Runs the app's Fastify plugin, without a database and without a server, since only then it is known which routes it
 * has.
 */
async function inspectPlugin(
  plugin: DeclaredPlugin,
  app: AppHandle,
  configuration: Configuration,
): Promise<CollectedRoutes> {
  const directory = await realpath(configuration.directory)
  const host = new PluginHost(plugin, {
    settings: { ...configuration, directory },
    listener: createServer(),
    log: null,
  })
  const work = async (): Promise<CollectedRoutes> => {
    try {
      await host.load(null)
      return host.routes
    } catch (error) {
      throw describeThrown(error, directory)
    } finally {
      host.letClose()
      // What it does at its end may need the database that is not there.
      await host.close().catch(() => undefined)
    }
  }
  return runCall(loadCall(app, null), work, undefined)
}
