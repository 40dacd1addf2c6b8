import { dirname } from 'node:path/posix'
import { describeGiven, isClass } from '../../../db/errors/describe-value.js'
import { log } from '../../exports/log.js'
import { DeclarationError } from '../../errors/declaration-error.js'
import { toError } from '../../errors/to-error.js'
import { discard } from '../../http/reply/discard.js'
import { HttpResponse } from '../../http/reply/http-response.js'
import type { FileRouteRequest } from '../../http/request/file-route-request.js'
import { locate, type RouteFile } from './route-file.js'
import type { RouteHandler } from './route-methods.js'

/**
 * The default export of a `middleware.ts`: it stands around the file routes of its folder and of all folders below.
 *
 * @param next runs what it stands around, once, and resolves to the response, whose status and headers may still be changed; rejects with what was thrown in there
 * @returns the response to send: that of `next`, or any value that a handler may return
 */
export type Middleware = (request: FileRouteRequest, next: () => Promise<HttpResponse | Response>) => unknown

interface FolderMiddleware {
  readonly file: string
  readonly run: Middleware
}

/** The middleware of an app's folders. */
export class Middlewares {
  readonly #byFolder = new Map<string, FolderMiddleware>()

  /** @throws DeclarationError when a file has no function as its default export, or a folder has two files */
  constructor(files: readonly RouteFile[]) {
    for (const route of files) {
      const folder = dirname(route.file)
      const present = this.#byFolder.get(folder)
      if (present !== undefined) throw new DeclarationError(`this folder has a second middleware, ${present.file}; keep one`, locate(route))
      this.#byFolder.set(folder, { file: route.file, run: readMiddleware(route) })
    }
  }

  /** What answers the requests of a file once all that stands around it has been passed, the outermost folder first; the handler itself where there is nothing. */
  wrap(file: string, handler: RouteHandler): RouteHandler {
    let wrapped = handler
    for (let folder = dirname(file); folder !== '.'; folder = dirname(folder)) {
      const middleware = this.#byFolder.get(folder)
      if (middleware !== undefined) wrapped = standAround(middleware, wrapped)
    }
    return wrapped
  }
}

function readMiddleware(route: RouteFile): Middleware {
  const { default: run } = route.exports
  if (typeof run !== 'function' || isClass(run)) {
    const got = run === undefined ? 'it exports no default' : `got ${describeGiven(run)}`
    throw new DeclarationError(`a middleware exports a function as default, such as: export default async (request, next) => await next(); ${got}`, locate(route, 'default'))
  }
  // It is a function and no class; what it takes is known to its author's compiler.
  return run as Middleware
}

function standAround(middleware: FolderMiddleware, inner: RouteHandler): RouteHandler {
  return async (request, args) => {
    const passage = new Passage(middleware.file, () => respond(inner, request, args))
    try {
      const answer = await middleware.run(request, passage.next)
      passage.check(answer)
      if (answer !== passage.response && !isStreamed(answer)) discard(passage.response)
      return answer
    } catch (thrown) {
      discard(passage.response)
      throw thrown
    } finally {
      passage.end()
    }
  }
}

/** One request on its way through a middleware. */
class Passage {
  readonly #file: string
  readonly #goOn: () => Promise<HttpResponse | Response>
  #inside: Promise<HttpResponse | Response> | null = null
  #isRunning = false
  #twice: Error | null = null
  /** What came from inside; null as long as nothing has. */
  response: HttpResponse | Response | null = null

  constructor(file: string, goOn: () => Promise<HttpResponse | Response>) {
    this.#file = file
    this.#goOn = goOn
  }

  /** What a middleware calls to go on. */
  readonly next = (): Promise<HttpResponse | Response> => {
    if (this.#inside !== null) return this.#refuseSecond()
    this.#inside = this.#run()
    return this.#inside
  }

  /** @throws Error when the middleware has called `next` twice, or answers nothing */
  check(answer: unknown): void {
    if (this.#twice !== null) throw this.#twice
    if (answer === undefined) throw new Error(`${this.#file} returned nothing; return the response of "await next()", or one of its own`)
  }

  /** Told once the middleware has answered. What still comes from inside after that is for nobody. */
  end(): void {
    if (!this.#isRunning) return
    const message = `${this.#file} answered without waiting for next(), which has failed since; write "await next()"`
    this.#inside?.then(discard, (thrown: unknown) => log.error(toError(thrown), message))
  }

  async #run(): Promise<HttpResponse | Response> {
    this.#isRunning = true
    try {
      this.response = await this.#goOn()
      return this.response
    } finally {
      this.#isRunning = false
    }
  }

  #refuseSecond(): Promise<never> {
    this.#twice ??= new Error(`${this.#file} called next() a second time; call it once, and keep the response to use it again`)
    const refused = Promise.reject(this.#twice)
    // Whether or not anybody waits for it, the call ends with this error.
    refused.catch(() => undefined)
    return refused
  }
}

/** Whether an answer may be made of a stream, such as that of the response it takes the place of. */
function isStreamed(answer: unknown): boolean {
  const body: unknown = answer instanceof HttpResponse ? answer.body : answer
  return typeof body === 'object' && body !== null && (body instanceof Response || Symbol.asyncIterator in body)
}

/** What a handler returned, as a response: middleware changes its status and headers, whatever the handler made it of. */
async function respond(...[handler, request, args]: [RouteHandler, ...Parameters<RouteHandler>]): Promise<HttpResponse | Response> {
  const value = await handler(request, args)
  return value instanceof HttpResponse || value instanceof Response ? value : new HttpResponse(200, value ?? null)
}
