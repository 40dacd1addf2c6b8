// What it adds to requests and replies is there in every fastify.ts.
/// <reference types="@fastify/cookie" preserve="true" />
import type { FastifyInstance } from 'fastify'
import type { UserRow } from '../../../db/schema/users-table.js'
import type { RateLimitOption } from '../../endpoint/rate-limit.js'
import type { CorsOption } from '../../http/cors/cors-options.js'

/** What `fastify.ts` exports: a Fastify plugin, be it asynchronous or one that calls `done`. */
export type FastifyPlugin = (
  app: FastifyInstance,
  options: Record<never, never>,
  done: (error?: Error) => void,
) => unknown

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * Whether only signed-in users get in. With `'optional'` everybody does: the user is null for whoever sends no
     * credentials; wrong ones are refused all the same.
     */
    readonly authenticateUsers?: boolean | 'optional'
    /** Whether some HTTP credentials must be sent; the handler judges them. */
    readonly requireCredentials?: boolean
    /**
     * Whether pages of other origins may read the answers: `true` for all of them, an origin or a list of origins for
     * those, or `{ origins, credentials, headers, exposed, maxAge }`; the app's `cors` by default.
     */
    readonly enableCors?: CorsOption
    /** How many requests of one client are let through in which time; `false` for none. The app's `rateLimit` by default. */
    readonly rateLimit?: RateLimitOption
  }

  interface FastifyRequest {
    /** The user who calls; null where that is not a user, or the route's `config` asks for nobody. */
    readonly user: UserRow | null
  }
}
