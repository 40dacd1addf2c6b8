import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startServer, type Round } from './load.js'
import { median } from './median.js'
import { measureInTurns, ratios } from './turns.js'

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '7' }, seconds: { type: 'string', default: '2' } } })
const counts = [1, 100, 2000]
const aims = [null, 0.95, 0.9]
const load = { path: '/shop/articles/42/comments', connections: 64 }

const folder = await mkdtemp(join(tmpdir(), 'rowhouse-bench-'))
const servers = await Promise.all(counts.map((count) => startServer(new URL('./servers/routes.js', import.meta.url), [folder, String(count)])))

console.log(`one endpoint of apps with ${counts.join(', ')} routes: ${values.rounds} alternating rounds of ${values.seconds} s, ${load.connections} connections; medians\n`)
console.log('| routes | ratio | aim | requests/s | CPU µs/request |')
console.log('|---|---|---|---|---|')
try {
  const duration = { rounds: Number(values.rounds), seconds: Number(values.seconds) }
  const results = await measureInTurns(servers.map((server) => ({ server, load })), duration)
  for (const [index, rounds] of results.entries()) {
    const of = (read: (round: Round) => number): number => median(rounds.map(read))
    const ratio = median(ratios(rounds, results[0] ?? rounds, (round) => round.requestsPerSecond))
    const aim = aims[index] ?? null
    const [requestsPerSecond, cpu] = [of((round) => round.requestsPerSecond), of((round) => round.cpu)]
    const cells = [counts[index], ratio.toFixed(3), aim === null ? '' : `≥ ${aim}`, requestsPerSecond.toFixed(0), cpu.toFixed(1)]
    console.log(`| ${cells.join(' | ')} |`)
  }
} finally {
  for (const server of servers) server.stop()
  await rm(folder, { recursive: true, force: true })
}
