import { declareHealth } from './health.js'

/** What the platform's own endpoints work with. */
export interface PlatformServices {
  /** Aborts when the server begins to stop. */
  readonly stopping: AbortSignal
}

/** Declares what Rowhouse itself answers under `/_/`, by the functions that an app's modules use. */
export function declarePlatform({ stopping }: PlatformServices): void {
  declareHealth(stopping)
}
