import { accessKey, asciiLine, flagOr, integer, line, listOf, network, oneOf, origin, originOrNull, path, pathOrNull, pathPrefix, type Check } from '../../settings/checks.js'

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

/** Settings that belong together, by name. In messages and in the documentation they are called `group.name`. */
export interface SettingGroup<Members extends Readonly<Record<string, Setting<unknown>>>> {
  readonly members: Members
}

function group<const Members extends Readonly<Record<string, Setting<unknown>>>>(members: Members): SettingGroup<Members> {
  return { members }
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
  data: setting(path, '.rowhouse'),
  /** What stands before the paths of `httpEndpoint`. Reserved for the platform by default, so that an app's pages can have every other path. */
  apiPrefix: setting(pathPrefix, '/_/api'),
  /** Where the world reaches the app, such as `https://example.com`; links are built from it. */
  origin: setting(originOrNull, null),
  /** Further origins at which the app is reached; they count as its own. */
  alternateOrigins: setting(listOf(origin), []),
  /** An app that is not for everybody: without its key there is nothing. */
  private: group({
    /** What stands before every path then. Long enough that nobody finds it by trying. */
    accessKey: setting(accessKey, null),
  }),
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
  /** How long a client may read nothing of an answer that waits for it. Far beyond what a phone in a tunnel takes to come back, short enough that nobody holds many answers in our memory. */
  sendTimeout: setting(milliseconds, 60 * second),
  /** How long a connection may stay open between two requests. Longer than the 60 seconds after which the usual balancers drop one, so that they never send into a closing connection. */
  keepAliveTimeout: setting(milliseconds, 72 * second),
  /** How long requests in flight may take to finish once the process is told to stop. */
  shutdownTimeout: setting(milliseconds, 25 * second),
  /** The proxies whose `X-Forwarded-For` is believed. Nobody by default: anyone can send that header. */
  trustedProxies: setting(listOf(network), []),
  /** The work that one password hash takes (argon2id). The default is OWASP's minimum; it can only be raised. */
  passwordHashing: group({
    /** The memory that it fills, in KiB. */
    memoryKiB: setting(integer(19_456, 1024 * 1024, 'KiB'), 19_456, false),
    /** How many times it goes over that memory. */
    iterations: setting(integer(2, 100), 2, false),
  }),
  /** The log: what is written, and to which file beside standard output. */
  logging: group({
    /** The least severe lines that are written. */
    level: setting(oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'), 'info'),
    /** A file that gets the lines too. None by default: what runs a server usually keeps its standard output. In the file, a relative path starts at the app's folder. */
    file: setting(pathOrNull, null),
    /** How lines look in the file: whole, or only what they say, for reading without a tool. */
    format: setting(oneOf('json', 'message'), 'json'),
    /** The size at which the file is put aside and a new one begun. Some 50,000 requests; an editor still opens it. */
    maxSize: setting(integer(1, 1024 * 1024 * mebibyte, 'bytes'), 10 * mebibyte),
    /** How many files that were put aside are kept, so that a log never fills the disk. */
    keep: setting(integer(0, 1000), 5),
  }),
  /** How error replies are dressed: as the caller's `Accept` header asks, or always as JSON. */
  errors: setting(oneOf('auto', 'json'), 'auto'),
  /** Whether the answer to an error that nobody caught shows what it was. Where `NODE_ENV` is `production`, only `'production'` turns it on: it shows source code to whoever asks. */
  debug: setting(flagOr('production'), false),
} as const

type Settings = typeof settings

type Value<Entry> = Entry extends Setting<infer Of> ? Of : Entry extends SettingGroup<infer Members> ? { readonly [Name in keyof Members]: Value<Members[Name]> } : never

type Input<Entry> = Entry extends Setting<infer Of> ? Of : Entry extends SettingGroup<infer Members> ? { readonly [Name in keyof Members]?: Input<Members[Name]> | undefined } : never

/** Every setting, with its final value: what an app runs with. */
export type Configuration = { readonly [Name in keyof Settings]: Value<Settings[Name]> } & {
  /** The app's folder, absolute. */
  readonly directory: string
}

/** The settings as an app's `rowhouse.config.ts` or the options of `createApp` give them: each may be left out. */
export type ConfigurationInput = { readonly [Name in keyof Settings]?: Input<Settings[Name]> | undefined }

/** Every setting by its whole name, such as `port` and `logging.level`. */
export const settingsByName: ReadonlyMap<string, Setting<unknown>> = new Map(
  Object.entries<Setting<unknown> | SettingGroup<Readonly<Record<string, Setting<unknown>>>>>(settings).flatMap(([name, entry]): [string, Setting<unknown>][] =>
    'members' in entry ? Object.entries(entry.members).map(([member, setting]) => [`${name}.${member}`, setting]) : [[name, entry]],
  ),
)
