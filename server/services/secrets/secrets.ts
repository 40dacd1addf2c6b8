import { hkdfSync } from 'node:crypto'

/** A key that was made for one purpose. */
export interface SecretKey {
  /** Tells which of several keys it is; tells nothing about the key. 32 bits. */
  readonly id: number
  /** 256 bits. */
  readonly key: Buffer
}

const keyLength = 32
const idLength = 4

/**
 * The keys of an app, each for one purpose: whoever has one learns nothing of another (HKDF with SHA-256, RFC 5869). They are made from master secrets, of which there are several while one is replaced.
 */
export class Secrets {
  readonly #masters: () => readonly string[]
  readonly #keys = new Map<string, readonly SecretKey[]>()
  /** What the keys were made from. */
  #madeFrom: readonly string[] = []

  /** @param masters the master secrets, the newest first: another list once they have changed */
  constructor(masters: () => readonly string[]) {
    this.#masters = masters
  }

  /**
   * The keys for a purpose, the newest first, at least one: that writes, all of them read. A key that has been removed is not among them any more; one that was added is.
   *
   * @param purpose a name that nobody else uses, such as `cookies.local`
   */
  keysFor(purpose: string): readonly [SecretKey, ...SecretKey[]] {
    const masters = this.#masters()
    if (masters !== this.#madeFrom) {
      this.#keys.clear()
      this.#madeFrom = masters
    }
    let keys = this.#keys.get(purpose)
    if (keys === undefined) {
      keys = masters.map((master) => derive(master, purpose))
      this.#keys.set(purpose, keys)
    }
    const [newest, ...older] = keys
    if (newest === undefined) throw new Error('there is no master secret')
    return [newest, ...older]
  }
}

function derive(master: string, purpose: string): SecretKey {
  const made = Buffer.from(hkdfSync('sha256', master, 'rowhouse', purpose, keyLength + idLength))
  return { key: made.subarray(0, keyLength), id: made.readUInt32BE(keyLength) }
}
