import { realpathSync } from 'node:fs'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { PipelineParts } from '../parts.js'
import { everyVariable } from '../../settings/environment.js'
import { sendReply } from '../../http/reply/send-reply.js'
import { reportError } from './debug/debug-report.js'
import { isIsolated } from '../cross-site.js'
import { speaksJson } from './dress.js'
import { unreadable, type ErrorDescription } from './describe-error.js'
import { toErrorReply, type DebugReport } from './error-reply.js'
import { hideSecrets } from '../../http/hide-secrets.js'
import { HttpError } from '../../http/http-error.js'
import { broughtBy } from '../../http/request/brought.js'
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
export function sendError(parts: PipelineParts, request: FastifyRequest, response: FastifyReply, description: ErrorDescription, values: ThrownValues): void {
  try {
    send(parts, request, response, description, debugReport(parts, request, description, values))
  } catch (second) {
    logFailure(parts, request, values.thrown)
    logFailure(parts, request, second, 'while the error before this was told')
    send(parts, request, response, unreadable, null)
  }
}

/** They describe the content of an answer that is not sent now. */
const contentHeaders: ReadonlySet<string> = new Set(['content-type', 'content-length', 'content-encoding'])

/** Gives the answer that an error handler has made the headers of the error, such as `Allow`, in the place of all that were set for the request so far. */
export function setFailureHeaders(parts: PipelineParts, response: FastifyReply, status: number, { headers }: ErrorDescription): void {
  const kept = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const).filter(([name]) => !contentHeaders.has(name))
  setErrorHeaders(parts, response, status, Object.fromEntries(kept))
}

/** Whatever a reply that did not come off has set, such as how long it may be cached, is not true of the one that is sent in its place. */
function setErrorHeaders({ challenges, isOwnOrigin }: PipelineParts, response: FastifyReply, status: number, headers: Readonly<Record<string, unknown>>): void {
  for (const name of Object.keys(response.getHeaders())) response.removeHeader(name)
  const { request } = response
  for (const name in headers) {
    // A page of another site cannot have a browser keep something for this one.
    const isKept = name !== 'set-cookie' || !isIsolated(request, request.found?.endpoint ?? null, isOwnOrigin)
    if (isKept) response.header(name, headers[name])
  }
  if (status === 401 && !('www-authenticate' in headers)) response.header('www-authenticate', challenges.unauthorizedFor(request.headers).headers['www-authenticate'])
}

function send(parts: PipelineParts, request: FastifyRequest, response: FastifyReply, error: ErrorDescription, report: DebugReport | null): void {
  const { id: requestId, headers } = request
  const circumstances = { requestId, accept: headers.accept, speaksJson: speaksJson(request), alwaysJson: parts.settings.errors === 'json' }
  const reply = toErrorReply(error, circumstances, report)
  setErrorHeaders(parts, response, reply.status, reply.headers)
  parts.securityHeaders.set(request, response, reply.headers['content-type'])
  sendReply(response, { ...reply, headers: {} }, { responseLimit: Number.POSITIVE_INFINITY, sendTimeout: parts.settings.sendTimeout })
}

/** Null unless the app is being developed, and for errors that were made to be told. */
function debugReport(parts: PipelineParts, request: FastifyRequest, { status }: ErrorDescription, { thrown, earlier }: ThrownValues): DebugReport | null {
  if (!parts.debug || status !== 500 || thrown instanceof HttpError) return null
  const hide = hideSecrets({ variables: everyVariable(), ...broughtBy(request) })
  const directory = realpathSync(parts.settings.directory)
  return { errors: reportError(thrown, { directory, hide, earlier }), method: request.method, path: hide(pathOf(request)) }
}
