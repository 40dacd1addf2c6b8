import { asciiLine, integer, line, listOf, members, network, oneOf, origin, originOrNull, pathPrefix, type Check } from './checks.js'

/** One setting: what it may be and what it is when nobody sets it. */
export interface Setting<Value> {
  readonly check: Check<Value>
  /** Null for those whose default is found in the app's folder; see `configuration.ts`. */
  readonly default: Value | null
  /** Whether an environment variable can set it. */
  readonly variable: boolean
}

function setting<Value>(check: Check<Value>, fallback: Value | null, variable = true): Setting<Value> {
  return { check, default: fallback, variable }
}

const second = 1000
const mebibyte = 1024 * 1024
const milliseconds = integer(1, 86_400 * second, 'milliseconds')
const bytes = integer(1, 1024 * mebibyte, 'bytes')

/**
 * Every setting of an app, with the reason of its default. `docs/configuration.md` lists the same; a test compares the two.
 */
export const settings = {
  /** What the app is called in messages, and its realm. */
  name: setting(line, null),
  /** The TCP port to listen on; 0 takes a free one. */
  port: setting(integer(0, 65_535), 3030),
  /** The address to listen on. Only this machine by default: opening an app to the network is a decision of its own. */
  host: setting(line, '127.0.0.1'),
  /** The folder of the database and all else that an app keeps. In the file, a relative path starts at the app's folder. */
  data: setting(line, '.rowhouse'),
  /** What stands before the paths of `httpEndpoint`. Reserved for the platform by default, so that an app's pages can have every other path. */
  apiPrefix: setting(pathPrefix, '/_/api'),
  /** Where the world reaches the app, such as `https://example.com`; links are built from it. */
  origin: setting(originOrNull, null),
  /** Further origins at which the app is reached; they count as its own. */
  alternateOrigins: setting(listOf(origin), []),
  /** The realm in `WWW-Authenticate`, which browsers show when they ask for a password. */
  realm: setting(asciiLine, null),
  /** The longest body that a request may have. Room for a photograph or a document, far from what exhausts the memory. */
  bodyLimit: setting(bytes, 20 * mebibyte),
  /** The longest body of an answer that is held in memory; a stream may be longer. */
  responseLimit: setting(bytes, 20 * mebibyte),
  /** How long a client may take to send the headers of a request; slower ones occupy connections on purpose. */
  headersTimeout: setting(milliseconds, 10 * second),
  /** How long a client may take to send a whole request, headers and body. */
  requestTimeout: setting(milliseconds, 30 * second),
  /** How long a handler may run before its caller gets 503. */
  handlerTimeout: setting(milliseconds, 30 * second),
  /** How long a connection may stay open between two requests. Longer than the 60 seconds after which the usual balancers drop one, so that they never send into a closing connection. */
  keepAliveTimeout: setting(milliseconds, 72 * second),
  /** How long requests in flight may take to finish once the process is told to stop. */
  shutdownTimeout: setting(milliseconds, 25 * second),
  /** The proxies whose `X-Forwarded-For` is believed. Nobody by default: anyone can send that header. */
  trustedProxies: setting(listOf(network), []),
  /** The work that one password hash takes (argon2id). The default is OWASP's minimum; it can only be raised. */
  passwordHashing: setting(
    members(
      { memoryKiB: integer(19_456, 1024 * 1024), iterations: integer(2, 100) },
      { memoryKiB: 19_456, iterations: 2 },
    ),
    { memoryKiB: 19_456, iterations: 2 },
    false,
  ),
  /** The least severe log lines that are written. */
  logLevel: setting(oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'), 'info'),
  /** How error replies are dressed: as the caller's `Accept` header asks, or always as JSON. */
  errors: setting(oneOf('auto', 'json'), 'auto'),
} as const

type Settings = typeof settings

/** Every setting, with its final value: what an app runs with. */
export type Configuration = {
  readonly [Name in keyof Settings]: Settings[Name] extends Setting<infer Value> ? Value : never
} & {
  /** The app's folder, absolute. */
  readonly directory: string
}

/** The settings as an app's `rowhouse.config.ts` or the options of `createApp` give them: each may be left out. */
export type ConfigurationInput = {
  readonly [Name in keyof Settings]?: Settings[Name] extends Setting<infer Value> ? Value | undefined : never
}
