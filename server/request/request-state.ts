import type { ServerResponse } from 'node:http'
import type { FastifyRequest } from 'fastify'
import { Media } from '../../db/media.js'
import type { JsonValue } from '../../db/json-value.js'
import type { PathSegment, PathValue } from '../endpoint/path-pattern.js'
import type { FieldValues } from './form.js'
import type { RequestHeaders } from './headers.js'
import type { RequestTarget } from './target.js'

/** Where a request was sent to, as the pipeline found it. */
export interface RequestPlace {
  readonly target: RequestTarget
  /** The part at the front of the path that `path` leaves out. */
  readonly prefix: string
  /** The segments of the pattern that matched, and the values of its parameters in their order. */
  readonly segments: readonly PathSegment[]
  readonly values: readonly PathValue[]
}

/** One request and what has been made of it so far. The views of the request share it, so each thing is made once, whoever asks first. */
export class RequestState {
  headers: RequestHeaders | null = null
  json: { readonly value: JsonValue } | null = null
  validatedJson: { readonly value: unknown } | null = null
  form: FieldValues | null = null
  pathParams: Readonly<Record<string, PathValue>> | null = null
  abort: AbortController | null = null
  #body: Media | null = null

  constructor(
    readonly raw: FastifyRequest,
    readonly response: ServerResponse,
    readonly place: RequestPlace,
    readonly bytes: Buffer | null,
  ) {}

  /** The whole `Content-Type` header; `''` when there is none. */
  get contentType(): string {
    return this.raw.headers['content-type'] ?? ''
  }

  /** The body as it was sent, or null when there is none. */
  get body(): Media | null {
    if (this.bytes === null) return null
    return (this.#body ??= new Media(this.bytes, {
      contentType: /^[\x20-\x7e]+$/.test(this.contentType) ? this.contentType : 'application/octet-stream',
      name: attachmentName(this.raw.headers['content-disposition']),
    }))
  }
}

/** The file name that `Content-Disposition: attachment; filename="f.png"` gives to a body, without any folder in it, nor characters that do not belong on a line. */
function attachmentName(disposition: string | undefined): string | null {
  const match = /;\s*filename="?([^";]+)"?/i.exec(disposition ?? '')
  // Node.js reads headers as Latin-1; clients write names in UTF-8.
  const text = Buffer.from(match?.[1] ?? '', 'latin1').toString('utf8')
  const name = text.split(/[\\/]/).at(-1)?.replace(/\p{Cc}/gu, '_')
  return name === undefined || name === '' ? null : name
}
