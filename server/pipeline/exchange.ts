import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Call } from '../call/call.js'
import type { Endpoint } from '../endpoint/endpoint.js'
import type { BodyLease } from '../http/body/body-lease.js'
import type { Reply } from '../http/reply/reply.js'
import type { WatchedStream } from '../http/reply/watched-stream.js'
import type { Failure } from './failure/failure.js'
import type { PipelineParts } from './parts.js'

/** One answer on its way through the pipeline: that of an endpoint or, for a request that ended in an error, that of the app's error handler. */
export class Exchange {
  /** Null until the body is there. */
  call: Call | null = null
  /** What keeps a body on disk open; null where there is none. */
  lease: BodyLease | null = null
  /** The answer, once it is made. */
  reply: Reply | null = null
  /** The stream that the answer is, whose first piece is waited for. */
  stream: WatchedStream | null = null
  /** Whether time still runs for it. */
  isTimed = true
  /** Whether the answer, good or bad, has been decided; what comes after that is dropped. */
  isDecided = false

  constructor(
    readonly parts: PipelineParts,
    readonly raw: FastifyRequest,
    readonly response: FastifyReply,
    /** Null where there is none for the request. */
    readonly endpoint: Endpoint | null,
    /** The error that is answered; null for the answer of the endpoint itself. */
    readonly failure: Failure | null,
  ) {}

  /** Stops the time that runs for it. */
  stopTime(): void {
    this.isTimed = false
    this.call?.deadline?.stop()
  }

  /** Told when the code that answers has ended. */
  handlerEnded(): void {
    this.lease?.handlerEnded()
  }
}
