import { flag, flagOr, milliseconds, oneOf, second, type Check } from '../settings/checks.js'
import { group, setting, type SettingsOf } from '../settings/setting.js'

/** Text that may stand in a header: visible ASCII characters and spaces. */
const asciiLine: Check<string> = {
  expected: 'a text of visible ASCII characters',
  read: (value) =>
    typeof value === 'string' && /^[\x20-\x7e]*[\x21-\x7e][\x20-\x7e]*$/.test(value) ? value : undefined,
}

/** From a request to its answer: who calls, how long a handler may take, and how errors are told. */
export const pipelineSettings = group({
  /** The realm in `WWW-Authenticate`, which browsers show when they ask for a password. */
  realm: setting(asciiLine, null),
  /** Whether a 401 has browsers ask for a password, in a window of their own (HTTP Basic). Not by default: apps with pages sign in on a page. */
  passwordPrompt: setting(flag, false),
  /** How long a handler may run before its caller gets 503. */
  handlerTimeout: setting(milliseconds, 30 * second),
  /** How error replies are dressed: as the caller's `Accept` header asks, or always as JSON. */
  errors: setting(oneOf('auto', 'json'), 'auto'),
  /**
   * Whether the answer to an error that nobody caught shows what it was. Where `NODE_ENV` is `production`, only
   * `'production'` turns it on: it shows source code to whoever asks.
   */
  debug: setting(flagOr('production'), false),
})

/** What the way from a request to its answer depends on. */
export type PipelineSettings = SettingsOf<typeof pipelineSettings>
