/** Credentials are asked for, and were not shown. It is the same for every cause: missing, malformed and wrong credentials, unknown and disabled users. */
export class Unauthorized extends Error {
  override readonly name = 'Unauthorized'
  readonly code = 'unauthorized'

  constructor(readonly challenges: readonly string[]) {
    super('Unauthorized')
  }
}
