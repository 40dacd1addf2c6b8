import type { IncomingHttpHeaders } from 'node:http'
import { everyVariable } from '../settings/environment.js'
import { parseAuthorization } from './request/authorization.js'

/** Replaces the secrets in a text. */
export type HideSecrets = (text: string) => string

/** What stands in the place of a secret. */
const hidden = '[hidden]'
/** Shorter values are left alone: they stand in words that are no secret, and a text full of holes tells nothing. */
const shortest = 6

const secretName = /key|secret|token|pass|pwd|auth|credential|dsn|private|cookie|salt|signature/i
/** Names that look secret and are the paths of the current folder and the one before. */
const openNames: ReadonlySet<string> = new Set(['PWD', 'OLDPWD'])
/** The user information of a URL (RFC 3986, 3.2.1). */
const userInformation = /\/\/([^/?#\s@]*)@/g

/** Where secrets of this process and of one request come from. */
export interface SecretSources {
  readonly variables: Iterable<readonly [name: string, value: string]>
  readonly headers: IncomingHttpHeaders
}

/**
 * Finds the values that must not be shown, and returns what replaces them in a text: those of environment variables that are called like a secret or hold a URL with a password,
 * and those of request headers with credentials. It also finds them as they are written in URLs and in JSON.
 */
export function hideSecrets({ variables, headers }: SecretSources): HideSecrets {
  const secrets = new Set<string>()
  for (const [name, value] of variables) if (isSecret(name, value)) for (const form of formsOf(value)) secrets.add(form)
  for (const value of secretsOf(headers)) for (const form of formsOf(value)) secrets.add(form)
  // The longest first: a secret may be a part of another.
  const found = [...secrets].filter((secret) => secret.length >= shortest).sort((a, b) => b.length - a.length)
  return (text) => found.reduce((shown, secret) => shown.replaceAll(secret, hidden), text)
}

/**
 * The same for what an error says in the log, of which the lines with calls may only have secrets of the process hidden in them: others could be chosen by a client, who would hide where the error was.
 *
 * @param headers those of the request that is answered; none outside of requests
 */
export function hideInError(headers: IncomingHttpHeaders): HideSecrets {
  const ofProcess = hideSecrets({ variables: everyVariable(), headers: {} })
  const ofRequest = hideSecrets({ variables: [], headers })
  // By lines, since a request has no secrets of several.
  return (text) => ofProcess(text).split('\n').map((line) => (isCall.test(line) ? line : ofRequest(line))).join('\n')
}

/** A line of a stack, as V8 writes it. */
const isCall = /^ {4,}at \S/

function isSecret(name: string, value: string): boolean {
  return (secretName.test(name) && !openNames.has(name.toUpperCase())) || value.search(userInformation) !== -1
}

function* secretsOf(headers: IncomingHttpHeaders): Iterable<string> {
  for (const [name, value] of Object.entries(headers)) {
    const text = Array.isArray(value) ? value.join(', ') : (value ?? '')
    if (!secretName.test(name)) continue
    yield text
    if (name === 'authorization' || name === 'proxy-authorization') yield* partsOfAuthorization(text)
    if (name === 'cookie') for (const pair of text.split(';')) yield pair.slice(pair.indexOf('=') + 1).trim()
  }
}

function* partsOfAuthorization(header: string): Iterable<string> {
  yield header.replace(/^\S+\s+/, '')
  const authorization = parseAuthorization(header)
  if (authorization?.password === undefined) return
  yield `${authorization.username}:${authorization.password}`
  yield authorization.password
}

/** The forms in which a value may stand in a text: whole or a line of it, the password of a URL in it, each as it is, encoded for a URL, and as JSON. */
function* formsOf(value: string): Iterable<string> {
  const parts = [value, ...value.split('\n')]
  for (const [, information = ''] of value.matchAll(userInformation)) {
    const password = information.replace(/^[^:]*:/, '')
    parts.push(password, decoded(password))
  }
  for (const part of parts.map((text) => text.trim())) {
    yield part
    yield encodeURIComponent(part.toWellFormed())
    yield JSON.stringify(part).slice(1, -1)
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
