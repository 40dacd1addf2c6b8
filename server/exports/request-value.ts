import { currentCall, type Call } from '../call/call.js'

/** A value of each request, handed on from the code that has it to the code that needs it. */
export interface RequestValue<Value> {
  /** For messages. */
  readonly name: string
  /**
   * Sets the value for the current call, in the place of an earlier one.
   *
   * @throws Error outside of a call
   */
  set(value: Value): void
  /**
   * The value of the current call.
   *
   * @throws Error where none has been set, and outside of a call
   */
  get(): Value
  /** The value of the current call; undefined where none has been set, and outside of a call. */
  getOptional(): Value | undefined
  /** Whether a value has been set for the current call, be it null or undefined. */
  has(): boolean
}

/**
 * Declares a value that each request may have of its own: middleware sets it, handlers and whatever they call get it, however many awaits later and without passing anything on.
 *
 * It is what other frameworks call a variable of the context (Hono), a decoration of the request (Fastify) or a context (React Router), but that it belongs to the call and not to an object:
 * its type is said once, where it is declared, no interface has to be extended, two of one name do not meet, and nobody without it can read or replace it.
 *
 * @param name what it is called in messages
 * @throws TypeError when the name is no text
 *
 * @example
 * export const tenant = requestValue<Tenant>('tenant')
 * middleware(async (request, next) => { tenant.set(await tenantOf(request)); return next() })
 * httpEndpoint('/name', () => tenant.get().name)
 */
export function requestValue<Value>(name: string): RequestValue<Value> {
  if (typeof name !== 'string' || name.trim() === '') throw new TypeError(`requestValue() takes a name for messages, such as 'tenant'`)
  return new CallValue<Value>(name)
}

class CallValue<Value> implements RequestValue<Value> {
  readonly name: string
  readonly #place: string

  constructor(name: string) {
    this.name = name
    const source = currentCall()?.declarations?.callSite()
    this.#place = source === undefined ? '' : `, declared at ${source.file}:${source.line},`
  }

  set(value: Value): void {
    const call = this.#call('set')
    call.values ??= new Map()
    call.values.set(this, value)
  }

  get(): Value {
    const { values, request } = this.#call('read')
    // Only `set` puts a value under this key.
    if (values?.has(this) === true) return values.get(this) as Value
    const where = request === null ? '' : ` for ${request.method} ${request.path}`
    throw new Error(
      `the value ${JSON.stringify(this.name)}${this.#place} has not been set${where}: no middleware that sets it has run; ` +
        'let one stand around this path, or use getOptional() where there need not be a value',
    )
  }

  getOptional(): Value | undefined {
    // As above.
    return currentCall()?.values?.get(this) as Value | undefined
  }

  has(): boolean {
    return currentCall()?.values?.has(this) ?? false
  }

  #call(what: string): Call {
    const call = currentCall()
    if (call !== null && call.kind !== 'load') return call
    throw new Error(`the value ${JSON.stringify(this.name)} can only be ${what} while an endpoint runs`)
  }
}
