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
 */
export function emailKey(address: string): string | null {
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

function isAscii(character: string): boolean {
  return character <= '\x7f'
}

function hasAscii(text: string): boolean {
  return Array.from(text).some(isAscii)
}
