/** What a host with its port is made of (RFC 3986, 3.2.2), without percent-encoding, which no name of a host has. */
const characters = /^[A-Za-z0-9\-._~!$&'()*+,;=:[\]]+$/

/** As many hosts as are remembered at most. */
const mostKnown = 100
/** Hosts that have been found to be in order: nearly all requests are for the same few, and each is checked. */
const known = new Set<string>()
/** The last of them. To compare with it costs less than to look it up: each request brings a text of its own. */
let last = ''

/** Whether a text is a host, with or without a port, of which a URL can be made: `example.com`, `127.0.0.1:3030`, `[::1]:8080`. */
export function isHost(text: string): boolean {
  if (text === last) return text !== ''
  if (known.has(text)) {
    last = text
    return true
  }
  // A colon without a port behind it is allowed.
  if (text.length > 1000 || !characters.test(text) || !URL.canParse(`http://${text}/`)) return false
  if (known.size >= mostKnown) known.clear()
  known.add(text)
  return true
}

/** What ends in a number, with or without a port, which a URL takes for an IPv4 address (WHATWG URL, 3.5). */
const endsInNumber = /(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)\.?(?::[0-9]*)?$/i

/** What is wrong with a text that is no host, in words that follow what it is: RFC 3986 has names that no URL can be made of. */
export function describeNoHost(text: string): string {
  if (!characters.test(text) || !endsInNumber.test(text)) return 'is no host'
  return 'is no host that a URL can have: it ends in a number and is no IPv4 address (WHATWG URL, 3.5); call the server by a name that ends in something else, such as web-1 for web.1'
}
