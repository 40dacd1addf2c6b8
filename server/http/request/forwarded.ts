import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { TrustedProxies } from '../../../plugins/trusted-proxies.js'
import { isHost } from './host.js'

/**
 * Lets the requests of a server believe what trusted proxies say of their clients: `ip`, `ips`, `host` and `protocol` are those of `X-Forwarded-For`, `-Host` and `-Proto` where the peer is such a proxy.
 * Fastify would take these headers as they are; here each value is read, and one that is no address, no host or no scheme counts for nothing.
 */
export function believeProxies(server: FastifyInstance, networks: readonly string[]): void {
  const proxies = new TrustedProxies(networks)
  server.decorateRequest('ip', {
    getter(this: FastifyRequest): string {
      return addressesOf(this.raw, proxies).at(-1) ?? ''
    },
  })
  server.decorateRequest('ips', {
    getter(this: FastifyRequest): string[] {
      return addressesOf(this.raw, proxies)
    },
  })
  server.decorateRequest('host', {
    getter(this: FastifyRequest): string {
      const { headers } = this.raw
      const forwarded = lastOf(this.raw, 'x-forwarded-host', proxies)
      return forwarded !== null && isHost(forwarded) ? forwarded : (headers.host ?? '')
    },
  })
  server.decorateRequest('protocol', {
    getter(this: FastifyRequest): 'http' | 'https' {
      const forwarded = lastOf(this.raw, 'x-forwarded-proto', proxies)?.toLowerCase()
      if (forwarded === 'http' || forwarded === 'https') return forwarded
      return 'encrypted' in this.raw.socket && this.raw.socket.encrypted === true ? 'https' : 'http'
    },
  })
}

/**
 * The addresses that a message has come by, from the peer to the client: each is told by the one before it, as long as that is trusted and tells an address at all. A proxy that does not tell one
 * (`unknown`, `_hidden`) speaks for the client itself; what stands before that in the header may come from anybody.
 */
function addressesOf({ socket, headers }: IncomingMessage, proxies: TrustedProxies): string[] {
  const addresses = [socket.remoteAddress ?? '']
  const header = headers['x-forwarded-for']
  const told = typeof header === 'string' ? header.split(',') : []
  for (let index = told.length - 1; index >= 0 && proxies.includes(addresses.at(-1)); index--) {
    const text = told[index]?.trim() ?? ''
    // An empty member of a list counts for nothing (RFC 9110, 5.6.1.2).
    if (text === '') continue
    const address = readAddress(text)
    if (address === null) break
    addresses.push(address)
  }
  return addresses
}

/** `192.0.2.1`, `192.0.2.1:4711`, `[2001:db8::1]:4711`; IPv6 without a port also without brackets, and both in quotation marks, as in `Forwarded` (RFC 7239, 6). */
const node = /^(?:(?<bare>[0-9A-Fa-f.:]+?)|\[(?<bracketed>[0-9A-Fa-f.:]+)\])(?::\d{1,5})?$/
/** An IPv4 address written as an IPv6 one (RFC 4291, 2.5.5.2). */
const mapped = /^::ffff:(?<address>\d+\.\d+\.\d+\.\d+)$/i

/** The address in a member of `X-Forwarded-For`, or null where it tells none. */
function readAddress(text: string): string | null {
  const unquoted = /^"(.*)"$/.exec(text)?.[1] ?? text
  if (isIP(unquoted) !== 0) return unquoted.includes('%') ? null : plain(unquoted)
  const { bare, bracketed } = node.exec(unquoted)?.groups ?? {}
  if (bare !== undefined) return isIP(bare) === 4 ? bare : null
  return bracketed !== undefined && isIP(bracketed) === 6 ? plain(bracketed) : null
}

function plain(address: string): string {
  return mapped.exec(address)?.groups?.['address'] ?? address.toLowerCase()
}

/** What the peer says of the request itself: the last member of a header that others may have begun. Null where it says nothing, or is not trusted. */
function lastOf({ socket, headers }: IncomingMessage, name: string, proxies: TrustedProxies): string | null {
  const header = headers[name]
  if (typeof header !== 'string' || !proxies.includes(socket.remoteAddress)) return null
  return header.slice(header.lastIndexOf(',') + 1).trim()
}
