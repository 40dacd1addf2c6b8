import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { isPlatformCookie } from './platform-cookies.js'

/** A message from which Rowhouse's own cookies were taken away keeps all that came. */
const asItCame = Symbol('the Cookie header as it came')

type Carrier = IncomingMessage & { [asItCame]?: string }

/** The cookies of a `Cookie` header, one by one, with the texts that they came as (RFC 6265bis, 5.8.3: the most specific first). */
export function* cookiesIn(header: string): Iterable<readonly [name: string, value: string]> {
  for (const pair of header.split(';')) {
    const middle = pair.indexOf('=')
    // Browsers send one without a name as its value alone.
    if (middle !== -1) yield [trim(pair.slice(0, middle)), trim(pair.slice(middle + 1))]
  }
}

/** Without optional white space around it (RFC 9110, 5.6.3), and no other. */
function trim(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isSpace(text.charCodeAt(start))) start++
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09
}

/**
 * The cookies of an app by their names, decoded as `@fastify/cookie` does it: percent-encodings are undone, where they can be. Of several with one name the first counts, which browsers mean for the most specific path.
 * The object has no prototype.
 */
export function parseCookies(header: string | undefined): Readonly<Record<string, string>> {
  const cookies = Object.create(null) as Record<string, string>
  if (header === undefined) return cookies
  for (const [name, value] of cookiesIn(header)) {
    if (!(name in cookies) && !isPlatformCookie(name)) cookies[name] = decode(value)
  }
  return cookies
}

function decode(value: string): string {
  if (!value.includes('%')) return value
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}

/** A `Cookie` header without Rowhouse's own cookies; undefined where nothing is left. */
export function withoutPlatformCookies(header: string | undefined): string | undefined {
  // There hardly ever are any.
  if (header === undefined || !/rowhouse_/i.test(header)) return header
  const left = header.split(';').filter((pair) => !isPlatformCookie(trim(pair.split('=', 1)[0] ?? '')))
  return left.length === 0 ? undefined : left.join(';').trim()
}

/** The `Cookie` header of a message, Rowhouse's own cookies included, whoever they were hidden from. */
export function cookieHeaderOf(message: IncomingMessage): string | undefined {
  return (message as Carrier)[asItCame] ?? message.headers.cookie
}

/** Takes Rowhouse's own cookies away from all that is told of a message by others than Rowhouse. */
export function hidePlatformCookies(message: IncomingMessage): void {
  const header = message.headers.cookie
  const left = withoutPlatformCookies(header)
  if (left === header) return
  const { rawHeaders, headers } = message
  ;(message as Carrier)[asItCame] = header
  setOrDelete(headers, left)
  for (let index = 0; index < rawHeaders.length; index += 2) {
    // Node.js counts on as many as there were.
    if (rawHeaders[index]?.toLowerCase() === 'cookie') rawHeaders[index + 1] = withoutPlatformCookies(rawHeaders[index + 1]) ?? ''
  }
}

function setOrDelete(headers: IncomingHttpHeaders, cookie: string | undefined): void {
  if (cookie === undefined) delete headers.cookie
  else headers.cookie = cookie
}
