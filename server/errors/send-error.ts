import { inspect } from 'node:util'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { TableError } from '../../db/errors.js'
import { challengeFor } from '../../plugins/basic-auth.js'
import type { App } from '../app.js'
import { sendReply } from '../reply/send-reply.js'
import { describeError, unexpected, type ErrorDescription } from './describe-error.js'
import { toErrorReply } from './error-reply.js'

type Circumstances = Pick<App, 'log' | 'configuration'>

/**
 * The one way from a thrown value to an error reply: the caller learns what he can act on, the log learns the rest. It never throws: an error that cannot even be told
 * is told in general words.
 */
export function sendError(app: Circumstances, request: FastifyRequest, response: FastifyReply, thrown: unknown): FastifyReply {
  try {
    const error = describeError(thrown)
    if (error.status >= 500 && thrown !== error) logFailure(app, request, thrown)
    // Which of the two has made the mistake, the author or the caller, cannot be known here, so the author gets to see it too.
    else if (thrown instanceof TableError) app.log.warn({ requestId: request.id, err: thrown }, `A table refused ${pathOf(request)} [${request.method}]`)
    return send(app, request, response, error)
  } catch (second) {
    logFailure(app, request, thrown)
    logFailure(app, request, second, 'while the error before this was told')
    return send(app, request, response, { status: 500, message: unexpected, details: {}, headers: {} })
  }
}

/** Logs what nobody expected, with its stack. */
export function logFailure({ log }: Circumstances, request: FastifyRequest, thrown: unknown, when = ''): void {
  log.error({ requestId: request.id, err: toError(thrown) }, `Exception on ${pathOf(request)} [${request.method}]${when === '' ? '' : ` ${when}`}`)
}

function send({ configuration }: Circumstances, request: FastifyRequest, response: FastifyReply, error: ErrorDescription): FastifyReply {
  const reply = toErrorReply(error, { requestId: request.id, accept: request.headers.accept, alwaysJson: configuration.errors === 'json' })
  const headers = { ...reply.headers, 'x-request-id': request.id }
  // Whatever a reply that did not come off has set, such as how long it may be cached, is not true of this one.
  for (const name of Object.keys(response.getHeaders())) response.removeHeader(name)
  // RFC 9110, 15.5.2: a 401 says how to authenticate.
  if (error.status === 401 && !('www-authenticate' in headers)) void response.header('www-authenticate', challengeFor(configuration.realm))
  return sendReply(response, { ...reply, headers }, Number.POSITIVE_INFINITY)
}

function pathOf(request: FastifyRequest): string {
  return request.found?.target.path ?? request.originalUrl.split('?')[0] ?? ''
}

/** Anything can be thrown in JavaScript; a log line wants an error. */
function toError(thrown: unknown): Error {
  try {
    return thrown instanceof Error ? thrown : new Error(`a value that is no Error was thrown: ${inspect(thrown, { depth: 1 })}`)
  } catch {
    return new Error('a value was thrown that cannot even be looked at')
  }
}
