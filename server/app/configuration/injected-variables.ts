/**
 * What Kubernetes sets for each service: `ROWHOUSE_SERVICE_HOST`, `ROWHOUSE_DB_SERVICE_PORT`,
 * `ROWHOUSE_SERVICE_PORT_HTTP`.
 */
const service = /_SERVICE_(?:HOST|PORT(?:_.+)?)$/
/**
 * What Kubernetes and the links of containers set for each port: `ROWHOUSE_PORT_3030_TCP`, and with `_ADDR`, `_PORT`,
 * `_PROTO` and, for ranges, `_START`, `_END` behind it.
 */
const portOf = /_PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:ADDR|PROTO|PORT|START|END|PORT_START|PORT_END))?$/
/** What both set for the first port: `ROWHOUSE_PORT=tcp://10.0.0.1:3030`. */
const firstPort = { name: /_PORT$/, value: /^(?:tcp|udp|sctp):\/\// }
/** What a link of containers sets to their names: `ROWHOUSE_NAME=/web/rowhouse`. */
const link = { name: /_NAME$/, value: /^\/[^/]+\/[^/]+$/ }

/**
 * The variables without those that Kubernetes and the links of containers set into a container because another one, or
 * a service, is called `rowhouse` or `rowhouse-…`: nobody has written them, and nobody can leave them out.
 */
export function withoutInjected(variables: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const linked = [...variables]
    .filter(([name, value]) => link.name.test(name) && link.value.test(value))
    .map(([name]) => name.replace(link.name, ''))
  const isInjected = (name: string, value: string): boolean =>
    service.test(name) ||
    portOf.test(name) ||
    (firstPort.name.test(name) && firstPort.value.test(value)) ||
    // A link also sets the whole environment of the other container, as ROWHOUSE_ENV_….
    linked.some((alias) => name === `${alias}_NAME` || name.startsWith(`${alias}_ENV_`))
  return new Map([...variables].filter(([name, value]) => !isInjected(name, value)))
}
