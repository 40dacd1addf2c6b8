import { listOf, oneOf, orFalse, type Check } from '../settings/checks.js'
import { group, setting, type SettingsOf } from '../settings/setting.js'

/** What may follow `Content-Security-Policy:`. A comma would begin another policy. */
const policy: Check<string> = {
  expected: `a policy such as "default-src 'self'", without frame-ancestors, which is a setting of its own`,
  read: (value) => (typeof value === 'string' && isPolicy(value) ? value.trim().replace(/\s*;$/, '') : undefined),
}

function isPolicy(text: string): boolean {
  return /^[\x20-\x2b\x2d-\x7e]*[\x21-\x2b\x2d-\x7e][\x20-\x2b\x2d-\x7e]*$/.test(text) && !/(?:^|;)\s*frame-ancestors\b/i.test(text)
}

/** Whose pages may show a page in a frame: the app's own, or those of an origin, `*.` for all below a name (CSP Level 3, 6.4.2). */
const frameAncestor: Check<string> = {
  expected: 'self or an origin such as https://portal.example',
  read: (value) => (typeof value === 'string' && /^(?:self|https?:\/\/(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*(?::(?:\d{1,5}|\*))?)$/i.test(value) ? value.toLowerCase() : undefined),
}

/** What may follow `Strict-Transport-Security:`. */
const strictTransport: Check<string> = {
  expected: 'a text such as "max-age=31536000; includeSubDomains"',
  read: (value) => (typeof value === 'string' && /^max-age=\d{1,10}(?:; ?includeSubDomains)?(?:; ?preload)?$/i.test(value) ? value : undefined),
}

const referrerPolicies = oneOf(
  'same-origin',
  'origin',
  'strict-origin',
  'origin-when-cross-origin',
  'strict-origin-when-cross-origin',
  'no-referrer-when-downgrade',
  'unsafe-url',
)

/** With `no-referrer` the forms of the app's own pages would come with `Origin: null` (Fetch, 3.2.2). */
const referrerPolicy: typeof referrerPolicies = {
  ...referrerPolicies,
  expected: `${referrerPolicies.expected}; not no-referrer, with which browsers do not say either that a form is of the app's own, so that it counts as another site's: same-origin tells other sites nothing`,
}

/** The headers by which browsers protect what an app sends, and its users. */
export const securitySettings = group({
  security: group({
    /**
     * What pages may load and do. The default forbids the one thing that no ordinary page does: to have its relative
     * addresses lead to another origin. What scripts an app needs only its author knows.
     */
    contentSecurityPolicy: setting(orFalse(policy), "base-uri 'self'"),
    /**
     * Whose pages may show those of the app in a frame. Nobody's by default: what is clicked there may be hidden under
     * something else. Files may always be shown by the app's own.
     */
    frameAncestors: setting(orFalse(listOf(frameAncestor)), []),
    /**
     * What other origins learn of where a link was. Only the app's origin by default, and nothing where they are not on
     * https: paths may hold secrets, such as the key of a private app. The app itself sees where its requests come from.
     */
    referrerPolicy: setting(orFalse(referrerPolicy), 'strict-origin-when-cross-origin'),
    /**
     * For how long a browser that was once here by https comes by nothing else. A year, of this host alone: which others
     * there are below its name only its owner knows.
     */
    hsts: setting(orFalse(strictTransport), 'max-age=31536000'),
  }),
})

/** The headers by which browsers protect what an app sends, and its users. */
export type SecuritySettings = SettingsOf<typeof securitySettings>
