import { CommonRequest } from './common-request.js'
import type { RowhouseRequest } from './request.js'

/** A request as the handler of a file route sees it: the same request, but its body is read by calling `body()`. */
export class FileRouteRequest extends CommonRequest {
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
    return Buffer.isBuffer(content) ? content : await content.read(0, content.length)
  }
}
