import { STATUS_CODES } from 'node:http'
import { replyMembers } from '../../http/http-error.js'
import { encodeJson } from '../../http/reply/encode-json.js'
import type { Reply } from '../../http/reply/reply.js'
import { addToVary } from '../../http/reply/vary.js'
import { chooseDress, type DressWish } from './dress.js'
import { debugLook, debugPage } from './debug/debug-page.js'
import { formatFrame, type ReportedError } from './debug/debug-report.js'
import type { ErrorDescription } from './describe-error.js'
import { escapeHtml, htmlPage, lookWith, type Html } from '../../http/reply/html-page.js'

/** What an error reply needs to know of the request it answers. */
export interface ErrorCircumstances extends DressWish {
  readonly requestId: string
  /** Whether every error is told in JSON, whatever the client accepts. */
  readonly alwaysJson: boolean
}

/** What the developer of an app is told of an error that nobody caught. */
export interface DebugReport {
  /** At least one: the error, and those that led to it. */
  readonly errors: readonly ReportedError[]
  readonly method: string
  readonly path: string
}

const pageLook = lookWith('')

/**
 * Puts an error into the dress that the client accepts: a small page for a browser, JSON for a program, plain text otherwise. All three say the same.
 *
 * @param report what is told in place of the error's message; null outside of development
 */
export function toErrorReply(error: ErrorDescription, { requestId, accept, speaksJson, alwaysJson }: ErrorCircumstances, report: DebugReport | null = null): Reply {
  const mediaType = alwaysJson ? 'application/json' : chooseDress({ accept, speaksJson })
  const own = normalize(error.headers)
  const reply = (headers: Readonly<Record<string, string>>, body: string): Reply => ({
    status: error.status,
    // Caches keep each dress for those who accept it (RFC 9110, 12.5.5), beside what the error itself says. What is shown to a developer stays in no cache.
    headers: { ...headers, ...(report === null ? {} : { 'cache-control': 'no-store' }), ...own, ...(alwaysJson ? {} : { vary: addToVary(own['vary'], 'Accept') }) },
    body,
  })
  const name = STATUS_CODES[error.status] ?? 'Error'
  const title = `${error.status} ${name}`
  if (mediaType === 'application/json') {
    const told = report === null ? { message: error.message, requestId } : { requestId, ...toMembers(report) }
    const { status, code, details } = error
    const members = { status, code, error: name, ...told, ...withoutTaken(details) }
    return reply({ 'content-type': 'application/json' }, encodeJson(members))
  }
  if (mediaType === 'text/html') return report === null ? reply(pageLook.headers, toPage(title, error.message === name ? '' : error.message, requestId)) : reply(debugLook.headers, debugPage(report, { title, requestId }))
  return reply({ 'content-type': 'text/plain; charset=utf-8' }, report === null ? error.message : toText(report, requestId))
}

const taken: ReadonlySet<string> = new Set(replyMembers)

/** Details beside the members that every error reply has, which they cannot replace. */
function withoutTaken(details: ErrorDescription['details']): object {
  return Object.fromEntries(Object.entries(details).filter(([name]) => !taken.has(name)))
}

function normalize(headers: ErrorDescription['headers']): Record<string, string | string[]> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), typeof value === 'string' ? value : [...value]]))
}

function toPage(title: string, message: string, requestId: string): Html {
  return htmlPage(pageLook, { title, body: `<h1>${escapeHtml(title)}</h1>\n${message === '' ? '' : `<p>${escapeHtml(message)}</p>\n`}<small>Request ${escapeHtml(requestId)}</small>` })
}

function toMembers({ errors }: DebugReport): object {
  const [first, ...others] = errors.map(({ relation, name, message, frames }) => ({ relation, name, message, stack: frames.map(formatFrame) }))
  return { message: first?.message, name: first?.name, stack: first?.stack, ...(others.length === 0 ? {} : { causes: others }) }
}

function toText({ errors }: DebugReport, requestId: string): string {
  const told = errors.map(({ relation, name, message, frames }) => {
    return [`${relation === '' ? '' : `${relation} `}${name}: ${message}`, ...frames.map((frame) => `    at ${formatFrame(frame)}`)].join('\n')
  })
  return `${told.join('\n')}\n\nRequest ${requestId}\n`
}
