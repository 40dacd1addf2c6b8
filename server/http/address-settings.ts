import { listOf, orNull, type Check } from '../settings/checks.js'
import { group, setting, type SettingsOf } from '../settings/setting.js'

/**
 * The origin of a web site: scheme, host and port, nothing behind them (RFC 6454, 4). Ports that the scheme implies are
 * left out.
 */
export const webOrigin: Check<string> = {
  expected: 'an origin such as https://example.com',
  read(value) {
    if (typeof value !== 'string' || !URL.canParse(value)) return undefined
    const url = new URL(value)
    const bare =
      url.pathname === '/' && url.search === '' && url.hash === '' && url.username === '' && url.password === ''
    return bare && /^https?:$/.test(url.protocol) ? url.origin : undefined
  },
}

const randomKey = `node -p "crypto.randomBytes(24).toString('base64url')"`

/**
 * The start of a path, such as `/_/api`, or `''`: it begins with a slash, does not end with one, and needs no encoding.
 */
const pathPrefix: Check<string> = {
  expected: "a path such as /api that starts with a slash and does not end with one, or ''; below /_ there is only /_/api",
  read: (value) => (typeof value === 'string' && isPathPrefix(value) ? value : undefined),
  takesEmpty: true,
}

/** Whether it needs no encoding, has no dots that clients resolve, and leaves alone what is Rowhouse's own. */
function isPathPrefix(text: string): boolean {
  return /^(?:\/[\w.~-]+)*$/.test(text) && !/\/\.{1,2}(?:\/|$)/.test(text) && !/^\/_(?:$|\/(?!api(?:\/|$)))/.test(text)
}

/** A text that can stand in a path: 128 bits or more where each character is chosen at random. */
const accessKey: Check<string> = {
  expected: `a text of 22 to 128 letters, digits, "-" and "_", such as ${randomKey} prints`,
  read: (value) => (typeof value === 'string' && /^[\w-]{22,128}$/.test(value) ? value : undefined),
}

/** A domain that hosts can be below (RFC 1034, 3.5): two labels or more, and no IPv4 address. */
const domain: Check<string> = {
  expected: 'a domain such as example.com, without a dot in front',
  read: (value) =>
    typeof value === 'string' && /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/i.test(value) ? value.toLowerCase() : undefined,
}

/** The addresses at which an app is reached. */
export const addressSettings = group({
  /**
   * What stands before the paths of `httpEndpoint`. Reserved for the platform by default, so that an app's pages can
   * have every other path.
   */
  apiPrefix: setting(pathPrefix, '/_/api'),
  /** Where the world reaches the app, such as `https://example.com`; links are built from it. */
  origin: setting(orNull(webOrigin), null),
  /** Further origins at which the app is reached; they count as its own. */
  alternateOrigins: setting(listOf(webOrigin), []),
  /** An app that is not for everybody: without its key there is nothing. */
  private: group({
    /** What stands before every path then. Long enough that nobody finds it by trying. */
    accessKey: setting(orNull(accessKey), null, { secret: true }),
  }),
  /** The domain whose hosts share `cookies.shared`. Only the app's own host by default. */
  cookieDomain: setting(orNull(domain), null),
}, ({ origin: published, cookieDomain }) => {
  if (cookieDomain === null) return []
  const host = published === null ? null : new URL(published).hostname
  if (host === cookieDomain || host?.endsWith(`.${cookieDomain}`)) return []
  const got = host === null ? 'there is no origin; set that, too' : `${cookieDomain} is not above ${host}`
  return [`cookieDomain: expected a domain above that of origin, such as example.com for https://app.example.com, but ${got}`]
})

/** The addresses at which an app is reached. */
export type AddressSettings = SettingsOf<typeof addressSettings>
