import type { JsonValue } from '../../../db/values/json-value.js'
import { inOwnMemory, markReceived } from '../../../db/values/received-bytes.js'
import type { StandardSchema } from '../../../db/values/standard-schema.js'
import { CommonRequest } from './common-request.js'
import type { RowhouseRequest } from './request.js'

/** What the `config` of a file route with a body schema makes of `bodyJson`. */
type BodyOf<Config> = Config extends { readonly body: StandardSchema<unknown, infer Body> } ? Body : JsonValue | null

/** Whether the `config` of a file route says that a user has to be there. */
type SignedIn<Config> = Config extends { readonly authenticateUsers: true } | { readonly authenticate_users: true }
  ? true
  : false

/**
 * A request as the handler of a file route sees it: the same request, but its body is read by calling `body()`.
 *
 * @typeParam Config the type of the file's `config`, which says whether a user is sure to be there and what
 *   `bodyJson` is: `FileRouteRequest<typeof config>`
 */
export class FileRouteRequest<Config extends object = Record<never, never>> extends CommonRequest<
  BodyOf<Config>,
  SignedIn<Config>
> {
  /** @param request the one whose state it shares: what either has decoded, the other need not */
  constructor(request: RowhouseRequest) {
    super(CommonRequest.stateOf(request))
  }

  /** The path's parameters by name; in the paths of files all of them are texts. */
  override get pathParams(): Readonly<Record<string, string>> {
    // No converter stands in the path of a file.
    return super.pathParams as Readonly<Record<string, string>>
  }

  /** The bytes of the body as they were sent, but uncompressed; none when there is no body. A large one is read from disk into memory; `form()` and `files` do not. */
  async body(): Promise<Buffer> {
    const { content } = CommonRequest.stateOf(this)
    if (content === null) return Buffer.alloc(0)
    const { buffer, byteOffset, byteLength } = inOwnMemory(Buffer.isBuffer(content) ? content : await content.read(0, content.length))
    return markReceived(Buffer.from(buffer, byteOffset, byteLength))
  }
}
