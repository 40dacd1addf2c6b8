import type { FastifyRequest } from 'fastify'
import { emailKey } from '../../db/schema/email-key.js'
import { principalId } from '../call/principal.js'
import { KeyedHash } from '../services/accounts/keyed-hash.js'
import { networkOf } from '../services/accounts/network.js'

/** What the log's line of a request says beside what every web server's says. */
export type RequestLine = Readonly<Record<string, string | undefined>>

/** The answers of which those who guess passwords get many. */
const refusals: ReadonlySet<number> = new Set([401, 429, 503])

/**
 * Makes the function that says what else a request's line tells: its endpoint and who called, by kind and id. Where somebody was refused, the network, for whatever keeps it out,
 * and a keyed hash of the account that was tried: it tells whether two lines are about one account, and not which.
 */
export function requestLines(): (request: FastifyRequest, status: number) => RequestLine {
  const accounts = new KeyedHash()
  return (request, status) => {
    const { principal, found, triedAccount } = request
    const { kind } = principal
    const line: Record<string, string | undefined> = { endpoint: found?.endpoint.path.text }
    if (kind !== 'nobody') {
      line['principal'] = kind
      line[kind] = principalId(principal)
    }
    if (refusals.has(status)) {
      line['network'] = networkOf(request.ip)
      // Beside the user it would tell whose account it is.
      if (triedAccount !== null && kind === 'nobody') line['account'] = accounts.of(emailKey(triedAccount) ?? triedAccount)
    }
    return line
  }
}
