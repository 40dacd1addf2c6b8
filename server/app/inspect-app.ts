import { loadConfiguration } from './configuration/configuration.js'
import { EndpointUrls } from '../endpoint/endpoint-urls.js'
import type { Endpoint } from '../endpoint/endpoint.js'
import { Matcher } from '../endpoint/matcher.js'
import { loadModules } from './loading/load-modules.js'
import { declarePlatform } from '../platform/platform.js'
import { collectDeclarations } from './loading/collect-declarations.js'
import { Registry, type Declarations } from '../endpoint/registry.js'
import type { Configuration } from './configuration/settings.js'
import { withTemporaryFolder } from './loading/temporary-folder.js'

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
  const declarations = await withTemporaryFolder((buildDirectory) => loadModules({ app, configuration, buildDirectory }))
  const platform = await collectDeclarations(app, new Registry(configuration, 'platform'), () => declarePlatform({ stopping: new AbortController().signal }))
  const endpoints = [...declarations.endpoints, ...platform.endpoints]
  // Making these is what finds endpoints that stand in each other's way.
  void new Matcher(endpoints)
  const urls = new EndpointUrls(endpoints)
  return { configuration, declarations, endpoints, urls }
}
