import type { OutgoingHttpHeaders } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { isLocal, type HttpsHosts } from '../request/https-hosts.js'
import type { SecuritySettings } from '../security-settings.js'
import { nosniff } from './file-headers.js'

/** What the headers depend on. */
export interface SecurityHeadersOptions extends SecuritySettings {
  readonly trustedProxies: readonly string[]
}

const none: OutgoingHttpHeaders = {}

/** What its readers take for JSON whatever else it looks like. */
const json = /^\s*application\/(?:[^;,]*\+)?json\s*(?:;[^,]*)?$/i
/** What browsers show as text: there is nothing to click in it. */
const text = /^\s*text\/(?!html|xml)[^;,]*(?:;[^,]*)?$/i
/** What browsers show as a page, scripts and all. */
const page = /^\s*(?:text\/html|application\/xhtml\+xml)\s*(?:;|$)/i

/**
 * The headers that answers have for the sake of security where nobody has said otherwise: put together once, for all
 * answers of an app.
 */
export class SecurityHeaders {
  /** The policy of an uploaded file that might act in the name of the app. */
  readonly fileSandbox: string
  readonly #page: Readonly<Record<string, string>>
  readonly #file: Readonly<Record<string, string>>
  /** Null where no answer of this app is known to go out by https. */
  readonly #hsts: string | null
  readonly #https: HttpsHosts

  constructor({ security, trustedProxies }: SecurityHeadersOptions, https: HttpsHosts) {
    const { contentSecurityPolicy, frameAncestors, referrerPolicy, hsts } = security
    const ofPages = frameAncestors === false ? false : toDirective(frameAncestors)
    // Pages show files of their own in frames, and as objects, which count as such.
    const ofFiles = frameAncestors === false ? false : toDirective(['self', ...frameAncestors])
    const common = { ...nosniff, ...(referrerPolicy !== false && { 'referrer-policy': referrerPolicy }) }
    this.#page = { ...common, ...policyOf(contentSecurityPolicy, ofPages) }
    this.#file = { ...common, ...policyOf(ofFiles) }
    this.fileSandbox = ofFiles === false ? 'sandbox' : `sandbox; ${ofFiles}`
    this.#https = https
    this.#hsts = hsts !== false && (!https.isEmpty || trustedProxies.length > 0) ? hsts : null
  }

  /**
   * Sets what an answer is to have and does not have yet.
   *
   * @param type the content type, undefined where the body has none; null where there is no body
   * @param own headers that it will have beside those that are set already
   */
  set(request: FastifyRequest, reply: FastifyReply, type: unknown, own: OutgoingHttpHeaders = none): void {
    // What is for somebody in particular stays in no cache, where the next one at the same machine would find it.
    if (request.principal.kind !== 'nobody') setUnset(reply, own, 'cache-control', 'no-store')
    if (type !== null && type !== 'application/json') {
      const headers = this.#headersFor(type)
      for (const name in headers) setUnset(reply, own, name, headers[name])
    }
    if (this.#hsts !== null && this.#isByHttps(request)) setUnset(reply, own, 'strict-transport-security', this.#hsts)
  }

  #headersFor(type: unknown): Readonly<Record<string, string>> {
    if (typeof type !== 'string') return this.#file
    if (text.test(type)) return nosniff
    if (json.test(type)) return {}
    return page.test(type) ? this.#page : this.#file
  }

  /**
   * Whether the browser sees https, under a name. Over http the header must not be sent, and for addresses browsers keep no policy (RFC 6797, 7.2 and 8.1.1); the other servers of this machine share its name.
   */
  #isByHttps(request: FastifyRequest): boolean {
    return this.#https.reaches(request) && !isLocal(request.host)
  }
}

function setUnset(reply: FastifyReply, own: OutgoingHttpHeaders, name: string, value: string | undefined): void {
  if (!(name in own) && !reply.hasHeader(name)) void reply.header(name, value)
}

function policyOf(...directives: readonly (string | false)[]): Readonly<Record<string, string>> {
  const policy = directives.filter((directive) => directive !== false).join('; ')
  return policy === '' ? {} : { 'content-security-policy': policy }
}

function toDirective(ancestors: readonly string[]): string {
  const sources = new Set(ancestors.map((ancestor) => (ancestor === 'self' ? "'self'" : ancestor)))
  return `frame-ancestors ${sources.size === 0 ? "'none'" : [...sources].join(' ')}`
}
