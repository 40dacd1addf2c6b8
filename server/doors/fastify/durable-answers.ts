import { ReadStream } from 'node:fs'
import { pipeline, Transform } from 'node:stream'
import type { FastifyReply, FastifyRequest, onSendHookHandler } from 'fastify'
import { toError } from '../../errors/to-error.js'
import { CallCookies } from '../../http/cookies/call-cookies.js'
import { assertOwnLine } from '../../http/cookies/set-cookie.js'
import { addCorsHeaders } from '../../http/cors/send-cors.js'
import { addRateLimit } from '../../http/reply/rate-limit-headers.js'
import { boundUnread } from '../../http/reply/unread-reply.js'
import type { HttpCall } from '../../pipeline/http-call.js'
import type { PipelineParts } from '../../pipeline/parts.js'
import { corsOfRoute } from './collected-routes.js'
import { PluginCall } from './plugin-call.js'

/** Whether the server has begun to stop. */
type IsStopping = () => boolean

/**
 * Makes the hook that sends a plugin's answers off: the id of the request is in them and what pages of other origins may do with them, and nothing leaves before all
 * that its call has written would survive a power cut, no piece of a stream either, nor a success when a write was
 * refused that nobody awaited. Headers for the sake of security are added where the plugin has set none. It has to be
 * the last of the hooks: those before it may write, too.
 */
export function sendOff(isStopping: IsStopping, { settings, cors, securityHeaders }: PipelineParts): onSendHookHandler<unknown> {
  return (request, reply, payload, done) => {
    boundUnread(reply.raw, payload, settings)
    securityHeaders.set(request, reply, typeOf(payload, reply))
    reply.header('x-request-id', request.id)
    addRateLimit(reply)
    if (isStopping()) reply.header('connection', 'close')
    const corsHeaders = corsOfRoute(request, cors)
    if (corsHeaders !== null) addCorsHeaders(reply, corsHeaders)
    const call = PluginCall.of(request)
    call?.refuseForeignSession()
    const mistake = sendCookies(request, reply)
    if (mistake !== null) {
      done(mistake)
      return
    }
    // The answer that tells of the disk's failure waits for the disk no longer.
    if (call === null || call.isDecided) {
      done(null, payload)
      return
    }
    const { writes } = call
    const watched = watch(payload, call, writes.size > 0)
    // The headers of a stream leave with its first piece; what tells of a failure needs no other.
    const settled = (): Promise<unknown> | null => (watched !== payload ? null : reply.statusCode < 400 ? writes.settled() : writes.durable())
    const stored = call.storeSession()
    const pending = stored === null ? settled() : stored.then(settled)
    if (pending === null) done(null, watched)
    else waitFor(pending, call, (failure) => (failure === null ? done(null, watched) : done(failure)))
  }
}

/** Adds Rowhouse's own cookies to an answer. Returns what is wrong with those that are on it already. */
function sendCookies(request: FastifyRequest, reply: FastifyReply): Error | null {
  const lines = reply.getHeader('set-cookie')
  if (lines !== undefined) {
    const own = CallCookies.linesOf(request)
    try {
      for (const line of [lines].flat()) if (!own.includes(String(line))) assertOwnLine(String(line))
    } catch (mistake) {
      // Or the answer that tells of it would have it, too.
      reply.removeHeader('set-cookie')
      return toError(mistake)
    }
  }
  CallCookies.addTo(reply)
  return null
}

/** The content type of an answer: undefined where it has none, null where there is nothing to have one. */
function typeOf(payload: unknown, reply: FastifyReply): unknown {
  const type = reply.getHeader('content-type')
  if (type !== undefined) return type
  if (payload === undefined || payload === null) return null
  if (typeof payload !== 'object' || !isResponse(payload)) return undefined
  return payload.body === null ? null : (payload.headers.get('content-type') ?? undefined)
}

function waitFor(durable: Promise<unknown>, call: HttpCall, done: (failure: Error | null) => void): void {
  durable.then(
    () => done(null),
    (failure: Error) => {
      call.isDecided = true
      done(failure)
    },
  )
}

/** A stream whose pieces wait for the disk; anything else as it is. */
function watch(payload: unknown, call: HttpCall, hasWritten: boolean): unknown {
  if (typeof payload !== 'object' || payload === null || Buffer.isBuffer(payload)) return payload
  // What is read from a file was written by nobody's call.
  if (payload instanceof ReadStream && !hasWritten) return payload
  if (isResponse(payload)) return payload.body === null ? payload : new Response(watchWeb(payload.body, call), payload)
  if ('getReader' in payload) return watchWeb(payload as ReadableStream, call)
  return 'pipe' in payload ? watchNode(payload as NodeJS.ReadableStream, call) : payload
}

/** As Fastify tells one, whoever has made it. */
function isResponse(payload: object): payload is Response {
  return Object.prototype.toString.call(payload) === '[object Response]'
}

function watchNode(source: NodeJS.ReadableStream, call: HttpCall): Transform {
  const pass = (piece: unknown, done: (failure: Error | null, piece?: unknown) => void): void => {
    const durable = call.writes.settled()
    if (durable === null) done(null, piece)
    else waitFor(durable, call, (failure) => done(failure, piece))
  }
  const watched = new Transform({
    transform: (piece, _encoding, done) => pass(piece, done),
    flush: (done) => pass(undefined, done),
  })
  // Either of them ends with the other; whoever sends it is told of a failure.
  pipeline(source, watched, () => undefined)
  return watched
}

function watchWeb(source: ReadableStream, call: HttpCall): ReadableStream {
  const durable = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const pending = call.writes.settled()
      if (pending === null) resolve()
      else waitFor(pending, call, (failure) => (failure === null ? resolve() : reject(failure)))
    })
  return source.pipeThrough(
    new TransformStream<unknown, unknown>({
      transform: async (piece, controller) => {
        await durable()
        controller.enqueue(piece)
      },
      flush: durable,
    }),
  )
}
