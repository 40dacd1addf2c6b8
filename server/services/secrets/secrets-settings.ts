import { listOf, orNull, type Check } from '../../settings/checks.js'
import { isProduction } from '../../settings/environment.js'
import { group, setting, type SettingsOf } from '../../settings/setting.js'
import { weaknessOf } from './weak-secret.js'

/** A text from which keys are made. A comma stands between several. */
const key: Check<string> = {
  expected: 'a text of one line without commas, such as "rowhouse secret generate" prints',
  read: (value) => (typeof value === 'string' && /^[^\p{Cc},]*[^\p{Cc},\s][^\p{Cc},]*$/u.test(value) ? value.trim() : undefined),
}

/** At least one, the newest first. */
const keys: Check<readonly string[]> = {
  ...listOf(key),
  expected: `a list, the newest first, with at least one member; each is ${key.expected}`,
  read: (value) => (Array.isArray(value) && value.length > 0 ? listOf(key).read(value) : undefined),
}

/** What keys are made from. In production, one that could be guessed stops the start: whoever has it can read and make any cookie. */
export const secretsSettings = group(
  {
    /** What the app's own keys are made from; a file in the data folder has it where nobody sets it. Several while one is replaced: all are read, the first writes. */
    secret: setting(orNull(keys), null, { secret: true }),
    /** The same for what several apps share. */
    sharedSecret: setting(orNull(keys), null, { secret: true }),
  },
  (settings) => (isProduction() ? weaknessesOf(settings) : []),
)

/** What is wrong with secrets that could be guessed, a sentence for each; none of them holds one. */
export function weaknessesOf({ secret, sharedSecret }: Readonly<Record<'secret' | 'sharedSecret', readonly string[] | null>>): readonly string[] {
  return [...weaknesses('secret', secret), ...weaknesses('sharedSecret', sharedSecret)]
}

function weaknesses(name: string, secrets: readonly string[] | null): readonly string[] {
  return (secrets ?? []).flatMap((secret, index) => {
    const weakness = weaknessOf(secret)
    const place = (secrets?.length ?? 0) > 1 ? `member ${index + 1}, which ` : 'one that '
    return weakness === null ? [] : [`${name}: expected a text that nobody can guess, got ${place}${weakness}; set it to what "rowhouse secret generate" prints`]
  })
}

/** What the service of secrets works with. */
export type SecretsSettings = SettingsOf<typeof secretsSettings>
