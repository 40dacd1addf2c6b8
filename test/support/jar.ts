import type { createApp } from 'rowhouse'

type Server = Awaited<ReturnType<typeof createApp>>
type Reply = Awaited<ReturnType<Server['inject']>>

/** What a request of a browser says beside its address. */
export interface Visit {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly headers?: Readonly<Record<string, string>>
  readonly payload?: string | object
  /** The fields of a form. */
  readonly form?: Readonly<Record<string, string>>
}

/** A browser that keeps cookies, as far as one host needs it. */
export class Jar {
  readonly #server: Server
  readonly cookies = new Map<string, string>()

  constructor(server: Server, cookies: Iterable<readonly [string, string]> = []) {
    this.#server = server
    this.cookies = new Map(cookies)
  }

  /** Another browser that has the same cookies, as a thief has. */
  stolen(server: Server = this.#server): Jar {
    return new Jar(server, this.cookies)
  }

  async ask(url: string, { method = 'GET', headers = {}, payload, form }: Visit = {}): Promise<Reply> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const body = form === undefined ? payload : new URLSearchParams(form).toString()
    const reply = await this.#server.inject({
      method,
      url,
      headers: { ...(cookie !== '' && { cookie }), ...(form !== undefined && { 'content-type': 'application/x-www-form-urlencoded' }), ...headers },
      ...(body !== undefined && { payload: body }),
    })
    for (const line of [reply.headers['set-cookie'] ?? []].flat()) {
      const [pair = ''] = line.split(';')
      const name = pair.slice(0, pair.indexOf('='))
      if (/;\s*max-age=0(?:;|$)/i.test(line)) this.cookies.delete(name)
      else this.cookies.set(name, pair.slice(pair.indexOf('=') + 1))
    }
    return reply
  }

  /** The text of an answer, which has to be a success. */
  async text(url: string, visit: Visit = {}): Promise<string> {
    const reply = await this.ask(url, visit)
    if (reply.statusCode >= 300) throw new Error(`${url}: ${reply.statusCode} ${reply.body}`)
    return reply.body
  }
}
