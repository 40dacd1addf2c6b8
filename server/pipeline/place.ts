import type { FastifyRequest } from 'fastify'
import type { RequestPlace } from '../http/request/request-state.js'
import { readTarget, type RequestTarget } from '../http/request/target.js'
import { pathOf } from './failure/log-error.js'

/** Where a request was sent to, whether or not there is an endpoint. */
export function placeOf(raw: FastifyRequest): RequestPlace {
  return raw.found ?? { prefix: '', decodeLimit: 0, target: targetOf(raw), namePathParameters: () => undefined }
}

function targetOf(raw: FastifyRequest): RequestTarget {
  try {
    return readTarget(raw.originalUrl)
  } catch {
    // That it cannot be read may be the very error; it is told as it was sent.
    return { segments: [], path: pathOf(raw) }
  }
}
