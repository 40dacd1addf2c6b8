import type { FastifyReply, FastifyRequest } from 'fastify'
import type { App } from '../../exports/running-app.js'
import { runCall, type Call } from '../../call/call.js'
import type { Deadline } from '../../call/deadlines.js'
import { discard } from '../../http/reply/discard.js'
import { HttpResponse } from '../../http/reply/http-response.js'
import { isStream, toReply, type Reply } from '../../http/reply/reply.js'
import { sendReply } from '../../http/reply/send-reply.js'
import { startStream } from '../../http/reply/start-stream.js'
import { watchStreamOf } from '../../http/reply/watch-stream.js'
import { RowhouseRequest } from '../../http/request/request.js'
import { RequestState, type RequestPlace } from '../../http/request/request-state.js'
import { readTarget } from '../../http/request/target.js'
import type { ErrorDescription } from './describe-error.js'
import { EarlyReply } from '../../http/early-reply.js'
import { HttpError, tooSlow } from '../../http/http-error.js'
import { logFailure, pathOf } from './log-error.js'
import { clearHeaders, sendError, setErrorHeaders } from './send-error.js'
import { isA } from '../../errors/to-error.js'

/** A reply that is made once a request has left the pipeline. */
export interface ReplyTask {
  /** Makes a value that a handler could return, or a promise of one. */
  readonly make: (request: RowhouseRequest) => unknown
  /** What makes it, for the log: `the error handler at modules/errors.ts:3`. */
  readonly place: string
  /** The error that the reply answers, whose status and headers it has unless it says others; null when it answers none. */
  readonly error: ErrorDescription | null
  /** Answers in its place when it cannot be made or sent. */
  readonly onFailure: (thrown: unknown) => void
}

/** One task on its way. */
interface Attempt {
  readonly app: App
  readonly raw: FastifyRequest
  readonly response: FastifyReply
  readonly task: ReplyTask
  /** A call of its own: what the failed one still writes is not what this answer acknowledges. */
  readonly call: Call
  /** The stream whose first piece is waited for. */
  source: unknown
  /** Whether the time is over, and the answer has been given without the reply. */
  isOver: boolean
}

/**
 * Makes a reply and sends it, under the rules of every endpoint: inside a call, within the time limit, and after what was written has reached the disk. Never rejects.
 *
 * @param failed the call that has failed, whose request this one has too; null when there was none
 */
export async function replyInCall(app: App, raw: FastifyRequest, response: FastifyReply, failed: Call | null, task: ReplyTask): Promise<void> {
  const request = failed?.request ?? new RowhouseRequest(new RequestState(raw, response.raw, placeOf(raw), null))
  const attempt: Attempt = { app, raw, response, task, call: { app, endpoint: raw.found?.endpoint ?? null, request, requestId: raw.id, lastCommit: null }, source: null, isOver: false }
  const deadline = app.deadlines.start(raw.found?.endpoint.options.timeout ?? app.configuration.handlerTimeout, () => timeOut(attempt))
  try {
    await runCall(attempt.call, carryOut, { attempt, deadline })
  } catch (thrown) {
    deadline.stop()
    if (attempt.isOver) logFailure(app, raw, thrown, 'after the request had been answered')
    else task.onFailure(thrown)
  }
}

/** Sending is a part of the call, too: a stream makes its pieces while it is sent. */
async function carryOut({ attempt, deadline }: { readonly attempt: Attempt; readonly deadline: Deadline }): Promise<void> {
  const value = await makeValue(attempt)
  if (attempt.isOver) {
    discard(value)
    return
  }
  const reply = await makeReply(attempt, value)
  deadline.stop()
  if (attempt.isOver) discard(reply.body)
  else sendWhole(attempt, reply)
}

async function makeReply(attempt: Attempt, value: unknown): Promise<Reply> {
  const { call, task } = attempt
  const reply = await toReply(value)
  const saysStatus = value instanceof HttpResponse || value instanceof Response
  const status = saysStatus || task.error === null ? reply.status : task.error.status
  const body = isStream(reply.body) ? await startWatched(attempt, reply.body) : reply.body
  await call.lastCommit?.durable
  return { ...reply, status, body }
}

function startWatched(attempt: Attempt, source: AsyncIterable<unknown>): Promise<AsyncIterable<unknown>> {
  attempt.source = source
  const { app, raw, response, call, task } = attempt
  const watched = watchStreamOf(call, source, (thrown) => logFailure(app, raw, thrown, `in ${task.place}, after a part of the answer had been sent`))
  // Fastify would ask for another error reply, and the client would take the part for the whole if nothing were done.
  return startStream(watched, () => response.raw.destroy())
}

/** `abort(response)` inside says what to send, too. */
async function makeValue({ task, call }: Attempt): Promise<unknown> {
  try {
    return await task.make(call.request)
  } catch (thrown) {
    if (isA(EarlyReply, thrown)) return thrown.response
    throw thrown
  }
}

/** They describe the content of an answer that is not sent now. */
const contentHeaders: ReadonlySet<string> = new Set(['content-type', 'content-length', 'content-encoding'])

function sendWhole({ app, response, task: { error } }: Attempt, reply: Reply): void {
  try {
    if (error === null) clearHeaders(response)
    else setErrorHeaders(app, response, reply.status, keptHeaders(error))
    sendReply(response, reply, app.configuration)
  } catch (thrown) {
    discard(reply.body)
    throw thrown
  }
}

function keptHeaders({ headers }: ErrorDescription): Record<string, string | readonly string[]> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const).filter(([name]) => !contentHeaders.has(name)))
}

function timeOut(attempt: Attempt): void {
  attempt.isOver = true
  discard(attempt.source)
  const { app, raw, response, task, call } = attempt
  const timeout = call.endpoint?.options.timeout ?? app.configuration.handlerTimeout
  app.log.error({ requestId: raw.id, endpoint: call.endpoint?.path.text, method: raw.method, timeout }, `${task.place} did not answer within ${timeout} ms`)
  const refusal = new HttpError(503, tooSlow)
  sendError(app, raw, response, refusal, { thrown: refusal })
}

function placeOf(raw: FastifyRequest): RequestPlace {
  if (raw.found !== null) return raw.found
  const nowhere = { endpoint: { prefix: '', path: { segments: [] } }, values: [] }
  try {
    return { ...nowhere, target: readTarget(raw.originalUrl) }
  } catch {
    // That it cannot be read may be the very error; it is told as it was sent.
    return { ...nowhere, target: { segments: [], path: pathOf(raw) } }
  }
}
