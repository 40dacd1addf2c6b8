import type { FastifyReply } from 'fastify'
import { addToVary } from '../reply/vary.js'
import { corsHeaders, opensAnything, type CorsHeaders, type CorsRule } from './cors-rule.js'

const allowOrigin = 'access-control-allow-origin'
const allowCredentials = 'access-control-allow-credentials'
const kept = Symbol('the rule of CORS for whatever is answered')

declare module 'fastify' {
  interface FastifyReply {
    [kept]?: CorsRule | undefined
  }
}

/** Keeps the rule that holds for whatever the answer to a request will be, an error or a stream, in place of one that was kept before. One that opens nothing costs a request nothing. */
export function keepCorsRule(response: FastifyReply, rule: CorsRule | undefined): void {
  const isOpen = rule !== undefined && opensAnything(rule)
  if (isOpen || response[kept] !== undefined) response[kept] = isOpen ? rule : undefined
}

/** Adds what the rule that was kept says to an answer that is about to leave. */
export function addKeptCors(response: FastifyReply): void {
  const rule = response[kept]
  if (rule === undefined) return
  const headers = corsHeaders(rule, response.request.headers.origin)
  if (headers !== null) addCorsHeaders(response, headers)
}

/** Adds the headers of CORS to an answer that is about to leave. Where that says itself who may read it, it counts, and nothing is added but what caches have to know. */
export function addCorsHeaders(response: FastifyReply, headers: CorsHeaders): void {
  const { vary } = headers
  if (vary !== undefined) response.header('vary', addToVary(response.getHeader('vary'), vary))
  // Most answers have no more than that: it is the app's own page that asks.
  if (!(allowOrigin in headers) || response.hasHeader(allowOrigin)) return
  // Together they would open more than either of them says.
  if (response.hasHeader(allowCredentials) && !(allowCredentials in headers)) return
  for (const [name, value] of Object.entries(headers)) {
    if (name !== 'vary' && !response.hasHeader(name)) response.header(name, value)
  }
}
