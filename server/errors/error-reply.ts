import { STATUS_CODES } from 'node:http'
import Negotiator from 'negotiator'
import { encodeJson } from '../reply/encode-json.js'
import type { Reply } from '../reply/reply.js'
import type { ErrorDescription } from './describe-error.js'

/** What an error reply needs to know of the request it answers. */
export interface ErrorCircumstances {
  readonly requestId: string
  readonly accept: string | undefined
  /** Whether every error is told in JSON, whatever the client accepts. */
  readonly alwaysJson: boolean
}

/** Preferred first; `*∕*`, which curl sends, gets the first. */
const mediaTypes = ['text/plain', 'application/json', 'text/html']

/**
 * Puts an error into the dress that the client accepts: a small page for a browser, JSON for a program, plain text otherwise. All three say the same.
 */
export function toErrorReply(error: ErrorDescription, { requestId, accept, alwaysJson }: ErrorCircumstances): Reply {
  const mediaType = alwaysJson ? 'application/json' : (new Negotiator({ headers: { accept } }).mediaType(mediaTypes) ?? 'text/plain')
  const reply = (contentType: string, body: string): Reply => ({
    status: error.status,
    headers: { 'content-type': contentType, ...normalize(error.headers) },
    body,
  })
  const name = STATUS_CODES[error.status] ?? 'Error'
  if (mediaType === 'application/json') {
    return reply('application/json', encodeJson({ status: error.status, error: name, message: error.message, requestId, ...error.details }))
  }
  if (mediaType === 'text/html') return reply('text/html; charset=utf-8', toPage(error, name, requestId))
  return reply('text/plain; charset=utf-8', error.message)
}

function normalize(headers: ErrorDescription['headers']): Record<string, string | string[]> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), typeof value === 'string' ? value : [...value]]))
}

function toPage({ status, message }: ErrorDescription, name: string, requestId: string): string {
  const title = `${status} ${escape(name)}`
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${title}</title><meta name="viewport" content="width=device-width">
<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:15vh auto;padding:0 1.5rem;color:#222}h1{font-size:1.4rem}small{color:#767676}</style></head>
<body><h1>${title}</h1><p>${escape(message)}</p><small>Request ${escape(requestId)}</small></body>
</html>
`
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character)
}
