import { STATUS_CODES } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { codeOfStatus } from '../../errors/error-codes.js'
import { isA } from '../../errors/to-error.js'
import { CallCookies } from '../../http/cookies/call-cookies.js'
import { EarlyReply } from '../../http/early-reply.js'
import { HttpError } from '../../http/http-error.js'
import { toReply } from '../../http/reply/reply.js'
import { rateLimitHeaders } from '../../http/reply/rate-limit-headers.js'
import { sendReply } from '../../http/reply/send-reply.js'
import { describeError, unreadable, type ErrorDescription } from '../../pipeline/failure/describe-error.js'
import { logError, logFailure } from '../../pipeline/failure/log-error.js'
import { wasSent } from '../../pipeline/failure/sent.js'
import type { PipelineParts } from '../../pipeline/parts.js'
import { corsOfRoute } from './collected-routes.js'

/** Set on a request once its answer is being sent. */
const isSent = Symbol('is sent')

declare module 'fastify' {
  interface FastifyRequest {
    [isSent]?: true
  }
}

/**
 * Answers the errors for which the app's Fastify plugin has no handler: as Fastify does, in its form, but that an error
 * which nobody made to be shown is told in general words, and that errors of Rowhouse's have the status that they have
 * everywhere.
 */
export function answerErrors(plugin: FastifyInstance, parts: PipelineParts): void {
  // The first of these hooks: what fails from here on fails in those of the plugin, or in writing the headers.
  plugin.addHook('onSend', (request, _reply, payload, done) => {
    request[isSent] = true
    done(null, payload)
  })
  plugin.setErrorHandler((error, request, reply) => {
    const description = describeError(error, (given) => wasSent(given, request, null))
    const status = statusOf(error, reply)
    if (isA(EarlyReply, error)) {
      void sendEarly(error, reply, parts)
    } else if (isA(HttpError, error) || description.status !== 500) {
      logError(parts, request, error, description)
      send(request, reply, description)
    } else if (status < 500) {
      void reply.code(status).send(error)
    } else if (request[isSent] === true) {
      logFailure(parts, request, error, 'while the answer was sent')
      sendPlainly(parts, request, reply, status === 500 ? unreadable : describeStatus(status))
    } else {
      logFailure(parts, request, error)
      send(request, reply, status === 500 ? description : describeStatus(status))
    }
  })
}

/** What `abort(response)` has ended a request with is an answer like any other. */
async function sendEarly({ response }: EarlyReply, reply: FastifyReply, parts: PipelineParts): Promise<void> {
  try {
    sendReply(reply, await toReply(response, parts), parts.settings)
  } catch (failure) {
    void reply.send(failure)
  }
}

/** What is told of an error that says its status and was not made to be shown. */
function describeStatus(status: number): ErrorDescription {
  return { status, code: codeOfStatus(status), message: STATUS_CODES[status] ?? 'Error', details: {}, headers: {} }
}

function send(request: FastifyRequest, reply: FastifyReply, description: ErrorDescription): void {
  const { status, code, message, details, headers } = description
  for (const [name, value] of Object.entries(headers)) {
    void reply.header(name, typeof value === 'string' ? value : [...value])
  }
  const error = STATUS_CODES[status] ?? 'Error'
  void reply.code(status).send({ statusCode: status, code, error, message, requestId: request.id, ...details })
}

/** Once an answer has failed on its way, the next would fail in the same place, and Fastify would then tell why. */
function sendPlainly({ cors }: PipelineParts, request: FastifyRequest, reply: FastifyReply, description: ErrorDescription): void {
  const { id } = request
  const { raw } = reply
  reply.hijack()
  if (raw.headersSent) {
    raw.destroy()
    return
  }
  for (const name of raw.getHeaderNames()) raw.removeHeader(name)
  const { status, code, message } = description
  const error = STATUS_CODES[status] ?? 'Error'
  const cookies = CallCookies.linesOf(request)
  const setCookie = cookies.length > 0 && { 'set-cookie': [...cookies] }
  raw.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'x-request-id': id, ...rateLimitHeaders(reply), ...corsOfRoute(request, cors), ...setCookie })
  raw.end(JSON.stringify({ statusCode: status, code, error, message, requestId: id }))
}

/** As Fastify reads it: the error's own, or else what the reply has been given. */
function statusOf(error: unknown, { raw }: FastifyReply): number {
  const given: unknown[] =
    typeof error === 'object' && error !== null ? [Reflect.get(error, 'statusCode'), Reflect.get(error, 'status')] : []
  const found = [...given, raw.statusCode].find(
    (status) => typeof status === 'number' && status >= 400 && status <= 599,
  )
  return typeof found === 'number' ? found : 500
}
