import { route } from '../doors/endpoints/route.js'
import { HttpResponse } from '../http/reply/http-response.js'

/** What the health of an app is read from. */
export interface HealthSources {
  /** Aborts when the server begins to stop. */
  readonly stopping: AbortSignal
  /** Whether the database can no longer be trusted. */
  readonly hasFailed: () => boolean
}

/**
 * Declares `/_/health/live`, which answers as long as the process does, and `/_/health/ready`, with 200 while it takes on
 * requests and 503 once it is stopping, or its database can no longer be trusted.
 */
export function declareHealth({ stopping, hasFailed }: HealthSources): void {
  route('/_/health/live', () => ({ status: 'live' }))
  route('/_/health/ready', () => {
    if (hasFailed()) return new HttpResponse(503, { status: 'failed' })
    return stopping.aborted ? new HttpResponse(503, { status: 'stopping' }) : { status: 'ready' }
  })
}
