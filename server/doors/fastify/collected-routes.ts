import type { FastifyContextConfig, FastifyInstance, FastifyRequest, RouteOptions } from 'fastify'
import { nearestName } from '../../../db/errors/nearest-name.js'
import { CallSites } from '../../endpoint/call-site.js'
import type { Endpoint } from '../../endpoint/endpoint.js'
import { accessOf, callerOptionNames, checkSettings, type EndpointOptions } from '../../endpoint/options.js'
import { readRateLimits } from '../../endpoint/rate-limit.js'
import { refuseReserved, type DeclarationSettings } from '../../endpoint/registry.js'
import { readCorsRule } from '../../http/cors/cors-options.js'
import { corsHeaders, type CorsHeaders, type CorsRule } from '../../http/cors/cors-rule.js'
import { DeclarationError, withPlace } from '../../errors/declaration-error.js'
import type { SourceLocation } from '../../errors/source-location.js'
import { readRoutePatterns } from './route-pattern.js'

/** In the `config` of a route: the record that was made of it. */
export const declared = Symbol('the endpoint that a Fastify route is')

declare module 'fastify' {
  interface FastifyContextConfig {
    readonly [declared]?: Endpoint
  }
}

/** What the route of a request says to pages of other origins. @param unknown what counts where there is no route */
export function corsOfRoute({ headers, routeOptions: { config } }: FastifyRequest, unknown: CorsRule): CorsHeaders | null {
  return corsHeaders(config[declared]?.options.cors ?? unknown, headers.origin)
}

/** The longest body that Fastify takes in where nobody says otherwise, in bytes. */
export const plainBodyLimit = 1_048_576

/** A route, by what is left of it when plugins have changed its options. */
interface Recorded {
  readonly endpoint: Endpoint
  readonly route: RouteOptions
  /** As its author wrote it; a plugin may put another in its place. */
  readonly handler: RouteOptions['handler']
  /** Where it was declared: some plugins that are registered there decide in the place of a setting. */
  readonly scope: FastifyInstance
}

/** The routes of an app's Fastify plugin, and of the plugins that it registers, as endpoints among all others. */
export class CollectedRoutes {
  readonly #settings: DeclarationSettings
  readonly #plugin: SourceLocation
  readonly #callSites: CallSites
  readonly #recorded: Recorded[] = []
  /** Those that have a place of their own among the paths of the app, one for each pattern. */
  readonly #placed: Endpoint[] = []
  readonly #all: RouteOptions[] = []

  /** @param plugin the place of the plugin, which is told for routes that the app's own code does not declare itself */
  constructor(settings: DeclarationSettings, plugin: SourceLocation) {
    this.#settings = settings
    this.#plugin = plugin
    this.#callSites = new CallSites(settings.directory)
  }

  /** One for each route, as it was written. */
  get endpoints(): readonly Endpoint[] {
    return this.#recorded.map(({ endpoint }) => endpoint)
  }

  /** What the matcher has to know of them. */
  get placed(): readonly Endpoint[] {
    return this.#placed
  }

  /**
   * The options of all routes, those included that Fastify has added for HEAD. They can still be changed until the
   * server is ready.
   */
  get options(): readonly RouteOptions[] {
    return this.#all
  }

  /**
   * Takes a route in, as Fastify tells of it when it is declared.
   *
   * @param scope the instance on which it is declared
   * @throws DeclarationError when its path is the platform's, or what its `config` says of callers is wrong
   */
  add(route: RouteOptions, scope: FastifyInstance): void {
    const endpoint = this.#addedForHead(route) ?? this.#record(route, scope)
    route.config = { ...route.config, [declared]: endpoint }
    this.#all.push(route)
  }

  /**
   * Reads what the routes' `config` says of callers, once all that may change it has run, such as the `onRoute` hooks of
   * the plugin.
   *
   * @throws DeclarationError when it is wrong, or a hook has put another `config` in the place of a route's
   */
  settle(): void {
    for (const { method, url, config } of this.#all) {
      if (config?.[declared] !== undefined) continue
      const whole = 'change it as { ...route.config, authenticateUsers: true }'
      throw new DeclarationError(`an onRoute hook has replaced the config of ${[method].flat().join(' ')} ${url}; ${whole}`, this.#plugin)
    }
    for (const { endpoint, route, scope } of this.#recorded) {
      const { rateLimit: _limit, ...unlimited } = route.config ?? {}
      // @fastify/rate-limit has options of the same name, and leaves this for everybody to see.
      const own = scope.hasDecorator('rateLimit') ? unlimited : (route.config ?? {})
      // What its author has told @fastify/cors to keep closed, no setting opens.
      const settings = scope.hasPlugin('@fastify/cors') ? { ...this.#settings, cors: false } : this.#settings
      Object.assign(endpoint.options, withPlace(endpoint.source, () => readCaller(route.url, own, settings)))
    }
  }

  /** For each route for GET Fastify adds one for HEAD right after it. */
  #addedForHead({ method, url, handler }: RouteOptions): Endpoint | null {
    const last = this.#recorded.at(-1)
    if (method !== 'HEAD' || last === undefined || last.route.exposeHeadRoute === false) return null
    if (!last.endpoint.methods.includes('GET') || last.handler !== handler) return null
    return url === last.endpoint.path.text || url === `${last.endpoint.path.text}/` ? last.endpoint : null
  }

  #record(route: RouteOptions, scope: FastifyInstance): Endpoint {
    const source = this.#callSites.inApp() ?? this.#plugin
    const methods = [...new Set([route.method].flat().map((method) => method.toUpperCase()))]
    const { handlerTimeout, cors } = this.#settings
    const [path, ...others] = readRoutePatterns(route.url)
    if (path === undefined) throw new Error(`the path ${route.url} has no pattern`)
    const endpoint: Recorded['endpoint'] = {
      door: 'fastify',
      path,
      prefix: '',
      methods,
      options: {
        // Until all that may say otherwise has run.
        access: 'user',
        crossSiteSession: false,
        cors: readCorsRule(cors, this.#settings),
        csrf: false,
        rateLimits: null,
        params: [],
        body: null,
        bodyLimit: route.bodyLimit ?? plainBodyLimit,
        // Fastify has one limit for both.
        decodeLimit: route.bodyLimit ?? plainBodyLimit,
        // Fastify does not, unless a plugin sees to it.
        decompress: false,
        timeout: handlerTimeout,
        name: null,
        summary: summaryOf(route),
      },
      handler: neverCalled,
      source,
    }
    refuseReserved(endpoint, this.#settings)
    this.#recorded.push({ endpoint, route, handler: route.handler, scope })
    if (!isForEveryPreflight(endpoint))
      this.#placed.push(endpoint, ...others.map((other) => ({ ...endpoint, path: other })))
    return endpoint
  }
}

/**
 * A route for OPTIONS on any path at all, such as `@fastify/cors` has, is not what those paths are for: without it they
 * would be unknown.
 */
function isForEveryPreflight({ methods, path: { segments } }: Endpoint): boolean {
  return segments[0]?.kind === 'rest' && segments[0].start === '' && methods.every((method) => method === 'OPTIONS')
}

/** The handlers of these endpoints are Fastify's to call. */
const neverCalled: Endpoint['handler'] = (() => () => {
  throw new Error('a Fastify route was called as an endpoint')
})()

/** Other plugins have options of their own in there, which are theirs to check. */
function readCaller(path: string, config: FastifyContextConfig, settings: DeclarationSettings): Pick<EndpointOptions, 'access' | 'crossSiteSession' | 'csrf' | 'cors' | 'rateLimits'> {
  const names = Object.keys(config)
  const misspelt = names.find(
    (name) => !callerOptionNames.includes(name) && nearestName(name, callerOptionNames) !== undefined,
  )
  // What is not seen would leave open what its author meant to close.
  if (misspelt !== undefined)
    throw new DeclarationError(
      `the route ${path} has "${misspelt}" in its config; did you mean "${nearestName(misspelt, callerOptionNames)}"?`,
    )
  const { given, mistakes } = checkSettings(
    Object.fromEntries(Object.entries(config).filter(([name]) => callerOptionNames.includes(name))),
  )
  if (mistakes.length > 0) throw new DeclarationError(`the route ${path}: ${mistakes.join('; ')}, in its config`)
  return {
    access: accessOf(given),
    crossSiteSession: given.crossSiteSession ?? false,
    csrf: given.csrf ?? false,
    cors: readCorsRule(given.enableCors ?? settings.cors, settings),
    rateLimits: readRateLimits(given.rateLimit, settings.rateLimit),
  }
}

function summaryOf({ schema }: RouteOptions): string | null {
  const summary: unknown = schema === undefined ? undefined : Reflect.get(schema, 'summary')
  return typeof summary === 'string' ? summary : null
}
