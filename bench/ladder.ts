import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Candidates, type Candidate } from './candidates.js'
import type { Round } from './load.js'
import { median } from './median.js'
import { rows, rowsCalled, type Row } from './rows.js'
import { numbers, Table, texts } from './table.js'
import { disturbing, measureInTurns, ratios } from './turns.js'

/** What was found out of one row. */
interface Finding {
  readonly row: string
  /** The medians of each server, from the lowest rung to the whole; those of the other Rowhouse come last. */
  readonly servers: readonly ({ readonly name: string } & Round)[]
  /** CPU time in proportion to that of the other Rowhouse in the same round; null where there is no other. */
  readonly ratio: { readonly median: number; readonly lowest: number; readonly highest: number } | null
}

/** What a change may leave a row at, in proportion to what it was before. */
const most = 1.05

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '2' },
    only: { type: 'string', default: rows.map(({ name }) => name).join(',') },
    against: { type: 'string' },
    json: { type: 'string' },
  },
})
const duration = { rounds: Number(values.rounds), seconds: Number(values.seconds) }
const chosen = rowsCalled(values.only)
const { node } = process.versions
const checkout = fileURLToPath(new URL('../..', import.meta.url))

const folder = await mkdtemp(join(tmpdir(), 'rowhouse-bench-'))
const candidates = new Candidates(folder)
try {
  const rowhouse = await candidates.startRowhouse('= Rowhouse', checkout)
  const other =
    values.against === undefined ? null : await candidates.startRowhouse('the other Rowhouse', resolve(values.against))
  const lower = chosen.some(({ climbs }) => climbs) ? await candidates.startRungs(rowhouse) : []

  console.log(`CPU time of the server for each request, in microseconds, on Node.js ${node}:`)
  console.log(`medians of ${duration.rounds} alternating rounds of ${duration.seconds} s\n`)
  const figures = ['CPU', 'user', 'system', 'step', 'requests/s', 'others']
  const table = new Table(texts('row', 11), texts('server', 23), ...figures.map(numbers))
  const findings: Finding[] = []
  for (const row of chosen) {
    const finding = await measureRow(row, [...(row.climbs ? lower : []), rowhouse], other)
    findings.push(finding)
    printFinding(table, finding)
  }
  if (other !== null) printRatios(findings)
  if (values.json !== undefined) {
    await writeFile(values.json, `${JSON.stringify({ node, ...duration, findings }, null, 2)}\n`)
  }
} finally {
  candidates.stop()
  await rm(folder, { recursive: true, force: true })
}

/** @param ladder from the lowest rung to the whole Rowhouse */
async function measureRow(row: Row, ladder: readonly Candidate[], other: Candidate | null): Promise<Finding> {
  const measured = other === null ? ladder : [...ladder, other]
  const sides = measured.map(({ server, id, cookie }) => ({ server, load: row.load(id, cookie) }))
  const results = await measureInTurns(sides, duration)
  return {
    row: row.name,
    servers: measured.map(({ name }, index) => ({ name, ...mediansOf(results[index] ?? []) })),
    ratio: other === null ? null : compare(results.at(-2) ?? [], results.at(-1) ?? []),
  }
}

function mediansOf(rounds: readonly Round[]): Round {
  const of = (figure: keyof Round): number => median(rounds.map((round) => round[figure]))
  return {
    cpu: of('cpu'),
    user: of('user'),
    system: of('system'),
    requestsPerSecond: of('requestsPerSecond'),
    p99: of('p99'),
    disturbance: of('disturbance'),
  }
}

function compare(ours: readonly Round[], theirs: readonly Round[]): Finding['ratio'] {
  const each = ratios(ours, theirs, ({ cpu }) => cpu)
  return { median: median(each), lowest: Math.min(...each), highest: Math.max(...each) }
}

function printFinding(table: Table, { row, servers, ratio }: Finding): void {
  for (const [index, { name, cpu, user, system, requestsPerSecond, disturbance }] of servers.entries()) {
    const below = servers[index - 1]
    const isOther = ratio !== null && index === servers.length - 1
    const step = below === undefined || isOther ? '' : signed(cpu - below.cpu)
    const times = [cpu, user, system].map((time) => time.toFixed(1))
    const others = `${(disturbance * 100).toFixed(0)} %`
    table.print(index === 0 ? row : '', name, ...times, step, requestsPerSecond.toFixed(0), others)
  }
}

function signed(difference: number): string {
  return `${difference < 0 ? '' : '+'}${difference.toFixed(1)}`
}

function printRatios(findings: readonly Finding[]): void {
  console.log('\nCPU time in proportion to that of the other Rowhouse, round by round;')
  console.log(`a change may leave the median of a row at ${most} at most\n`)
  const table = new Table(texts('row', 11), ...['median', 'lowest', 'highest'].map(numbers), texts('', 9))
  for (const { row, servers, ratio } of findings) {
    if (ratio === null) continue
    const { median, lowest, highest } = ratio
    const disturbed = servers.slice(-2).some(({ disturbance }) => disturbance > disturbing)
    const verdict = disturbed ? 'disturbed' : median > most ? 'too much' : ''
    table.print(row, ...[median, lowest, highest].map((part) => part.toFixed(3)), verdict)
  }
}
