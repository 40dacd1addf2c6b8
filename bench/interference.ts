import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent, request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { startServer, type Server } from './load.js'
import { account } from './servers/answers.js'

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '20' } } })
const seconds = Number(values.seconds)

/** How often an unrelated endpoint is asked, in milliseconds, whether or not the answers before have come. */
const probeInterval = 5

/** A load under which an unrelated endpoint is watched; its arguments are those of wrk. */
interface Disturbance {
  readonly name: string
  readonly load: readonly string[] | null
  readonly environment?: Readonly<Record<string, string>>
}

const script = (name: string): string => new URL(`../../bench/${name}`, import.meta.url).pathname

const disturbances: readonly Disturbance[] = [
  { name: 'nothing', load: null },
  { name: 'wrong passwords for one account, 200 clients', load: ['-t1', '-c200', '-s', script('flood.lua')], environment: { BENCH_ACCOUNT: account.email } },
  { name: 'wrong passwords for ever new accounts, 200 clients', load: ['-t1', '-c200', '-s', script('flood.lua')], environment: { BENCH_ACCOUNT: '' } },
  { name: 'durable writes as fast as they go, 64 clients, with checkpoints', load: ['-t1', '-c64', '-s', script('form.lua')], environment: { BENCH_FORM: `title=${'x'.repeat(500)}` } },
]

const folder = await mkdtemp(join(tmpdir(), 'rowhouse-bench-'))
const server = await startServer(new URL('./servers/rowhouse.js', import.meta.url), [folder])
const agent = new Agent({ keepAlive: true })
console.log(`an unrelated endpoint, asked every ${probeInterval} ms over open connections for ${seconds} s while there is:\n`)
console.log('| disturbance | p50 ms | p99 ms | worst ms | right user, remembered | right user, from another network |')
console.log('|---|---|---|---|---|---|')
try {
  // The user of the measurement signs in once, from here, and is remembered.
  await ask(server, '/_/api/mine', { from: '127.0.0.1', password: account.password })
  for (const disturbance of disturbances) console.log(await watch(disturbance))
} finally {
  agent.destroy()
  server.stop()
  await rm(folder, { recursive: true, force: true })
}

async function watch({ name, load, environment = {} }: Disturbance): Promise<string> {
  // Opened before the load begins: under it, probes that open connections of their own wait far longer. docs/benchmarks.md tells both.
  await Promise.all(Array.from({ length: 64 }, () => ask(server, '/_/api/profiles/1', { from: '127.0.0.1' })))
  const wrk = load === null ? null : spawn('wrk', [...load, `-d${seconds + 2}s`, `${server.url}/_/api/tasks`], { stdio: 'ignore', env: { PATH: '/usr/bin:/bin:/usr/local/bin', ...environment } })
  await delay(1000)
  const latencies: number[] = []
  const users = { remembered: [] as number[], elsewhere: [] as number[] }
  const pending: Promise<unknown>[] = []
  const end = performance.now() + seconds * 1000
  for (let probe = 0; performance.now() < end; probe++) {
    const began = performance.now()
    pending.push(ask(server, '/_/api/profiles/1', { from: '127.0.0.1' }).then(() => latencies.push(performance.now() - began)))
    if (probe % 200 === 0) {
      pending.push(ask(server, '/_/api/mine', { from: '127.0.0.1', password: account.password }).then((status) => users.remembered.push(status)))
      // A new address each time, so that nothing is known of it.
      pending.push(ask(server, '/_/api/mine', { from: `127.0.1.${(probe / 200) % 250}`, password: account.password }).then((status) => users.elsewhere.push(status)))
    }
    await delay(probeInterval)
  }
  await Promise.all(pending)
  if (wrk !== null && wrk.exitCode === null) await once(wrk, 'exit')
  const sorted = latencies.toSorted((a, b) => a - b)
  const at = (part: number): string => (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0).toFixed(1)
  const served = (statuses: readonly number[]): string => `${statuses.filter((status) => status === 200).length} of ${statuses.length}`
  return `| ${name} | ${at(0.5)} | ${at(0.99)} | ${at(1)} | ${served(users.remembered)} | ${served(users.elsewhere)} |`
}

interface Asking {
  /** The address that the request comes from. */
  readonly from: string
  readonly password?: string
}

/** Resolves to the status, or to 0 when there was no answer. */
function ask({ url }: Server, path: string, { from, password }: Asking): Promise<number> {
  const auth = password === undefined ? {} : { auth: `${account.email}:${password}` }
  return new Promise((resolve) => {
    httpRequest(url + path, { agent, localAddress: from, ...auth }, (answer) => answer.on('end', () => resolve(answer.statusCode ?? 0)).resume())
      .on('error', () => resolve(0))
      .end()
  })
}
