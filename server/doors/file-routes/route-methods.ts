import { describeGiven, isClass } from '../../../db/errors/describe-value.js'
import type { HandlerArguments } from '../../endpoint/endpoint.js'
import { usualMethods } from '../../endpoint/methods.js'
import { DeclarationError } from '../../errors/declaration-error.js'
import type { FileRouteRequest } from '../../http/request/file-route-request.js'
import { HTTPEndpoint } from './http-endpoint-class.js'
import { locate, type RouteFile } from './route-file.js'

type Class = new () => object

/** What answers the requests of a file route. */
export type RouteHandler = (request: FileRouteRequest, args: HandlerArguments) => unknown

/** Methods that one export of a file answers. */
export interface RouteMethods {
  /** The name of the export. */
  readonly name: string
  readonly methods: readonly string[]
  readonly handler: RouteHandler
}

/** What a function answers which is exported for the whole file: HEAD and OPTIONS are answered for it. */
const wholeMethods = usualMethods.filter((method) => method !== 'HEAD' && method !== 'OPTIONS')

const functionNames = 'get, post, put, patch, del (or "export { remove as delete }"), head or options'

/**
 * Finds what a file exports to answer requests: functions named after methods, classes with such methods, or one function for everything.
 *
 * @throws DeclarationError when two exports answer the same method, one has the name of a method and is no function, or there is none at all
 */
export function readMethods(file: RouteFile): RouteMethods[] {
  const answers = new Answers(file)
  const whole: [name: string, value: unknown][] = []
  for (const [name, value] of Object.entries(file.exports)) {
    if (name === 'default' || name === 'endpoint') whole.push([name, value])
    else if (isClass(value) && value.prototype instanceof HTTPEndpoint) answers.addClass(name, value)
    else answers.addFunction(name, value)
  }
  for (const [name, value] of whole) answers.addWhole(name, value)
  const found = answers.list()
  if (found.length === 0) {
    throw new DeclarationError(
      `this file exports nothing that answers a request: export a function ${functionNames}, or a function or a class as "default" or "endpoint", or a class that extends HTTPEndpoint; start the file's name with "_" if it is not to answer any`,
      locate(file),
    )
  }
  return found
}

/** The method that an exported function or a class's method of this name answers; null when the name has nothing to do with methods. */
function methodOf(name: string): string | null {
  if (name === 'del') return 'DELETE'
  const method = usualMethods.find((each) => each === name.toUpperCase())
  return method !== undefined && (name === method || name === name.toLowerCase()) ? method : null
}

/** Which export of a file answers which method. */
class Answers {
  readonly #file: RouteFile
  readonly #byMethod = new Map<string, { readonly name: string; readonly told: string; readonly handler: RouteHandler }>()
  /** What is exported may be exported once more, for the whole file, which says nothing new. */
  readonly #seen = new Set<unknown>()
  #fallback: { readonly name: string; readonly handler: RouteHandler } | null = null

  constructor(file: RouteFile) {
    this.#file = file
  }

  addFunction(name: string, value: unknown): void {
    const method = methodOf(name)
    if (method === null) {
      this.#refuseOddCase(name, name, value, `the export "${name}"`)
    } else if (typeof value !== 'function' || isClass(value)) {
      const expected = `the export "${name}" answers ${method} and has to be a function`
      const remedy = 'give it another name if it is something else'
      throw this.#mistake(name, `${expected}, got ${describeGiven(value)}; ${remedy}`)
    } else {
      this.#seen.add(value)
      // It is a function and no class; what it takes is known to its author's compiler.
      this.#add(method, name, `the export "${name}"`, value as RouteHandler)
    }
  }

  addClass(name: string, value: Class): void {
    if (this.#seen.has(value)) return
    this.#seen.add(value)
    let count = 0
    for (const [key, member] of membersOf(value)) {
      const told = `the method "${key}" of the class ${value.name}`
      const method = methodOf(key)
      if (method === null) {
        this.#refuseOddCase(name, key, member, told)
      } else if (typeof member !== 'function') {
        throw this.#mistake(name, `${told} has to be a method, got ${describeGiven(member)}`)
      } else {
        count++
        this.#add(method, name, told, callOnInstance(value, key))
      }
    }
    if (count === 0) {
      throw this.#mistake(name, `the class ${value.name} has no method that answers a request: give it methods such as get(request) or post(request), as methods and not as properties that hold functions`)
    }
  }

  /** Adds what is exported for all methods: a class, which says itself which it has, or a function. */
  addWhole(name: string, value: unknown): void {
    if (isClass(value)) {
      this.addClass(name, value)
      return
    }
    if (typeof value !== 'function') {
      const hint = this.#file.lines.has(name) ? '' : '; if the file is CommonJS, write "export" in place of "module.exports"'
      const expected = `the export "${name}" has to be a function or a class with methods such as get(request)`
      throw this.#mistake(name, `${expected}, got ${describeGiven(value)}${hint}`)
    }
    if (this.#seen.has(value)) return
    this.#seen.add(value)
    if (this.#fallback !== null) throw this.#mistake(name, `"${this.#fallback.name}" and "${name}" both answer every method; keep one`)
    // As above.
    this.#fallback = { name, handler: value as RouteHandler }
  }

  list(): RouteMethods[] {
    const found = usualMethods.flatMap((method): RouteMethods[] => {
      const answer = this.#byMethod.get(method)
      return answer === undefined ? [] : [{ name: answer.name, methods: [method], handler: answer.handler }]
    })
    if (this.#fallback === null) return found
    const rest = wholeMethods.filter((method) => !this.#byMethod.has(method))
    return rest.length === 0 ? found : [...found, { ...this.#fallback, methods: rest }]
  }

  #add(method: string, name: string, told: string, handler: RouteHandler): void {
    const present = this.#byMethod.get(method)
    if (present !== undefined) throw this.#mistake(name, `${method} is answered twice, by ${present.told} and by ${told}; keep one`)
    this.#byMethod.set(method, { name, told, handler })
  }

  /** A function called `Get` would silently answer nothing. */
  #refuseOddCase(name: string, written: string, value: unknown, told: string): void {
    const method = methodOf(written.toLowerCase())
    if (method === null || typeof value !== 'function' || isClass(value)) return
    throw this.#mistake(name, `${told} is written neither in lower nor in upper case; did you mean "${method === 'DELETE' ? 'del' : method.toLowerCase()}" or "${method}"?`)
  }

  #mistake(name: string, message: string): DeclarationError {
    return new DeclarationError(message, locate(this.#file, name))
  }
}

/** The methods of a class by name, inherited ones that it does not override included. Accessors count as undefined: nothing may be read before there is an instance. */
function membersOf(value: Class): Map<string, unknown> {
  const members = new Map<string, unknown>()
  for (let prototype = value.prototype as object | null; prototype !== null && prototype !== Object.prototype; prototype = Object.getPrototypeOf(prototype) as object | null) {
    for (const [key, { value: member }] of Object.entries(Object.getOwnPropertyDescriptors(prototype)) as [string, PropertyDescriptor][]) {
      if (key !== 'constructor' && !members.has(key)) members.set(key, member)
    }
  }
  return members
}

/** Each request has an instance of its own, so that what a method leaves in it is seen by no other. */
function callOnInstance(value: Class, key: string): RouteHandler {
  // The class has this method, and a class has instances of itself.
  const Route = value as new () => Readonly<Record<string, RouteHandler>>
  return (request, args) => new Route()[key]?.(request, args)
}
