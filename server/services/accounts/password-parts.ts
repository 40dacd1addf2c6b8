/** What passwords are made of that are guessed first. */
export interface GuessedFirst {
  /** Common passwords and words of them, folded (see {@link fold}). */
  readonly words: ReadonlySet<string>
  /** Which keys lie beside one another: the keyboards, each with the neighbours of its characters, by direction. */
  readonly keyboards: readonly Readonly<Record<string, readonly (string | null)[]>>[]
}

/** One step from a character to the next, the same each time: to the key on the right, to the next letter. */
type Step = (from: string, to: string) => boolean

/** Signs that are written for letters; where there are two ways of reading one, each is tried. */
const disguises = [
  { '@': 'a', '4': 'a', '3': 'e', '0': 'o', $: 's', '5': 's', '7': 't', '1': 'i', '!': 'i' },
  { '@': 'a', '4': 'a', '3': 'e', '0': 'o', $: 's', '5': 's', '7': 't', '1': 'l', '!': 'l' },
].map((letters) => new Map(Object.entries(letters)))

/** Shorter ones are as many as there are letters beside one another. */
const shortestWord = 3
const longestWord = 24
/** A step is only seen where it is made twice. */
const shortestSequence = 3
const shortestInterleaved = 6
/** The longest text of which is seen that it comes again. */
const longestBlock = 32
/** What is behind this is not looked at: the work grows with the square of it. Units of a string, like all places. */
const longestCounted = 256

/** A text as far as guessing goes: without letter case, accents and other ways of writing the same letters. */
export function fold(text: string): string {
  return text.normalize('NFKD').replaceAll(/\p{M}/gu, '').toLowerCase()
}

/**
 * Of how many parts a folded password is made, at least: a common word counts two, a repeat, a sequence (of the
 * alphabet or on a keyboard, forwards or backwards), a year and one of the `own` words count one, as does any other
 * character.
 */
export function countParts(folded: string, { words, keyboards }: GuessedFirst, own: ReadonlySet<string>): number {
  const text = folded.slice(0, longestCounted)
  const undisguised = disguises.map((letters) => text.replaceAll(/./g, (each) => letters.get(each) ?? each))
  const readings = new Set([text, ...undisguised])
  const steps = [isSame, isNext, isBefore, ...keyboards.flatMap(stepsOn)]
  const { length } = text
  /** The parts of what stands before each place. */
  const parts = Array.from({ length: length + 1 }, (_, place) => place)
  const offer = (end: number, count: number): void => {
    if (end <= length && count < (parts[end] ?? 0)) parts[end] = count
  }
  for (let start = 0; start < length; start++) {
    const before = parts[start] ?? 0
    offer(start + 1, before + 1)
    if (isYear(text.slice(start, start + 4))) offer(start + 4, before + 1)
    for (let end = start + shortestWord; end <= Math.min(length, start + longestWord); end++) {
      for (const reading of readings) {
        const word = reading.slice(start, end)
        if (own.has(word)) offer(end, before + 1)
        else if (words.has(word) || words.has(reversed(word))) offer(end, before + 2)
      }
    }
    for (const step of steps) {
      const end = endOf(text, start, 1, step)
      const shortest = step === isSame ? 2 : shortestSequence
      for (let place = start + shortest; place <= end; place++) offer(place, before + 1)
    }
    const [one, other] = [start, start + 1].map((from) => Math.max(...steps.map((step) => endOf(text, from, 2, step))))
    const interleaved = Math.min(one ?? 0, other ?? 0, length - 1) + 1
    for (let place = start + shortestInterleaved; place <= interleaved; place++) offer(place, before + 2)
    for (let size = 2; size <= Math.min(longestBlock, start); size++) {
      const end = endOfCopy(text, start, size)
      if (end >= start + size) offer(end, before + 1)
    }
  }
  return parts[length] ?? 0
}

/** Where the characters from `start` on, each `stride` behind the last, end to follow from one another by a step. */
function endOf(text: string, start: number, stride: number, step: Step): number {
  let place = start
  while (place + stride < text.length && step(text[place] ?? '', text[place + stride] ?? '')) place += stride
  return place + 1
}

/** Where the characters from `start` on end to be those that stand `size` places before them. */
function endOfCopy(text: string, start: number, size: number): number {
  let place = start
  while (place < text.length && text[place] === text[place - size]) place++
  return place
}

function reversed(text: string): string {
  let turned = ''
  for (const each of text) turned = each + turned
  return turned
}

function isSame(from: string, to: string): boolean {
  return from === to
}

function isNext(from: string, to: string): boolean {
  if (from === '9' && to === '0') return true
  return /[\p{L}\p{N}]/u.test(from) && to.codePointAt(0) === (from.codePointAt(0) ?? 0) + 1
}

function isBefore(from: string, to: string): boolean {
  return isNext(to, from)
}

/** A step to the neighbouring key, for each direction of a keyboard. */
function stepsOn(keyboard: GuessedFirst['keyboards'][number]): Step[] {
  const directions = Math.max(...Object.values(keyboard).map(({ length }) => length))
  return Array.from({ length: directions }, (_, direction) => {
    return (from, to) => keyboard[from]?.[direction]?.includes(to) === true
  })
}

/** From 1900 to 2099, in which people who are alive were born, marry or choose passwords. */
function isYear(text: string): boolean {
  return /^(?:19|20)\d\d$/.test(text)
}
