import { spawn, type ChildProcess } from 'node:child_process'
import { once, setMaxListeners } from 'node:events'
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { Agent, request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { attacks, type AttackOrder, type AttackOutcome } from './attacks.js'
import { numbers, Table, texts } from './table.js'

const mebibyte = 1024 * 1024

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: Object.keys(attacks).join(',') },
    seconds: { type: 'string', default: '60' },
    after: { type: 'string', default: '60' },
    connections: { type: 'string', default: '200' },
    pause: { type: 'string', default: '1000' },
    body: { type: 'string', default: String(20 * mebibyte) },
    program: { type: 'string', default: fileURLToPath(new URL('../bin/rowhouse.js', import.meta.url)) },
    'take-compressed': { type: 'boolean', default: false },
  },
})
const [seconds, secondsAfter] = [Number(values.seconds), Number(values.after)]

/** How often an unrelated endpoint is asked, in milliseconds, whether or not the answers before have come. */
const probeInterval = 20
/** How many connections are open before the attack: one that is opened under it would wait to be taken up, too. */
const openBefore = 64
/**
 * What has to hold under each attack: how much memory it may take in MiB, how much of that the process may keep for its
 * own next use, and how many times their idle p99 others may wait.
 */
const aim = { growth: 256, kept: 128, slowdown: 4 }

/** The app that is attacked. */
const sources: Readonly<Record<string, string>> = {
  'tables.ts': `import { defineTables, table, text } from 'rowhouse'
export const tables = defineTables({ rows: table({ title: text() }) })`,
  'modules/attacked.ts': `import { monitorEventLoopDelay } from 'node:perf_hooks'
import { crudEndpoints, httpEndpoint } from 'rowhouse'
import { tables } from '../tables.js'
const taking = { methods: ['POST'] as const${values['take-compressed'] ? ', decompress: true' : ''} }
const delay = monitorEventLoopDelay({ resolution: 5 })
delay.enable()
httpEndpoint('/delay', () => {
  const longest = delay.max / 1e6
  delay.reset()
  return longest
})
httpEndpoint('/probe', () => ({ status: 'well' }))
httpEndpoint('/form', taking, ({ a }) => String(a).length)
httpEndpoint('/json', taking, (_args, { bodyJson }) => Array.isArray(bodyJson))
httpEndpoint('/mine', { authenticateUsers: true }, () => 1)
crudEndpoints('/rows', tables.rows, { public: true })`,
}

/** A `rowhouse start` in a process of its own. */
interface Attacked {
  readonly child: ChildProcess
  readonly url: string
  readonly data: string
}

const folder = await mkdtemp(join(tmpdir(), 'rowhouse-bench-'))
const figures = ['RSS MiB', 'highest', 'after', 'bodies MiB', 'after', 'p50 ms', 'under', 'p99 ms', 'under', 'turn ms']
const table = new Table(texts('attack', 11), ...figures.map(numbers), texts('as it should be', 40))
try {
  for (const [path, source] of Object.entries(sources)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), source)
  }
  console.log(`${values.connections} connections attack for ${values.seconds} s; bodies of ${values.body} bytes\n`)
  for (const kind of values.only.split(',')) await measureAttack(kind)
} finally {
  await rm(folder, { recursive: true, force: true })
}

async function measureAttack(kind: string): Promise<void> {
  const server = await start(await mkdtemp(join(folder, 'data-')))
  try {
    if (kind === 'list') await addRows(server)
    const idle = await probe(server, Math.max(5, seconds / 4))
    await longestTurnOf(server)
    const before = memoryOf(server)
    const highest = watch(server)
    const attackers = attackWith(server, kind)
    const under = await probe(server, seconds)
    const outcome = await attackers.stop()
    const turn = await longestTurnOf(server)
    await delay(secondsAfter * 1000)
    const peak = highest()
    const after = memoryOf(server)
    const mistakes = [
      ...(peak.memory - before < aim.growth ? [] : [`takes ${Math.round(peak.memory - before)} MiB`]),
      ...(under.p99 <= aim.slowdown * idle.p99 ? [] : [`others wait ${(under.p99 / idle.p99).toFixed(1)} times as long`]),
      ...(after - before < aim.kept && bodiesOf(server) === 0 ? [] : ['not all is given back']),
    ]
    if (mistakes.length > 0) process.exitCode = 1
    const sizes = [before, peak.memory, after, peak.bodies, bodiesOf(server)].map((size) => size.toFixed(0))
    const times = [idle.p50, under.p50, idle.p99, under.p99, turn].map((time) => time.toFixed(1))
    table.print(kind, ...sizes, ...times, mistakes.length === 0 ? 'yes' : `NO: ${mistakes.join(', ')}`)
    console.log(`  ${Object.entries(outcome).map(([what, count]) => `${what} × ${count}`).join(', ')}`)
  } finally {
    server.child.kill('SIGKILL')
    await once(server.child, 'exit')
  }
}

async function start(data: string): Promise<Attacked> {
  const words = [values.program, 'start', folder, '--port', '0', '--data', data]
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] })
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const [, address] = / is ready at (http:[^\s"]+)/.exec(text) ?? []
      if (address !== undefined) resolve(address)
    })
    child.once('exit', (code) => reject(new Error(`rowhouse start ended with ${code}`)))
  })
  return { child, url, data }
}

/** 230 rows of 80 KB: on one page, nearly as long as an answer may be. */
async function addRows({ url }: Attacked): Promise<void> {
  const body = JSON.stringify({ title: 'x'.repeat(80_000) })
  for (let count = 0; count < 230; count++) {
    await fetch(`${url}/_/api/rows`, { method: 'POST', body, headers: { 'content-type': 'application/json' } })
  }
}

function attackWith({ url }: Attacked, kind: string): { stop(): Promise<AttackOutcome> } {
  const order: AttackOrder = {
    port: Number(new URL(url).port),
    kind,
    connections: Number(values.connections),
    pause: Number(values.pause),
    bodyLength: Number(values.body),
  }
  const worker = new Worker(new URL('./attacks.js', import.meta.url), { workerData: order })
  const outcome = once(worker, 'message')
  return {
    stop: async () => {
      worker.postMessage('stop')
      const [told] = (await outcome) as [AttackOutcome]
      await worker.terminate()
      return told
    },
  }
}

/** Asks an unrelated endpoint over connections that are open before; resolves to how long it took, in milliseconds. */
async function probe({ url }: Attacked, duration: number): Promise<{ readonly p50: number; readonly p99: number }> {
  const agent = new Agent({ keepAlive: true, maxSockets: openBefore, maxFreeSockets: openBefore })
  setMaxListeners(0, agent)
  const ask = (): Promise<void> =>
    new Promise((resolve, reject) => {
      httpRequest(`${url}/_/api/probe`, { agent }, (answer) => answer.on('end', resolve).resume())
        .on('error', reject)
        .end()
    })
  const latencies: number[] = []
  const pending: Promise<unknown>[] = []
  await Promise.all(Array.from({ length: openBefore }, ask))
  const end = performance.now() + duration * 1000
  while (performance.now() < end) {
    const began = performance.now()
    pending.push(ask().then(() => latencies.push(performance.now() - began)))
    await delay(probeInterval)
  }
  await Promise.all(pending)
  agent.destroy()
  const sorted = latencies.toSorted((a, b) => a - b)
  const at = (part: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0
  return { p50: at(0.5), p99: at(0.99) }
}

/** Looks at the server until it is asked what was the highest, in MiB. */
function watch(server: Attacked): () => { readonly memory: number; readonly bodies: number } {
  let [memory, bodies] = [0, 0]
  const timer = setInterval(() => {
    memory = Math.max(memory, memoryOf(server))
    bodies = Math.max(bodies, bodiesOf(server))
  }, 200)
  return () => {
    clearInterval(timer)
    return { memory, bodies }
  }
}

/** How long the event loop of a server has stood still at most since it was asked before, in milliseconds. */
async function longestTurnOf({ url }: Attacked): Promise<number> {
  return Number(await (await fetch(`${url}/_/api/delay`)).text())
}

/** The resident memory of a server, in MiB. */
function memoryOf({ child }: Attacked): number {
  return Number(/VmRSS:\s*(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1024
}

/** How much is in the temporary files of bodies, in MiB: they have no names, so they are found among the open ones. */
function bodiesOf({ child, data }: Attacked): number {
  let sum = 0
  for (const descriptor of readdirSync(`/proc/${child.pid}/fd`)) {
    const path = `/proc/${child.pid}/fd/${descriptor}`
    try {
      if (readlinkSync(path).startsWith(join(data, 'request-bodies'))) sum += statSync(path).blocks * 512
    } catch {
      // Closed in the meantime.
    }
  }
  return sum / mebibyte
}
