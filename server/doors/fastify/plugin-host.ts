import type { Server } from 'node:http'
import {
  fastify,
  LogController,
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyPluginCallback,
  type FastifyReply,
  type FastifyRequest,
  type onResponseHookHandler,
  type onSendHookHandler,
  type RouteOptions,
} from 'fastify'
import type { DeclaredPlugin, DeclarationSettings } from '../../endpoint/registry.js'
import { believeProxies } from '../../http/request/forwarded.js'
import { CollectedRoutes } from './collected-routes.js'
import { refuseTakenNames } from './plugin-call.js'
import { registerUsualPlugins } from './usual-plugins.js'

/** Where a plugin finds itself. */
export interface PluginHostOptions {
  readonly settings: DeclarationSettings & { readonly trustedProxies: readonly string[] }
  /** The listener that the plugin shares; it is neither started nor stopped here. */
  readonly listener: Server
  /** The log for the lines of the app's own code; null for a plugin that is only looked at. */
  readonly log: FastifyBaseLogger | null
}

/** What is done for the requests of a plugin, beside what Fastify does. */
export interface PluginService {
  /** Adds the hooks that come before all of the plugin's. */
  begin(instance: FastifyInstance): void | Promise<void>
  /** The last of the hooks of each answer. */
  readonly sendOff: onSendHookHandler<unknown>
  /** What comes before each hook that is told that an answer has been sent. */
  readonly afterwards: onResponseHookHandler
  /**
   * Takes over a request that the plugin has found nothing for, unless the plugin is to answer that itself; returns
   * whether it has.
   */
  passOn(request: FastifyRequest, reply: FastifyReply): boolean
}

type NotFoundHandler = (this: FastifyInstance, request: FastifyRequest, reply: FastifyReply) => unknown

/** A Fastify instance as plain as its author expects it, in which the plugin of an app has been run. */
export class PluginHost {
  readonly instance: FastifyInstance
  readonly routes: CollectedRoutes
  readonly #plugin: DeclaredPlugin['plugin']
  readonly #listenHooks: Hook[] = []
  /** The prefixes of the scopes that say themselves what happens to unknown paths. */
  readonly #unknownPrefixes: string[] = []
  readonly #closeHooks: Hook[] = []
  #letClose: () => void = () => undefined
  readonly #mayClose = new Promise<void>((resolve) => (this.#letClose = resolve))

  constructor({ plugin, source }: DeclaredPlugin, { settings, listener, log }: PluginHostOptions) {
    this.#plugin = plugin
    this.routes = new CollectedRoutes(settings, source)
    this.instance = fastify({
      serverFactory: () => listener,
      // The server of the pipeline answers those.
      clientErrorHandler: () => undefined,
      ...(log !== null && { loggerInstance: log }),
      logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
      return503OnClosing: false,
      // Its plugin has no other place to say so, and 100 characters are too few for many an id; longer parts of a path
      // are refused before it.
      routerOptions: { maxParamLength: 4096 },
    })
    if (settings.trustedProxies.length > 0) believeProxies(this.instance, settings.trustedProxies)
  }

  /**
   * Runs the plugin, and collects its routes. What is to be done once the server is ready is not done yet.
   *
   * @throws whatever the plugin throws
   */
  async load(service: PluginService | null): Promise<void> {
    const { instance, routes } = this
    instance.addHook('onRoute', function (route) {
      routes.add(route, this)
    })
    const answerUnknown = this.#watchUnknown(service)
    await service?.begin(instance)
    refuseTakenNames(instance)
    this.#watchHooks(service)
    await instance.register(async (scope) => {
      await registerUsualPlugins(scope)
      // In a scope of its own even if it is made not to have one: what it adds replaces what is here.
      await scope.register(async (own) => {
        await own.register(this.#plugin as FastifyPluginCallback)
      })
    })
    await instance.after()
    routes.settle()
    if (service !== null) for (const route of routes.options) serveRoute(route, service)
    answerUnknown()
  }

  /** Whether the plugin has an answer of its own for a path that nobody knows. */
  answersUnknown(path: string): boolean {
    return this.#unknownPrefixes.some((prefix) => prefix === '/' || path === prefix || path.startsWith(`${prefix}/`))
  }

  /** What the plugin wants done once the server listens. */
  get listenHooks(): readonly Hook[] {
    return this.#listenHooks
  }

  /**
   * Tells the plugin that the server begins to stop; resolves when it has closed, which it does not before {@link
   * letClose}.
   */
  async close(): Promise<void> {
    for (const hook of this.#closeHooks) await runHook(hook)
    // Not in a hook of Fastify's, which gives each of them ten seconds: requests under way may take longer.
    await this.#mayClose
    await this.instance.close()
  }

  /** Told when no request is under way any more, so that the plugin may close what its requests needed. */
  letClose(): void {
    this.#letClose()
  }

  /**
   * Hooks that wait for a server of their own to listen, or are told of its end, are kept, and those that come after an
   * answer are told in its call.
   */
  #watchHooks(service: PluginService | null): void {
    const { addHook } = this.instance
    const listenHooks = this.#listenHooks
    const closeHooks = this.#closeHooks
    const followed = new WeakSet<FastifyInstance>()
    Object.assign(this.instance, {
      addHook(this: FastifyInstance, name: string, hook: unknown): unknown {
        if (name === 'onListen' && typeof hook === 'function') {
          listenHooks.push(hook.bind(this) as Hook)
          return this
        }
        if (name === 'preClose' && typeof hook === 'function') {
          closeHooks.push(hook.bind(this) as Hook)
          return this
        }
        if (name === 'onResponse' && service !== null && !followed.has(this)) {
          followed.add(this)
          Reflect.apply(addHook, this, [name, service.afterwards])
        }
        return Reflect.apply(addHook, this, [name, hook])
      },
    })
  }

  /**
   * Lets the pipeline answer in the place of Fastify's own 404. Returns what is to be called when the plugin has been
   * run.
   */
  #watchUnknown(service: PluginService | null): () => void {
    const { instance } = this
    const { setNotFoundHandler } = instance
    const prefixes = this.#unknownPrefixes
    Object.assign(instance, {
      setNotFoundHandler(this: FastifyInstance, first: unknown, second: unknown): unknown {
        const [options, handler] = typeof first === 'function' ? [{}, first] : [first, second]
        if (typeof handler !== 'function') return Reflect.apply(setNotFoundHandler, this, [first, second])
        prefixes.push(this.prefix === '' ? '/' : this.prefix)
        const watched = function (this: FastifyInstance, request: FastifyRequest, reply: FastifyReply): unknown {
          return service?.passOn(request, reply) === true
            ? undefined
            : Reflect.apply(handler as NotFoundHandler, this, [request, reply])
        }
        return Reflect.apply(setNotFoundHandler, this, [{ ...(options as object), onSend: service?.sendOff }, watched])
      },
    })
    return () => {
      if (prefixes.includes('/')) return
      const passOn = (request: FastifyRequest, reply: FastifyReply): void => void service?.passOn(request, reply)
      Reflect.apply(setNotFoundHandler, instance, [passOn])
    }
  }
}

/** Adds what is done for each request of a route. */
function serveRoute(route: RouteOptions, { sendOff, afterwards }: PluginService): void {
  route.onSend = [...listOf(route.onSend), sendOff]
  if (route.onResponse !== undefined) route.onResponse = [afterwards, ...listOf(route.onResponse)]
}

function listOf<Hook>(hooks: Hook | Hook[] | undefined): Hook[] {
  return hooks === undefined ? [] : ([hooks].flat() as Hook[])
}

/** A hook of the server's life; Fastify tells by its number of arguments whether it says by itself that it is done. */
type Hook = (done?: (failure?: Error) => void) => unknown

async function runHook(hook: Hook): Promise<void> {
  if (hook.length === 0) await hook()
  else await new Promise<void>((resolve, reject) => void hook((failure) => (failure === undefined ? resolve() : reject(failure))))
}
