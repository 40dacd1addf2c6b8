import { log } from '../../exports/log.js'
import { isA, toError } from '../../errors/to-error.js'
import { EarlyReply } from '../../http/early-reply.js'
import { discard } from '../../http/reply/discard.js'
import { HttpResponse } from '../../http/reply/http-response.js'
import type { FileRouteRequest } from '../../http/request/file-route-request.js'

/** Goes on with what a middleware stands around, once, and resolves to the response, whose status and headers may still be changed; rejects with what was thrown in there. */
export type Next = () => Promise<HttpResponse | Response>

/**
 * A function that stands around handlers: the default export of a `middleware.ts`, which stands around the file routes of its folder and of all folders below.
 *
 * @typeParam Request what it is called with: in the `middleware()` of a module a `RowhouseRequest`
 * @returns the response to send: that of `next`, or any value that a handler may return
 */
export type Middleware<Request = FileRouteRequest> = (request: Request, next: Next) => unknown

/**
 * Runs a middleware around something, for one request.
 *
 * @param place for messages: `pages/api/middleware.ts`
 * @param run calls the middleware with what goes on inside
 * @param inside what it stands around: a handler, or the next middleware
 * @returns what the middleware answers
 * @throws whatever the middleware throws; Error when it calls `next` twice or answers nothing
 */
export async function passThrough(place: string, run: (next: Next) => unknown, inside: () => unknown): Promise<unknown> {
  const passage = new Passage(place, inside)
  try {
    const answer = await run(passage.next)
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

/** One request on its way through a middleware. */
class Passage {
  readonly #place: string
  readonly #goOn: () => unknown
  #inside: ReturnType<Next> | null = null
  #isRunning = false
  #twice: Error | null = null
  /** What came from inside; null as long as nothing has. */
  response: HttpResponse | Response | null = null

  constructor(place: string, goOn: () => unknown) {
    this.#place = place
    this.#goOn = goOn
  }

  /** What a middleware calls to go on. */
  readonly next: Next = () => {
    if (this.#inside !== null) return this.#refuseSecond()
    this.#inside = this.#run()
    return this.#inside
  }

  /** @throws Error when the middleware has called `next` twice, or answers nothing */
  check(answer: unknown): void {
    if (this.#twice !== null) throw this.#twice
    if (answer === undefined) throw new Error(`${this.#place} returned nothing; return the response of "await next()", or one of its own`)
  }

  /** Told once the middleware has answered. What still comes from inside after that is for nobody. */
  end(): void {
    if (!this.#isRunning) return
    const message = `${this.#place} answered without waiting for next(), which has failed since; write "await next()"`
    this.#inside?.then(discard, (thrown: unknown) => log.error(toError(thrown), message))
  }

  async #run(): Promise<HttpResponse | Response> {
    this.#isRunning = true
    try {
      this.response = await respond(this.#goOn)
      return this.response
    } finally {
      this.#isRunning = false
    }
  }

  #refuseSecond(): Promise<never> {
    this.#twice ??= new Error(`${this.#place} called next() a second time; call it once, and keep the response to use it again`)
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

/** What a handler answers, as a response: middleware changes its status and headers, whatever the handler made it of. */
async function respond(inside: () => unknown): Promise<HttpResponse | Response> {
  try {
    const value = await inside()
    return value instanceof HttpResponse || value instanceof Response ? value : new HttpResponse(200, value ?? null)
  } catch (thrown) {
    // A reply that `abort` has ended the handler with is its answer, and no error.
    if (isA(EarlyReply, thrown)) return thrown.response
    throw thrown
  }
}
