import { integer, second } from '../../settings/checks.js'
import { group, setting, type SettingsOf } from '../../settings/setting.js'

const minute = 60 * second
const day = 24 * 60 * minute
/** RFC 6265bis, 5.5: browsers keep no cookie for longer. */
const longest = 400 * day

const duration = integer(minute, longest, 'milliseconds')

/** What browsers keep for an app, and for how long. */
export const sessionsSettings = group({
  /** After how long without a request a session ends (OWASP ASVS 5, 7.3.1). */
  sessionIdleTimeout: setting(duration, 30 * minute),
  /** How long a session lasts after a log-in, however busy it is (7.3.2). */
  sessionLifetime: setting(duration, 30 * day),
})

/** What the service of sessions works with. */
export type SessionsSettings = SettingsOf<typeof sessionsSettings>
