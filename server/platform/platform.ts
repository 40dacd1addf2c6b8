import { Registry, type DeclarationSettings } from '../endpoint/registry.js'
import { declareHealth, type HealthSources } from './health.js'

/** What the platform's own endpoints work with. */
export type PlatformServices = HealthSources

/**
 * The registry of the platform's own endpoints. They take no body unless they say so: nobody has to, and anybody may ask them, as often as a monitor does. What the app opens to pages of other
 * origins is what is its own.
 */
export function platformRegistry(settings: DeclarationSettings): Registry {
  return new Registry({ ...settings, bodyLimit: 0, cors: false, rateLimit: { ...settings.rateLimit, max: null } }, 'platform')
}

/** Declares what Rowhouse itself answers under `/_/`, by the functions that an app's modules use. */
export function declarePlatform(services: PlatformServices): void {
  declareHealth(services)
}
