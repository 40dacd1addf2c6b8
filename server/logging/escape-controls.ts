/**
 * Control characters; the two separators of Unicode that end a line for some programs; and what turns the direction of writing, so that a line reads other than it is. A tab is harmless.
 */
const unsafe = /[^\P{Cc}\t]|[\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

/** Makes control characters visible: with none of them in it, a text can neither pass for two lines nor command a terminal, whoever has written it. */
export function escapeControls(text: string): string {
  return text.replace(unsafe, (character) => (character === '\n' ? '\\n' : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`))
}

/** The same for a text of several lines, which they remain. */
export function escapeLines(text: string): string {
  return text.split(/\r?\n/).map(escapeControls).join('\n')
}
