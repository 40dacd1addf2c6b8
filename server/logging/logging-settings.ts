import { integer, mebibyte, oneOf, orNull, path } from '../settings/checks.js'
import { group, setting, type SettingsOf } from '../settings/setting.js'

/** The log: what is written, and to which file beside standard output. */
export const loggingSettings = group({
  logging: group({
    /** The least severe lines that are written. */
    level: setting(oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'), 'info'),
    /**
     * A file that gets the lines too. None by default: what runs a server usually keeps its standard output. In the
     * configuration file, a relative path starts at the app's folder.
     */
    file: setting(orNull(path), null),
    /** How lines look in the file: whole, or only what they say, for reading without a tool. */
    format: setting(oneOf('json', 'message'), 'json'),
    /** The size at which the file is put aside and a new one begun. Some 50,000 requests; an editor still opens it. */
    maxSize: setting(integer(1, 1024 * 1024 * mebibyte, 'bytes'), 10 * mebibyte),
    /** How many files that were put aside are kept, so that a log never fills the disk. */
    keep: setting(integer(0, 1000), 5),
  }),
})

/** The log: what is written, and where. */
export type LoggingSettings = SettingsOf<typeof loggingSettings>
