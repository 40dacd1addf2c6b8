import type { HttpResponse } from './reply/http-response.js'

/** What `abort(response)` throws: no mistake, but the way of a finished reply out of whatever is running. */
export class EarlyReply extends Error {
  override readonly name = 'EarlyReply'

  constructor(readonly response: HttpResponse | Response) {
    super('abort() ended the request with a response of its own')
  }
}
