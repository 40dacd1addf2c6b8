import { Column } from '../../db/columns/columns.js'
import type { StandardIssue, StandardSchema } from '../../db/values/standard-schema.js'
import { memberPlace } from '../errors/member-place.js'
import { Problems, type Problem } from '../http/problems.js'
import type { FieldValues } from '../http/body/form.js'
import { RowhouseRequest } from '../http/request/request.js'
import type { HandlerArguments } from '../endpoint/endpoint.js'
import type { FoundEndpoint } from './find-endpoint.js'
import { OptionalParameter, readColumn, type RawParameter } from '../endpoint/parameters.js'

type Arguments = Record<string, unknown>

/** Makes objects without inherited members, so that a parameter may have any name. V8 keeps what a constructor makes as a struct, and Object.create(null) as a slower hash table. */
const Bare = function () {} as unknown as new () => Arguments
Bare.prototype = Object.freeze(Object.create(null))

/**
 * Merges a request's parameters (form, overridden by query, overridden by path), converts the declared ones, and checks the body against the endpoint's schema.
 * A declared parameter that is in none of the three is looked for among the members of a JSON body; undeclared members are never merged in.
 *
 * @throws HttpError 400 that tells of every problem at once
 */
export function readArguments(found: FoundEndpoint, request: RowhouseRequest): HandlerArguments | Promise<HandlerArguments> {
  const { params, body } = found.endpoint.options
  if (params.length === 0 && body === null) return mergeIfReadable(found, request)
  const args = mergeParameters(found, request)
  const check = new RequestCheck(request)
  for (const [name, parameter] of params) {
    const raw = check.rawParameter(name, args)
    if (parameter instanceof Column) {
      convert(check, args, name, parameter, raw, parameter.settings.default !== undefined)
    } else if (parameter instanceof OptionalParameter) {
      convert(check, args, name, parameter.column, raw, true)
    } else {
      const missing = raw === null ? missingParameter(name) : null
      check.validate(parameter, raw?.value, name, missing, (value) => (args[name] = value))
    }
  }
  if (body !== null) {
    const json = RowhouseRequest.jsonIfAny(request)
    const missing = json === null ? missingBody : null
    check.validate(body, json, 'body', missing, (value) => RowhouseRequest.useValidatedJson(request, value))
  }
  return check.finish(args)
}

function mergeParameters(found: FoundEndpoint, request: RowhouseRequest): Arguments {
  const args = new Bare()
  assign(args, RowhouseRequest.fieldsIfAny(request))
  assign(args, request.queryParams)
  found.namePathParameters(args)
  return args
}

/**
 * The arguments of a handler that declares none, which may not look at them: a form that cannot be decoded is no mistake before
 * it does.
 */
function mergeIfReadable(found: FoundEndpoint, request: RowhouseRequest): Arguments {
  try {
    return mergeParameters(found, request)
  } catch (error) {
    return unreadable(error)
  }
}

/** Throws the error at whoever looks at it. */
function unreadable(error: unknown): Arguments {
  const refuse = (): never => {
    throw error
  }
  return new Proxy(new Bare(), { get: refuse, has: refuse, set: refuse, ownKeys: refuse, getOwnPropertyDescriptor: refuse, defineProperty: refuse, deleteProperty: refuse })
}

function assign(args: Arguments, fields: FieldValues): void {
  for (const name in fields) args[name] = fields[name]
}

function convert(check: RequestCheck, args: Arguments, name: string, column: Column, raw: RawParameter | null, mayBeMissing: boolean): void {
  if (raw !== null) {
    const read = readColumn(column, raw)
    if ('value' in read) args[name] = read.value
    else check.problems.add({ code: read.code, path: name, message: `parameter ${name}: ${read.problem}` })
  } else if (!mayBeMissing) {
    check.problems.add(missingParameter(name))
  } else {
    const { default: fallback } = column.settings
    if (fallback !== undefined) args[name] = 'make' in fallback ? fallback.make() : fallback.value
  }
}

/** Gathers what is wrong with one request, so that its caller hears of all of it at once. */
class RequestCheck {
  readonly problems = new Problems()
  readonly #request: RowhouseRequest
  readonly #pending: Promise<void>[] = []

  constructor(request: RowhouseRequest) {
    this.#request = request
  }

  /** What came for a parameter, wherever it came from; null when nothing did. */
  rawParameter(name: string, args: Arguments): RawParameter | null {
    const value = args[name]
    // A converter of the path has made this number, which has its final type as a member of a JSON body has.
    if (typeof value === 'number') return { from: 'json', value }
    // Before the conversion, all other merged values are texts or lists of texts.
    if (value !== undefined) return { from: 'text', value: value as string | readonly string[] }
    const json = RowhouseRequest.jsonIfAny(this.#request)
    if (typeof json !== 'object' || json === null || !Object.hasOwn(json, name)) return null
    return { from: 'json', value: (json as Arguments)[name] }
  }

  /** Runs a Standard Schema validator on a value; a missing one that does not pass is told as `missing`. */
  validate(
    schema: StandardSchema,
    value: unknown,
    place: string,
    missing: Problem | null,
    use: (value: unknown) => void,
  ): void {
    const judge = (result: Awaited<ReturnType<StandardSchema['~standard']['validate']>>): void => {
      if (result.issues === undefined) {
        use(result.value)
        return
      }
      const found = missing === null ? result.issues.map((issue) => problemOf(place, issue)) : [missing]
      for (const problem of found) this.problems.add(problem)
    }
    const result = schema['~standard'].validate(value)
    if (result instanceof Promise) this.#pending.push(result.then(judge))
    else judge(result)
  }

  /** @throws HttpError 400 when anything is wrong */
  finish(args: HandlerArguments): HandlerArguments | Promise<HandlerArguments> {
    if (this.#pending.length > 0) return Promise.all(this.#pending).then(() => this.#throwProblems(args))
    return this.#throwProblems(args)
  }

  #throwProblems(args: HandlerArguments): HandlerArguments {
    this.problems.throwIfAny()
    return args
  }
}

const missingBody: Problem = {
  code: 'missing-body',
  path: 'body',
  message: 'missing body: expected JSON, sent with content-type: application/json',
}

function missingParameter(name: string): Problem {
  return { code: 'missing-parameter', path: name, message: `missing parameter: ${name}` }
}

/** What a validator found; its own codes, if it has any, are no part of Standard Schema. */
function problemOf(place: string, { message, path = [] }: StandardIssue): Problem {
  const keys = path.map((part) => (typeof part === 'object' ? part.key : part))
  const told = [place, ...keys.map(String)].join('.')
  return { code: 'invalid-value', path: keys.reduce<string>(memberPlace, place), message: `${told}: ${message}` }
}
