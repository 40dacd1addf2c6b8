import type { IncomingHttpHeaders } from 'node:http'
import { everyVariable } from '../settings/environment.js'
import { isPlainObject } from '../../db/errors/describe-value.js'
import { parseAuthorization } from './request/authorization.js'
import { nothingBrought, type Brought } from './request/brought.js'

/** Replaces the secrets in a text. */
export type HideSecrets = (text: string) => string

/** What stands in the place of a secret. */
const hidden = '[hidden]'
/** Shorter values are left alone: they stand in words that are no secret, and a text full of holes tells nothing. */
const shortest = 6
/** The same for fields that a request has sent: it is for this request alone. */
const shortestField = 4
/** How many members of what a request has sent are looked at, and how many secrets among them are hidden: a body has room for very many. */
const mostMembers = 10_000
const mostFields = 100

/** An author is no secret. */
const secretName = /key|secret|token|csrf|pass|pwd|auth(?!or(?!i[sz]))|credential|dsn|private|cookie|salt|signature/i
/** Names that look secret and are the paths of the current folder and the one before. */
const openNames: ReadonlySet<string> = new Set(['PWD', 'OLDPWD'])
/** The user information of a URL (RFC 3986, 3.2.1). */
const userInformation = /\/\/([^/?#\s@]*)@/g

/** Where secrets of this process and of one request come from. */
export interface SecretSources extends Brought {
  readonly variables: Iterable<readonly [name: string, value: string]>
}

/**
 * Finds the values that must not be shown, and returns what replaces them in a text: those of environment variables that are called like a secret or hold a URL with a password,
 * those of request headers with credentials, and those of parameters, fields and members of a JSON body that are called like a secret, with all that is in them. It also finds them as they are written in URLs and in JSON.
 */
export function hideSecrets({ variables, headers, members }: SecretSources): HideSecrets {
  const secrets = new Set<string>()
  const add = (value: string, least: number): void => {
    for (const form of formsOf(value)) if (form.length >= least) secrets.add(form)
  }
  for (const [name, value] of variables) if (isSecret(name, value)) add(value, shortest)
  for (const value of secretsOf(headers)) add(value, shortest)
  for (const value of secretFieldsOf(members)) add(value, shortestField)
  // The longest first: a secret may be a part of another.
  const found = [...secrets].sort((a, b) => b.length - a.length)
  return (text) => found.reduce((shown, secret) => shown.replaceAll(secret, hidden), text)
}

/**
 * The same for what an error says in the log, of which the lines with calls may only have secrets of the process hidden in them: others could be chosen by a client, who would hide where the error was.
 *
 * @param brought by the request that is answered
 */
export function hideInError(brought: Brought): HideSecrets {
  const ofProcess = hideSecrets({ ...nothingBrought, variables: everyVariable() })
  const ofRequest = hideSecrets({ ...brought, variables: [] })
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
    if (name === 'cookie') {
      for (const pair of text.split(';')) {
        const value = pair.slice(pair.indexOf('=') + 1).trim()
        yield value
        // As an app gets to see it.
        yield decoded(value)
      }
    }
  }
}

/** The texts and numbers that are called like a secret, or are in something that is. */
function secretFieldsOf(members: readonly unknown[]): ReadonlySet<string> {
  const found = new Set<string>()
  const waiting = members.map((member) => ({ member, isSecret: false }))
  let looked = 0
  // It grows while it is walked.
  for (const { member, isSecret } of waiting) {
    if (++looked > mostMembers || found.size >= mostFields) break
    if (Array.isArray(member)) waiting.push(...member.slice(0, mostMembers).map((inner: unknown) => ({ member: inner, isSecret })))
    else if (isPlainObject(member)) for (const name of Object.keys(member).slice(0, mostMembers)) waiting.push({ member: member[name], isSecret: isSecret || secretName.test(name) })
    else if (isSecret && (typeof member === 'string' || typeof member === 'number')) found.add(String(member))
  }
  return found
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
