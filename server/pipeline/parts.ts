import type { Logger } from 'pino'
import type { AppHandle } from '../call/call.js'
import type { Deadlines } from '../call/deadlines.js'
import type { ErrorHandlers } from '../endpoint/error-handlers.js'
import type { AddressSettings } from '../http/base-path.js'
import type { BodyRooms } from '../http/body/read-body.js'
import type { CorsRule } from '../http/cors/cors-rule.js'
import type { HttpsHosts } from '../http/request/https-hosts.js'
import type { IsOwnOrigin } from './cross-site.js'
import type { Limiter } from '../services/limits/limiter.js'
import type { OpenAnswers } from './open-answers.js'
import type { SessionPlace } from './browser-session.js'
import type { Challenges } from './schemes/challenges.js'
import type { Scheme } from './schemes/scheme.js'
import type { Turns } from './turns.js'
import type { SecurityHeaders } from '../http/reply/security-headers.js'
import type { ReplyLimits } from '../http/reply/unread-reply.js'

/** The settings that the pipeline goes by. */
export interface PipelineSettings extends AddressSettings, ReplyLimits {
  /** The app's folder, absolute. */
  readonly directory: string
  /** How long the answer to an error may take to make where there is no endpoint, in milliseconds. */
  readonly handlerTimeout: number
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
  /** What goes on for users, and ends with their rights. */
  readonly openAnswers: OpenAnswers
  /** Counts requests, where endpoints have a limit. */
  readonly limiter: Pick<Limiter, 'count'>
  /** Whose turn it is among the requests that take long. */
  readonly turns: Turns
  /** Where the bodies of all requests are. */
  readonly bodies: BodyRooms
  readonly errorHandlers: ErrorHandlers
  readonly isOwnOrigin: IsOwnOrigin
  /** Who sees https. */
  readonly https: HttpsHosts
  /** Who may read the answers to requests for which there is no path. */
  readonly cors: CorsRule
  readonly sessions: SessionPlace
  /** The ways of showing who calls, in the order in which they are asked where no session says it. */
  readonly schemes: readonly Scheme[]
  /** What refuses whoever has not shown it. */
  readonly challenges: Challenges
  readonly securityHeaders: SecurityHeaders
  /** Whether the answer to an error that nobody caught shows what it was. */
  readonly debug: boolean
}
