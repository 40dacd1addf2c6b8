import { isIP } from 'node:net'
import { bytes, integer, listOf, mebibyte, milliseconds, second, type Check } from '../settings/checks.js'
import { group, setting, type SettingsOf } from '../settings/setting.js'
import { corsForms, findCorsMistakes, type CorsOption } from './cors/cors-options.js'

/** An IP address, or a network in CIDR notation. */
const network: Check<string> = {
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

/** What an author may say of CORS. Whether it is right, which takes more than a word to say, is looked at together with all other settings. */
const corsOption: Check<CorsOption> = {
  expected: corsForms,
  read: (value) => (typeof value === 'boolean' || typeof value === 'string' || (typeof value === 'object' && value !== null) ? (value as CorsOption) : undefined),
  fromText(text) {
    if (text === 'true' || text === 'false') return text === 'true'
    const origins = text.split(',').map((origin) => origin.trim())
    return origins.length === 1 ? text : origins
  },
}

/** How long messages may be, how long they may take, whom they may come through, and who may read the answers. */
export const httpSettings = group(
  {
    /**
     * The longest body that a request may have. Room for a photograph or a document, far from what exhausts the memory.
     */
    bodyLimit: setting(bytes, 20 * mebibyte),
    /**
     * How much of a body is decoded in memory: JSON, forms, the fields of forms with files. Everything else waits while
     * that is done, some 10 ms for a form of this length and up to 60 for JSON.
     */
    decodeLimit: setting(bytes, mebibyte),
    /**
     * How much of the memory the bodies of all requests may take together; one network gets half of it while it is
     * alone. Room for a hundred of those that are held in memory, and little beside what the process takes anyway.
     */
    bodyMemoryLimit: setting(integer(64 * mebibyte, 1024 ** 4, 'bytes'), 128 * mebibyte),
    /**
     * The same for the bodies on disk, which are those of more than 1 MiB. Enough for fifty of the longest that
     * `bodyLimit` allows; and they never take more than three fourths of what is free on the disk.
     */
    bodyDiskLimit: setting(integer(2, 1024 ** 4, 'bytes'), 1024 * mebibyte),
    /** The longest body of an answer that is held in memory; a stream may be longer. */
    responseLimit: setting(bytes, 20 * mebibyte),
    /** How long a client may take to send the headers of a request; slower ones occupy connections on purpose. */
    headersTimeout: setting(milliseconds, 10 * second),
    /** How long a client may take to send a whole request, headers and body. */
    requestTimeout: setting(milliseconds, 30 * second),
    /**
     * How long a client may read nothing of an answer that waits for it. Far beyond what a phone in a tunnel takes to
     * come back, short enough that nobody holds many answers in our memory.
     */
    sendTimeout: setting(milliseconds, 60 * second),
    /**
     * How long a connection may stay open between two requests. Longer than the 60 seconds after which the usual
     * balancers drop one, so that they never send into a closing connection.
     */
    keepAliveTimeout: setting(milliseconds, 72 * second),
    /** The proxies whose `X-Forwarded-For` is believed. Nobody by default: anyone can send that header. */
    trustedProxies: setting(listOf(network), []),
    /** Which pages of other origins may read what endpoints answer that say nothing of it themselves. None by default. */
    cors: setting(corsOption, false),
  },
  ({ headersTimeout, requestTimeout, bodyLimit, bodyDiskLimit, cors }) => [
    ...mismatch('headersTimeout', headersTimeout, requestTimeout, `requestTimeout, ${requestTimeout}, of which the headers are a part`),
    ...mismatch('bodyLimit', bodyLimit, bodyDiskLimit / 2, `half of bodyDiskLimit, ${bodyDiskLimit}, which is what one client gets`),
    ...findCorsMistakes(cors).map((mistake) => `cors: ${mistake}`),
  ],
)

function mismatch(name: string, value: number, most: number, expected: string): readonly string[] {
  return value <= most ? [] : [`${name}: expected at most ${expected}, got ${value}`]
}

/** Limits, times, proxies and readers of messages. */
export type HttpSettings = SettingsOf<typeof httpSettings>
