import { bytes, integer, line, mebibyte, milliseconds, path, second } from '../../settings/checks.js'
import { group, setting, type SettingsOf } from '../../settings/setting.js'

/** The app as a whole: its name, where it listens, what it keeps and how it ends. */
export const appSettings = group({
  /** What the app is called in messages, and its realm. */
  name: setting(line, null),
  /** The TCP port to listen on; 0 takes a free one. */
  port: setting(integer(0, 65_535), 3030),
  /** The address to listen on. Only this machine by default: opening an app to the network is a decision of its own. */
  host: setting(line, '127.0.0.1'),
  /**
   * The folder of the database and all else that an app keeps. In the configuration file, a relative path starts at the
   * app's folder.
   */
  data: setting(path, '.rowhouse'),
  /**
   * How much the rows of one search may take in memory. Half a million small rows, and a part of the memory of a small
   * machine.
   */
  searchLimit: setting(bytes, 64 * mebibyte),
  /** How long requests in flight may take to finish once the process is told to stop. */
  shutdownTimeout: setting(milliseconds, 25 * second),
})

/** What an app as a whole works with. */
export type AppSettings = SettingsOf<typeof appSettings>
