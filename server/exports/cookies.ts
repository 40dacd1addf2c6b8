import { CookieJar } from './cookie-jar.js'

/**
 * Values that the browser of the caller keeps, encrypted, so that nobody but the app can read or change them: `local` for this app alone,
 * `shared` for all apps that have the same `sharedSecret`. Neither is read nor written in a request from another site.
 *
 * @example cookies.local.set('theme', 'dark', { days: 365 })
 * @example cookies.local.get('theme', 'light')
 */
export const cookies = Object.freeze({ local: new CookieJar('local'), shared: new CookieJar('shared') })
