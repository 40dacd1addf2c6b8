import { isIPv6 } from 'node:net'

/** The eight groups of an IPv6 address, as numbers. */
function groupsOf(address: string): number[] {
  const [head = '', tail] = address.split('::')
  const parse = (part: string) =>
    part === ''
      ? []
      : part.split(':').flatMap((group) => {
          if (!group.includes('.')) return [Number.parseInt(group, 16)]
          const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number)
          return [a * 256 + b, c * 256 + d]
        })
  const before = parse(head)
  if (tail === undefined) return before
  const after = parse(tail)
  return [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after]
}

/**
 * The network that an address belongs to, as far as one household or one machine can choose its addresses freely:
 * an IPv4 address itself, the /64 of an IPv6 address (RFC 6177, RFC 4291 section 2.5.4). IPv4 addresses written as IPv6 ones count as IPv4.
 *
 * @param address as a socket tells it; anything else is a network of its own
 */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address
  const [bare = ''] = address.split('%')
  if (!isIPv6(bare)) return address
  const groups = groupsOf(bare)
  const [a = 0, b = 0] = groups.slice(6)
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) return [a >> 8, a & 255, b >> 8, b & 255].join('.')
  return `${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(':')}::/64`
}

/**
 * The networks that a network is a part of, as {@link networkOf} writes it, the narrowest first and itself among them:
 * for the /64 of an IPv6 address the /56 and the /48, which providers give to one household or company (RFC 6177), else
 * none but itself.
 */
export function networksAround(network: string): readonly string[] {
  if (!network.endsWith('/64')) return [network]
  const [, a, b, c, d] = /^(\w+):(\w+):(\w+):(\w+)::\/64$/.exec(network) ?? []
  if (a === undefined || b === undefined || c === undefined || d === undefined) return [network]
  const upper = (Number.parseInt(d, 16) & 0xff00).toString(16)
  return [network, `${a}:${b}:${c}:${upper}::/56`, `${a}:${b}:${c}::/48`]
}
