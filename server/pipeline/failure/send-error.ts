import { realpathSync } from 'node:fs'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { challengeFor } from '../../../plugins/basic-auth.js'
import type { App } from '../../exports/running-app.js'
import { everyVariable } from '../../settings/environment.js'
import { sendReply } from '../../http/reply/send-reply.js'
import { reportError } from './debug/debug-report.js'
import { unexpected, type ErrorDescription } from './describe-error.js'
import { toErrorReply, type DebugReport } from './error-reply.js'
import { hideSecrets } from './debug/hide-secrets.js'
import { HttpError } from '../../http/http-error.js'
import { logFailure, pathOf } from './log-error.js'

/** What was thrown, and what it was thrown in the middle of. */
export interface ThrownValues {
  readonly thrown: unknown
  /** The error that an error handler was answering when it threw. */
  readonly earlier?: unknown
}

/**
 * Sends an error in the dress that the caller accepts: the answer to every error for which the app has no handler. It never throws: an error that cannot even be told
 * is told in general words.
 */
export function sendError(app: App, request: FastifyRequest, response: FastifyReply, description: ErrorDescription, values: ThrownValues): void {
  try {
    send(app, request, response, description, debugReport(app, request, description, values))
  } catch (second) {
    logFailure(app, request, values.thrown)
    logFailure(app, request, second, 'while the error before this was told')
    send(app, request, response, { status: 500, message: unexpected, details: {}, headers: {} }, null)
  }
}

/** Puts the headers of an error's answer in the place of all that were set for the request so far. */
export function setErrorHeaders({ configuration }: App, response: FastifyReply, status: number, headers: Readonly<Record<string, unknown>>): void {
  clearHeaders(response)
  for (const name in headers) response.header(name, headers[name])
  // RFC 9110, 15.5.2: a 401 says how to authenticate.
  if (status === 401 && !('www-authenticate' in headers)) response.header('www-authenticate', challengeFor(configuration.realm))
}

/** Whatever a reply that did not come off has set, such as how long it may be cached, is not true of the one that is sent in its place. */
export function clearHeaders(response: FastifyReply): void {
  for (const name of Object.keys(response.getHeaders())) response.removeHeader(name)
}

function send(app: App, request: FastifyRequest, response: FastifyReply, error: ErrorDescription, report: DebugReport | null): void {
  const reply = toErrorReply(error, { requestId: request.id, accept: request.headers.accept, alwaysJson: app.configuration.errors === 'json' }, report)
  setErrorHeaders(app, response, reply.status, reply.headers)
  sendReply(response, { ...reply, headers: {} }, { responseLimit: Number.POSITIVE_INFINITY, sendTimeout: app.configuration.sendTimeout })
}

/** Null unless the app is being developed, and for errors that were made to be told. */
function debugReport(app: App, request: FastifyRequest, { status }: ErrorDescription, { thrown, earlier }: ThrownValues): DebugReport | null {
  if (!app.debug || status !== 500 || thrown instanceof HttpError) return null
  const hide = hideSecrets({ variables: everyVariable(), headers: request.raw.headers })
  const directory = realpathSync(app.configuration.directory)
  return { errors: reportError(thrown, { directory, hide, earlier }), method: request.method, path: hide(pathOf(request)) }
}
