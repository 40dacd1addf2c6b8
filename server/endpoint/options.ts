import { METHODS } from 'node:http'
import { Column } from '../../db/columns.js'
import type { StandardSchema } from '../../db/standard-schema.js'
import type { Requirement } from '../../plugins/basic-auth.js'
import { DeclarationError } from '../errors/declaration-error.js'
import { describeGiven } from '../errors/describe-given.js'
import { suggestName } from '../errors/nearest-name.js'
import { usualMethods } from './methods.js'
import { isParameterKind, OptionalParameter, parameterKinds, type Parameter, type Parameters } from './parameters.js'

/** The methods that an endpoint usually answers; any other that HTTP knows may be named too. */
export type Method = (typeof usualMethods)[number] | (string & {})

/** What an author may say of an endpoint. */
export interface EndpointSettings<Params extends Parameters = Parameters, Body = unknown> {
  /** The methods it answers. */
  readonly methods?: readonly Method[]
  /** Parameters that must be there and are converted, by name: `{ title: text(), page: integer().default(1) }`. */
  readonly params?: Params
  /** A Standard Schema validator (Zod, Valibot, …) for the JSON body, which every request must then have. */
  readonly body?: StandardSchema<unknown, Body>
  /** Whether only signed-in users get in. */
  readonly authenticateUsers?: boolean
  /** Whether some HTTP credentials must be sent; the handler judges them. */
  readonly requireCredentials?: boolean
  /** The longest body in bytes; the app's `bodyLimit` by default. */
  readonly bodyLimit?: number
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
  readonly authenticate_users?: boolean
}

/** The options of an endpoint, checked and complete. */
export interface EndpointOptions {
  readonly requirement: Requirement
  readonly params: readonly (readonly [string, Parameter])[]
  readonly body: StandardSchema | null
  /** In bytes. */
  readonly bodyLimit: number
  /** In milliseconds. */
  readonly timeout: number
  /** As it was given; null when `urlFor` goes by the handler's name. */
  readonly name: string | null
  readonly summary: string | null
}

/** What holds for endpoints that say nothing themselves. */
export interface EndpointDefaults {
  readonly methods: readonly Method[]
  readonly bodyLimit: number
  readonly timeout: number
}

/** Other names for options, as the documents spell them that people come from. */
const aliases: ReadonlyMap<string, string> = new Map([
  ['requireAuth', 'requireCredentials'],
  ['require_auth', 'requireCredentials'],
  ['require_credentials', 'requireCredentials'],
  ['authenticate_users', 'authenticateUsers'],
])

const accessOptions: ReadonlySet<string> = new Set(['authenticateUsers', 'requireCredentials'])

type Check = (value: unknown) => string | null

const isBoolean: Check = (value) => (typeof value === 'boolean' ? null : 'true or false')
const isAmount: Check = (value) => (Number.isSafeInteger(value) && (value as number) > 0 ? null : 'a whole number above 0')

/** What each option takes: null when the value will do, else what was expected. */
const checks: Readonly<Record<string, Check>> = {
  methods: checkMethods,
  params: checkParameters,
  body: (value) => (isSchema(value) ? null : 'a Standard Schema validator, such as one made with Zod or Valibot'),
  authenticateUsers: isBoolean,
  requireCredentials: isBoolean,
  bodyLimit: isAmount,
  timeout: isAmount,
  name: (value) => (typeof value === 'string' && value !== '' ? null : 'a text that is not empty'),
  summary: (value) => (typeof value === 'string' ? null : 'a text'),
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
  const mistakes: string[] = []
  const given: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(settings)) {
    const option = aliases.get(name) ?? name
    const check = Object.hasOwn(checks, option) ? checks[option] : undefined
    if (check === undefined) {
      mistakes.push(`unknown option "${name}"; ${suggestName(name, Object.keys(checks))}`)
      continue
    }
    if (Object.hasOwn(given, option)) mistakes.push(`option "${option}" twice, under two names`)
    // A mistyped constant must not open what its author meant to close.
    const expected = value === undefined && !accessOptions.has(option) ? null : check(value)
    if (expected !== null) mistakes.push(`option "${name}" takes ${expected}, got ${describeGiven(value)}`)
    else if (value !== undefined) given[option] = value
  }
  if (mistakes.length > 0) throw new DeclarationError(`the endpoint ${path} has ${mistakes.join('; ')}`)
  // Each member has passed the check of its name.
  return complete(given as EndpointSettings, defaults)
}

function complete(given: EndpointSettings, defaults: EndpointDefaults): ReturnType<typeof readSettings> {
  return {
    methods: given.methods ?? defaults.methods,
    options: {
      requirement: given.authenticateUsers === true ? 'user' : given.requireCredentials === true ? 'credentials' : 'none',
      params: Object.entries(given.params ?? {}),
      body: given.body ?? null,
      bodyLimit: given.bodyLimit ?? defaults.bodyLimit,
      timeout: given.timeout ?? defaults.timeout,
      name: given.name ?? null,
      summary: given.summary ?? null,
    },
  }
}

function checkMethods(value: unknown): string | null {
  const expected = "a list of methods, such as ['GET', 'PUT']"
  if (!Array.isArray(value) || value.length === 0) return expected
  const unknown = value.find((method) => !METHODS.includes(method as string) || method === 'CONNECT') as unknown
  if (unknown !== undefined) return `${expected} (${JSON.stringify(unknown)} is none; ${suggestName(String(unknown), usualMethods)})`
  return new Set(value).size === value.length ? null : `${expected}, each once`
}

function checkParameters(value: unknown): string | null {
  const expected = 'an object of column types or validators, such as { title: text() }'
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return expected
  for (const [name, parameter] of Object.entries(value)) {
    const mistake = checkParameter(parameter)
    if (mistake !== null) return `${expected} (${name} is ${mistake})`
  }
  return null
}

function checkParameter(parameter: unknown): string | null {
  const column = parameter instanceof OptionalParameter ? (parameter.column as unknown) : parameter
  if (column instanceof Column) {
    const { kind } = column.settings
    return isParameterKind(kind) ? null : `a ${kind}, which no parameter can hold; use one of ${parameterKinds.join(', ')}`
  }
  return isSchema(column) ? null : describeGiven(column)
}

function isSchema(value: unknown): value is StandardSchema {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null || !('~standard' in value)) return false
  const standard = value['~standard']
  return typeof standard === 'object' && standard !== null && 'validate' in standard && typeof standard.validate === 'function'
}
