import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { makeRequestIds } from '../../../plugins/request-ids.js'
import { requestLogs, type RequestLogsOptions } from '../../../plugins/request-logs.js'
import { runCall, type Call } from '../../call/call.js'
import { loadCall } from '../../call/load-call.js'
import type { Endpoint } from '../../endpoint/endpoint.js'
import { Matcher } from '../../endpoint/matcher.js'
import type { DeclaredPlugin, DeclarationSettings } from '../../endpoint/registry.js'
import { basePathOf } from '../../http/base-path.js'
import type { AccessKey } from '../../pipeline/access-key.js'
import type { FindEndpointOptions } from '../../pipeline/find-endpoint.js'
import type { PipelineParts } from '../../pipeline/parts.js'
import { Front, guardListener } from './front.js'
import { passageOf } from './passage.js'
import { sendOff } from './durable-answers.js'
import { decoratePluginRequests } from './plugin-call.js'
import { beginCalls, within } from './plugin-calls.js'
import { answerErrors } from './plugin-errors.js'
import { PluginHost } from './plugin-host.js'

/** What the Fastify plugin of an app is served with. */
export interface FastifyDoorOptions {
  readonly plugin: DeclaredPlugin
  readonly settings: DeclarationSettings & { readonly trustedProxies: readonly string[] }
  /** All endpoints but those of the plugin. */
  readonly endpoints: readonly Endpoint[]
  readonly parts: PipelineParts
  /** The server of the pipeline. */
  readonly pipeline: FastifyInstance
  /** The log, for the lines of the app's own code. */
  readonly log: FastifyBaseLogger
  /** How the log's lines of requests are written; null where they are not. */
  readonly lines: RequestLogsOptions | null
  /** Null where the app is not private. */
  readonly accessKey: AccessKey | null
  /** Aborts when the server begins to stop. */
  readonly stopping: AbortSignal
  /** What the server of the pipeline is decorated with, by name. */
  readonly decorations: Readonly<Record<string, unknown>>
}

/** Serves the Fastify plugin of an app, its `fastify.ts`, beside the pipeline and behind the same listener. */
export class FastifyDoor {
  readonly #options: FastifyDoorOptions
  readonly #host: PluginHost
  readonly #call: Call
  #front: Front | null = null
  #closed: Promise<void> | null = null

  private constructor(options: FastifyDoorOptions) {
    const { plugin, settings, pipeline, log, parts } = options
    this.#options = options
    this.#call = loadCall(parts.app, null)
    this.#host = new PluginHost(plugin, { settings, listener: pipeline.server, log })
  }

  /**
   * Runs the plugin, and lets it answer beside the other endpoints once the server listens. The pipeline's server must
   * have no hook yet that waits for its connections to end.
   *
   * @throws DeclarationError when two endpoints answer one path and method; both places are named
   * @throws whatever the plugin throws
   */
  static async open(options: FastifyDoorOptions): Promise<FastifyDoor> {
    const door = new FastifyDoor(options)
    try {
      await door.#inApp(() => door.#open())
      return door
    } catch (error) {
      await door.close().catch(() => undefined)
      throw error
    }
  }

  /** Its routes, one each. */
  get endpoints(): readonly Endpoint[] {
    return this.#host.routes.endpoints
  }

  /** Where the pipeline takes a request to be sent to. */
  get destinationOf(): FindEndpointOptions['destinationOf'] {
    return this.#theFront.destinationOf
  }

  /** What the pipeline's server says of requests in the log: of one that it has handed over, nothing. */
  linesOfPipeline(lines: RequestLogsOptions): RequestLogsOptions {
    return {
      ...lines,
      describe: (request, status) => (this.#theFront.hasHandedOver(request) ? null : lines.describe(request, status)),
    }
  }

  /** Resolves when the plugin has closed all that is its own. To be called once no request is under way. */
  async close(): Promise<void> {
    this.#host.letClose()
    await this.#beginClose()
  }

  get #theFront(): Front {
    if (this.#front === null) throw new Error('the Fastify plugin has not been opened')
    return this.#front
  }

  async #open(): Promise<void> {
    const { pipeline, endpoints, settings, accessKey, stopping, parts } = this.#options
    const host = this.#host
    // What the plugin adds to the listener comes on top of this.
    Front.stand(pipeline, () => this.#front)
    await host.load({
      begin: (instance) => this.#begin(instance),
      passOn: (request, reply) => this.#passOn(request, reply),
      sendOff: sendOff(() => stopping.aborted, parts),
      afterwards: (request, _reply, done) => within(request, done),
    })
    this.#front = new Front({
      pipeline,
      plugin: host.instance,
      matcher: new Matcher([...endpoints, ...host.routes.placed]),
      pipelineMatcher: new Matcher(endpoints),
      addresses: settings,
      accessKey,
      answersUnknown: (path) => host.answersUnknown(path),
    })
    await host.instance.ready()
    this.#listen()
    if (accessKey !== null) guardListener(pipeline, accessKey)
    pipeline.addHook('preClose', (done) => {
      void this.#beginClose()
      done()
    })
  }

  async #begin(instance: FastifyInstance): Promise<void> {
    const { settings, parts, lines, decorations } = this.#options
    for (const [name, value] of Object.entries(decorations)) instance.decorate(name, value)
    const basePath = basePathOf(settings)
    answerErrors(instance, parts)
    decoratePluginRequests(instance, basePath)
    beginCalls(instance, parts, () => this.#theFront)
    instance.setGenReqId(makeRequestIds(settings.trustedProxies))
    if (lines !== null) {
      const describe: RequestLogsOptions['describe'] = (request, status) =>
        passageOf(request.raw)?.owner === 'plugin' ? lines.describe(request, status) : null
      await instance.register(requestLogs, { ...lines, describe })
    }
  }

  #passOn(request: FastifyRequest, reply: FastifyReply): boolean {
    const front = this.#theFront
    const passage = front.passageOf(request.raw)
    if (front.leavesUnknown(passage)) return false
    front.passOn(request, reply, passage)
    return true
  }

  #listen(): void {
    for (const hook of this.#host.listenHooks) {
      // Fastify tells by their number of arguments whether hooks say by themselves that they are done.
      if (hook.length === 0) this.#options.pipeline.addHook('onListen', async () => void (await this.#inApp(hook)))
      else this.#options.pipeline.addHook('onListen', (done) => void this.#inApp(() => hook(done)))
    }
  }

  #beginClose(): Promise<void> {
    this.#closed ??= this.#inApp(() => this.#host.close())
    // Whoever closes it hears of a failure.
    this.#closed.catch(() => undefined)
    return this.#closed
  }

  /** What the plugin does while it starts and stops belongs to its app. */
  #inApp<Result>(work: () => Result): Result {
    return runCall(this.#call, work, undefined)
  }
}
