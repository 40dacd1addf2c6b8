import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { measure, startServer, type Round } from './load.js'
import { median } from './median.js'

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '7' }, seconds: { type: 'string', default: '2' } } })
const counts = [1, 100, 2000]
const aims = [null, 0.95, 0.9]
const load = { path: '/shop/articles/42/comments', connections: 64 }

const folder = await mkdtemp(join(tmpdir(), 'rowhouse-bench-'))
const servers = await Promise.all(counts.map((count) => startServer(new URL('./servers/routes.js', import.meta.url), folder, [String(count)])))

console.log(`one endpoint of apps with ${counts.join(', ')} routes: ${values.rounds} alternating rounds of ${values.seconds} s, ${load.connections} connections; medians\n`)
console.log('| routes | ratio | aim | requests/s | CPU µs/request |')
console.log('|---|---|---|---|---|')
try {
  for (const server of servers) await measure(server, load, 1)
  const rounds: Round[][] = []
  for (let round = 0; round < Number(values.rounds); round++) {
    const results: Round[] = []
    // Each round begins with another server, so that none is always the first.
    for (let turn = 0; turn < servers.length; turn++) {
      const index = (round + turn) % servers.length
      const server = servers[index]
      if (server !== undefined) results[index] = await measure(server, load, Number(values.seconds))
    }
    rounds.push(results)
  }
  for (const [index, count] of counts.entries()) {
    const of = (read: (round: Round) => number): number => median(rounds.map((results) => read(results[index] as Round)))
    const ratio = median(rounds.map((results) => (results[index]?.requestsPerSecond ?? 0) / (results[0]?.requestsPerSecond ?? 1)))
    const aim = aims[index]
    console.log(`| ${count} | ${ratio.toFixed(3)} | ${aim === null || aim === undefined ? '' : `≥ ${aim}`} | ${of((round) => round.requestsPerSecond).toFixed(0)} | ${of((round) => round.cpu).toFixed(1)} |`)
  }
} finally {
  for (const server of servers) server.stop()
  await rm(folder, { recursive: true, force: true })
}
