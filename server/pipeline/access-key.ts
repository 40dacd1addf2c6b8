import { hash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { refusal } from '../http/http-error.js'
import { checkMessage } from '../http/request/check-message.js'
import { originForm } from '../http/request/target.js'

/** A message, and the place where Fastify looks for its path. */
export type AddressedMessage = IncomingMessage & { originalUrl?: string }

/** The access key of a private app, which stands before each of its paths. */
export class AccessKey {
  readonly #basePath: string
  readonly #expected: Buffer
  /** Messages that have shown the key, which therefore is in front of their path no longer. */
  readonly #admitted = new WeakSet<IncomingMessage>()

  /** @param basePath as `basePathOf` gives it; not empty */
  constructor(basePath: string) {
    this.#basePath = basePath
    this.#expected = digest(basePath)
  }

  /** Says that a message comes from within the app, where nobody has to show a key. */
  trust(raw: IncomingMessage): void {
    this.#admitted.add(raw)
  }

  /**
   * Takes the key off the front of a message's path, unless that has been done before. Returns whether it was there.
   */
  admit(raw: AddressedMessage): boolean {
    if (this.#admitted.has(raw)) return true
    const path = originForm(raw.originalUrl ?? raw.url ?? '')
    const rest = path.slice(this.#basePath.length)
    // By digests, in a time that does not tell how much of a guess is right.
    const shown = digest(path.slice(0, this.#basePath.length))
    const isShown = /^(?:[/?]|$)/.test(rest) && timingSafeEqual(shown, this.#expected)
    // This is where Fastify reads the path, and nobody has asked for it before. What was asked for without the key is
    // told nowhere: it may have nearly been the key.
    raw.originalUrl = isShown && rest.startsWith('/') ? rest : `/${isShown ? rest : ''}`
    if (isShown) this.#admitted.add(raw)
    return isShown
  }
}

/**
 * Serves a private app under its access key only: the key is taken off the front of each path before anything looks at it, so that it gets into no log,
 * and a request without it is told that there is nothing, whatever it asks for. No code of the app runs for such a one: a handler of errors may tell what it knows, such as a link.
 *
 * @param basePath as `basePathOf` gives it
 * @param accessKey null where the app is not private
 */
export function requireAccessKey(server: FastifyInstance, basePath: string, accessKey: AccessKey | null): void {
  server.decorateRequest('basePath', accessKey === null ? '' : null)
  if (accessKey === null) return
  server.addHook('onRequest', (request, _reply, done) => {
    if (!accessKey.admit(request.raw)) {
      // One that can be read in two ways ends its connection, whoever sends it. All others are checked where their endpoint is looked for.
      checkMessage(request.raw)
      throw refusal('no-endpoint', 'Not Found')
    }
    request.basePath = basePath
    done()
  })
}

function digest(text: string): Buffer {
  return hash('sha256', text, 'buffer')
}
