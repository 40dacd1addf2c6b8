import type { JsonValue } from '../../../db/values/json-value.js'
import type { UserRow } from '../../../db/schema/users-table.js'
import type { Authorization } from './authorization.js'
import { emptyForm, type FieldValues, type FileValues, type FormFields } from '../body/form.js'
import { parseCookies } from '../cookies/cookie-header.js'
import { readHeaders, type RequestHeaders } from './headers.js'
import { parseJson } from '../body/json.js'
import type { RequestState } from './request-state.js'
import { originForm, type PathValue } from './target.js'

type UserOf<SignedIn extends boolean> = SignedIn extends true ? UserRow : UserRow | null

/**
 * What all views of a request have: everything but `body`, which is an attribute for endpoints and a method for file routes.
 *
 * @typeParam Body what `bodyJson` holds; an endpoint with a `body` schema knows it
 * @typeParam SignedIn whether a user is sure to be there; not the user's type, which may depend on a module that uses
 *   a request itself
 */
export abstract class CommonRequest<Body = JsonValue | null, SignedIn extends boolean = false> {
  readonly #state: RequestState

  constructor(state: RequestState) {
    this.#state = state
  }

  /** The path without the prefix of its door and without the query, decoded. */
  get path(): string {
    const { target, prefix } = this.#state.place
    return target.path.slice(prefix.length)
  }

  /** In upper case. */
  get method(): string {
    return this.#state.raw.method
  }

  /** Absolute: the scheme and host under which the client reached this server. The host is what the client claims; build links with `getAppOrigin`. */
  get url(): string {
    const { raw } = this.#state
    return `${raw.protocol}://${raw.host || 'localhost'}${raw.basePath ?? ''}${originForm(raw.originalUrl)}`
  }

  /** The path's parameters by name: texts, or what a converter has made of them. The object has no prototype. */
  get pathParams(): Readonly<Record<string, PathValue>> {
    return (this.#state.pathParams ??= namePathParameters(this.#state))
  }

  /** The query's parameters; a repeated one is a list. The object has no prototype. */
  get queryParams(): FieldValues {
    // Fastify leaves the type of the query to its caller; this is what its parser returns.
    return this.#state.raw.query as FieldValues
  }

  /**
   * The fields of a form, sent as `application/x-www-form-urlencoded` or `multipart/form-data`; a repeated one is a list. The object has no prototype.
   *
   * @throws HttpError 400 when there are more than 1000, 413 when they are longer than `decodeLimit` together
   */
  get formParams(): FieldValues {
    return this.#state.form.fields
  }

  /** The files of a form sent as `multipart/form-data`; several under one name are a list. The object has no prototype. */
  get files(): FileValues {
    return this.#state.form.files
  }

  /** By name in any letter case, as `headers['content-type']` or `headers.get('content-type')`. */
  get headers(): RequestHeaders {
    return (this.#state.headers ??= readHeaders(this.#state.raw.headers, this.#state.raw.cookieHeader))
  }

  /**
   * The app's own cookies by their names, decoded; of several with one name the first, which is that of the most specific path. None in a request that a browser sends on behalf of another site,
   * unless the endpoint says `crossSiteSession`. The object has no prototype.
   */
  get cookies(): Readonly<Record<string, string>> {
    return (this.#state.cookies ??= parseCookies(this.#state.raw.cookieHeader))
  }

  /** The whole `Content-Type` header; `''` when there is none. */
  get contentType(): string {
    return this.#state.contentType
  }

  /** The content type without its parameters, in lower case; `''` when there is none. */
  get mimetype(): string {
    return this.#state.mimetype
  }

  /** The `Origin` header, or null. */
  get origin(): string | null {
    return this.#state.raw.headers.origin ?? null
  }

  /** The address of the peer; of the client behind it only where the peer is one of the configured `trustedProxies`. */
  get remoteAddress(): string {
    return this.#state.raw.ip
  }

  /**
   * The decoded body when its type is `application/json` or `application/…+json`, else null; what the endpoint's `body` schema made of it where there is one.
   *
   * @throws HttpError 400 when it is malformed, with the position, or empty, or when its type cannot be read, 413 when it is longer than `decodeLimit`
   */
  get bodyJson(): Body {
    const state = this.#state
    const value = readJson(state)
    if (value === null) state.gaveNull = true
    // Without a schema, Body is the JSON type itself; with one, the pipeline has called `useValidatedJson` before any handler can look.
    return value as Body
  }

  /**
   * The body decoded as JSON, whatever its content type says. Every call gives the same value.
   *
   * @throws HttpError 400 when there is no body, or it is malformed, with the position, 413 when it is longer than `decodeLimit`
   */
  async json(): Promise<unknown> {
    return decodeJson(this.#state)
  }

  /** The body as UTF-8 text; `''` when there is none. */
  async text(): Promise<string> {
    return (await this.#state.body?.text()) ?? ''
  }

  /**
   * The fields and files of a form, `application/x-www-form-urlencoded` or `multipart/form-data`; several under one name are a list. Empty for any other content type.
   * The object has no prototype.
   *
   * @throws HttpError 400 when there are more than 1000 fields, 413 when they are longer than `decodeLimit` together
   */
  async form(): Promise<FormFields> {
    return this.#state.form.all
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
    return this.#state.raw.authorization
  }

  /** The user whose credentials were verified, or null. */
  get user(): UserOf<SignedIn> {
    // Who has to be there is looked for before any handler is called.
    return this.#state.raw.callingUser as UserOf<SignedIn>
  }

  /** Aborts when the client goes away before it was answered. The handler still runs to its end. */
  get signal(): AbortSignal {
    return (this.#state.abort ??= abortWhenGone(this.#state)).signal
  }

  /** The state behind a view, for the pipeline and for another view of the same request. */
  static stateOf(request: CommonRequest<unknown>): RequestState {
    return request.#state
  }

  /** `bodyJson`, and null where the body is empty: for what may be sent in other ways as well. Called by the pipeline. */
  static jsonIfAny<Body>(request: CommonRequest<Body>): Body | null {
    return request.#state.content === null ? null : (readJson(request.#state) as Body)
  }

  /** `formParams`, and none where the body is no form, even if nobody can tell what it is. Called by the pipeline. */
  static fieldsIfAny(request: CommonRequest<unknown>): FieldValues {
    return request.#state.isForm ? request.formParams : emptyForm.fields
  }

  /** Takes a field out of the form of a request, so that nobody else sees it; undefined where there is none. Called by the pipeline. @throws HttpError 400, 413 */
  static takeField(request: CommonRequest<unknown>, name: string): string | readonly string[] | undefined {
    return request.#state.isForm ? request.#state.takeField(name) : undefined
  }

  /** Puts the result of the endpoint's `body` schema in the place of the decoded body. Called by the pipeline. */
  static useValidatedJson(request: CommonRequest<unknown>, value: unknown): void {
    request.#state.validatedJson = { value }
  }
}

function readJson(state: RequestState): unknown {
  if (state.validatedJson !== null) return state.validatedJson.value
  return state.isJson ? decodeJson(state) : null
}

function decodeJson(state: RequestState): JsonValue {
  return (state.json ??= { value: parseJson(state.content, state.place.decodeLimit) }).value
}

function namePathParameters({ place }: RequestState): Readonly<Record<string, PathValue>> {
  const params = Object.create(null) as Record<string, PathValue>
  place.namePathParameters(params)
  return params
}

function abortWhenGone({ response }: RequestState): AbortController {
  const controller = new AbortController()
  const onClose = (): void => {
    if (!response.writableFinished) controller.abort()
  }
  if (response.closed) onClose()
  else response.once('close', onClose)
  return controller
}
