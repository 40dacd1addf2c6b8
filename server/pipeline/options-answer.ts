import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Endpoint } from '../endpoint/endpoint.js'
import type { Resource } from '../endpoint/matcher.js'
import { corsHeaders, opensAnything, opensTo, preflightHeaders, preflightVarying, type CorsHeaders, type CorsRule } from '../http/cors/cors-rule.js'

/**
 * Answers OPTIONS at a path whose app has no handler for it: with the methods of the path and, where a browser asks what a page of another origin may do there, with that.
 * Nothing in it is secret, and a browser asks without credentials (Fetch, 3.3.2).
 */
export function answerOptions({ headers }: FastifyRequest, reply: FastifyReply, resource: Resource): void {
  void reply
    .code(204)
    .headers({ allow: resource.allow, ...corsOfOptions(headers, resource) })
    .send()
}

/** Whether a browser asks what a page of another origin may do (Fetch, 3.3.2). */
export function isPreflight(headers: IncomingHttpHeaders): headers is IncomingHttpHeaders & { readonly origin: string; readonly 'access-control-request-method': string } {
  return headers.origin !== undefined && headers['access-control-request-method'] !== undefined
}

/** The rule for the answers of a path as a whole, such as that it has no such method: that of any of its endpoints which opens something to the origin. Undefined where none opens anything. */
export function ruleOfPath(resource: Resource, origin: string | undefined): CorsRule | undefined {
  const rules = rulesOf(resource)
  return rules.find(({ origins }) => origins === '*') ?? rules.find((rule) => opensTo(rule, origin)) ?? rules.find(opensAnything)
}

function rulesOf({ endpoints }: Resource): CorsRule[] {
  return Array.from(endpoints, ({ options }) => options.cors)
}

/** To a preflight, the rule that counts is that of the endpoint for the method that is asked for. */
function corsOfOptions(headers: IncomingHttpHeaders, resource: Resource): CorsHeaders | null {
  const pathRule = ruleOfPath(resource, headers.origin)
  if (pathRule === undefined) return null
  if (!isPreflight(headers)) return { ...corsHeaders(pathRule, headers.origin), ...preflightVarying }
  const { origin, 'access-control-request-method': method, 'access-control-request-headers': asked } = headers
  // A method that the path does not have is not among those that are allowed, which the browser then says.
  const rule = resource.endpointFor(method)?.options.cors ?? pathRule
  // A browser takes what it is told for requests of the same kind, those with credentials or those without.
  const isMeant = ({ options: { cors } }: Endpoint): boolean => opensTo(cors, origin) && (cors.credentials || !rule.credentials)
  return preflightHeaders(rule, { origin, headers: asked, methods: resource.methodsOf(isMeant) })
}
