import type { ServerResponse } from 'node:http'
import type { FastifyRequest } from 'fastify'
import { isContentType, Media } from '../../../db/values/media.js'
import { essenceOf } from '../../../db/values/media-type.js'
import { markReceived } from '../../../db/values/received-bytes.js'
import type { JsonValue } from '../../../db/values/json-value.js'
import { cookiesOf } from '../cookies/call-cookies.js'
import { hasBody, type ReceivedBody } from '../body/read-body.js'
import type { BodyContent } from '../body/body-store.js'
import { readContentDisposition } from '../body/content-disposition.js'
import { isJsonType } from '../body/json.js'
import { refusal } from '../http-error.js'
import { emptyForm, parseForm, readMultipart, type Form } from '../body/form.js'
import type { UserRow } from '../../../db/schema/users-table.js'
import type { Authorization } from './authorization.js'
import type { RequestHeaders } from './headers.js'
import type { PathValue, RequestTarget } from './target.js'

const notYet =
  'the body of a request cannot be read while authenticate() runs: it decides whether the body is received at all; ' +
  'look at the headers, such as request.authorization'

/** Under which a request has its state. */
export const stateOf = Symbol('what has been made of the request')

declare module 'fastify' {
  interface FastifyRequest {
    /** What stood before the path: the access key of a private app, `''` for others; null as long as the request has not shown the key. */
    basePath: string | null
    /** The user who calls; null where that is not a user, or nobody was asked for. */
    readonly callingUser: UserRow | null
    /** The `Cookie` header as far as it counts here: without Rowhouse's own cookies, and none at all in a request from another site. */
    readonly cookieHeader: string | undefined
    /** What has been made of the request, once somebody has begun to. */
    [stateOf]?: RequestState | null
    /** The `Authorization` header, taken apart on first use; null when there is none or it is malformed. */
    readonly authorization: Authorization | null
  }
}

/** Where a request was sent to: what the pipeline has found, as far as a request tells of it. */
export interface RequestPlace {
  readonly target: RequestTarget
  /** The part at the front of the path that `path` leaves out. */
  readonly prefix: string
  /** How much of a body is decoded in memory, in bytes. */
  readonly decodeLimit: number
  /** Assigns the values of the path's parameters to members of `target` with the parameters' names. */
  namePathParameters(target: Record<string, unknown>): void
}

/** One request and what has been made of it so far. The views of the request share it, so each thing is made once, whoever asks first. */
export class RequestState {
  headers: RequestHeaders | null = null
  cookies: Readonly<Record<string, string>> | null = null
  json: { readonly value: JsonValue } | null = null
  validatedJson: { readonly value: unknown } | null = null
  /** Whether somebody has asked for the JSON of the body and was given null, such as where there is none. */
  gaveNull = false
  /** What the handler was given as its arguments. */
  args: Readonly<Record<string, unknown>> | null = null
  pathParams: Readonly<Record<string, PathValue>> | null = null
  abort: AbortController | null = null
  /** Undefined as long as it has not been received. */
  #received: ReceivedBody | null | undefined
  #whyNot = notYet
  #isUnread = false
  #body: Media | null = null
  #form: Form | null = null

  constructor(
    readonly raw: FastifyRequest,
    readonly response: ServerResponse,
    readonly place: RequestPlace,
  ) {
    raw[stateOf] = this
  }

  /** The values of a request that have been decoded so far: objects with its parameters, fields and members by their names. */
  static decodedFor({ [stateOf]: state = null, [cookiesOf]: cookies = null }: FastifyRequest): readonly unknown[] {
    const secrets = cookies === null ? [] : [{ secrets: [...cookies.secrets] }]
    return state === null ? secrets : [...secrets, state.args, state.#form?.fields, state.json?.value, state.validatedJson?.value]
  }

  /** Told once the body is there, or that none will come: null. Only the first time counts. */
  receive(body: ReceivedBody | null): void {
    if (this.#received === undefined) this.#received = body
  }

  /** Told that the body, if there is one, is not received any more: then nothing is known of it, least of all that it is empty. */
  leaveUnread(): void {
    if (this.#received !== undefined) return
    this.#received = null
    this.#isUnread = true
  }

  /** Told that somebody else receives the body: from then on, whoever asks for it here is told `why`. */
  withhold(why: string): void {
    this.#whyNot = why
  }

  /** The body as it was received; null when there is none. @throws Error before that */
  get received(): ReceivedBody | null {
    if (this.#received !== undefined) return this.#received
    throw new Error(this.#whyNot)
  }

  /** The whole `Content-Type` header; `''` when there is none. */
  get contentType(): string {
    return this.raw.headers['content-type'] ?? ''
  }

  /** The content type without its parameters, in lower case; `''` when there is none. */
  get mimetype(): string {
    const { contentType } = this
    const end = contentType.indexOf(';')
    return (end === -1 ? contentType : contentType.slice(0, end)).trim().toLowerCase()
  }

  /** Whether there is a form in the body. */
  get isForm(): boolean {
    return this.received !== null && (this.received.parts !== null || this.#isUrlEncoded)
  }

  /**
   * Whether the body is JSON by its content type. An empty one counts where one was to be expected: many clients name a type in every request.
   *
   * @throws HttpError 400 when there is a body whose type cannot be read
   */
  get isJson(): boolean {
    if (!isJsonType(this.mimetype)) {
      this.#checkType()
      return false
    }
    return this.content !== null || (!this.#isUnread && isExpected(this.raw))
  }

  /** The bytes of the body, wherever they are; null when there is none. */
  get content(): BodyContent | null {
    return this.received === null ? null : this.received.content
  }

  /** The body, or null when there is none. @throws HttpError 400 when its name cannot be read */
  get body(): Media | null {
    if (this.received === null) return null
    const { content } = this.received
    return (this.#body ??= new Media(Buffer.isBuffer(content) ? markReceived(content) : content, {
      ...(isContentType(this.contentType) && { contentType: this.contentType }),
      name: attachmentName(this.raw.headers['content-disposition']),
    }))
  }

  /** What is not understood is not the same as what is not there. @throws HttpError 400 */
  #checkType(): void {
    if (this.content === null || this.contentType === '' || essenceOf(this.contentType) !== null) return
    const got = JSON.stringify(this.contentType.slice(0, 100))
    throw refusal('malformed-header', `content-type: expected a media type such as application/json, got ${got}`)
  }

  /** The form that the body is; an empty one when it is none. @throws HttpError 400, 413 */
  get form(): Form {
    return this.received === null ? emptyForm : (this.#form ??= this.#readForm(this.received))
  }

  /** Takes a field out of the form. @throws HttpError 400, 413 */
  takeField(name: string): string | readonly string[] | undefined {
    const { fields, files, all } = this.form
    if (fields[name] !== undefined) this.#form = { fields: without(fields, name), files, all: without(all, name) }
    return fields[name]
  }

  get #isUrlEncoded(): boolean {
    return this.mimetype === 'application/x-www-form-urlencoded'
  }

  #readForm({ content, parts }: ReceivedBody): Form {
    const { decodeLimit } = this.place
    if (parts !== null) return readMultipart(content, parts, decodeLimit)
    if (this.#isUrlEncoded) return parseForm(content, decodeLimit)
    this.#checkType()
    return emptyForm
  }
}

function without<Values extends object>(values: Values, name: string): Values {
  const others = Object.assign(Object.create(null) as Values, values)
  Reflect.deleteProperty(others, name)
  return others
}

/** Whose requests have a body. */
const bodyMethods: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH'])

/**
 * Whether a body was to be expected: by the method, or since the message says that one follows, which is then empty once it is decompressed or
 * in its chunks (RFC 9112, 6.3). A length of 0 says that none follows: clients send it with a DELETE, too.
 */
function isExpected({ method, raw }: FastifyRequest): boolean {
  return bodyMethods.has(method) || hasBody(raw)
}

/** The file name that `Content-Disposition: attachment; filename="f.png"` gives to a body, without any folder in it. @throws HttpError 400 when that cannot be read */
function attachmentName(header: string | undefined): string | null {
  if (header === undefined) return null
  const disposition = readContentDisposition(header, (latin1) => Buffer.from(latin1, 'latin1').toString('utf8'))
  if (disposition !== null) return disposition.fileName === '' ? null : disposition.fileName
  const got = JSON.stringify(header.slice(0, 100))
  throw refusal('malformed-header', `content-disposition: expected one such as attachment; filename="f.png", got ${got}`)
}
