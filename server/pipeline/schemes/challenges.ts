import type { IncomingHttpHeaders } from 'node:http'
import { isOfBrowser } from '../../http/request/is-browser.js'
import type { Scheme } from './scheme.js'
import { Unauthorized } from './unauthorized.js'

/** What refuses whoever has not shown who it is. One for all programs and one for all browsers: each says the same to everybody, and its stack would say nothing. */
export class Challenges {
  readonly #programs: Unauthorized
  readonly #browsers: Unauthorized

  /** @param realm names the protected area in a challenge, quoted */
  constructor(schemes: readonly Scheme[], realm: string) {
    this.#programs = new Unauthorized(schemes.flatMap((scheme) => scheme.challenges))
    // A 401 has at least one challenge (RFC 9110, 15.5.2). Of one whose scheme it does not know a browser makes nothing.
    this.#browsers = new Unauthorized([`Session realm=${realm}`, ...schemes.flatMap((scheme) => scheme.browserChallenges ?? scheme.challenges)])
  }

  /** The refusal for whoever has sent these headers. */
  unauthorizedFor(headers: IncomingHttpHeaders): Unauthorized {
    return isOfBrowser(headers) ? this.#browsers : this.#programs
  }
}
