import type { FastifyReply, FastifyRequest } from 'fastify'
import { CallWrites } from '../call/call-writes.js'
import { runCall, type AppHandle, type Call } from '../call/call.js'
import type { Deadline } from '../call/deadlines.js'
import type { Principal } from '../call/principal.js'
import type { Endpoint } from '../endpoint/endpoint.js'
import type { BodyLease } from '../http/body/body-lease.js'
import { CallCookies } from '../http/cookies/call-cookies.js'
import type { Reply } from '../http/reply/reply.js'
import type { WatchedStream } from '../http/reply/watched-stream.js'
import { RequestState } from '../http/request/request-state.js'
import { RowhouseRequest } from '../http/request/request.js'
import { isCrossSite, isIsolated } from './cross-site.js'
import { BrowserSession } from './browser-session.js'
import type { Failure } from './failure/failure.js'
import type { PipelineParts } from './parts.js'
import { placeOf } from './place.js'

/**
 * The call that makes one answer, on its way through the pipeline: that of an endpoint or, for a request that ended in an error, that of the app's error handler.
 */
export class HttpCall implements Call {
  readonly kind = 'http'
  readonly declarations = null
  readonly writes = new CallWrites()
  deadline: Deadline | null = null
  values: Map<object, unknown> | null = null
  /** What keeps a body there, on disk or counted in memory; null where there is none. */
  lease: BodyLease | null = null
  /** The answer, once it is made. */
  reply: Reply | null = null
  /** The stream that the answer is, whose first piece is waited for. */
  stream: WatchedStream | null = null
  /** Whether the answer, good or bad, has been decided; what comes after that is dropped. */
  isDecided = false
  #request: RowhouseRequest | null = null
  #session: BrowserSession | null = null
  #isIsolated: boolean | null = null
  #isTimed = false
  /** What time runs for where that is not the handler itself, for the log. */
  #place: string | null = null

  constructor(
    readonly parts: PipelineParts,
    readonly raw: FastifyRequest,
    readonly response: FastifyReply,
    /** Null where there is none for the request. */
    readonly endpoint: Endpoint | null,
    /** The error that is answered; null for the answer of the endpoint itself. */
    readonly failure: Failure | null,
    /** Told when its time has run out. */
    readonly expire: (call: HttpCall) => void,
  ) {}

  get app(): AppHandle {
    return this.parts.app
  }

  get principal(): Principal {
    return this.raw.principal
  }

  get requestId(): string {
    return this.raw.id
  }

  /** Told when it is known who calls, and when that changes: somebody signs in or out while it runs. */
  identify(principal: Principal): void {
    this.raw.foundPrincipal = principal
  }

  /** Whether it was sent on behalf of another site, and so has nothing of what the browser keeps for this one: no cookies, no session, nobody signed in. */
  get isIsolated(): boolean {
    return (this.#isIsolated ??= isIsolated(this.raw, this.endpoint, this.parts.isOwnOrigin))
  }

  /** Whether it was sent on behalf of another site, whatever the endpoint lets it have. */
  get isCrossSite(): boolean {
    return isCrossSite(this.raw, this.parts.isOwnOrigin)
  }

  /** Whether the browser sees https. */
  get isByHttps(): boolean {
    return this.parts.https.reaches(this.raw)
  }

  /** Made when somebody asks first. */
  get cookies(): CallCookies {
    return CallCookies.of(this.raw, this)
  }

  /** Made when somebody asks first. */
  get session(): BrowserSession {
    return (this.#session ??= new BrowserSession(this))
  }

  /** Whether somebody has asked for {@link session}. */
  get hasSession(): boolean {
    return this.#session !== null
  }

  /** What the stored session of the user who calls is found by; null where none says who calls. */
  get sessionHash(): string | null {
    return this.#session === null || this.#session.user === null ? null : this.#session.hash
  }

  /** Writes down what has changed in its session; null where nothing has. */
  storeSession(): Promise<void> | null {
    this.refuseForeignSession()
    return this.#session === null ? null : this.#session.store()
  }

  /**
   * Lets no session begin for another site without a log-in: a browser that has kept the cookie of the real one at home (`SameSite`) would put that of the new one in its place. To be called before the
   * cookies are put on an answer.
   */
  refuseForeignSession(): void {
    if (this.#session !== null && this.#session.handle === null && this.isCrossSite) this.#session.withdraw()
  }

  /** Forgets what has changed in its session and was not written down. */
  withdrawSession(): void {
    this.#session?.withdraw()
  }

  /** Null until code of the app runs. */
  get request(): RowhouseRequest | null {
    return this.#request
  }

  set request(request: RowhouseRequest | null) {
    this.#request = request
  }

  get signal(): AbortSignal {
    return this.beginRequest().signal
  }

  /** How long it may take, in milliseconds. */
  get timeout(): number {
    return this.endpoint?.options.timeout ?? this.parts.settings.handlerTimeout
  }

  /** What the answer waits for, for the log: `the handler at modules/tasks.ts:3`; null where there is no endpoint. */
  get place(): string | null {
    if (this.#place !== null) return this.#place
    const own = this.endpoint === null ? null : `the handler at ${this.endpoint.source.file}:${this.endpoint.source.line}`
    return this.failure?.handling?.place ?? own
  }

  /** The request as the app's code sees it, its body left out as long as that has not been received. */
  beginRequest(): RowhouseRequest {
    return (this.#request ??= new RowhouseRequest(new RequestState(this.raw, this.response.raw, placeOf(this.raw))))
  }

  /** Has the request, what was found out about it, and the session of its browser, of a call that has failed, whose answer this one makes. */
  takeOver(failed: HttpCall): void {
    this.#request = failed.#request
    this.values = failed.values
    this.#session = failed.#session
  }

  /** Says that the time which code of the app takes counts from now on: something of its own, or else its handler. */
  beginTime(place: string | null = null): void {
    this.#isTimed = true
    this.#place = place
  }

  /** Lets the time run, where it counts, once something has to be waited for. */
  startTime(): void {
    if (this.#isTimed) this.deadline ??= this.parts.deadlines.start(this.timeout, () => runCall(this, this.expire, this))
  }

  /** Stops the time. */
  stopTime(): void {
    this.#isTimed = false
    this.deadline?.stop()
    this.deadline = null
  }

  /** Told when the code that answers has ended. */
  handlerEnded(): void {
    this.lease?.handlerEnded()
  }
}
