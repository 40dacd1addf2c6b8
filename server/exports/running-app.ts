import type { Logger } from 'pino'
import type { Database } from '../../db/database.js'
import type { Configuration } from '../app/configuration/settings.js'
import type { Deadlines } from '../call/deadlines.js'
import type { EndpointUrls } from '../endpoint/endpoint-urls.js'
import type { Endpoint } from '../endpoint/endpoint.js'
import type { ErrorHandlers } from '../endpoint/error-handlers.js'
import type { Origins } from './origins.js'
import type { TemporaryFiles } from '../http/body/temporary-files.js'
import type { Users } from '../services/accounts/users.js'

/** The parts of a running app that its own code may reach, through the exports of `rowhouse` that stand for them. */
export interface App {
  readonly configuration: Configuration
  /** The log, for the platform's lines. */
  readonly log: Logger
  /** The log, for the lines of the app's own code. */
  readonly ownLog: Logger
  readonly database: Database
  readonly users: Users
  readonly origins: Origins
  readonly deadlines: Deadlines
  /** Aborts when the server begins to stop. */
  readonly stopping: AbortSignal
  /** Where bodies are that are too large for memory. */
  readonly temporaryFiles: TemporaryFiles
  /** Every endpoint it serves, the platform's own included. */
  readonly endpoints: readonly Endpoint[]
  readonly urls: EndpointUrls
  readonly errorHandlers: ErrorHandlers
  /** Whether the answer to an error that nobody caught shows what it was. */
  readonly debug: boolean
}
