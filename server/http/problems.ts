import { HttpError } from './http-error.js'
import { suggestName } from '../errors/nearest-name.js'

/** Unknown names beyond these are counted only: a body has room for very many. */
const mostUnknown = 20
/** Longer names are cut in messages. */
const longestName = 80

/** Gathers what is wrong with one request, so that its caller hears of all of it at once. */
export class Problems {
  readonly #problems: string[] = []
  #unknown = 0

  get none(): boolean {
    return this.#problems.length === 0
  }

  add(problem: string): void {
    this.#problems.push(problem)
  }

  /** For a name that was sent and means nothing. */
  addUnknown(what: string, name: string, known: readonly string[]): void {
    if (++this.#unknown > mostUnknown) return
    const shown = name.slice(0, longestName).toWellFormed()
    this.add(`unknown ${what}: ${JSON.stringify(shown)}; ${known.length === 0 ? 'none is taken here' : suggestName(shown, known)}`)
  }

  /** @throws HttpError 400 when anything is wrong */
  throwIfAny(): void {
    if (this.none) return
    const problems = this.#unknown > mostUnknown ? [...this.#problems, `and ${this.#unknown - mostUnknown} more unknown names`] : this.#problems
    throw new HttpError(400, problems.join('; '), { problems })
  }
}
