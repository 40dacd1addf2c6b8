import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startServer, type Round, type Server } from './load.js'
import { median } from './median.js'
import { contenders } from './servers/contenders.js'
import { numbers, Table, texts } from './table.js'
import { measureInTurns, ratios } from './turns.js'

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '7' }, seconds: { type: 'string', default: '2' } },
})
const duration = { rounds: Number(values.rounds), seconds: Number(values.seconds) }
const load = { path: '/notes/42', connections: 64 }

const folder = await mkdtemp(join(tmpdir(), 'rowhouse-bench-'))
const servers: Server[] = []
try {
  for (const contender of contenders) {
    const data = await mkdtemp(join(folder, 'data-'))
    servers.push(await startServer(new URL('./servers/plugin.js', import.meta.url), [data, contender], { pinned: true }))
  }
  console.log(`One route of a Fastify plugin, on Node.js ${process.versions.node}:`)
  console.log(`medians of ${values.rounds} alternating rounds of ${values.seconds} s, ${load.connections} connections\n`)
  const figures = ['CPU', 'user', 'system', 'ratio', 'requests/s', 'others']
  const table = new Table(texts('server', 25), ...figures.map(numbers))
  const results = await measureInTurns(servers.map((server) => ({ server, load })), duration)
  const [ours = []] = results
  for (const [index, rounds] of results.entries()) {
    const of = (read: (round: Round) => number): number => median(rounds.map(read))
    const times = [of(({ cpu }) => cpu), of(({ user }) => user), of(({ system }) => system)].map((time) => time.toFixed(1))
    const ratio = index === 0 ? '' : median(ratios(ours, rounds, ({ cpu }) => cpu)).toFixed(3)
    const rate = of(({ requestsPerSecond }) => requestsPerSecond).toFixed(0)
    table.print(contenders[index] ?? '', ...times, ratio, rate, `${(of(({ disturbance }) => disturbance) * 100).toFixed(0)} %`)
  }
} finally {
  for (const server of servers) server.stop()
  await rm(folder, { recursive: true, force: true })
}
