import { METHODS } from 'node:http'
import { Column } from '../../db/columns/columns.js'
import { describeGiven } from '../../db/errors/describe-value.js'
import { nearestName } from '../../db/errors/nearest-name.js'
import type { StandardSchema } from '../../db/values/standard-schema.js'
import { findCorsMistakes, readCorsRule, type CorsOption, type OwnOrigins } from '../http/cors/cors-options.js'
import type { CorsRule } from '../http/cors/cors-rule.js'
import type { Access } from './access.js'
import { DeclarationError } from '../errors/declaration-error.js'
import { suggestName } from '../errors/nearest-name.js'
import { usualMethods, type Method } from './methods.js'
import { isParameterKind, OptionalParameter, parameterKinds, type Parameter, type Parameters } from './parameters.js'
import { checkRateLimit, readRateLimits, type DefaultRateLimit, type EndpointLimits, type RateLimitOption } from './rate-limit.js'

/** Who has to be signed in: nobody, everybody, or whoever sends credentials. */
export type AuthenticateUsers = boolean | 'optional'

/** What an author may say of an endpoint. */
export interface EndpointSettings<
  Params extends Parameters = Parameters,
  Body = unknown,
  SignedIn extends AuthenticateUsers = AuthenticateUsers,
> {
  /** The methods it answers. */
  readonly methods?: readonly Method[]
  /** Parameters that must be there and are converted, by name: `{ title: text(), page: integer().default(1) }`. */
  readonly params?: Params
  /** A Standard Schema validator (Zod, Valibot, …) for the JSON body, which every request must then have. */
  readonly body?: StandardSchema<unknown, Body>
  /** Whether only signed-in users get in. With `'optional'` everybody does: the user is null for whoever sends no credentials; wrong ones are refused all the same. */
  readonly authenticateUsers?: SignedIn
  /** Whether some HTTP credentials must be sent; the handler judges them. */
  readonly requireCredentials?: boolean
  /** Whether requests that a browser sends on behalf of another site run with what it keeps for this one: cookies, session, signed-in user. They do not by default. */
  readonly crossSiteSession?: boolean
  /** Whether a request that changes something has to show that a page of the same session has caused it, by a token that `csrfToken()` gives: in a header `x-csrf-token` or a form's field `_csrf`. */
  readonly csrf?: boolean
  /**
   * Whether pages of other origins may read its answers: `true` for all of them, an origin or a list of origins for those, or `{ origins, credentials, headers, exposed, maxAge }`;
   * the app's `cors` by default.
   */
  readonly enableCors?: CorsOption
  /** How many requests of one client are let through in which time, such as `{ max: 10, per: 'minute' }`, or several such limits; `false` for none. The app's `rateLimit` by default. */
  readonly rateLimit?: RateLimitOption
  /** The longest body in bytes; the app's `bodyLimit` by default. */
  readonly bodyLimit?: number
  /**
   * How much of a body is decoded in memory, in bytes: JSON, a form, or the fields of one with files; the app's
   * `decodeLimit` by default. The bytes of a longer one can still be read.
   */
  readonly decodeLimit?: number
  /** Whether the body may be compressed; bodies that are, are refused otherwise. A few bytes of one can take much memory. */
  readonly decompress?: boolean
  /** How long the handler may run, in milliseconds; the app's `handlerTimeout` by default. */
  readonly timeout?: number
  /** What `urlFor` calls it; the name of its handler by default. */
  readonly name?: string
  /** One sentence on what it is for. */
  readonly summary?: string
  /** The same as `requireCredentials`. */
  readonly requireAuth?: boolean
  /** The same as `requireCredentials`. */
  readonly require_auth?: boolean
  /** The same as `requireCredentials`. */
  readonly require_credentials?: boolean
  /** The same as `authenticateUsers`. */
  readonly authenticate_users?: SignedIn
  /** The same as `crossSiteSession`. */
  readonly cross_site_session?: boolean
  /** The same as `enableCors`. */
  readonly enable_cors?: CorsOption
  /** The same as `enableCors`. */
  readonly cross_origin?: CorsOption
  /** The same as `enableCors`. */
  readonly crossOrigin?: CorsOption
  /** The same as `rateLimit`. */
  readonly rate_limit?: RateLimitOption
}

/** The options of an endpoint, checked and complete. */
export interface EndpointOptions {
  readonly access: Access
  readonly params: readonly (readonly [string, Parameter])[]
  readonly body: StandardSchema | null
  readonly crossSiteSession: boolean
  /** Whether requests that change something need a token. */
  readonly csrf: boolean
  readonly cors: CorsRule
  /** Null for none. */
  readonly rateLimits: EndpointLimits | null
  /** In bytes. */
  readonly bodyLimit: number
  /** How much of a body is decoded in memory, in bytes. */
  readonly decodeLimit: number
  /** Whether the body may be compressed. */
  readonly decompress: boolean
  /** In milliseconds. */
  readonly timeout: number
  /** As it was given; null when `urlFor` goes by the handler's name. */
  readonly name: string | null
  readonly summary: string | null
}

/** What holds for endpoints that say nothing themselves. */
export interface EndpointDefaults extends OwnOrigins {
  readonly methods: readonly Method[]
  /** In bytes. */
  readonly bodyLimit: number
  /** How much of the disk all bodies may take together, in bytes; one client gets half of it. */
  readonly bodyDiskLimit: number
  /** In bytes. */
  readonly decodeLimit: number
  /** In milliseconds. */
  readonly handlerTimeout: number
  readonly cors: CorsOption
  readonly rateLimit: DefaultRateLimit
}

/** Other names for options, as the documents spell them that people come from. */
const aliases: ReadonlyMap<string, string> = new Map([
  ['requireAuth', 'requireCredentials'],
  ['require_auth', 'requireCredentials'],
  ['require_credentials', 'requireCredentials'],
  ['authenticate_users', 'authenticateUsers'],
  ['cross_site_session', 'crossSiteSession'],
  ['enable_cors', 'enableCors'],
  ['cross_origin', 'enableCors'],
  ['crossOrigin', 'enableCors'],
  ['rate_limit', 'rateLimit'],
])

/** Those that the parser of Node.js reads. CONNECT asks for a tunnel, and has no path. */
const knownMethods: readonly string[] = METHODS.filter((method) => method !== 'CONNECT')

/** Who gets in and how often, what a request has to show, and who may read the answers. */
const accessOptions: ReadonlySet<string> = new Set(['authenticateUsers', 'requireCredentials', 'csrf', 'enableCors', 'rateLimit'])
/** The names of the options that say who calls, from where and how often, in all their spellings. */
export const callerOptionNames: readonly string[] = [...accessOptions, 'crossSiteSession', ...aliases.keys()]

/** What is wrong with the value of an option, each as the end of a sentence that begins with the option. */
type Check = (value: unknown) => readonly string[]

/** A check that says what is expected and what came. */
function takes(expected: string, passes: (value: unknown) => boolean): Check {
  return (value) => (passes(value) ? [] : [`takes ${expected}, got ${describeGiven(value)}`])
}

const isText = (value: unknown): value is string => typeof value === 'string'
const isAmount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) > 0
const takesBoolean = takes('true or false', (value) => typeof value === 'boolean')

/** What each option takes. */
const checks: Readonly<Record<string, Check>> = {
  methods: checkMethods,
  params: checkParameters,
  body: takes('a Standard Schema validator, such as one made with Zod or Valibot', isSchema),
  authenticateUsers: takes("true, false or 'optional'", (value) => typeof value === 'boolean' || value === 'optional'),
  requireCredentials: takesBoolean,
  crossSiteSession: takesBoolean,
  csrf: takesBoolean,
  enableCors: findCorsMistakes,
  rateLimit: checkRateLimit,
  bodyLimit: takes('a whole number of bytes above 0', isAmount),
  decodeLimit: takes('a whole number of bytes above 0', isAmount),
  decompress: takesBoolean,
  timeout: takes('a whole number of milliseconds above 0', isAmount),
  name: takes('a text that is not empty', (value) => isText(value) && value !== ''),
  summary: takes('a text', isText),
}

/** The names that an endpoint's options may have. */
export const optionNames: readonly string[] = [...Object.keys(checks), ...aliases.keys()]

/**
 * Checks what an author said of an endpoint and fills in the rest.
 *
 * @throws DeclarationError that tells of every mistake at once
 */
export function readSettings(path: string, settings: unknown, defaults: EndpointDefaults): { readonly methods: readonly string[]; readonly options: EndpointOptions } {
  if (typeof settings !== 'object' || settings === null || Array.isArray(settings)) {
    throw new DeclarationError(`the endpoint ${path} takes an object of options as its second argument, got ${describeGiven(settings)}`)
  }
  const { given, mistakes: found } = checkSettings(settings)
  const mistakes = [...found, ...checkRoom(given, defaults)]
  if (mistakes.length > 0) throw new DeclarationError(`the endpoint ${path}: ${mistakes.join('; ')}`)
  return complete(given, defaults)
}

/** A body that no client could ever send. */
function checkRoom({ bodyLimit = 0 }: EndpointSettings, { bodyDiskLimit }: EndpointDefaults): readonly string[] {
  const most = Math.floor(bodyDiskLimit / 2)
  if (bodyLimit <= most) return []
  const expected = `takes at most ${most}, half of the setting bodyDiskLimit, which is what one client gets`
  return [`the option "bodyLimit" ${expected}, got ${bodyLimit}; raise bodyDiskLimit in rowhouse.config.ts`]
}

/** Options of an endpoint by their proper names, as far as they are right, and all that is wrong with the others. */
export function checkSettings(settings: object): { readonly given: EndpointSettings; readonly mistakes: readonly string[] } {
  const mistakes: string[] = []
  const given: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(settings)) {
    const option = aliases.get(name) ?? name
    const check = Object.hasOwn(checks, option) ? checks[option] : undefined
    if (check === undefined) {
      mistakes.push(`unknown option "${name}"; ${suggestName(name, Object.keys(checks))}`)
      continue
    }
    if (Object.hasOwn(given, option)) mistakes.push(`the option "${option}" is given twice, under two names`)
    // A mistyped constant must not open what its author meant to close.
    const wrong = value === undefined && !accessOptions.has(option) ? [] : check(value)
    mistakes.push(...wrong.map((what) => `the option "${name}" ${what}`))
    if (wrong.length === 0 && value !== undefined) given[option] = value
  }
  // Whoever judges the credentials could not be told from who does not, and nobody would.
  if (given['authenticateUsers'] === 'optional' && given['requireCredentials'] === true) {
    mistakes.push("authenticateUsers: 'optional' and requireCredentials: true contradict each other; drop one of them")
  }
  // Each member has passed the check of its name.
  return { given: given as EndpointSettings, mistakes }
}

function complete(given: EndpointSettings, defaults: EndpointDefaults): ReturnType<typeof readSettings> {
  return {
    methods: given.methods ?? defaults.methods,
    options: {
      access: accessOf(given),
      params: Object.entries(given.params ?? {}),
      body: given.body ?? null,
      crossSiteSession: given.crossSiteSession ?? false,
      csrf: given.csrf ?? false,
      cors: readCorsRule(given.enableCors ?? defaults.cors, defaults),
      rateLimits: readRateLimits(given.rateLimit, defaults.rateLimit),
      bodyLimit: given.bodyLimit ?? defaults.bodyLimit,
      decodeLimit: given.decodeLimit ?? defaults.decodeLimit,
      decompress: given.decompress ?? false,
      timeout: given.timeout ?? defaults.handlerTimeout,
      name: given.name ?? null,
      summary: given.summary ?? null,
    },
  }
}

/** Who has to be known before an endpoint with these options is asked. */
export function accessOf({ authenticateUsers, requireCredentials }: EndpointSettings): Access {
  if (authenticateUsers === true) return 'user'
  if (requireCredentials === true) return 'credentials'
  return authenticateUsers === 'optional' ? 'optional' : 'nobody'
}

function checkMethods(value: unknown): readonly string[] {
  if (!Array.isArray(value) || value.length === 0) return [`takes a list of methods, such as ['GET', 'PUT'], got ${describeGiven(value)}`]
  const methods = new Set<unknown>(value)
  const unknown = [...methods].filter((method) => !isText(method) || !knownMethods.includes(method))
  return [
    ...unknown.map((method) => `has ${describeGiven(method)}, which is no method that an endpoint can answer${isText(method) ? `; ${suggestMethod(method)}` : ''}`),
    ...(methods.size < value.length ? ['has a method twice'] : []),
  ]
}

function suggestMethod(unknown: string): string {
  const nearest = nearestName(unknown, [...usualMethods, ...knownMethods])
  return nearest === undefined ? `usual are ${usualMethods.join(', ')}` : `did you mean "${nearest}"?`
}

function checkParameters(value: unknown): readonly string[] {
  const expected = 'column types or validators by name, such as { title: text() }'
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`takes ${expected}, got ${describeGiven(value)}`]
  const mistakes = Object.entries(value).flatMap(([name, parameter]) => checkParameter(parameter).map((mistake) => `${name} is ${mistake}`))
  return mistakes.length === 0 ? [] : [`takes ${expected}, but ${mistakes.join(', and ')}`]
}

function checkParameter(parameter: unknown): readonly string[] {
  const column = parameter instanceof OptionalParameter ? (parameter.column as unknown) : parameter
  if (!(column instanceof Column)) return isSchema(column) ? [] : [describeGiven(column)]
  const { kind } = column.settings
  return isParameterKind(kind) ? [] : [`a ${kind} column, which no parameter can hold (use one of ${parameterKinds.join(', ')})`]
}

function isSchema(value: unknown): value is StandardSchema {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null || !('~standard' in value)) return false
  const standard = value['~standard']
  return typeof standard === 'object' && standard !== null && 'validate' in standard && typeof standard.validate === 'function'
}
