import type { FastifyReply } from 'fastify'
import { addToVary } from '../reply/vary.js'
import type { CorsHeaders } from './cors-rule.js'

const standing = Symbol('the headers of CORS of whatever is answered')

declare module 'fastify' {
  interface FastifyReply {
    [standing]?: CorsHeaders | null
  }
}

/** Keeps the headers of CORS for whatever the answer to a request will be, an error or a stream. @param headers null for none, whatever was kept before */
export function setStandingCors(response: FastifyReply, headers: CorsHeaders | null): void {
  if (headers !== null || response[standing] !== undefined) response[standing] = headers
}

/** Adds what was kept for an answer that is about to leave. */
export function addStandingCors(response: FastifyReply): void {
  const headers = response[standing]
  if (headers !== undefined && headers !== null) addCorsHeaders(response, headers)
}

/** Adds the headers of CORS to an answer that is about to leave. Where that says itself who may read it, it counts, and nothing is added but what caches have to know. */
export function addCorsHeaders(response: FastifyReply, headers: CorsHeaders): void {
  const isSaid = response.hasHeader('access-control-allow-origin')
  for (const [name, value] of Object.entries(headers)) {
    if (name === 'vary') response.header(name, addToVary(response.getHeader(name), value))
    else if (!isSaid && !response.hasHeader(name)) response.header(name, value)
  }
}
