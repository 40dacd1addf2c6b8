import { createHash, hash } from 'node:crypto'
import { RowMedia } from '../../../db/rows/row-media.js'
import { Media } from '../../../db/values/media.js'
import { refusal } from '../../http/http-error.js'
import { encodeJson } from '../../http/reply/encode-json.js'
import type { RowhouseRequest } from '../../http/request/request.js'

/** A row as it is sent, and the strong entity tag of this state of it (RFC 9110, 8.8.3). */
export interface Representation {
  readonly json: string
  readonly tag: string
}

/**
 * Represents a row by the values that are sent. The tag is made of these alone: one that others had a part in would let a client test guesses at them.
 * Of media only name, type and length are sent, and the tag is of the bytes too.
 */
export function represent(view: Readonly<Record<string, unknown>>): Representation {
  const json = encodeJson(view)
  const media = Object.values(view).filter((value) => value instanceof Media)
  return { json, tag: `"${digest(json, media).slice(0, 22)}"` }
}

/**
 * One call where it will do: an object that hashes lives outside of the JavaScript heap, and under load costs more than
 * the hashing.
 */
function digest(json: string, media: readonly Media[]): string {
  if (media.length === 0) return hash('sha256', json, 'base64url')
  const hashing = createHash('sha256').update(json)
  // The mark of what lies in a column stands for its bytes, which are then not read.
  for (const each of media) hashing.update(markOf(each) ?? each.bytes)
  return hashing.digest('base64url')
}

function markOf(media: Media): string | null {
  const content = Media.contentOf(media)
  return content instanceof RowMedia ? content.mark : null
}

/**
 * Judges `If-Match` and `If-None-Match` against the present state of a row (RFC 9110, 13.2.2).
 *
 * @returns whether the client has this state already, which a read answers with 304
 * @throws HttpError 412 when the row has changed, 400 when one of the headers cannot be read
 */
export function checkConditions({ headers, method }: RowhouseRequest, present: () => Representation): 'go on' | 'not modified' {
  const match = headers['if-match']
  // Strong comparison: a weak tag equals none, not even itself (RFC 9110, 8.8.3.2).
  if (match !== undefined && !matches('If-Match', match, present, (tag) => tag)) {
    const what = 'the row has changed since it was read with the ETag in If-Match'
    throw refusal('precondition-failed', `${what}; read it again and repeat the change on what is there now`)
  }
  const noneMatch = headers['if-none-match']
  if (noneMatch === undefined || !matches('If-None-Match', noneMatch, present, (tag) => tag.replace(/^W\//, ''))) return 'go on'
  if (method === 'GET' || method === 'HEAD') return 'not modified'
  throw refusal('precondition-failed', 'the row is in the state that If-None-Match excludes')
}

/** More than a hundred tags. Each is compared, so what a longer header costs is not for its sender to say. */
const longestCondition = 4096

function matches(header: string, value: string, present: () => Representation, comparable: (tag: string) => string): boolean {
  if (value.length > longestCondition) {
    throw refusal('malformed-condition', `${header} is longer than ${longestCondition} characters; send fewer ETags`)
  }
  if (value.trim() === '*') return true
  const tags = parseTags(value)
  if (tags === null) {
    throw refusal('malformed-condition', `${header} takes "*", or ETags as they were sent, quotes included`)
  }
  const { tag } = present()
  return tags.some((each) => comparable(each) === tag)
}

/** A list of entity tags (RFC 9110, 8.8.3 and 5.6.1); null when it is none. */
function parseTags(value: string): string[] | null {
  const element = /[ \t,]*((?:W\/)?"[\x21\x23-\x7e\x80-\xff]*")[ \t]*(?:,[ \t,]*|$)/y
  const tags: string[] = []
  while (element.lastIndex < value.length) {
    const tag = element.exec(value)?.[1]
    if (tag === undefined) return null
    tags.push(tag)
  }
  return tags.length === 0 ? null : tags
}
