import { integer, oneof, string, type Arbitrary } from 'fast-check'

const anyCharacter = oneof(integer({ min: 0, max: 0xd7ff }), integer({ min: 0xe000, max: 0x10ffff })).map((point) => String.fromCodePoint(point))

/**
 * Any text that is well-formed Unicode, for fast-check. Its own `unit: 'binary'` is the same, but lists the million
 * characters that there are before it draws the first one, which takes more than a second.
 */
export function anyText(constraints: { readonly maxLength?: number } = {}): Arbitrary<string> {
  return string({ unit: anyCharacter, ...constraints })
}
