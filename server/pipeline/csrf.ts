import { refusal, type HttpError } from '../http/http-error.js'
import { EarlyReply } from '../http/early-reply.js'
import { CommonRequest } from '../http/request/common-request.js'
import { RowhouseRequest } from '../http/request/request.js'
import { chooseDress } from './failure/dress.js'
import { repostPage } from './failure/repost-page.js'
import type { HttpCall } from './http-call.js'

/** The name of the field with the token. */
export const csrfField = '_csrf'

/** Methods that change nothing (RFC 9110, 9.2.1). */
const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

/**
 * Lets a request go on that changes something if it shows that a page of this session has caused it, and takes the token away from what the handler is given.
 *
 * @param request with its body
 * @throws HttpError 403, or the page with which a form is sent once more
 */
export function checkCsrfToken(call: HttpCall, request: RowhouseRequest): void {
  if (!asksForToken(call)) return
  // Read first, so that it is taken away in any case.
  const field = RowhouseRequest.takeField(request, csrfField)
  // What is taken away is not among the fields whose names tell that they are secret.
  if (field !== undefined) call.cookies.secrets.add(field)
  const refused = refusalOf(call, field)
  if (refused === null) return
  const { isForm } = CommonRequest.stateOf(request)
  const wantsPage = chooseDress({ accept: call.raw.headers.accept, speaksJson: false }) === 'text/html'
  // Whoever has sent a form from another site gets no button that sends it, whatever the endpoint lets such a request do.
  if (!isForm || !wantsPage || call.isCrossSite) throw refused
  throw new EarlyReply(repostPage({ message: refused.message, form: CommonRequest.stateOf(request).form, mimetype: request.mimetype, token: call.session.csrfToken() }))
}

/** Whether a request has to show a token. */
export function asksForToken({ endpoint, raw }: HttpCall): boolean {
  return endpoint?.options.csrf === true && !safeMethods.has(raw.method)
}

/** What refuses a request with this field; null where it, or the header, has a token of the session. */
export function refusalOf({ raw, session }: HttpCall, field: unknown): HttpError | null {
  const token = raw.headers['x-csrf-token'] ?? field
  if (token === undefined) return refusal('missing-csrf-token')
  return typeof token === 'string' && session.hasToken(token) ? null : refusal('outdated-csrf-token')
}
