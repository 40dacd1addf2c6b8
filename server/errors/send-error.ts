import { inspect } from 'node:util'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { App } from '../app.js'
import { sendReply } from '../reply/send-reply.js'
import { describeError } from './describe-error.js'
import { toErrorReply } from './error-reply.js'

/**
 * The one way from a thrown value to an error reply: the caller learns what he can act on, the log learns the rest.
 */
export function sendError(app: Pick<App, 'log' | 'configuration'>, request: FastifyRequest, response: FastifyReply, thrown: unknown): FastifyReply {
  const error = describeError(thrown)
  if (error.status >= 500 && thrown !== error) {
    const path = request.found?.target.path ?? request.routeOptions.url
    app.log.error({ requestId: request.id, err: toError(thrown) }, `Exception on ${path} [${request.method}]`)
  }
  void response.header('x-request-id', request.id)
  const reply = toErrorReply(error, {
    requestId: request.id,
    accept: request.headers.accept,
    alwaysJson: app.configuration.errors === 'json',
  })
  return sendReply(response, reply, Number.POSITIVE_INFINITY)
}

/** Anything can be thrown in JavaScript; a log line wants an error. */
function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(`a value that is no Error was thrown: ${inspect(thrown, { depth: 1 })}`)
}
