import type { AddressInfo } from 'node:net'

/** Which origins an app is served at, as its configuration says. */
export interface OriginSettings {
  /** The permanent public origin, or null when none is configured. */
  readonly origin: string | null
  /** Further origins under which the same app is reached. */
  readonly alternateOrigins: readonly string[]
}

/**
 * The origins of an app, for links. A link is only ever built from an origin that the configuration names or, where it names none, one that this server listens on, so that a forged `Host` header
 * never gets into one.
 */
export class Origins {
  readonly #settings: OriginSettings
  #listening: readonly string[] = []

  constructor(settings: OriginSettings) {
    this.#settings = settings
  }

  /** Takes note of the address at which the server has begun to listen. */
  listenAt({ address, port, family }: AddressInfo): void {
    const host = family === 'IPv6' ? `[${address}]` : address
    const everywhere = address === '0.0.0.0' || address === '::'
    const hosts = everywhere || address === '127.0.0.1' || address === '::1' ? ['localhost', '127.0.0.1', '[::1]'] : [host]
    this.#listening = hosts.map((name) => normalizeOrigin(`http://${name}:${port}`))
  }

  /**
   * Whether an origin is one of the app's: one that its configuration names or, where that names no permanent one, one that this server listens at or was asked for by the very request.
   *
   * @param origin as a browser writes it; anything else is none
   * @param host under which the request was sent, as its client claims: the browser of a person tells that truthfully, which is all that is asked here
   * @param scheme that the browser sees, where somebody knows it: then what came by another, where anybody on the way can put in pages of his own, is none. Null where nobody does.
   */
  isOwn(origin: string, host: string, scheme: 'https' | null): boolean {
    const { origin: published, alternateOrigins } = this.#settings
    if (origin === published) return true
    const normalized = readOrigin(origin)
    if (normalized === null) return false
    if (normalized === published || alternateOrigins.includes(normalized)) return true
    if (published !== null) return false
    // What this server listens at is http.
    if (scheme !== null) return normalized === originOf(`${scheme}://${host}`)
    return this.#listening.includes(normalized) || normalized === originAt(normalized, host)
  }

  /** The permanent public origin, or null. */
  get published(): string | null {
    return this.#settings.origin
  }

  /**
   * The origin under which `url` was asked for, if it is one of the app's; else the published one, else the one this server listens at.
   *
   * @param url the absolute URL of a request, or null outside of requests
   */
  connected(url: string | null): string | null {
    const asked = url === null ? null : originOf(url)
    const { origin, alternateOrigins } = this.#settings
    const own = origin === null ? [...alternateOrigins, ...this.#listening] : [origin, ...alternateOrigins]
    if (asked !== null && own.includes(asked)) return asked
    return origin ?? this.#listening[0] ?? null
  }
}

/** An origin as browsers write it: lower case, default port left out, no trailing slash. */
export function normalizeOrigin(origin: string): string {
  return new URL(origin).origin
}

function originOf(url: string): string | null {
  return URL.canParse(url) ? new URL(url).origin : null
}

/** What an origin is made of (RFC 6454, 7.1): no path, no user, and not several of them. */
const originForm = /^https?:\/\/[^/?#@\\\s,]+$/i

/** An origin, normalized; null for what is none, such as `null`. */
function readOrigin(text: string): string | null {
  return originForm.test(text) ? originOf(text) : null
}

/** The origin of a host under the scheme of another origin: behind a proxy that is not trusted, nobody knows the scheme that the browser sees. */
function originAt(other: string, host: string): string | null {
  return originOf(`${other.slice(0, other.indexOf(':'))}://${host}`)
}
