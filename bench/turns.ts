import { measure, type Load, type Round, type Server } from './load.js'

/** The part of its core from which on what other programs use of it changes what a server shows. */
export const disturbing = 0.05

/** A server, and what it is asked for. */
export interface Side {
  readonly server: Server
  readonly load: Load
}

/** How long a measurement takes. */
export interface Duration {
  readonly rounds: number
  /** Of each side in each round. */
  readonly seconds: number
}

/** The rounds of each side, in the order of the sides. */
type Results<Sides extends readonly Side[]> = { [Index in keyof Sides]: Round[] }

/**
 * Puts load on one side after the other, round after round, so that whatever else the machine does befalls all of them.
 * Every other round goes backwards, so that none is always the first. Each side is warmed up before.
 * A pinned server that another program disturbed is measured again, a few times, and the quietest result counts.
 */
export async function measureInTurns<const Sides extends readonly Side[]>(
  sides: Sides,
  { rounds, seconds }: Duration,
): Promise<Results<Sides>> {
  for (const side of sides) await warmUp(side)
  const turns = sides.map((side) => ({ ...side, results: [] as Round[] }))
  for (let round = 0; round < rounds; round++) {
    for (const { server, load, results } of round % 2 === 0 ? turns : turns.toReversed()) {
      results.push(await measureQuietly(server, load, seconds))
    }
  }
  // One list for each side; the type of map() says that it is a list of some length.
  return turns.map(({ results }) => results) as Results<Sides>
}

/** Load that counts for nothing: until what a side runs is compiled, or the machine turns out to be too busy for that. */
async function warmUp({ server, load }: Side): Promise<void> {
  for (let seconds = 0, served = 0; seconds < 10 && served < 20_000; seconds++) {
    served += (await measure(server, load, 1)).requestsPerSecond
  }
}

async function measureQuietly(server: Server, load: Load, seconds: number): Promise<Round> {
  let quietest = await measure(server, load, seconds)
  for (let again = 0; again < 3 && quietest.disturbance > disturbing; again++) {
    const result = await measure(server, load, seconds)
    if (result.disturbance < quietest.disturbance) quietest = result
  }
  return quietest
}

/** What one side shows in proportion to the other, round by round. */
export function ratios(ours: readonly Round[], theirs: readonly Round[], read: (round: Round) => number): number[] {
  return ours.map((round, index) => read(round) / read(theirs[index] ?? round))
}
