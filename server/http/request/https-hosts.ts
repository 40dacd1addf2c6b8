import type { FastifyRequest } from 'fastify'
import type { AddressSettings } from '../address-settings.js'

/** What of a request tells whether the browser sees https. */
export type ReachingRequest = Pick<FastifyRequest, 'headers' | 'host' | 'protocol'>

/** This machine, whose other servers share its name, and addresses. */
const local = /^(?:localhost|[^:]*\.localhost|[\d.]+|\[.*\])(?::\d*)?$/i

/** The hosts that are reached by https, as the configuration says: what finds out whether a browser sees https, for all that depends on it. */
export class HttpsHosts {
  readonly #hosts: ReadonlySet<string>

  constructor({ origin, alternateOrigins }: Pick<AddressSettings, 'origin' | 'alternateOrigins'>) {
    this.#hosts = new Set([origin, ...alternateOrigins].flatMap(hostsOf))
  }

  /** Whether there is none. */
  get isEmpty(): boolean {
    return this.#hosts.size === 0
  }

  /**
   * Whether the browser that has sent a request sees https: the connection or a trusted proxy says so or, where the request is for one of these hosts, no proxy says `http`, trusted or not: whoever has
   * not been named in the configuration may end the encryption all the same.
   */
  reaches(request: ReachingRequest): boolean {
    if (request.protocol === 'https') return true
    if (this.isEmpty || !this.#hosts.has(request.host.toLowerCase())) return false
    const told = request.headers['x-forwarded-proto']
    return typeof told !== 'string' || !/(?:^|,)\s*http\s*$/i.test(told)
  }
}

/** Whether a host, its port left out or not, is this machine or an address. */
export function isLocal(host: string): boolean {
  return local.test(host)
}

/** The host of an https origin as a request names it, its port left out or not. */
function hostsOf(origin: string | null): readonly string[] {
  const { protocol = '', host = '', port = '' } = origin === null ? {} : new URL(origin)
  if (protocol !== 'https:' || isLocal(host)) return []
  return port === '' ? [host, `${host}:443`] : [host]
}
