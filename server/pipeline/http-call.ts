import type { FastifyReply, FastifyRequest } from 'fastify'
import { CallWrites } from '../call/call-writes.js'
import type { AppHandle, Call } from '../call/call.js'
import type { Deadline } from '../call/deadlines.js'
import { principalOf, type Principal } from '../call/principal.js'
import type { Endpoint } from '../endpoint/endpoint.js'
import type { BodyLease } from '../http/body/body-lease.js'
import type { Reply } from '../http/reply/reply.js'
import type { WatchedStream } from '../http/reply/watched-stream.js'
import type { RowhouseRequest } from '../http/request/request.js'
import type { Failure } from './failure/failure.js'
import type { PipelineParts } from './parts.js'

/**
 * The call that makes one answer, on its way through the pipeline: that of an endpoint or, for a request that ended in an error, that of the app's error handler.
 */
export class HttpCall implements Call {
  readonly kind = 'http'
  readonly declarations = null
  readonly writes = new CallWrites()
  readonly principal: Principal
  /** Null until the body is there, before which no code runs. */
  request: RowhouseRequest | null = null
  deadline: Deadline | null = null
  /** What keeps a body on disk open; null where there is none. */
  lease: BodyLease | null = null
  /** The answer, once it is made. */
  reply: Reply | null = null
  /** The stream that the answer is, whose first piece is waited for. */
  stream: WatchedStream | null = null
  /** Whether the answer, good or bad, has been decided; what comes after that is dropped. */
  isDecided = false
  #isTimed = true

  constructor(
    readonly parts: PipelineParts,
    readonly raw: FastifyRequest,
    readonly response: FastifyReply,
    /** Null where there is none for the request. */
    readonly endpoint: Endpoint | null,
    /** The error that is answered; null for the answer of the endpoint itself. */
    readonly failure: Failure | null,
  ) {
    this.principal = principalOf(raw.user)
  }

  get app(): AppHandle {
    return this.parts.app
  }

  get requestId(): string {
    return this.raw.id
  }

  get signal(): AbortSignal {
    return this.request?.signal ?? AbortSignal.abort()
  }

  /** How long it may take, in milliseconds. */
  get timeout(): number {
    return this.endpoint?.options.timeout ?? this.parts.settings.handlerTimeout
  }

  /** Lets time run, once something has to be waited for; a body is waited for under limits of its own. */
  startTime(expire: (call: HttpCall) => void): void {
    if (this.request !== null && this.#isTimed) this.deadline ??= this.parts.deadlines.start(this.timeout, () => expire(this))
  }

  /** Stops the time for good. */
  stopTime(): void {
    this.#isTimed = false
    this.deadline?.stop()
  }

  /** Told when the code that answers has ended. */
  handlerEnded(): void {
    this.lease?.handlerEnded()
  }
}
