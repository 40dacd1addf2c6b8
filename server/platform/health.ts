import type { Endpoint, Handler } from '../endpoint/endpoint.js'
import { readSettings } from '../endpoint/options.js'
import { parsePath } from '../endpoint/path-pattern.js'
import { HttpResponse } from '../http/reply/http-response.js'
import type { Configuration } from '../app/configuration/settings.js'

/**
 * The platform's own endpoints, served through the same pipeline as an app's:
 * `/_/health/live` answers as long as the process does, `/_/health/ready` with 200 while it takes on requests and 503 once it is stopping.
 *
 * @param stopping aborts when the server begins to stop
 */
export function platformEndpoints({ bodyLimit, handlerTimeout }: Configuration, stopping: AbortSignal): readonly Endpoint[] {
  const endpoint = (path: string, handler: Handler): Endpoint => ({
    door: 'platform',
    path: parsePath(path),
    prefix: '',
    ...readSettings(path, {}, { methods: ['GET'], bodyLimit, timeout: handlerTimeout }),
    handler,
    source: { file: 'rowhouse', line: 0 },
  })
  return [
    endpoint('/_/health/live', () => ({ status: 'live' })),
    endpoint('/_/health/ready', () => (stopping.aborted ? new HttpResponse(503, { status: 'stopping' }) : { status: 'ready' })),
  ]
}
