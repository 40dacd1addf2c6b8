import type { FastifyRequest } from 'fastify'
import { CommonRequest } from '../../http/request/common-request.js'
import type { RowhouseRequest } from '../../http/request/request.js'

/**
 * Whether a caller has sent a name, of a parameter or a member of a JSON body or as a word in the value of one. It tells
 * whose mistake it is when code meets a name that it cannot use.
 *
 * @param request null where Rowhouse has not read the body
 */
export function hasSentName(name: string, raw: Pick<FastifyRequest, 'query' | 'body'>, request: RowhouseRequest | null): boolean {
  return sources(raw, request).some((read) => {
    try {
      return occurs(name, read())
    } catch {
      // What cannot be read has brought no name to anybody.
      return false
    }
  })
}

function sources(raw: Pick<FastifyRequest, 'query' | 'body'>, request: RowhouseRequest | null): readonly (() => unknown)[] {
  if (request === null) return [() => raw.query, () => raw.body]
  return [() => request.queryParams, () => request.pathParams, () => request.formParams, () => CommonRequest.stateOf(request).json?.value ?? request.bodyJson]
}

function occurs(name: string, value: unknown): boolean {
  if (typeof value === 'string') return value.split(/\W+/).includes(name)
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) return value.some((member) => occurs(name, member))
  return Object.entries(value).some(([member, inner]) => member === name || occurs(name, inner))
}
