import { ServerResponse, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { isReserved, type AddressSettings } from '../../http/base-path.js'
import { refusal } from '../../http/http-error.js'
import { answerOnSocket } from '../../http/reply/answer-on-socket.js'
import type { Matcher } from '../../endpoint/matcher.js'
import type { AccessKey, AddressedMessage } from '../../pipeline/access-key.js'
import { findDestination, type Destination } from '../../pipeline/find-endpoint.js'
import { isPreflight, ruleOfPath } from '../../pipeline/options-answer.js'
import { passageOf, setPassage, type Passage } from './passage.js'

/** The two servers behind one listener, and what is between them. */
export interface FrontOptions {
  /** The server of the pipeline, whose listener it is. */
  readonly pipeline: FastifyInstance
  /** The server of the app's plugin, which listens nowhere. */
  readonly plugin: FastifyInstance
  /** All endpoints. */
  readonly matcher: Matcher
  /** Those of the plugin left out. */
  readonly pipelineMatcher: Matcher
  readonly addresses: AddressSettings
  /** Null where the app is not private. */
  readonly accessKey: AccessKey | null
  /** Whether the plugin has an answer of its own for paths that nobody knows. */
  readonly answersUnknown: (path: string) => boolean
}

/**
 * Says of each message who answers it: the app's Fastify plugin or the pipeline, by the one order of specificity that
 * holds for all endpoints.
 *
 * They are two servers, since the pipeline's leaves to Rowhouse what a plugin expects of Fastify: bodies, HEAD, a
 * logger for each request, the parsing of queries.
 */
export class Front {
  readonly #options: FrontOptions
  /** Requests of the pipeline's that were handed over. */
  readonly #handedOver = new WeakSet<FastifyRequest>()

  constructor(options: FrontOptions) {
    this.#options = options
  }

  /**
   * Puts itself in front of the listener of the pipeline's server. Must be called before the plugin is loaded: what
   * that adds to the listener counts.
   */
  static stand(pipeline: FastifyInstance, front: () => Front | null): void {
    pipeline.server.off('request', pipeline.routing)
    pipeline.server.on('request', (raw, response) => {
      const present = front()
      if (present === null) pipeline.routing(raw, response)
      else present.#route(raw, response)
    })
  }

  #route(raw: IncomingMessage, response: ServerResponse): void {
    const { pipeline, plugin } = this.#options
    let passage: Passage
    try {
      passage = this.passageOf(raw)
    } catch {
      // It is refused where the pipeline looks at it.
      pipeline.routing(raw, response)
      return
    }
    if (passage.owner === 'plugin') plugin.routing(raw, response)
    else pipeline.routing(raw, response)
  }

  /**
   * Finds out who answers a message, once.
   *
   * @throws HttpError 4xx when it cannot be read
   */
  passageOf(raw: AddressedMessage): Passage {
    const present = passageOf(raw)
    if (present !== null) return present
    const destination = findDestination(raw, raw.originalUrl ?? raw.url ?? '', this.#options.matcher)
    const passage: Passage = { destination, owner: this.#ownerOf(raw, destination), passedOn: null, isBodyGone: false }
    setPassage(raw, passage)
    return passage
  }

  #ownerOf({ method = '', url = '', headers }: IncomingMessage, { target, match }: Destination): Passage['owner'] {
    const { plugin, addresses, answersUnknown } = this.#options
    if (isReserved(target.segments, addresses)) return 'pipeline'
    const endpoint = match?.resource.endpointFor(method)
    if (endpoint !== undefined) return endpoint.door === 'fastify' ? 'plugin' : 'pipeline'
    if (match !== null && !match.resource.isFastify) return 'pipeline'
    // Fastify reads some paths in ways that are its own, such as an empty parameter, and `*` for OPTIONS answers for
    // any path.
    if (plugin.findRoute({ method, url, constraints: {} }) !== null) return 'plugin'
    // It has no answer of its own to preflights, which must not keep anybody from what its routes open.
    if (match !== null && method === 'OPTIONS' && isPreflight(headers) && ruleOfPath(match.resource, headers.origin) !== undefined) return 'pipeline'
    return answersUnknown(target.path) ? 'plugin' : 'pipeline'
  }

  /**
   * Whether a message for which the plugin has no route is the plugin's to answer: it says itself what happens to
   * unknown paths, and the pipeline does not know this one either.
   */
  leavesUnknown({ destination: { target } }: Passage): boolean {
    return this.#options.answersUnknown(target.path) && this.#options.pipelineMatcher.match(target.segments) === null
  }

  /** Lets the pipeline answer what the plugin has not. */
  passOn(request: FastifyRequest, reply: FastifyReply, passage: Passage): void {
    const { pipeline, accessKey } = this.#options
    const { raw } = request
    // Nobody else gets this far without the key but the plugin, when it injects a request of its own.
    accessKey?.trust(raw)
    passage.owner = 'pipeline'
    passage.passedOn = request.id
    passage.isBodyGone = raw.readableDidRead
    reply.hijack()
    // All that an answer which did not come off may have left behind.
    for (const name of reply.raw.getHeaderNames()) reply.raw.removeHeader(name)
    reply.raw.statusCode = 200
    pipeline.routing(raw, reply.raw)
  }

  /** Whether the pipeline has handed a request over, whoever then answers it. */
  hasHandedOver(request: FastifyRequest): boolean {
    return this.#handedOver.has(request)
  }

  /**
   * Where the pipeline takes a request to be sent to; null for one that the plugin answers, which gets it: that came
   * neither by the listener nor from there, but was injected.
   */
  readonly destinationOf = (request: FastifyRequest, reply: FastifyReply): Destination | null => {
    const { plugin, pipelineMatcher } = this.#options
    const raw: AddressedMessage = request.raw
    const isNew = passageOf(raw) === null
    const { destination, owner, passedOn, isBodyGone } = this.passageOf(raw)
    if (isNew && owner === 'plugin') {
      if (raw.originalUrl !== undefined) raw.url = raw.originalUrl
      this.#handedOver.add(request)
      reply.hijack()
      plugin.routing(raw, reply.raw)
      return null
    }
    if (passedOn === null) return destination
    if (isBodyGone) throw refusal('no-endpoint', 'Not Found')
    return { target: destination.target, match: pipelineMatcher.match(destination.target.segments) }
  }
}

/** The events by which Node.js hands over a message. */
const messageEvents: ReadonlySet<string | symbol> = new Set([
  'request',
  'checkContinue',
  'checkExpectation',
  'upgrade',
  'connect',
])

/**
 * Takes the key of a private app off each message before anybody who listens sees it, such as a plugin that has added
 * itself to the listener, and lets nobody but the pipeline see those without it.
 */
export function guardListener(pipeline: FastifyInstance, accessKey: AccessKey): void {
  const { server } = pipeline
  const own: (...event: never[]) => unknown = server.emit
  const emit = (...event: readonly unknown[]): boolean => Reflect.apply(own, server, event) === true
  server.emit = (name: string | symbol, ...rest: unknown[]): boolean => {
    if (!messageEvents.has(name)) return emit(name, ...rest)
    const [raw, other] = rest as [AddressedMessage, ServerResponse | Socket]
    if (accessKey.admit(raw)) {
      if (raw.originalUrl !== undefined) raw.url = raw.originalUrl
      return emit(name, ...rest)
    }
    if (other instanceof ServerResponse) pipeline.routing(raw, other)
    else answerOnSocket(raw, other, pipeline.routing)
    return true
  }
}
