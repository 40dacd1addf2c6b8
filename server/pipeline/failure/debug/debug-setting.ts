import type { Logger } from 'pino'
import { isProduction } from '../../../settings/environment.js'
import type { PipelineSettings } from '../../pipeline-settings.js'

/** Whether errors are shown to whoever asks. In production that has to be asked for by name: a setting that was left on must not show the source of an app to the world. */
export function isDebugging({ debug }: Pick<PipelineSettings, 'debug'>, log: Logger): boolean {
  if (debug === true && isProduction()) {
    log.warn("the setting debug is on, but NODE_ENV is production: errors are not shown to callers; debug: 'production' would do so all the same")
    return false
  }
  return debug !== false
}
