import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { FastifyPluginCallback } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import { TrustedProxies } from './trusted-proxies.js'

/** Options of the plugin. */
export interface RequestIdsOptions {
  /** The addresses and networks of those whose `X-Request-Id` is taken over. */
  readonly trustedProxies: readonly string[]
  /**
   * Gives the id of a request that has one already, because another server in this process has looked at it; null for
   * any other.
   */
  readonly present?: (request: IncomingMessage) => string | null
}

/** 1 to 128 visible ASCII characters without quotation marks and backslashes: what can stand in a header, a log line and a command without being taken for anything else. */
const acceptable = /^[\x21\x23-\x26\x28-\x5b\x5d-\x7e]{1,128}$/

/**
 * Gives each request an id, and says it in the answer's `X-Request-Id`, whatever the handler has set: the id by which the log knows the request. A proxy in front that is trusted
 * may have chosen the id already; nobody else chooses what stands in the log.
 */
const requestIdsPlugin: FastifyPluginCallback<RequestIdsOptions> = (app, { trustedProxies, present }, ready) => {
  const make = makeRequestIds(trustedProxies)
  app.setGenReqId(present === undefined ? make : (request) => present(request) ?? make(request))
  app.addHook('onSend', (request, reply, payload, done) => {
    reply.header('x-request-id', request.id)
    done(null, payload)
  })
  ready()
}

/** Makes the function that gives a request its id. */
export function makeRequestIds(trustedProxies: readonly string[]): (request: IncomingMessage) => string {
  if (trustedProxies.length === 0) return () => randomUUID()
  const trusted = new TrustedProxies(trustedProxies)
  return (request) => givenId(request, trusted) ?? randomUUID()
}

function givenId({ headers, socket }: IncomingMessage, trusted: TrustedProxies): string | null {
  const given = headers['x-request-id']
  // Several lines of the header arrive as one text with commas and spaces, which is not acceptable either.
  if (typeof given !== 'string' || !acceptable.test(given)) return null
  return trusted.includes(socket.remoteAddress) ? given : null
}

/** See {@link RequestIdsOptions}. */
export const requestIds = fastifyPlugin(requestIdsPlugin, { name: 'rowhouse-request-ids', fastify: '5.x' })
