import { isUtf8 } from 'node:buffer'
import type { FastifyPluginCallback, FastifyRequest } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import type { UserRow } from '../db/schema/users-table.js'

/** HTTP Basic credentials. The password is as it was sent, down to the letter. */
interface BasicAuthorization {
  readonly scheme: 'basic'
  readonly username: string
  readonly password: string
  readonly token?: undefined
}

/** Credentials of any other scheme: what follows its name, untouched. */
interface OtherAuthorization {
  /** In lower case. */
  readonly scheme: string
  readonly token: string
  readonly username?: undefined
  readonly password?: undefined
}

/** An `Authorization` header, taken apart. */
export type Authorization = BasicAuthorization | OtherAuthorization

/** What a request needs before it is served: the right credentials of a user; any credentials, which its handler judges; nothing. */
export type Requirement = 'user' | 'credentials' | 'none'

/** Options of the plugin. */
export interface BasicAuthOptions {
  /** Names the protected area to the person who is asked for a password. Characters outside of printable ASCII are shown as `?`. */
  readonly realm: string
  readonly requirementOf: (request: FastifyRequest) => Requirement
  /** Resolves to the user with these credentials, or null; may reject, which becomes the answer's error. `address` is the client's. */
  readonly verify: (username: string, password: string, address: string) => Promise<UserRow | null>
}

const parsedAuthorization = Symbol('parsed authorization')

declare module 'fastify' {
  interface FastifyRequest {
    /** The user whose credentials were verified; null where none were asked for. */
    user: UserRow | null
    /** The `Authorization` header, taken apart on first use; null when there is none or it is malformed. */
    readonly authorization: Authorization | null
    [parsedAuthorization]: Authorization | null | undefined
  }
}

// RFC 9110 section 11.4: auth-scheme is a token, one or more spaces follow it.
const schemeAndRest = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) +(.*)$/
// RFC 4648 section 4, padding included.
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
const controlCharacter = /\p{Cc}/u

/** RFC 7617 section 2: base64 of UTF-8 text, the password after the first colon, no control characters in either. */
function parseBasic(encoded: string): BasicAuthorization | null {
  if (!base64.test(encoded)) return null
  const bytes = Buffer.from(encoded, 'base64')
  if (!isUtf8(bytes)) return null
  const text = bytes.toString('utf8')
  if (controlCharacter.test(text)) return null
  const colon = text.indexOf(':')
  if (colon === -1) return { scheme: 'basic', username: text, password: '' }
  return { scheme: 'basic', username: text.slice(0, colon), password: text.slice(colon + 1) }
}

/**
 * Takes an `Authorization` header apart (RFC 9110 section 11.6.2, RFC 7617). Without a colon the password of Basic credentials is empty.
 * Returns null for whatever is malformed, and never throws.
 */
export function parseAuthorization(header: string | undefined): Authorization | null {
  const [, name, rest] = schemeAndRest.exec(header ?? '') ?? []
  if (name === undefined || rest === undefined) return null
  const scheme = name.toLowerCase()
  const token = rest.trim()
  if (token === '') return null
  return scheme === 'basic' ? parseBasic(token) : { scheme, token }
}

/** The same for every cause: missing, malformed and wrong credentials, unknown and disabled users. */
export class Unauthorized extends Error {
  override readonly name = 'Unauthorized'
  readonly statusCode = 401

  constructor(readonly headers: Readonly<Record<string, string>>) {
    super('Unauthorized')
  }
}

/** RFC 7617 section 2.1: with `charset`, clients know to send UTF-8. */
export function challengeFor(realm: string): string {
  const printable = realm.replaceAll(/[^\x20-\x7e]/gu, '?').replaceAll(/["\\]/g, '\\$&')
  return `Basic realm="${printable}", charset="UTF-8"`
}

const basicAuthentication: FastifyPluginCallback<BasicAuthOptions> = (app, { realm, requirementOf, verify }, ready) => {
  // One for all requests: it says the same to everybody, and its stack would say nothing.
  const refusal = new Unauthorized(Object.freeze({ 'www-authenticate': challengeFor(realm) }))

  app.decorateRequest('user', null)
  app.decorateRequest(parsedAuthorization, undefined)
  app.decorateRequest('authorization', {
    getter(this: FastifyRequest): Authorization | null {
      if (this[parsedAuthorization] === undefined) this[parsedAuthorization] = parseAuthorization(this.headers.authorization)
      return this[parsedAuthorization]
    },
  })

  // With a callback and not async: a request that needs nothing passes without a promise.
  app.addHook('onRequest', (request, _reply, done) => {
    const requirement = requirementOf(request)
    if (requirement === 'none') return done()
    const { authorization } = request
    if (authorization === null) return done(refusal)
    if (requirement === 'credentials') return done()
    if (authorization.username === undefined) return done(refusal)
    verify(authorization.username, authorization.password, request.ip).then((user) => {
      if (user === null) return done(refusal)
      request.user = user
      done()
    }, done)
  })
  ready()
}

/**
 * HTTP Basic authentication, decided before the body of a request is read. Adds `request.user` and `request.authorization`;
 * a refusal is an error with `statusCode` 401 and the `WWW-Authenticate` header in `headers`.
 */
export const basicAuth = fastifyPlugin(basicAuthentication, { name: 'rowhouse-basic-auth', fastify: '5.x' })
