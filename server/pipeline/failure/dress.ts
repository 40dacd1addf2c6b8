import type { FastifyRequest } from 'fastify'
import Negotiator from 'negotiator'
import { essenceOf } from '../../../db/values/media-type.js'
import type { Endpoint } from '../../endpoint/endpoint.js'
import { isJsonType } from '../../http/body/json.js'

/** The forms in which an error is told. */
export type Dress = 'text/plain' | 'application/json' | 'text/html'

/** What decides about the form: what the client accepts, and whether the two of them speak JSON anyway. */
export interface DressWish {
  readonly accept: string | undefined
  readonly speaksJson: boolean
}

/** Far more than any client sends that means to choose; a browser takes about 150 characters. Longer ones are not looked at: reading one takes time that grows with its length. */
const longestAccept = 500

/** Preferred first. */
const dresses: readonly Dress[] = ['text/plain', 'application/json', 'text/html']
const dressesInJson: readonly Dress[] = ['application/json', 'text/plain', 'text/html']

/** A parameter of a media range, other than its weight (RFC 9110, 12.5.1). It would tell apart several forms of one type, of which there are none here. */
const parameter = /;[ \t]*(?!q[ \t]*=)[^\s;,="]+[ \t]*=[ \t]*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]*)/gi

/** Chooses the form in which a client is told of an error, by type and weight (RFC 9110, 12.5.1). Where it takes anything, JSON is for whoever speaks JSON; where it takes none of the three, or does not say, it is plain text. */
export function chooseDress({ accept, speaksJson }: DressWish): Dress {
  if (accept === undefined) return 'text/plain'
  const ranges = accept.length > longestAccept ? '*/*' : accept.replace(parameter, '')
  const offered = speaksJson ? dressesInJson : dresses
  // Of what it is offered, it gives one back.
  return (new Negotiator({ headers: { accept: ranges } }).mediaType([...offered]) as Dress | undefined) ?? 'text/plain'
}

/** Whether client and endpoint speak JSON: the request has a body in it, or asks an endpoint that knows nothing else. */
export function speaksJson({ headers, found, missed }: FastifyRequest): boolean {
  const { 'content-type': type } = headers
  if (type !== undefined && isJsonType(essenceOf(type) ?? '')) return true
  if (found !== null) return isOfJson(found.endpoint)
  return missed !== null && [...missed.endpoints].some(isOfJson)
}

/** With a schema for its JSON body, for the rows of a table, or Rowhouse's own. */
function isOfJson({ door, options, speaksJson: always = false }: Endpoint): boolean {
  return always || options.body !== null || door === 'platform'
}
