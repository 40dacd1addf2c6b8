import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyRequest } from 'fastify'
import { RequestState } from './request-state.js'

/** What a request has brought, as far as it has been read. */
export interface Brought {
  readonly headers: IncomingHttpHeaders
  /** Objects with the parameters, fields and members of a JSON body that it has sent, by their names. */
  readonly members: readonly unknown[]
}

/** Where there is no request. */
export const nothingBrought: Brought = { headers: {}, members: [] }

/** What can be looked at without reading or decoding anything for it. */
export function broughtBy(request: FastifyRequest): Brought {
  const { query, params, body } = request
  return { headers: request.raw.headers, members: [query, params, body, ...RequestState.decodedFor(request)] }
}
