/** In bytes of UTF-8 (RFC 5321 section 4.5.3.1.3). */
const greatestLength = 254
/** In units of a string, the spaces around an address included. */
const longestTyped = 2 * greatestLength

/**
 * What accounts are matched by: two addresses with the same key are the same account, and an address without a key belongs to none.
 *
 * Spaces around the address do not count; it is brought to Unicode normalisation form KC and lower-cased, local part and domain alike, letter by letter and
 * independent of language. So `Ann@Example.com` is `ann@example.com`, and an accented letter is the same however it was typed.
 *
 * What only looks like another address is never taken for it:
 * - Letters that lower-casing leaves apart stay apart: dotless `ı` is no `i`, `ß` is not `ss`.
 * - A character that stands for ASCII letters or signs without being one has no key at all: the Kelvin sign, full-width letters, ligatures, `℀`.
 *   Whoever owns a mailbox under such a name thus neither gets into the account of the plain one nor registers beside it.
 * - Neither have addresses with spaces inside, or with line ends, control and invisible formatting characters anywhere.
 *
 * What is much longer than any address has no key either, and is looked at no further: normalisation takes its time.
 */
export function emailKey(address: string): string | null {
  if (address.length > longestTyped) return null
  // What the rest comes to for nearly every address, on nearly every request.
  if (/^[\x21-\x7e]+$/.test(address)) return address.toLowerCase()
  if (/[\p{C}\p{Zl}\p{Zp}]/u.test(address)) return null
  const trimmed = address.trim()
  if (trimmed === '' || /\p{Z}/u.test(trimmed)) return null
  for (const character of trimmed) {
    if (!isAscii(character) && hasAscii(character.normalize('NFKC'))) return null
  }
  // Lower-casing single characters leaves out the one rule that looks at neighbours, that of the Greek final sigma.
  const lower = Array.from(trimmed.normalize('NFKC'), (character) => character.toLowerCase()).join('')
  return lower.normalize('NFKC')
}

/** What an address has to be like to be stored, for whoever gave another one. */
export const storableAddress =
  `without spaces, colons, control characters and look-alikes of ASCII letters, of at most ${greatestLength} bytes`

/**
 * The key of an address that is to be stored; null for one that nobody could sign in with. That is one without a key, one
 * with a colon, at which HTTP Basic ends the user's name (RFC 7617 section 2), and one that no mail server takes
 * (RFC 5321 section 4.5.3.1.3).
 */
export function storableEmailKey(address: string): string | null {
  const key = emailKey(address)
  return key === null || key.includes(':') || Buffer.byteLength(address.trim()) > greatestLength ? null : key
}

function isAscii(character: string): boolean {
  return character <= '\x7f'
}

function hasAscii(text: string): boolean {
  return Array.from(text).some(isAscii)
}
