import { isIP } from 'node:net'

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
  /** Whether the value is told to nobody, not even where it is wrong: it may be nearly right. */
  readonly isSecret?: boolean
}

/** Text of one line that is not blank. */
export const line: Check<string> = {
  expected: 'a text of one line',
  read: (value) => (typeof value === 'string' && value.trim() !== '' && !/\p{Cc}/u.test(value) ? value : undefined),
}

/** Text that may stand in a header: visible ASCII characters and spaces. */
export const asciiLine: Check<string> = {
  expected: 'a text of visible ASCII characters',
  read: (value) => (typeof value === 'string' && /^[\x20-\x7e]*[\x21-\x7e][\x20-\x7e]*$/.test(value) ? value : undefined),
}

/** A path of this machine. */
export const path: Check<string> = { ...line, expected: 'a path', isPath: true }

/** The same, or null for none. */
export const pathOrNull: Check<string | null> = {
  expected: `${path.expected}, or null`,
  read: (value) => (value === null ? null : path.read(value)),
  isPath: true,
}

/** A whole number within bounds, both included. */
export function integer(minimum: number, maximum: number, unit = ''): Check<number> {
  return {
    expected: `a whole number${unit === '' ? '' : ` of ${unit}`} from ${minimum} to ${maximum}`,
    read: (value) => (typeof value === 'number' && Number.isInteger(value) && value >= minimum && value <= maximum ? value : undefined),
    fromText: (text) => (/^\d+$/.test(text) ? Number(text) : text),
  }
}

/** One of a few words. */
export function oneOf<const Word extends string>(...words: Word[]): Check<Word> {
  return {
    expected: `one of ${words.join(', ')}`,
    read: (value) => words.find((word) => word === value),
  }
}

/** true, false or one word. */
export function flagOr<const Word extends string>(word: Word): Check<boolean | Word> {
  return {
    expected: `true, false or ${word}`,
    read: (value) => (typeof value === 'boolean' ? value : value === word ? word : undefined),
    fromText: (text) => (text === 'true' || text === 'false' ? text === 'true' : text),
  }
}

/** The origin of a web site: scheme, host and port, nothing behind them (RFC 6454, 4). Ports that the scheme implies are left out. */
export const origin: Check<string> = {
  expected: 'an origin such as https://example.com',
  read(value) {
    if (typeof value !== 'string' || !URL.canParse(value)) return undefined
    const url = new URL(value)
    const bare = url.pathname === '/' && url.search === '' && url.hash === '' && url.username === '' && url.password === ''
    return bare && /^https?:$/.test(url.protocol) ? url.origin : undefined
  },
}

/** The same, or null for none. */
export const originOrNull: Check<string | null> = {
  expected: `${origin.expected}, or null`,
  read: (value) => (value === null ? null : origin.read(value)),
}

/** An IP address, or a network in CIDR notation. */
export const network: Check<string> = {
  expected: 'an IP address or a network such as 10.0.0.0/8',
  read(value) {
    if (typeof value !== 'string') return undefined
    const [address = '', bits, more] = value.split('/')
    const version = isIP(address)
    if (version === 0 || more !== undefined) return undefined
    if (bits === undefined) return value
    return /^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128) ? value : undefined
  },
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
    fromText: (text) => text.split(',').map((part) => part.trim()).filter((part) => part !== ''),
  }
}

/** The start of a path, such as `/_/api`, or `''`: it begins with a slash, does not end with one, and needs no encoding. */
export const pathPrefix: Check<string> = {
  expected: "a path such as /api that starts with a slash and does not end with one, or ''",
  read: (value) => (typeof value === 'string' && /^(?:\/[\w.~-]+)*$/.test(value) && !/\/\.{1,2}(?:\/|$)/.test(value) ? value : undefined),
}

/** A secret that stands in a path, or null for none: 128 bits or more where each character is chosen at random. */
export const accessKey: Check<string | null> = {
  expected: 'a text of 22 to 128 letters, digits, "-" and "_", such as node -p "crypto.randomBytes(24).toString(\'base64url\')" prints, or null',
  read: (value) => (value === null || (typeof value === 'string' && /^[\w-]{22,128}$/.test(value)) ? value : undefined),
  isSecret: true,
}
