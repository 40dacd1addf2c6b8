/** In characters: 128 bits where each is a hexadecimal digit that was chosen at random. */
const shortest = 32
/** Of 32 hexadecimal digits that are chosen at random, hardly ever fewer are different. */
const fewestDifferent = 8
/** What examples, templates and hands in a hurry write. Long enough to stand in no random text by chance. */
const words =
  /secret|password|passphrase|change[-_ ]?(?:me|this|it)|replace|example|default|sample|insert|placeholder|rowhouse|keyboard|qwerty|123456|abcdef(?:g|[^0-9a-f])|your[-_ ]/i

/**
 * Why a secret could be guessed; null where nothing speaks for it. What it says holds nothing of the secret but a word that everybody knows (OWASP ASVS 5, 11.5.1: 128 bits at least).
 */
export function weaknessOf(secret: string): string | null {
  if (secret.length < shortest) return `has ${secret.length} characters, and ${shortest} are the least`
  const [word] = words.exec(secret) ?? []
  if (word !== undefined) return `has "${word.toLowerCase()}" in it, as examples do`
  if (new Set(secret).size < fewestDifferent || /^(.{1,16}?)\1+.{0,15}$/s.test(secret)) return 'repeats the same characters'
  return isSequence(secret) ? 'is a sequence' : null
}

/** Whether most characters follow from the one before, as in `abcd` and `4321`. */
function isSequence(text: string): boolean {
  let steps = 0
  for (let index = 1; index < text.length; index++) if (Math.abs(text.charCodeAt(index) - text.charCodeAt(index - 1)) === 1) steps++
  return steps > text.length / 2
}
