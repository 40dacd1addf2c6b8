import { CallWrites } from '../call/call-writes.js'
import type { AppHandle, Call } from '../call/call.js'
import type { Deadline } from '../call/deadlines.js'
import type { Principal } from '../call/principal.js'
import type { Endpoint } from '../endpoint/endpoint.js'
import type { RowhouseRequest } from '../http/request/request.js'

/** The call that answers a request. */
export class HttpCall implements Call {
  readonly kind = 'http'
  readonly declarations = null
  readonly writes = new CallWrites()
  deadline: Deadline | null = null

  constructor(
    readonly app: AppHandle,
    readonly requestId: string,
    readonly endpoint: Endpoint | null,
    readonly request: RowhouseRequest,
    readonly principal: Principal,
  ) {}

  get signal(): AbortSignal {
    return this.request.signal
  }
}
