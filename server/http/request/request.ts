import type { JsonValue } from '../../../db/values/json-value.js'
import type { UserRow } from '../../../db/schema/users-table.js'
import type { Media } from '../../../db/values/media.js'
import { CommonRequest } from './common-request.js'

/**
 * A request as a handler sees it. Importable as `request`, and the handler's second argument.
 *
 * @typeParam Body what `bodyJson` holds; an endpoint with a `body` schema knows it
 */
export class RowhouseRequest<Body = JsonValue | null> extends CommonRequest<Body> {
  /** The body as it was sent, but uncompressed; null when there is none. */
  get body(): Media | null {
    return CommonRequest.stateOf(this).body
  }
}

/** A request of which it is certain that a user has signed in: that of an endpoint with `authenticateUsers: true`. */
export interface SignedInRequest<Body = JsonValue | null> extends RowhouseRequest<Body> {
  /** The user whose credentials were verified. */
  readonly user: UserRow
}
