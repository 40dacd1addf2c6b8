import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { UserRow } from '../../db/schema/users-table.js'
import { nobody, type Principal } from '../call/principal.js'
import type { Authorization } from '../http/request/authorization.js'
import { cookiesOf } from '../http/cookies/call-cookies.js'
import { withoutPlatformCookies } from '../http/cookies/cookie-header.js'
import { stateOf } from '../http/request/request-state.js'
import { isIsolated, shownAuthorization, type IsOwnOrigin } from './cross-site.js'

const parsed = Symbol('parsed authorization')

declare module 'fastify' {
  interface FastifyRequest {
    /** Who calls, once that has been found out. */
    foundPrincipal: Principal | null
    /** Who calls; nobody until that has been found out. */
    readonly principal: Principal
    /** The account that credentials were tried for, for the log; null when none were. */
    triedAccount: string | null
    [parsed]: Authorization | null | undefined
  }
}

/** Gives the requests of a server what they know of their callers. */
export function decorateRequests(server: FastifyInstance, isOwnOrigin: IsOwnOrigin): void {
  server.decorateRequest('foundPrincipal', null)
  server.decorateRequest('principal', {
    getter(this: FastifyRequest): Principal {
      return this.foundPrincipal ?? nobody
    },
  })
  server.decorateRequest('triedAccount', null)
  server.decorateRequest(parsed, undefined)
  server.decorateRequest(stateOf, null)
  server.decorateRequest(cookiesOf, null)
  server.decorateRequest('callingUser', {
    getter(this: FastifyRequest): UserRow | null {
      return this.principal.kind === 'user' ? this.principal.user : null
    },
  })
  server.decorateRequest('cookieHeader', {
    getter(this: FastifyRequest): string | undefined {
      const { cookie } = this.raw.headers
      return cookie === undefined || isIsolated(this, this.found?.endpoint ?? null, isOwnOrigin) ? undefined : withoutPlatformCookies(cookie)
    },
  })
  server.decorateRequest('authorization', {
    getter(this: FastifyRequest): Authorization | null {
      if (this[parsed] === undefined) this[parsed] = shownAuthorization(this, this.found?.endpoint ?? null, isOwnOrigin)
      return this[parsed]
    },
  })
}
