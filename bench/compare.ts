import { parseArgs } from 'node:util'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startServer, type Load, type Round } from './load.js'
import { median } from './median.js'
import { basic } from './servers/answers.js'
import { measureInTurns, ratios } from './turns.js'

/** One claim: the same work asked of two sides, and how many of the second's requests per second the first has to reach. */
interface Claim {
  readonly name: string
  readonly target: number
  readonly ours: Load
  readonly rival: Load
  /** The rival is the hand-written server, or the same Rowhouse under another load. */
  readonly against: 'hand-written' | 'rowhouse'
}

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' }, seconds: { type: 'string', default: '3' }, only: { type: 'string', default: '' } } })
const rounds = Number(values.rounds)
const seconds = Number(values.seconds)

const same = (load: Load): Pick<Claim, 'ours' | 'rival'> => ({ ours: load, rival: load })

const claims: readonly Claim[] = [
  { name: 'JSON endpoint with context and parameters / bare Fastify', target: 0.85, against: 'hand-written', ...same({ path: '/_/api/profiles/42?page=3', connections: 64 }) },
  { name: 'get a row by id / prepared statement by hand', target: 0.8, against: 'hand-written', ...same({ path: '/_/api/tasks/%5B2%2C700%5D', connections: 64 }) },
  { name: 'list 20 rows / prepared statement by hand', target: 0.8, against: 'hand-written', ...same({ path: '/_/api/tasks', connections: 64 }) },
  { name: 'create a row, durable / NORMAL, one transaction each, by hand', target: 1.8, against: 'hand-written', ...same({ path: '/_/api/tasks', form: 'title=Water+the+plants', connections: 64 }) },
  { name: 'list with Basic credentials / the same list open', target: 0.85, against: 'rowhouse', ours: { path: '/_/api/mine', headers: basic, connections: 64 }, rival: { path: '/_/api/open', connections: 64 } },
]

const folder = await mkdtemp(join(tmpdir(), 'rowhouse-bench-'))
const [rowhouse, handWritten] = await Promise.all([
  startServer(new URL('./servers/rowhouse.js', import.meta.url), [folder]),
  startServer(new URL('./servers/hand-written.js', import.meta.url), [folder]),
])

console.log(`${rounds} alternating rounds of ${seconds} s for each side, 64 connections; medians\n`)
console.log('| claim | ratio | target | requests/s | p99 ms | CPU µs/request |')
console.log('|---|---|---|---|---|---|')
try {
  for (const claim of claims.filter(({ name }) => name.includes(values.only))) console.log(await compare(claim))
} finally {
  rowhouse.stop()
  handWritten.stop()
  await rm(folder, { recursive: true, force: true })
}

async function compare({ name, target, ours, rival, against }: Claim): Promise<string> {
  const other = against === 'rowhouse' ? rowhouse : handWritten
  const sides = [{ server: rowhouse, load: ours }, { server: other, load: rival }] as const
  const [mine, theirs] = await measureInTurns(sides, { rounds, seconds })
  const ratio = median(ratios(mine, theirs, (round) => round.requestsPerSecond))
  const both = (read: (round: Round) => number, digits: number): string =>
    [mine, theirs].map((side) => median(side.map(read)).toFixed(digits)).join(' : ')
  return `| ${name} | ${ratio.toFixed(2)} | ≥ ${target} | ${both((round) => round.requestsPerSecond, 0)} | ${both((round) => round.p99, 1)} | ${both((round) => round.cpu, 1)} |`
}
