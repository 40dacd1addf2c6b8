import type { ErrorCode } from '../errors/error-codes.js'
import { suggestName } from '../errors/nearest-name.js'
import { refusal } from './http-error.js'

/** Unknown names beyond these are counted only: a body has room for very many. */
const mostUnknown = 20
/** Longer names are cut in messages. */
const longestName = 80

/** One thing that is wrong with what a request says. */
export interface Problem {
  readonly code: ErrorCode
  /** The name of a parameter or column, or a place in the body such as `body.items[2].price`; `''` for no one place. */
  readonly path: string
  readonly message: string
}

/** Gathers what is wrong with one request, so that its caller hears of all of it at once. */
export class Problems {
  readonly #problems: Problem[] = []
  #unknown = 0
  #moreUnknown: 'parameter' | 'column' | null = null

  get none(): boolean {
    return this.#problems.length === 0
  }

  add(problem: Problem): void {
    this.#problems.push(problem)
  }

  /**
   * For a name that was sent and means nothing.
   *
   * @param place the parameter that it was sent in, where it is not one itself
   */
  addUnknown(kind: 'parameter' | 'column', name: string, known: readonly string[], place?: string): void {
    if (++this.#unknown > mostUnknown) {
      this.#moreUnknown ??= kind
      return
    }
    const shown = name.slice(0, longestName).toWellFormed()
    const what = `unknown ${kind}${place === undefined ? '' : ` in ${place}`}: ${JSON.stringify(shown)}`
    const remedy = known.length === 0 ? 'none is taken here' : suggestName(shown, known)
    this.add({ code: `unknown-${kind}`, path: place ?? shown, message: `${what}; ${remedy}` })
  }

  /** @throws HttpError 400 `invalid-input` when anything is wrong, with all of it */
  throwIfAny(): void {
    if (this.none) return
    if (this.#moreUnknown !== null) {
      const message = `and ${this.#unknown - mostUnknown} more unknown names`
      this.add({ code: `unknown-${this.#moreUnknown}`, path: '', message })
    }
    const message = this.#problems.map((problem) => problem.message).join('; ')
    throw refusal('invalid-input', message, { details: { problems: this.#problems } })
  }
}
