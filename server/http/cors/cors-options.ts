import { describeGiven, isPlainObject } from '../../../db/errors/describe-value.js'
import { suggestName } from '../../errors/nearest-name.js'
import { webOrigin } from '../address-settings.js'
import { token } from '../token.js'
import type { CorsRule } from './cors-rule.js'

/** The pages of which origins may read answers, and what else they may do, as an author says it. */
export interface CorsOptions {
  /** `'*'` for those of every origin, one origin such as `https://example.com`, or a list of them. */
  readonly origins: string | readonly string[]
  /** Whether their requests may carry what the browser keeps for this site, such as cookies. */
  readonly credentials?: boolean
  /** The request headers that they may send beside those that need no permission; every one that they ask for by default. */
  readonly headers?: readonly string[]
  /** The response headers that they may read beside those that need no permission. */
  readonly exposed?: readonly string[]
  /** How long a browser may remember what it was allowed, in seconds, as in the header; its own few seconds by default. */
  readonly maxAge?: number
}

/** Whether pages of other origins may read answers: `true` for all of them, an origin or a list of origins for those, or all that there is to say. */
export type CorsOption = boolean | string | readonly string[] | CorsOptions

/** The origins of an app, as its configuration names them. */
export interface OwnOrigins {
  readonly origin: string | null
  readonly alternateOrigins: readonly string[]
}

/** What an author can say, for messages. */
export const corsForms = "true, false, an origin such as 'https://example.com', a list of origins, or { origins, credentials, headers, exposed, maxAge }"

/** Of what kind each member is, for {@link findCorsMistakes}. */
const members: Readonly<Record<keyof CorsOptions, (value: unknown) => readonly string[]>> = {
  origins: (value) => (typeof value === 'string' || Array.isArray(value) ? findOriginMistakes(value) : [`takes '*', an origin or a list of origins, got ${describeGiven(value)}`]),
  credentials: (value) => (typeof value === 'boolean' ? [] : [`takes true or false, got ${describeGiven(value)}`]),
  headers: (value) => (isNames(value) && !value.includes('*') ? [] : [`takes a list of header names, got ${describeNames(value)}; leave it out to allow all that are asked for`]),
  exposed: (value) => (isNames(value) ? [] : [`takes a list of header names, got ${describeNames(value)}`]),
  maxAge: (value) => (Number.isSafeInteger(value) && (value as number) >= 0 ? [] : [`takes a whole number of seconds, got ${describeGiven(value)}`]),
}

/**
 * All that is wrong with what an author says of CORS, each as the end of a sentence that begins with the name of the option or the setting.
 *
 * @returns nothing for a {@link CorsOption}
 */
export function findCorsMistakes(value: unknown): readonly string[] {
  if (typeof value === 'boolean') return []
  if (typeof value === 'string' || Array.isArray(value)) return findOriginMistakes(value)
  if (!isPlainObject(value)) return [`takes ${corsForms}, got ${describeGiven(value)}`]
  const mistakes = Object.entries(value).flatMap(([name, member]) => {
    const find = Object.hasOwn(members, name) ? members[name as keyof CorsOptions] : undefined
    if (find === undefined) return [`has no "${name}"; ${suggestName(name, Object.keys(members))}`]
    // What is not said is left out. Origins that a mistyped constant was to name are none.
    return member === undefined && name !== 'origins' ? [] : find(member).map((mistake) => `has "${name}", which ${mistake}`)
  })
  if (!('origins' in value)) mistakes.push("takes origins: { origins: 'https://example.com', … }")
  return mistakes.length > 0 ? mistakes : findContradictions(value as unknown as CorsOptions)
}

/** For browsers `*` is no origin that a person's cookies could be shown to, and no name for all headers, once there are credentials (Fetch, 3.3.5 and 3.3.6). */
function findContradictions({ origins, credentials, exposed }: CorsOptions): readonly string[] {
  if (credentials !== true) return []
  const mistakes: string[] = []
  if (origins === '*') mistakes.push("has credentials for every origin, '*': any page on the web could act as whoever looks at it, and browsers refuse it; name the origins that may")
  if (exposed?.includes('*') === true) mistakes.push("has '*' among \"exposed\", which means nothing where there are credentials; name the headers")
  return mistakes
}

function findOriginMistakes(value: string | readonly unknown[]): readonly string[] {
  if (value === '*') return []
  return [value].flat().flatMap((origin: unknown) => (typeof origin === 'string' && readOrigin(origin) !== null ? [] : [describeBadOrigin(origin)]))
}

function describeBadOrigin(value: unknown): string {
  const got = `takes exact origins such as 'https://example.com', got ${describeGiven(value)}`
  if (value === 'null') return `${got}, which is the origin of pages without one, such as any page in a sandbox of anybody's`
  if (value === '*') return `${got} in a list; it stands alone, for every origin`
  return typeof value === 'string' && value.includes('*') ? `${got}; name each origin, since whoever gets hold of one more name below a domain would get in` : got
}

/** Origins of pages that are not from the web, such as those in an app on a phone: scheme and host, which browsers write in lower case. */
const otherOrigin = /^(?!https?:)[a-z][a-z0-9+.-]*:\/\/[a-z0-9.-]+(?::\d+)?$/

/** An origin as browsers write it; null for what is none. */
function readOrigin(text: string): string | null {
  if (text.includes('*')) return null
  return webOrigin.read(text) ?? (otherOrigin.test(text) ? text : null)
}

function isNames(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((name) => typeof name === 'string' && token.test(name))
}

function describeNames(value: unknown): string {
  const wrong: unknown = Array.isArray(value) ? value.find((name) => typeof name !== 'string' || !token.test(name) || name === '*') : value
  return describeGiven(wrong)
}

/**
 * Makes the rule of what an author says, in which {@link findCorsMistakes} has found none. The app's own origins are in each, whatever it says.
 */
export function readCorsRule(option: CorsOption, { origin, alternateOrigins }: OwnOrigins): CorsRule {
  const { origins, credentials = false, headers, exposed, maxAge } = toOptions(option)
  const named = [origins].flat().map((each) => readOrigin(each) ?? each)
  return {
    origins: origins === '*' ? '*' : new Set([...named, ...(origin === null ? [] : [origin]), ...alternateOrigins]),
    credentials,
    headers: headers?.join(', ') ?? null,
    exposed: exposed === undefined || exposed.length === 0 ? null : exposed.join(', '),
    maxAge: maxAge ?? null,
  }
}

function toOptions(option: CorsOption): CorsOptions {
  if (typeof option === 'boolean') return { origins: option ? '*' : [] }
  return typeof option === 'string' || isList(option) ? { origins: option } : option
}

function isList(option: readonly string[] | CorsOptions): option is readonly string[] {
  return Array.isArray(option)
}
