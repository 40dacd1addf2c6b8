import { BoundedMap } from './bounded-map.js'
import { KeyedHash } from './keyed-hash.js'

/** How long a verified password is remembered. */
const lifetime = 5 * 60 * 1000
/** How many are remembered; the oldest gives way. */
const capacity = 10_000

/** What a verification was about. A change of any of the four makes it another. */
export interface Credentials {
  readonly userId: string
  /** In its compared form. */
  readonly password: string
  readonly storedHash: string
  /** Counted up when everything that was granted to the user is to end. */
  readonly epoch: number
}

/**
 * Remembers which credentials have been found right, so that the next request with the same ones costs no argon2 hash.
 *
 * Neither passwords nor hashes are kept, only an HMAC-SHA256 under a key that lives in this object alone. The stored hash and the epoch
 * go into it as they are at the time of the request: whoever looks up has just read the user, so a changed password is not found, in any process.
 */
export class VerifiedCredentials {
  readonly #hash = new KeyedHash()
  /** Fingerprint → when it ends. */
  readonly #ends = new BoundedMap<number>(capacity)
  readonly #now: () => number

  /** @param now milliseconds of a clock that never goes back */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** What is kept instead of the credentials. Lengths in front of the texts make two different ones differ wherever one text ends and the next begins. */
  fingerprint({ userId, password, storedHash, epoch }: Credentials): string {
    return this.#hash.of(`${userId.length} ${password.length} ${storedHash.length} ${epoch} ${userId}${password}${storedHash}`)
  }

  /** Whether these credentials have been found right in the last five minutes. */
  has(fingerprint: string): boolean {
    const end = this.#ends.get(fingerprint)
    return end !== undefined && end > this.#now()
  }

  /** To be called for credentials that have been found right, never for wrong ones. */
  remember(fingerprint: string): void {
    this.#ends.set(fingerprint, this.#now() + lifetime)
  }
}
