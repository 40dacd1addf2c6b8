import { emailKey } from '../../../db/schema/email-key.js'
import { withGuarded } from '../../../db/rows/guarded-values.js'
import { TableError } from '../../../db/errors/errors.js'
import type { UserRow, UsersTable } from '../../../db/schema/users-table.js'
import { BoundedMap } from './bounded-map.js'
import { HashingOverloaded } from './errors.js'
import type { Origin } from './hashing-queue.js'
import type { LoginFailures } from './login-failures.js'
import { networkOf } from './network.js'
import type { PasswordHashing } from './password-hashing.js'
import { normalizePassword } from './passwords.js'
import { VerifiedCredentials } from './verified-credentials.js'

/** The parts of a {@link CredentialVerifier}. */
export interface CredentialVerifierParts {
  readonly table: UsersTable
  readonly hashing: PasswordHashing
  readonly failures: LoginFailures
}

/** Says whose an e-mail address and a password are: from memory where they have just been found right, else by hashing. */
export class CredentialVerifier {
  readonly #table: UsersTable
  readonly #hashing: PasswordHashing
  readonly #failures: LoginFailures
  readonly #verified = new VerifiedCredentials()
  /** Account → id of its row, for those who have got in: a row is read faster by its id. */
  readonly #rowIds = new BoundedMap<string>(10_000)
  /** Attempts that are being made, so that identical ones from one network at the same time are one. */
  readonly #attempts = new Map<string, Promise<boolean>>()

  constructor({ table, hashing, failures }: CredentialVerifierParts) {
    this.#table = table
    this.#hashing = hashing
    this.#failures = failures
  }

  /**
   * See `Users.verify`. Written without async and await, since it runs on every request with credentials, and each promise costs something.
   */
  verify(email: string, password: string, address: string): Promise<UserRow | null> {
    const account = emailKey(email)
    const normalized = normalizePassword(password)
    // Nobody can have such an address or password, so answering at once tells nothing about anybody.
    if (account === null || normalized === null) return Promise.resolve(null)
    const id = this.#rowIds.get(account)
    if (id === undefined) return this.#verifyAnew(account, normalized, address)
    return this.#table.getById(id).then((user) => {
      if (user?.emailKey !== account) return this.#verifyAnew(account, normalized, address)
      return this.#isVerified(user, normalized) ? user : this.#verifyByHash(account, user, normalized, address)
    })
  }

  async #verifyAnew(account: string, password: string, address: string): Promise<UserRow | null> {
    const user = await this.#table.get({ emailKey: account })
    return user !== null && this.#isVerified(user, password) ? user : this.#verifyByHash(account, user, password, address)
  }

  async #verifyByHash(account: string, user: UserRow | null, password: string, address: string): Promise<UserRow | null> {
    if (!(await this.#attempt(account, user, password, address))) return null
    // Read again: what has changed while the hash was computed counts, and every caller gets a row to itself.
    const current = await this.#table.get({ emailKey: account })
    if (current === null || !this.#isVerified(current, password)) return null
    this.#rowIds.set(account, current.getId())
    return current
  }

  #isVerified(user: UserRow, password: string): boolean {
    return user.enabled && user.passwordHash !== null && this.#verified.has(this.#fingerprint(user, user.passwordHash, password))
  }

  #fingerprint(user: UserRow, storedHash: string, password: string): string {
    return this.#verified.fingerprint({ userId: user.getId(), password, storedHash, epoch: user.sessionEpoch })
  }

  #attempt(account: string, user: UserRow | null, password: string, address: string): Promise<boolean> {
    const origin: Origin = { account, network: networkOf(address) }
    // Before anything is computed, so that whoever hammers on during a wait costs as little as can be.
    this.#failures.refuseKnownWait(origin)
    const [storedHash, epoch] = [user?.passwordHash ?? '', user?.sessionEpoch ?? 0]
    const key = this.#verified.fingerprint({ userId: `${origin.network} ${account}`, password, storedHash, epoch })
    const underway = this.#attempts.get(key)
    if (underway !== undefined) return underway
    const attempt = this.#make(user, password, origin).finally(() => this.#attempts.delete(key))
    this.#attempts.set(key, attempt)
    return attempt
  }

  /** One real attempt. Unless it succeeds it does the same work, and so takes as long, whether or not there is such a user. */
  async #make(user: UserRow | null, password: string, origin: Origin): Promise<boolean> {
    await this.#failures.check(origin)
    // The password of a disabled user is wrong in any case, and costs what any wrong one does.
    const stored = user?.enabled === true ? user.passwordHash : null
    const matches = await this.#hashing.matches(stored, password, origin, () => this.#failures.count(origin))
    if (!matches || user === null || user.passwordHash === null || !user.enabled) return false
    await this.#failures.clear(origin)
    await this.#changeUnlessReplaced(user, user.passwordHash, { lastLogin: new Date() })
    const storedHash = await this.#renewHash(user, user.passwordHash, password, origin)
    this.#verified.remember(this.#fingerprint(user, storedHash, password))
    return true
  }

  /** Replaces a hash that was made at a lower cost, and resolves to the one that then belongs to the password. */
  async #renewHash(user: UserRow, storedHash: string, password: string, origin: Origin): Promise<string> {
    if (!this.#hashing.isOutdated(storedHash)) return storedHash
    try {
      const passwordHash = await this.#hashing.hash(password, origin)
      return (await this.#changeUnlessReplaced(user, storedHash, withGuarded({}, { passwordHash }))) ? passwordHash : storedHash
    } catch (error) {
      // The next login will do.
      if (error instanceof HashingOverloaded) return storedHash
      throw error
    }
  }

  /**
   * Changes a user who still has the hash that was compared: not one who has been deleted or given another password since, and whom this attempt
   * says nothing about. On a full disk nothing is changed either, which must keep nobody from reading.
   */
  async #changeUnlessReplaced(user: UserRow, storedHash: string, changes: { readonly lastLogin?: Date }): Promise<boolean> {
    try {
      return (await this.#table.search({ emailKey: user.emailKey, passwordHash: storedHash }).update(changes)) === 1
    } catch (error) {
      if (error instanceof TableError && error.code === 'disk-full') return false
      throw error
    }
  }
}
