/** The type of bytes of which nothing more is known (RFC 2046, 4.5.1). */
export const unknownType = 'application/octet-stream'

/** Longer ones are none that anybody has registered: each of the two names has at most 127 characters (RFC 6838, 4.2). */
const longest = 1000

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
const quoted = String.raw`"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e]|\\[\t\x20-\x7e])*"`
// Spaces can be matched in one way only, so that many of them take no more time than there are.
const mediaType = new RegExp(`^${token}/${token}(?:[ \\t]*;(?:[ \\t]*${token}=(?:${token}|${quoted}))?)*[ \\t]*$`)
const beginning = new RegExp(`^[ \\t]*(${token}/${token})[ \\t]*(?:;|$)`)

/** Whether a text is a media type with its parameters, to the letter (RFC 9110, 8.3.1): what is not, one reader takes for this type and the next for that. */
export function isMediaType(text: string): boolean {
  return text.length <= longest && mediaType.test(text)
}

/**
 * A media type without its parameters and in lower case, whatever the parameters are (WHATWG MIME Sniffing, 4.4).
 *
 * @returns null for what is none
 */
export function essenceOf(text: string): string | null {
  return text.length > longest ? null : (beginning.exec(text)?.[1]?.toLowerCase() ?? null)
}
