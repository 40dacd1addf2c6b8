import { randomUUID } from 'node:crypto'
import { METHODS, type IncomingMessage } from 'node:http'
import { LogController, fastify, type FastifyBaseLogger, type FastifyInstance } from 'fastify'
import { awaitContinue } from '../http/body/continue.js'
import { hasBody } from '../http/body/read-body.js'
import { parseUrlEncoded } from '../http/body/url-encoded.js'
import { answerOnSocket } from '../http/reply/answer-on-socket.js'
import type { TargetedMessage } from '../http/request/check-message.js'
import { believeProxies } from '../http/request/forwarded.js'
import { warnOfUnnamedProxy } from '../http/request/unnamed-proxy.js'
import { refuseClient } from '../pipeline/failure/client-error.js'
import type { PipelineParts } from '../pipeline/parts.js'
import { refuse } from '../pipeline/pipeline.js'
import type { Configuration } from './configuration/settings.js'

/** A Fastify instance that leaves routing, bodies and request logs to us. */
export function createServer(configuration: Configuration, parts: PipelineParts): FastifyInstance {
  const log: FastifyBaseLogger = parts.log
  const http = {
    // Node.js looks every 30 s whether a client is over its time, unless told otherwise.
    headersTimeout: configuration.headersTimeout,
    connectionsCheckingInterval: 1000,
    // Otherwise it answers 400 to a request without Host by itself, without a word; that is refused like any other.
    requireHostHeader: false,
    // A body that is part of HTTP comes before another protocol could begin; a wish for one may be ignored
    // (RFC 9110, 7.8). Before Node.js 24.9, which does not ask, such a request is refused when it is looked at.
    shouldUpgradeCallback: (message: IncomingMessage): boolean =>
      server.server.listenerCount('upgrade') > 0 && !hasBody(message),
  }
  const server: FastifyInstance = fastify({
    loggerInstance: log,
    // A logger of its own for each request would cost more than all the rest of the bookkeeping; log lines carry the request's id instead.
    childLoggerFactory: (logger) => logger,
    logController: new LogController({ disableRequestLogging: true }),
    requestTimeout: configuration.requestTimeout,
    keepAliveTimeout: configuration.keepAliveTimeout,
    return503OnClosing: false,
    exposeHeadRoutes: false,
    routerOptions: { querystringParser: parseUrlEncoded },
    http,
    // Fastify decodes a path before it looks for a route. One that it cannot decode comes by a path that it can, and is refused like any other when its endpoint is looked for.
    frameworkErrors: (_error, { raw }, { raw: response }) => {
      const { url = '' } = raw
      const asked = { requestTarget: url } satisfies Partial<TargetedMessage>
      server.routing(Object.assign(raw, { originalUrl: url, url: url.replace(/^[^?]*/, '/') }, asked), response)
    },
    clientErrorHandler: (error, socket) => refuseClient(parts, randomUUID(), error, socket),
  })
  if (configuration.trustedProxies.length === 0) warnOfUnnamedProxy(server.server, (message) => log.warn(message))
  else believeProxies(server, configuration.trustedProxies)
  // Without a body, as far as Fastify is concerned: the pipeline reads bodies itself, after the credentials, up to the limit of the endpoint.
  for (const method of METHODS) if (method !== 'CONNECT') server.addHttpMethod(method, { hasBody: false, overrideExisting: true })
  // Node.js would answer 417 by itself, to a request that nobody has looked at.
  server.server.on('checkExpectation', (request, response) => server.server.emit('request', request, response))
  // And it would write "100 Continue" before anybody has looked at the credentials and the length.
  server.server.on('checkContinue', (request, response) => {
    awaitContinue(request, response)
    server.server.emit('request', request, response)
  })
  // And it would drop the connection of a CONNECT without a word. An app's plugin may have a tunnel for it.
  server.server.on('connect', (request, socket) => {
    if (server.server.listenerCount('connect') === 1) answerOnSocket(request, socket, server.routing)
  })
  server.setErrorHandler((error, request, reply) => refuse(parts, request, reply, error))
  return server
}
