import type { ServerResponse } from 'node:http'
import type { FastifyRequest } from 'fastify'
import { Media } from '../../db/media.js'
import type { UserRow } from '../../db/users-table.js'
import type { Authorization } from '../../plugins/basic-auth.js'
import { parseForm, type FieldValues } from './form.js'
import { readHeaders, type RequestHeaders } from './headers.js'
import type { JsonValue } from '../../db/json-value.js'
import { isJsonType, parseJson } from './json.js'
import { originForm, type RequestTarget } from './target.js'

const noFields: FieldValues = Object.freeze(Object.create(null) as FieldValues)

/** Where a request was sent to, as the pipeline found it. */
export interface RequestPlace {
  readonly target: RequestTarget
  /** The part at the front of the path that `path` leaves out. */
  readonly prefix: string
}

/**
 * A request as a handler sees it. Importable as `request`, and the handler's second argument.
 *
 * @typeParam Body what `bodyJson` holds; an endpoint with a `body` schema knows it
 */
export class RowhouseRequest<Body = JsonValue | null> {
  readonly #raw: FastifyRequest
  readonly #response: ServerResponse
  readonly #place: RequestPlace
  readonly #bytes: Buffer | null
  #headers: RequestHeaders | null = null
  #body: Media | null = null
  #json: { readonly value: JsonValue | null } | null = null
  #validatedJson: { readonly value: Body } | null = null
  #form: FieldValues | null = null
  #abort: AbortController | null = null

  constructor(raw: FastifyRequest, response: ServerResponse, place: RequestPlace, bytes: Buffer | null) {
    this.#raw = raw
    this.#response = response
    this.#place = place
    this.#bytes = bytes
  }

  /** The path without the prefix of its door and without the query, decoded. */
  get path(): string {
    return this.#place.target.path.slice(this.#place.prefix.length)
  }

  /** In upper case. */
  get method(): string {
    return this.#raw.method
  }

  /** Absolute: the scheme and host under which the client reached this server. The host is what the client claims; build links with `getAppOrigin`. */
  get url(): string {
    return `${this.#raw.protocol}://${this.#raw.host || 'localhost'}${originForm(this.#raw.originalUrl)}`
  }

  /** The query's parameters; a repeated one is a list. The object has no prototype. */
  get queryParams(): FieldValues {
    // Fastify leaves the type of the query to its caller; this is what its parser returns.
    return this.#raw.query as FieldValues
  }

  /**
   * The fields of a form sent as `application/x-www-form-urlencoded`; a repeated one is a list. The object has no prototype.
   *
   * @throws HttpError 400 when there are more than 1000
   */
  get formParams(): FieldValues {
    return (this.#form ??= this.#bytes !== null && this.mimetype === 'application/x-www-form-urlencoded' ? parseForm(this.#bytes) : noFields)
  }

  /** By name in any letter case, as `headers['content-type']` or `headers.get('content-type')`. */
  get headers(): RequestHeaders {
    return (this.#headers ??= readHeaders(this.#raw.headers))
  }

  /** The whole `Content-Type` header; `''` when there is none. */
  get contentType(): string {
    return this.#raw.headers['content-type'] ?? ''
  }

  /** The content type without its parameters, in lower case; `''` when there is none. */
  get mimetype(): string {
    const { contentType } = this
    const end = contentType.indexOf(';')
    return (end === -1 ? contentType : contentType.slice(0, end)).trim().toLowerCase()
  }

  /** The `Origin` header, or null. */
  get origin(): string | null {
    return this.#raw.headers.origin ?? null
  }

  /** The address of the peer; of the client behind it only where the peer is one of the configured `trustedProxies`. */
  get remoteAddress(): string {
    return this.#raw.ip
  }

  /** The body as it was sent, or null when there is none. */
  get body(): Media | null {
    if (this.#bytes === null) return null
    return (this.#body ??= new Media(this.#bytes, {
      contentType: this.contentType === '' ? 'application/octet-stream' : this.contentType,
      name: attachmentName(this.#raw.headers['content-disposition']),
    }))
  }

  /**
   * The decoded body when its type is `application/json` or `application/…+json`, else null; what the endpoint's `body` schema made of it where there is one.
   *
   * @throws HttpError 400 when it is malformed, with the position
   */
  get bodyJson(): Body {
    if (this.#validatedJson !== null) return this.#validatedJson.value
    this.#json ??= { value: this.#bytes !== null && isJsonType(this.mimetype) ? parseJson(this.#bytes) : null }
    // Without a schema, Body is the JSON type itself; with one, the pipeline has called `useValidatedJson` before any handler can look.
    return this.#json.value as Body
  }

  /** The user name of HTTP Basic credentials, or null. */
  get username(): string | null {
    return this.authorization?.username ?? null
  }

  /** The password of HTTP Basic credentials, or null. */
  get password(): string | null {
    return this.authorization?.password ?? null
  }

  /** The `Authorization` header, taken apart; null when there is none or it is malformed. */
  get authorization(): Authorization | null {
    return this.#raw.authorization
  }

  /** The user whose credentials were verified, or null. */
  get user(): UserRow | null {
    return this.#raw.user
  }

  /** Aborts when the client goes away before it was answered. The handler still runs to its end. */
  get signal(): AbortSignal {
    if (this.#abort === null) {
      const controller = (this.#abort = new AbortController())
      const response = this.#response
      const onClose = (): void => {
        if (!response.writableFinished) controller.abort()
      }
      if (response.closed) onClose()
      else response.once('close', onClose)
    }
    return this.#abort.signal
  }

  /** Puts the result of the endpoint's `body` schema in the place of the decoded body. Called by the pipeline. */
  static useValidatedJson<Body>(request: RowhouseRequest<Body>, value: Body): void {
    request.#validatedJson = { value }
  }
}

/** The file name that `Content-Disposition: attachment; filename="f.png"` gives to a body, without any folder in it. */
function attachmentName(disposition: string | undefined): string | null {
  const match = /;\s*filename="?([^";]+)"?/i.exec(disposition ?? '')
  const name = match?.[1]?.split(/[\\/]/).at(-1)
  return name === undefined || name === '' ? null : name
}
