import { WeakPassword } from './errors.js'
import { countParts, fold, type GuessedFirst } from './password-parts.js'

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
  const { length } = password
  if (length > greatestPasswordLength && (length > longestTyped || heapOfMarks.test(password))) return null
  const normalized = password.normalize('NFC')
  // A code point is one or two UTF-16 units: only between the two bounds do they have to be counted.
  if (normalized.length <= greatestPasswordLength) return normalized
  if (normalized.length > 2 * greatestPasswordLength) return null
  return [...normalized].length > greatestPasswordLength ? null : normalized
}

/** Fewer parts than these are found by whoever tries common words with years and sequences added. */
const leastParts = 5

let guessedFirst: Promise<GuessedFirst & { readonly common: ReadonlySet<string> }> | undefined

/** What is tried first; read when the first password is set: a server that only checks passwords never needs it. */
function loadGuessedFirst(): NonNullable<typeof guessedFirst> {
  guessedFirst ??= import('@zxcvbn-ts/language-common').then(({ dictionary, adjacencyGraphs }) => {
    const common = new Set(dictionary['passwords-common'])
    const { qwerty, qwertz, azerty, keypad } = adjacencyGraphs
    return { common, words: new Set([...common].map(fold)), keyboards: [qwerty, qwertz, azerty, keypad] }
  })
  return guessedFirst
}

/**
 * Checks a new password against every rule and resolves to the form to hash.
 *
 * Rules: 8 to 256 characters; none that cannot be sent by HTTP Basic (control characters, RFC 7617 section 2; broken
 * surrogates). In any letter case: not the e-mail address of its owner or a part of it, nor the name of the app, digits
 * added or not; not one of the commonest (ASVS 5, 6.2.4, asks for 3,000 of them; here about 18,000); not made of less
 * than five parts, where a common word counts two, and a repeat, a sequence or a year one (see {@link countParts}).
 *
 * @param app the name of the app
 * @throws WeakPassword naming the first rule that it breaks
 */
export async function checkNewPassword(password: string, email: string, app = ''): Promise<string> {
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
  await refuseGuessable(normalized, email, app)
  return normalized
}

async function refuseGuessable(password: string, email: string, app: string): Promise<void> {
  const folded = fold(password)
  if (isMadeOf(folded, wordsOf(email))) {
    const rule = 'a password may not be the e-mail address or a part of it, whatever digits are added'
    throw new WeakPassword('is-the-email', `${rule}; ${remedy}`)
  }
  if (isMadeOf(folded, wordsOf(app))) {
    const rule = 'a password may not be the name of the app, whatever digits are added'
    throw new WeakPassword('is-the-app', `${rule}; ${remedy}`)
  }
  const known = await loadGuessedFirst()
  if (known.common.has(password.toLowerCase()) || known.common.has(folded)) {
    const rule = 'this password is one of the commonest, which are tried first'
    throw new WeakPassword('too-common', `${rule}; ${remedy}`)
  }
  if (countParts(folded, known, new Set([...wordsOf(email), ...wordsOf(app)])) < leastParts) {
    const rule = 'this password is made of little more than common words, repeats, sequences and years'
    throw new WeakPassword('too-simple', `${rule}, which are tried first; ${remedy}`)
  }
}

const remedy = 'choose another, such as a few words that have nothing to do with one another'

/** A name or address and what it consists of, folded and the longest first; less than three letters say nothing. */
function wordsOf(name: string): string[] {
  const folded = fold(name)
  const separators = /[^\p{L}\p{N}]+/u
  const pieces = [folded, ...folded.split('@'), ...folded.split(separators)]
  const words = new Set([...pieces, ...pieces.map((piece) => piece.split(separators).join(''))])
  return [...words].filter(({ length }) => length >= 3).sort((one, other) => other.length - one.length)
}

/** Whether nothing but digits and signs is left of a folded text without these words. */
function isMadeOf(folded: string, words: readonly string[]): boolean {
  const left = words.reduce((rest, word) => rest.replaceAll(word, ' '), folded)
  return left !== folded && !/\p{L}/u.test(left)
}
