import { describeGiven } from '../../../db/errors/describe-value.js'
import { HttpResponse, Json, type HeadersInput, type HttpStatus } from './http-response.js'
import type { SendableBody } from './sendable.js'

/** How a {@link JSONResponse} is sent. */
export interface JSONResponseInit<Status = number> {
  readonly status?: Status
  readonly headers?: HeadersInput
}

class JsonResponse extends HttpResponse {
  constructor(value: unknown, init: JSONResponseInit = {}) {
    checkInit(init)
    const { status = 200, headers = {} } = init
    super(status, new Json(value), headers)
  }
}

/** What TypeScript holds its users to: a status under another name would quietly be a 200. */
function checkInit(init: unknown): void {
  const known = ['status', 'headers']
  if (typeof init !== 'object' || init === null) throw new TypeError(`JSONResponse() takes its status and headers as an object, such as { status: 404 }, got ${describeGiven(init)}`)
  for (const name of Object.keys(init)) {
    if (!known.includes(name)) throw new TypeError(`JSONResponse() takes ${known.join(' and ')}, not "${name}"`)
  }
}

interface JsonResponseConstructor {
  readonly prototype: JsonResponse
  new <Value, const Status extends number>(
    value: Value & SendableBody<Value>,
    init?: JSONResponseInit<Status & HttpStatus<Status>>,
  ): JsonResponse
  <Value, const Status extends number>(
    value: Value & SendableBody<Value>,
    init?: JSONResponseInit<Status & HttpStatus<Status>>,
  ): JsonResponse
}

// A class cannot be called. A function that returns an object can be, and behind `new` gives that object too.
function makeResponse(value: unknown, init?: JSONResponseInit): JsonResponse {
  return new JsonResponse(value, init)
}
makeResponse.prototype = JsonResponse.prototype

/**
 * A reply in JSON, whatever the value is, with a status and headers of its own. It is an {@link HttpResponse}, and works with and without `new`.
 *
 * @example return JSONResponse({ error: 'Not found' }, { status: 404 })
 * @throws RangeError when the status is not an integer from 200 to 599
 * @throws TypeError when there is anything but a status and headers
 */
// What TypeScript cannot see of a function: that `new` works as well, and gives the same.
export const JSONResponse = makeResponse as unknown as JsonResponseConstructor
export type JSONResponse = JsonResponse
