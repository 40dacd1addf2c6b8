import { integer, oneOf, orNull, second } from '../../settings/checks.js'
import { duration } from '../../settings/duration.js'
import { group, setting, type SettingsOf } from '../../settings/setting.js'

/** How much one client may ask for. */
export const limitsSettings = group({
  /**
   * The limit of all endpoints together that have none of their own. There is none by default: how much is much, only
   * the author of an app can know.
   */
  rateLimit: group({
    /** How many requests, null for any number. */
    max: setting(orNull(integer(1, 1_000_000_000)), null),
    /** In which time. */
    per: setting(duration, 60 * second),
    /** Whose requests are counted together. */
    by: setting(oneOf('ip', 'user'), 'ip'),
  }),
})

/** What the limits of an app depend on. */
export type LimitsSettings = SettingsOf<typeof limitsSettings>
