import type { IncomingMessage, Server } from 'node:http'

/** The headers by which a proxy says for whom it asks, those that can be believed first. */
const tellingHeaders = ['X-Forwarded-For', 'X-Forwarded-Host', 'X-Forwarded-Proto', 'Forwarded', 'X-Real-IP'].map((name) => ({ name, key: name.toLowerCase() }))

/**
 * Warns once of a request that seems to come through a proxy, where the configuration names none: for limits and the log, all whom it asks for are one network. To be used where that is so;
 * it listens until it has something to say.
 */
export function warnOfUnnamedProxy(server: Server, warn: (message: string) => void): void {
  const look = ({ headers, socket }: IncomingMessage): void => {
    // Written out, since nearly every request has none of them.
    if (headers['x-forwarded-for'] === undefined && headers['x-forwarded-host'] === undefined && headers['x-forwarded-proto'] === undefined && headers['forwarded'] === undefined && headers['x-real-ip'] === undefined) return
    const seen = tellingHeaders.find(({ key }) => headers[key] !== undefined)
    if (seen === undefined) return
    server.off('request', look)
    const { remoteAddress = 'somewhere' } = socket
    const address = remoteAddress.replace(/^::ffff:(?=[\d.]+$)/, '')
    const remedy = seen.key.startsWith('x-forwarded') ? '' : ' and let it send X-Forwarded-For, the header that is read'
    warn(
      `a request from ${address} came with ${seen.name}, which is not believed, because trustedProxies is empty: everybody behind that address counts as one network, for limits and in the log. ` +
        `If it is your proxy, set trustedProxies: ['${address}']${remedy}; if it is a client, all is well`,
    )
  }
  server.on('request', look)
}
