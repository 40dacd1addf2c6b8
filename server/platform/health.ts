import { route } from '../doors/endpoints/route.js'
import { HttpResponse } from '../http/reply/http-response.js'

/**
 * Declares `/_/health/live`, which answers as long as the process does, and `/_/health/ready`, with 200 while it takes on requests and 503 once it is stopping.
 *
 * @param stopping aborts when the server begins to stop
 */
export function declareHealth(stopping: AbortSignal): void {
  route('/_/health/live', () => ({ status: 'live' }))
  route('/_/health/ready', () => (stopping.aborted ? new HttpResponse(503, { status: 'stopping' }) : { status: 'ready' }))
}
