import type { Logger } from 'pino'
import type { AppHandle } from '../call/call.js'
import type { Deadlines } from '../call/deadlines.js'
import type { ErrorHandlers } from '../endpoint/error-handlers.js'
import type { AddressSettings } from '../http/base-path.js'
import type { TemporaryFiles } from '../http/body/temporary-files.js'
import type { ReplyLimits } from '../http/reply/send-reply.js'

/** The settings that the pipeline goes by. */
export interface PipelineSettings extends AddressSettings, ReplyLimits {
  /** The app's folder, absolute. */
  readonly directory: string
  /** How long the answer to an error may take to make where there is no endpoint, in milliseconds. */
  readonly handlerTimeout: number
  /** The realm of HTTP Basic. */
  readonly realm: string
  /** How error replies are dressed: as the caller's `Accept` header asks, or always as JSON. */
  readonly errors: 'auto' | 'json'
}

/** What the pipeline of one app works with. */
export interface PipelineParts {
  readonly app: AppHandle
  readonly settings: PipelineSettings
  /** The log, for the platform's lines. */
  readonly log: Logger
  readonly deadlines: Deadlines
  /** Where bodies are that are too large for memory. */
  readonly temporaryFiles: TemporaryFiles
  readonly errorHandlers: ErrorHandlers
  /** Whether the answer to an error that nobody caught shows what it was. */
  readonly debug: boolean
}
