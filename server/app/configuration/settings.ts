import { addressSettings, type AddressSettings } from '../../http/address-settings.js'
import { httpSettings, type HttpSettings } from '../../http/http-settings.js'
import { securitySettings, type SecuritySettings } from '../../http/security-settings.js'
import { loggingSettings, type LoggingSettings } from '../../logging/logging-settings.js'
import { pipelineSettings, type PipelineSettings } from '../../pipeline/pipeline-settings.js'
import { accountsSettings, type AccountsSettings } from '../../services/accounts/accounts-settings.js'
import { sessionsSettings, type SessionsSettings } from '../../services/sessions/sessions-settings.js'
import { limitsSettings, type LimitsSettings } from '../../services/limits/limits-settings.js'
import { secretsSettings, type SecretsSettings } from '../../services/secrets/secrets-settings.js'
import { settingsIn, type InputOf } from '../../settings/setting.js'
import { appSettings, type AppSettings } from './app-settings.js'

/**
 * The settings of every room that has some. `docs/configuration.md` lists them in the same order; a test compares the
 * two.
 */
export const rooms = [
  appSettings,
  addressSettings,
  httpSettings,
  securitySettings,
  pipelineSettings,
  accountsSettings,
  sessionsSettings,
  limitsSettings,
  secretsSettings,
  loggingSettings,
] as const

/** Every setting by its whole name, such as `port` and `logging.level`. */
export const settingsByName = settingsIn(rooms)

/** Every setting, with its final value: what an app runs with. A room takes only its own part of this. */
export type Configuration = AppSettings &
  AddressSettings &
  HttpSettings &
  SecuritySettings &
  PipelineSettings &
  AccountsSettings &
  SessionsSettings &
  LimitsSettings &
  SecretsSettings &
  LoggingSettings & {
    /** The app's folder, absolute. */
    readonly directory: string
  }

/** The settings as an app's `rowhouse.config.ts` or the options of `createApp` give them: each may be left out. */
export type ConfigurationInput = InputOf<typeof appSettings> &
  InputOf<typeof addressSettings> &
  InputOf<typeof httpSettings> &
  InputOf<typeof securitySettings> &
  InputOf<typeof pipelineSettings> &
  InputOf<typeof accountsSettings> &
  InputOf<typeof sessionsSettings> &
  InputOf<typeof limitsSettings> &
  InputOf<typeof secretsSettings> &
  InputOf<typeof loggingSettings>
