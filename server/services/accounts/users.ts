import type { Database } from '../../../db/database.js'
import { emailKey, storableAddress, storableEmailKey } from '../../../db/schema/email-key.js'
import { withGuarded } from '../../../db/rows/guarded-values.js'
import { TableError } from '../../../db/errors/errors.js'
import type { UserRow, UsersTable } from '../../../db/schema/users-table.js'
import { CredentialVerifier } from './credential-verifier.js'
import { UserError } from './errors.js'
import { LoginFailures } from './login-failures.js'
import { PasswordHashing, type HashingCost } from './password-hashing.js'
import { checkNewPassword } from './passwords.js'

/** What the users service works on. */
export interface UsersOptions {
  readonly database: Database
  /** The name of the app, which is no password. */
  readonly name?: string
  /** What a hash costs. Default: the least. */
  readonly hashing?: Partial<HashingCost>
  /** The clock by which failures are counted, in milliseconds since 1970. Default: the system's. */
  readonly now?: () => number
}

/** The network of passwords that no network has sent. */
const ownNetwork = 'own'

/** The people who may use an app: adds, changes and removes them, and says whose a password is. */
export class Users {
  readonly #table: UsersTable
  readonly #hashing: PasswordHashing
  readonly #verifier: CredentialVerifier
  readonly #name: string

  /** @throws RangeError when the hashing cost is below the least */
  constructor({ database, name = '', hashing, now }: UsersOptions) {
    this.#table = database.users
    this.#name = name
    this.#hashing = new PasswordHashing(hashing)
    this.#verifier = new CredentialVerifier({ table: this.#table, hashing: this.#hashing, failures: new LoginFailures(database, now) })
  }

  /**
   * The user with this e-mail address and password or, whatever the reason, null. The user is read anew on each call; the password is hashed
   * unless the same credentials have been found right in the last five minutes.
   *
   * @param address the client's; failures are counted for its network
   * @throws TooManyFailures while that network has to wait; no hash is computed then
   * @throws HashingOverloaded when too many others wait for their turn
   */
  verify(email: string, password: string, address: string): Promise<UserRow | null> {
    return this.#verifier.verify(email, password, address)
  }

  /** The user with this e-mail address, whatever its letter case, disabled ones included; null where there is none. */
  async byEmail(email: string): Promise<UserRow | null> {
    const account = emailKey(email)
    return account === null ? null : this.#table.get({ emailKey: account })
  }

  /** The user with this id as the table has it now; null for one who is gone or disabled. Written without async and await, since it runs on every request of a session. */
  current(id: string): Promise<UserRow | null> {
    return this.#table.getById(id).then((user) => (user?.enabled === true ? user : null))
  }

  /**
   * Adds a user, enabled. The address is stored without the spaces around it.
   *
   * @param columns values for columns of the app's own
   * @throws UserError `not-an-email`, `email-taken`, `weak-password`
   * @throws TableError when a column of the app's own lacks a value, or refuses the one it gets
   * @throws HashingOverloaded
   */
  async add(email: string, password: string, columns: Readonly<Record<string, unknown>> = {}): Promise<UserRow> {
    const account = storableEmailKey(email)
    if (account === null || !isAddress(account)) {
      throw new UserError('not-an-email', `expected an e-mail address such as name@example.com, ${storableAddress}`)
    }
    if (await this.#table.search({ emailKey: account }).exists()) throw emailTaken()
    const passwordHash = await this.#hash(password, account)
    try {
      return await this.#table.addRow(withGuarded({ ...columns, email: email.trim() }, { passwordHash }))
    } catch (error) {
      if (!(error instanceof TableError) || error.code !== 'not-unique') throw error
      // A column of the app's own may be unique too.
      throw (await this.#table.search({ emailKey: account }).exists()) ? emailTaken() : error
    }
  }

  /** All users, in the order in which they were added, read a few hundred at a time. */
  list(): AsyncIterable<UserRow> {
    return this.#table.search()
  }

  /**
   * Lets a user in again, or ends all access at once, including what was granted before.
   *
   * @throws UserError `no-such-user`
   */
  async setEnabled(email: string, enabled: boolean): Promise<void> {
    const user = await this.#existing(email)
    await user.update({ enabled })
  }

  /**
   * Replaces a password and ends what was granted to the old one.
   *
   * @throws UserError `no-such-user`, `weak-password`
   * @throws HashingOverloaded
   */
  async setPassword(email: string, password: string): Promise<void> {
    const passwordHash = await this.#hash(password, (await this.#existing(email)).emailKey)
    const user = await this.#existing(email)
    await user.update(withGuarded({}, { passwordHash, sessionEpoch: user.sessionEpoch + 1 }))
  }

  /**
   * Deletes a user and ends all access at once. Rows that link to the user behave as their tables declare.
   *
   * @throws UserError `no-such-user`
   */
  async remove(email: string): Promise<void> {
    await (await this.#existing(email)).delete()
  }

  async #existing(email: string): Promise<UserRow> {
    const user = await this.byEmail(email)
    if (user === null) throw new UserError('no-such-user', 'there is no user with this e-mail address')
    return user
  }

  async #hash(password: string, account: string): Promise<string> {
    return this.#hashing.hash(await checkNewPassword(password, account, this.#name), { network: ownNetwork, account })
  }
}

/** What else an address may be, the mail server that has it decides. */
function isAddress(account: string): boolean {
  return /^.+@[^@]+$/.test(account)
}

function emailTaken(): UserError {
  return new UserError('email-taken', 'there is already a user with this e-mail address; letter case and look-alike characters make no difference')
}
