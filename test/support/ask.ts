import { request } from 'node:http'

/** What a client asks for. */
export interface Asked {
  readonly method?: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
  /** Sends the body in chunks, without saying how long it is. */
  readonly chunked?: boolean
}

/** What came back, as far as two servers can be compared by it. */
export interface Answer {
  readonly status: number | undefined
  /** Every line of each header, by its name in lower case. */
  readonly headers: Readonly<Record<string, readonly string[]>>
  readonly trailers: Readonly<Record<string, string | undefined>>
  /** As Latin-1. */
  readonly body: string
  /** Whether the connection was cut before the answer's end. */
  readonly isCut: boolean
}

/** They tell of the connection, the moment and the request, and not of the answer. */
const incidental: ReadonlySet<string> = new Set(['date', 'connection', 'keep-alive', 'x-request-id'])

/** Asks a server on this machine, on a connection of its own. */
export function ask(
  port: number,
  { method = 'GET', path, headers = {}, body, chunked = false }: Asked,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const length = body === undefined || chunked ? {} : { 'content-length': Buffer.byteLength(body) }
    const sent = request(
      { host: '127.0.0.1', port, method, path, headers: { ...length, ...headers }, agent: false },
      (response) => {
        const pieces: Buffer[] = []
        const finish = (isCut: boolean): void => {
          const told: Record<string, string[]> = {}
          for (let index = 0; index < response.rawHeaders.length; index += 2) {
            const name = (response.rawHeaders[index] ?? '').toLowerCase()
            if (!incidental.has(name)) (told[name] ??= []).push(response.rawHeaders[index + 1] ?? '')
          }
          resolve({
            status: response.statusCode,
            headers: told,
            trailers: response.trailers,
            body: Buffer.concat(pieces).toString('latin1'),
            isCut,
          })
        }
        response.on('data', (piece: Buffer) => pieces.push(piece))
        response.on('end', () => finish(false)).on('error', () => finish(true))
      },
    )
    sent.on('error', reject)
    if (body !== undefined) sent.write(body)
    sent.end()
  })
}
