import { HttpResponse, Json, type HeadersInput } from './http-response.js'

/** How a {@link JSONResponse} is sent. */
export interface JSONResponseInit {
  readonly status?: number
  readonly headers?: HeadersInput
}

class JsonResponse extends HttpResponse {
  constructor(value: unknown, { status = 200, headers = {} }: JSONResponseInit = {}) {
    super(status, new Json(value), headers)
  }
}

interface JsonResponseConstructor {
  readonly prototype: JsonResponse
  new (value: unknown, init?: JSONResponseInit): JsonResponse
  (value: unknown, init?: JSONResponseInit): JsonResponse
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
 */
// What TypeScript cannot see of a function: that `new` works as well, and gives the same.
export const JSONResponse = makeResponse as unknown as JsonResponseConstructor
export type JSONResponse = JsonResponse
