/** What a setting may be, and how it is read from the text of an environment variable or a flag. */
export interface Check<Value> {
  /** Ends the sentence "expected …". */
  readonly expected: string
  /** The value in its final form, or undefined when it is not what was expected. */
  read(value: unknown): Value | undefined
  /** Turns text into what `read` takes; by default the text itself. */
  readonly fromText?: (text: string) => unknown
  /** Whether the value is a path, which starts at the place where it was set. */
  readonly isPath?: boolean
  /**
   * Whether an empty text is a value. An environment variable that is empty counts as not set otherwise, as `${PORT:-}`
   * in a compose file gives it.
   */
  readonly takesEmpty?: boolean
}

/** In milliseconds. */
export const second = 1000
/** In bytes. */
export const mebibyte = 1024 * 1024

/** Text of one line that is not blank. */
export const line: Check<string> = {
  expected: 'a text of one line',
  read: (value) => (typeof value === 'string' && value.trim() !== '' && !/\p{Cc}/u.test(value) ? value : undefined),
}

/** A path of this machine. */
export const path: Check<string> = { ...line, expected: 'a path', isPath: true }

/** A whole number within bounds, both included. */
export function integer(minimum: number, maximum: number, unit = ''): Check<number> {
  return {
    expected: `a whole number${unit === '' ? '' : ` of ${unit}`} from ${minimum} to ${maximum}`,
    read: (value) =>
      typeof value === 'number' && Number.isInteger(value) && value >= minimum && value <= maximum ? value : undefined,
    fromText: (text) => (/^\d+$/.test(text) ? Number(text) : text),
  }
}

/** How long something may take: up to a day. */
export const milliseconds = integer(1, 86_400 * second, 'milliseconds')
/** How large something in memory may be: up to 1 GiB. */
export const bytes = integer(1, 1024 * mebibyte, 'bytes')

/** One of a few words. */
export function oneOf<const Word extends string>(...words: Word[]): Check<Word> {
  return {
    expected: `one of ${words.join(', ')}`,
    read: (value) => words.find((word) => word === value),
  }
}

/** true or false. */
export const flag: Check<boolean> = {
  expected: 'true or false',
  read: (value) => (typeof value === 'boolean' ? value : undefined),
  fromText: (text) => (text === 'true' || text === 'false' ? text === 'true' : text),
}

/** true, false or one word. */
export function flagOr<const Word extends string>(word: Word): Check<boolean | Word> {
  return {
    expected: `true, false or ${word}`,
    read: (value) => (typeof value === 'boolean' ? value : value === word ? word : undefined),
    fromText: (text) => flag.fromText?.(text),
  }
}

/** What another check takes, or null for none. */
export function orNull<Value>(check: Check<Value>): Check<Value | null> {
  return {
    ...check,
    expected: `${check.expected}, or null`,
    read: (value) => (value === null ? null : check.read(value)),
  }
}

/** What another check takes, or false to turn something off. */
export function orFalse<Value>(check: Check<Value>): Check<Value | false> {
  return {
    ...check,
    expected: `${check.expected}, or false`,
    read: (value) => (value === false ? false : check.read(value)),
    fromText: (text) => (text === 'false' ? false : (check.fromText?.(text) ?? text)),
  }
}

/** A list, each member of which passes `member`; in text, members stand between commas. */
export function listOf<Member>(member: Check<Member>): Check<readonly Member[]> {
  return {
    expected: `a list, each member ${member.expected}`,
    read(value) {
      if (!Array.isArray(value)) return undefined
      const members = value.map((each: unknown) => member.read(each)).filter((each) => each !== undefined)
      return members.length === value.length ? members : undefined
    },
    fromText: (text) =>
      text
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== ''),
  }
}
