import type { HttpResponse, FileRouteRequest } from 'rowhouse'

/** Wraps every route of this folder and of those below it. */
export default async function middleware(_request: FileRouteRequest, next: () => Promise<HttpResponse | Response>): Promise<HttpResponse | Response> {
  const started = performance.now()
  const response = await next()
  response.headers.set('server-timing', `handler;dur=${(performance.now() - started).toFixed(1)}`)
  return response
}
