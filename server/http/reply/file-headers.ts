import type { OutgoingHttpHeaders } from 'node:http'
import { essenceOf } from '../../../db/values/media-type.js'
import type { SecurityHeaders } from './security-headers.js'

/** The type that is said counts, whatever the bytes look like (WHATWG Fetch, 3.6). */
export const nosniff = { 'x-content-type-options': 'nosniff' } as const

/**
 * What browsers show without running anything of it in the origin that it comes from: pictures made of pixels, sound, films, plain text, CSV and JSON, and PDF,
 * whose scripts run in the viewer, which is another origin in every browser and which a sandbox would keep from starting.
 */
const shown: ReadonlySet<string> = new Set([
  ...['png', 'apng', 'jpeg', 'jpg', 'gif', 'webp', 'avif', 'bmp', 'x-icon', 'vnd.microsoft.icon'].map((name) => `image/${name}`),
  ...['mpeg', 'mp4', 'aac', 'x-m4a', 'ogg', 'opus', 'webm', 'flac', 'wav', 'x-wav', 'wave'].map((name) => `audio/${name}`),
  ...['mp4', 'webm', 'ogg', 'quicktime'].map((name) => `video/${name}`),
  'text/plain',
  'text/csv',
  'application/json',
  'application/pdf',
])

/** What browsers show as a page, and run: HTML, SVG and other XML. In a sandbox it is shown all the same. */
const page = /^(?:text\/html|text\/xml|application\/xml|.+\+xml)$/

/** A file: bytes with the type that somebody has claimed for them. */
interface SentFile {
  readonly type: string
  readonly name: string | null
}

/**
 * The headers that keep a file, which anybody may have uploaded, from acting in the name of the app: what is not known to be harmless is in a sandbox,
 * an origin of its own without scripts (CSP Level 3, 6.3.2), and what is no page is saved rather than shown.
 */
export function headersOfFile({ type, name }: SentFile, { fileSandbox }: Pick<SecurityHeaders, 'fileSandbox'>): OutgoingHttpHeaders {
  const essence = essenceOf(type)
  // Behind a comma, even one between quotes, some readers look for another type.
  const isShown = essence !== null && shown.has(essence) && !type.includes(',')
  const kind = isShown || (essence !== null && page.test(essence)) ? 'inline' : 'attachment'
  const fileName = name === null ? '' : `; filename*=UTF-8''${encodeFileName(name)}`
  return {
    ...nosniff,
    ...((name !== null || kind === 'attachment') && { 'content-disposition': kind + fileName }),
    ...(!isShown && { 'content-security-policy': fileSandbox }),
  }
}

/** Headers of an author that stand above those of a file: a policy of theirs is added to its sandbox, unless it says itself what the sandbox allows. */
export function withSandbox(own: OutgoingHttpHeaders, { 'content-security-policy': filePolicy }: OutgoingHttpHeaders): OutgoingHttpHeaders {
  const policies = own['content-security-policy']
  if (filePolicy === undefined || policies === undefined) return own
  // A comma stands between policies, of which each has to agree.
  const policy = [policies].flat().join(', ')
  return /(?:^|[;,])\s*sandbox(?:[\s;,]|$)/i.test(policy) ? own : { ...own, 'content-security-policy': `sandbox, ${policy}` }
}

/** The extended notation of RFC 8187, which leaves fewer characters bare than encodeURIComponent does. */
function encodeFileName(name: string): string {
  return encodeURIComponent(name.toWellFormed()).replace(/['()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
}
