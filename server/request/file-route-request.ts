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

  /** The bytes of the body as they were sent; none when there is no body. */
  async body(): Promise<Buffer> {
    const body = CommonRequest.bodyOf(this)
    return body === null ? Buffer.alloc(0) : Buffer.from(body.bytes.buffer, body.bytes.byteOffset, body.bytes.byteLength)
  }
}
