import { declareHealth, type HealthSources } from './health.js'

/** What the platform's own endpoints work with. */
export type PlatformServices = HealthSources

/** Declares what Rowhouse itself answers under `/_/`, by the functions that an app's modules use. */
export function declarePlatform(services: PlatformServices): void {
  declareHealth(services)
}
