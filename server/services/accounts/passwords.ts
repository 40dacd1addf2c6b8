import { WeakPassword } from './errors.js'

/** Code points, as NIST SP 800-63B counts them ("each Unicode code point SHALL be counted as a single character"). */
const leastPasswordLength = 8
const greatestPasswordLength = 256

/**
 * The longest text that can be composed to a password of that length, in UTF-16 units: no character is composed of more
 * than four of them (UAX #15, and the FAQ on normalisation, "maximum expansion factor": U+1F82 as UTF-16).
 */
const longestTyped = 4 * greatestPasswordLength
/** No text of any language has so many marks on one letter (UAX #15, section 13); sorting them takes the square of it. */
const heapOfMarks = /\p{M}{31}/u

/**
 * A password in the form in which it is hashed and compared: as typed, composed (NFC), nothing cut. Null for one that is
 * too long to have been stored. Its length comes first, because composing a long text takes its time.
 */
export function normalizePassword(password: string): string | null {
  if (password.length > greatestPasswordLength && (password.length > longestTyped || heapOfMarks.test(password))) return null
  const normalized = password.normalize('NFC')
  // A code point is one or two UTF-16 units: only between the two bounds do they have to be counted.
  if (normalized.length <= greatestPasswordLength) return normalized
  return normalized.length > 2 * greatestPasswordLength || [...normalized].length > greatestPasswordLength ? null : normalized
}

let commonPasswords: Promise<ReadonlySet<string>> | undefined

/** The passwords that are tried first; read when the first password is set, since a server that only checks passwords never needs them. */
function loadCommonPasswords(): Promise<ReadonlySet<string>> {
  commonPasswords ??= import('@zxcvbn-ts/language-common').then(
    ({ dictionary }) => new Set(dictionary['passwords-common'].filter((password) => password.length >= leastPasswordLength)),
  )
  return commonPasswords
}

/**
 * Checks a new password against every rule and resolves to the form to hash.
 *
 * Rules: 8 to 256 characters; none that cannot be sent by HTTP Basic (control characters, RFC 7617 section 2; broken surrogates);
 * not one of the commonest (ASVS 5, 6.2.4, asks for 3,000 of them; here about 18,000), not the user's own e-mail address, both in any case.
 *
 * @throws WeakPassword naming the first rule that it breaks
 */
export async function checkNewPassword(password: string, email: string): Promise<string> {
  const normalized = normalizePassword(password)
  if (normalized === null) {
    const given = password.length > longestTyped ? 'many more' : [...password].length
    throw new WeakPassword('too-long', `a password takes at most ${greatestPasswordLength} characters, got ${given}`)
  }
  const length = [...normalized].length
  if (length < leastPasswordLength) {
    throw new WeakPassword('too-short', `a password takes at least ${leastPasswordLength} characters, got ${length}`)
  }
  if (/[\p{Cc}\p{Cs}]/u.test(normalized)) {
    throw new WeakPassword('unusable-character', 'a password takes no control characters, such as line ends, tabs or NUL')
  }
  const lowerCase = normalized.toLowerCase()
  if (lowerCase === email.normalize('NFC').toLowerCase()) {
    throw new WeakPassword('is-the-email', 'a password may not be the e-mail address; choose another')
  }
  if ((await loadCommonPasswords()).has(lowerCase)) {
    throw new WeakPassword('too-common', 'this password is one of the commonest, which are tried first; choose another')
  }
  return normalized
}
