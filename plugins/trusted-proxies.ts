import { BlockList, isIP } from 'node:net'

/** The proxies whose word about a request is taken, by their addresses and networks. */
export class TrustedProxies {
  readonly #networks = new BlockList()

  /** @param networks IP addresses, and networks in CIDR notation */
  constructor(networks: readonly string[]) {
    for (const network of networks) {
      const [address = '', bits] = network.split('/')
      const family = isIP(address) === 4 ? 'ipv4' : 'ipv6'
      if (bits === undefined) this.#networks.addAddress(address, family)
      else this.#networks.addSubnet(address, Number(bits), family)
    }
  }

  /** Whether an address, as a socket tells it, is that of one of them. What is no address is nobody's. */
  includes(address: string | undefined): boolean {
    // The zone of a link-local address (RFC 4007, 11) is no part of it.
    const [bare = ''] = (address ?? '').split('%')
    const version = isIP(bare)
    return version !== 0 && this.#networks.check(bare, version === 4 ? 'ipv4' : 'ipv6')
  }
}
