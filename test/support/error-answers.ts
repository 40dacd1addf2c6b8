import { request, type IncomingMessage } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { dresses, type Asked, type Cases, type Dress, type RawAsked } from './asked.js'
import { converse, readAnswers } from './raw-http.js'

/** An answer in the form in which it is compared and kept. */
export interface KeptAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** The decoded JSON of a JSON answer, whose members stay in their order; the text of any other. */
  readonly body: unknown
}

/** One answer for each dress, or a single one for `any` where all of them are the same. */
export type KeptAnswers = Readonly<Partial<Record<Dress | 'any', KeptAnswer>>>

/** Answers by the names of app and case. */
export type GoldenAnswers = Readonly<Record<string, Readonly<Record<string, KeptAnswers>>>>

/** Sends each of the requests in each dress, one after the other, and keeps the answers. */
export async function collectAnswers(port: number, cases: Cases): Promise<Record<string, KeptAnswers>> {
  const collected: Record<string, KeptAnswers> = {}
  for (const [name, asked] of Object.entries(cases)) {
    const answers: Partial<Record<Dress, KeptAnswer>> = {}
    const wanted = 'only' in asked ? asked.only : undefined
    for (const dress of wanted ?? (Object.keys(dresses) as Dress[])) {
      answers[dress] =
        'raw' in asked ? await askRaw(port, asked, dresses[dress]) : await ask(port, asked, dresses[dress])
    }
    const [first, ...others] = Object.values(answers)
    const isOne = others.length > 0 && others.every((other) => JSON.stringify(other) === JSON.stringify(first))
    collected[name] = isOne && first !== undefined ? { any: first } : answers
  }
  return collected
}

async function ask(port: number, { line, headers = {}, body }: Asked, accept: string): Promise<KeptAnswer> {
  const [method = '', path = ''] = line.split(' ')
  const message = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = request(
      { port, host: '127.0.0.1', method, path, headers: { host: 'app.example', accept, ...headers } },
      resolve,
    )
    // A server that has refused a body may close the connection under the rest of it.
    outgoing.on('error', (error) => (outgoing.destroyed ? undefined : reject(error)))
    outgoing.end(body)
  })
  const lines: [string, string][] = []
  for (let index = 0; index < message.rawHeaders.length; index += 2)
    lines.push([message.rawHeaders[index] ?? '', message.rawHeaders[index + 1] ?? ''])
  return keep(message.statusCode ?? 0, lines, await buffer(message))
}

async function askRaw(port: number, { raw, patience = 150 }: RawAsked, accept: string): Promise<KeptAnswer> {
  const text = await converse(port, { pieces: [raw(accept)], patience })
  const [found] = readAnswers(text, [])
  if (found === undefined) throw new Error(`there is no answer in ${JSON.stringify(text)}`)
  return keep(found.status, Object.entries(found.headers), Buffer.from(found.body, 'latin1'))
}

/** Takes out of an answer what is different each time it is given. */
function keep(status: number, lines: readonly (readonly [string, string])[], bytes: Buffer): KeptAnswer {
  const headers: Record<string, string> = {}
  for (const [name, value] of lines) {
    const key = name.toLowerCase()
    const kept = keepHeader(key, value, bytes.length)
    headers[key] = headers[key] === undefined ? kept : `${headers[key]} | ${kept}`
  }
  const text = keepText(bytes.toString('utf8'))
  const isJson = headers['content-type'] === 'application/json' && text !== ''
  return { status, headers, body: isJson ? withoutFrames(JSON.parse(text)) : text }
}

function keepHeader(name: string, value: string, length: number): string {
  if (name === 'date') return 'a date'
  if (name === 'x-request-id') return keepText(value)
  return name === 'content-length' && Number(value) === length ? 'the length of the body' : value
}

const uuid = /[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/g

/** Ids of requests, numbers of rows, styles and calls on the stack are not what is compared here. */
function keepText(text: string): string {
  return text
    .replaceAll(uuid, 'an id')
    .replaceAll(/\[(\d+),\d+\]/g, '[$1,#]')
    .replaceAll(/<style>[\s\S]*?<\/style>/g, '<style>…</style>')
    .replaceAll(/^ {4}at .*\n/gm, '')
    .replaceAll(/<(figure|details)\b[\s\S]*?<\/\1>/g, '<$1>…</$1>')
    .replaceAll(/(?:<(?:figure|details)>…<\/(?:figure|details)>\n*)+/g, '<calls>\n')
}

function withoutFrames(body: unknown): unknown {
  if (typeof body !== 'object' || body === null) return body
  if (Array.isArray(body)) return body.map(withoutFrames)
  return Object.fromEntries(
    Object.entries(body).map(([name, value]) => [name, name === 'stack' ? ['…'] : withoutFrames(value)]),
  )
}

/** The answers as a file that can be read, and whose changes can: JSON with one line for each part of an answer. */
export function formatAnswers(golden: GoldenAnswers): string {
  const apps = Object.entries(golden).map(([app, cases]) => {
    const named = Object.entries(cases).map(
      ([name, answers]) => `  ${JSON.stringify(name)}: {\n${formatCase(answers)}\n  }`,
    )
    return `${JSON.stringify(app)}: {\n${named.join(',\n')}\n}`
  })
  return `{\n${apps.join(',\n')}\n}\n`
}

/** The answers to one request. */
export function formatCase(answers: KeptAnswers): string {
  const formatted = Object.entries(answers).map(([dress, { status, headers, body }]) => {
    const members = [`"status": ${status}`, `"headers": ${JSON.stringify(headers)}`, `"body": ${JSON.stringify(body)}`]
    return `    "${dress}": {\n${members.map((member) => `      ${member}`).join(',\n')}\n    }`
  })
  return formatted.join(',\n')
}
