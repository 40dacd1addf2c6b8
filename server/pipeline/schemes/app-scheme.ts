import { describeValue } from '../../../db/errors/describe-value.js'
import { RowIdentity } from '../../../db/rows/row-identity.js'
import type { UserRow } from '../../../db/schema/users-table.js'
import { runCall } from '../../call/call.js'
import type { DeclaredScheme } from '../../endpoint/registry.js'
import type { HttpCall } from '../http-call.js'
import type { Finding, Scheme } from './scheme.js'

/** What a scheme of an app works with. */
export interface AppSchemeParts {
  readonly declared: DeclaredScheme
  /** Reads a user anew; null for one who is gone or disabled. */
  readonly current: (id: string) => Promise<UserRow | null>
}

/** A scheme of the app's own, declared by `authenticate()`. */
export class AppScheme implements Scheme {
  readonly challenges: readonly string[]
  readonly #declared: DeclaredScheme
  readonly #current: AppSchemeParts['current']

  constructor({ declared, current }: AppSchemeParts) {
    this.challenges = declared.challenges
    this.#declared = declared
    this.#current = current
  }

  /** Whom the app's function names is looked up again: a row may be old, and a disabled user is nobody. */
  async find(call: HttpCall): Promise<Finding> {
    const { source } = this.#declared
    call.beginTime(`authenticate() at ${source.file}:${source.line}`)
    call.startTime()
    const found: unknown = await runCall(call, this.#ask, call)
    if (found === null || found === undefined) return null
    if (!(found instanceof RowIdentity)) {
      throw new TypeError(`authenticate() at ${source.file}:${source.line} has to return a row of users or null, got ${describeValue(found)}`)
    }
    const user = await this.#current(found.getId())
    return user === null ? null : { kind: 'user', user }
  }

  readonly #ask = (call: HttpCall): unknown => this.#declared.authenticate(call.beginRequest())
}
