/** Credentials are asked for, and were not shown. It is the same for every cause: missing, malformed and wrong credentials, unknown and disabled users. */
export class Unauthorized extends Error {
  override readonly name = 'Unauthorized'
  readonly code = 'unauthorized'
  /** A 401 says how to authenticate (RFC 9110, 15.5.2). */
  readonly headers: Readonly<{ 'www-authenticate': string | readonly string[] }>

  /** @param challenges at least one */
  constructor(readonly challenges: readonly string[]) {
    super('Unauthorized')
    const [first = '', ...others] = challenges
    this.headers = Object.freeze({ 'www-authenticate': others.length === 0 ? first : challenges })
  }
}
