import { integer } from '../../settings/checks.js'
import { group, setting, type SettingsOf } from '../../settings/setting.js'

/** The people who may use an app. */
export const accountsSettings = group({
  /**
   * The work that one password hash takes (argon2id). The default is OWASP's minimum; it can only be raised. It belongs
   * to the app and has no variable: `rowhouse users`, in another terminal, has to make the same hashes.
   */
  passwordHashing: group({
    /** The memory that it fills, in KiB. */
    memoryKiB: setting(integer(19_456, 1024 * 1024, 'KiB'), 19_456, { variable: false }),
    /** How many times it goes over that memory. */
    iterations: setting(integer(2, 100), 2, { variable: false }),
  }),
})

/** What the service of accounts works with. */
export type AccountsSettings = SettingsOf<typeof accountsSettings>
