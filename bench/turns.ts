import { measure, type Load, type Round, type Server } from './load.js'

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
 * Every other round goes backwards, so that none is always the first. A second of load before all that, which counts
 * for nothing, warms each side up.
 */
export async function measureInTurns<const Sides extends readonly Side[]>(
  sides: Sides,
  { rounds, seconds }: Duration,
): Promise<Results<Sides>> {
  for (const { server, load } of sides) await measure(server, load, 1)
  const turns = sides.map((side) => ({ ...side, results: [] as Round[] }))
  for (let round = 0; round < rounds; round++) {
    for (const { server, load, results } of round % 2 === 0 ? turns : turns.toReversed()) {
      results.push(await measure(server, load, seconds))
    }
  }
  // One list for each side; the type of map() says that it is a list of some length.
  return turns.map(({ results }) => results) as Results<Sides>
}

/** What one side shows in proportion to the other, round by round. */
export function ratios(ours: readonly Round[], theirs: readonly Round[], read: (round: Round) => number): number[] {
  return ours.map((round, index) => read(round) / read(theirs[index] ?? round))
}
