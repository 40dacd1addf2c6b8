import type { FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify'
import fastifyPlugin from 'fastify-plugin'

/** Options of the plugin. */
export interface RequestLogsOptions {
  /** Takes a whole line, its end included. */
  readonly write: (line: string) => void
  /**
   * What else a line says of a request and its answer, by name; what is undefined is left out. Null for a request that
   * somebody else logs.
   */
  readonly describe: (request: FastifyRequest, status: number) => Readonly<Record<string, string | undefined>> | null
}

/**
 * Writes one line of JSON, in the form of pino's, for each request once it has been answered: id, method, path (never the query, which may hold secrets), what `describe` says, status,
 * and duration in milliseconds. The line is put together by hand because it is written for every request: a general serializer takes as long for it as the rest of the pipeline does.
 */
const requestLogsPlugin: FastifyPluginCallback<RequestLogsOptions> = (app, { write, describe }, ready) => {
  const time = new LineTime()
  app.addHook('onResponse', (request: FastifyRequest, reply: FastifyReply, done: () => void) => {
    const status = reply.statusCode
    const described = describe(request, status)
    if (described === null) {
      done()
      return
    }
    let more = ''
    for (const name in described) {
      const value = described[name]
      if (value !== undefined) more += `,"${name}":${quote(value)}`
    }
    write(
      `{"level":30,"time":"${time.now()}","requestId":${quote(request.id)},"method":"${request.method}","path":${quote(pathOf(request.originalUrl))}` +
        `${more},"status":${status},"duration":${toHundredths(reply.elapsedTime)},"message":"request"}\n`,
    )
    done()
  })
  ready()
}

/** The time of a line in ISO 8601; formatted once for all lines of a millisecond. */
class LineTime {
  #at = 0
  #text = ''

  now(): string {
    const at = Date.now()
    if (at !== this.#at) {
      this.#at = at
      this.#text = new Date(at).toISOString()
    }
    return this.#text
  }
}

/** Printable ASCII without quotation mark and backslash, which JSON writes as it is (RFC 8259, 7). */
const plain = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/

/** The text as JSON; a client may have put anything into it. */
function quote(text: string): string {
  return plain.test(text) ? `"${text}"` : JSON.stringify(text)
}

/** With two decimals; made from whole numbers, whose texts V8 remembers. */
function toHundredths(value: number): string {
  const hundredths = Math.round(value * 100)
  const rest = hundredths % 100
  return `${(hundredths - rest) / 100}.${rest < 10 ? '0' : ''}${rest}`
}

function pathOf(url: string): string {
  const end = url.search(/[?#]/)
  return end === -1 ? url : url.slice(0, end)
}

/** See {@link RequestLogsOptions}. */
export const requestLogs = fastifyPlugin(requestLogsPlugin, { name: 'rowhouse-request-logs', fastify: '5.x' })
