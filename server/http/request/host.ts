/** What a host with its port is made of (RFC 3986, 3.2.2), without percent-encoding, which no name of a host has. */
const characters = /^[A-Za-z0-9\-._~!$&'()*+,;=:[\]]+$/

/** As many hosts as are remembered at most. */
const mostKnown = 100
/** Hosts that have been found to be in order: nearly all requests are for the same few, and each is checked. */
const known = new Set<string>()

/** Whether a text is a host, with or without a port, of which a URL can be made: `example.com`, `127.0.0.1:3030`, `[::1]:8080`. */
export function isHost(text: string): boolean {
  if (known.has(text)) return true
  // A colon without a port behind it is allowed.
  if (text.length > 1000 || !characters.test(text) || !URL.canParse(`http://${text}/`)) return false
  if (known.size >= mostKnown) known.clear()
  known.add(text)
  return true
}
